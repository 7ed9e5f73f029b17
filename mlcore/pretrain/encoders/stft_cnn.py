"""The classifier's own STFT-CNN as encoder. Jiang et al. 2024, section 4.1; `mlcore.stft_cnn`."""

from torch import Tensor, nn

from mlcore.config import Network
from mlcore.pretrain.encoders.layers import scaled
from mlcore.stft_cnn import FREQUENCY_CELLS, Member, hidden_size


class STFTEncoder(nn.Module):
    """x (batch, channels, freq, time) → y (batch, features): 128 times width

    A member of the classifier without dropout, of default size where width is 1. Its poolings also take what is left
    over at the end, so that crops of a few columns do not vanish.
    """

    def __init__(self, width: float = 1.0, channels: int = 1):
        super().__init__()
        network = Network(width=scaled(Network().width, width), dropout=0.0)
        self.member = Member(channels, network, FREQUENCY_CELLS)
        self.features = hidden_size(network)
        for module in self.modules():
            if isinstance(module, nn.MaxPool2d):
                module.ceil_mode = True
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.member(x)  # type: ignore[no-any-return]
