"""The classifier's own STFT-CNN as encoder. Jiang et al. 2024, section 4.1; `mlcore.stft_cnn`."""

from torch import Tensor, nn
from torch.nn import functional as F

from mlcore.config import Network
from mlcore.pretrain.encoders.layers import scaled
from mlcore.stft_cnn import FREQUENCY_CELLS, Member, hidden_size, rows_apart


class STFTEncoder(nn.Module):
    """x (batch, channels, freq, time) → y (batch, features): 128 times width

    A member of the classifier without dropout, of default size where width is 1. Its poolings also take what is left
    over at the end, so that crops of a few columns do not vanish. With `frequencies`, those of a classifier's input, it
    is the member of that classifier: it halves as this does, and keeps as many rows apart.
    """

    def __init__(
        self, width: float = 1.0, channels: int = 1, *, kernels: int = 0, blocks: int = 3, frequencies: int = 0
    ):
        super().__init__()
        network = Network(width=kernels or scaled(Network().width, width), blocks=blocks, dropout=0.0)
        self.member = Member(channels, network, rows_apart(frequencies, network) if frequencies else FREQUENCY_CELLS)
        self.features = hidden_size(network)
        for module in self.modules():
            if isinstance(module, nn.MaxPool2d):
                module.ceil_mode = True
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        if frequencies:
            for block in self.member.features.children():
                block[-1] = Halving()  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor:
        return self.member(x)  # type: ignore[no-any-return]


class Halving(nn.Module):
    """x (batch, channels, freq, time) → the maximum of each 2 × 2 cells; of one row or column, of what there is"""

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, (min(2, x.shape[-2]), min(2, x.shape[-1])))
