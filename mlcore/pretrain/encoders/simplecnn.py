"""SimpleCNN: the network of Salamon & Bello 2017 (arXiv:1608.04363), as Dias et al. 2023 use it, without dense layers.

The convolutions are padded, and what is left of the image is averaged over time only: which of eight bands a pattern
lies in stays known, as it did to the dense layers.
"""

from torch import Tensor, nn

from mlcore.pretrain.encoders.layers import initialise, scaled

ROWS = 8  # what two poolings by 4 leave of the paper's 128 bands


class SimpleCNN(nn.Module):
    """x (batch, channels, freq, time) → y (batch, features): 48 × 8 rows times width"""

    def __init__(self, width: float = 1.0, channels: int = 1):
        super().__init__()
        first, later = scaled(24, width), scaled(48, width)
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, first, 5, padding=2), nn.MaxPool2d((4, 2), ceil_mode=True), nn.ReLU()),
            *(nn.Conv2d(first, later, 5, padding=2), nn.MaxPool2d((4, 2), ceil_mode=True), nn.ReLU()),
            *(nn.Conv2d(later, later, 5, padding=2), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d((ROWS, 1)), nn.Flatten()),
        )
        self.features = later * ROWS
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]
