"""The convolutions of the STFT-CNN: a classifier's members, and an encoder that is pretrained to become one.

Layers are plain modules (no BatchNorm, no functional pooling), so that LRP-ε finds a rule for each of them.
"""

from torch import Tensor, nn

from mlcore.config import Network

FREQUENCY_CELLS = 8  # at most; what three halvings leave of Jiang's 65 frequencies


class Member(nn.Module):
    """x (batch, channels, freq, time) → hidden (batch, hidden_size)

    Blocks of two convolutions and a maximum, then an average over time: what counts is which frequencies appear in
    which pattern, not at which second of the window. Frequencies keep their place, for pitch tells a quake (below
    20 Hz) from a rockfall (above).
    """

    def __init__(self, channels: int, network: Network, rows: int):
        """`rows` of frequency are kept apart until the head."""
        super().__init__()
        widths = [network.width * 2**block for block in range(network.blocks)]
        blocks = [conv_block(before, after) for before, after in zip([channels, *widths], widths, strict=False)]
        self.features = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d((rows, 1))
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(widths[-1] * rows, hidden_size(network)),
            nn.ReLU(),
            nn.Dropout(network.dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.pool(self.features(x))  # (batch, last width, rows, 1)
        return self.head(y)  # type: ignore[no-any-return]


def hidden_size(network: Network) -> int:
    """What a member gives to the last layer."""
    return network.width * 2**network.blocks


def conv_block(before: int, after: int) -> nn.Sequential:
    """(batch, before, freq, time) → (batch, after, freq // 2, time // 2)"""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
