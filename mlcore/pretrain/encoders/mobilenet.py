"""MobileNetV3-Large. Howard et al. 2019, arXiv:1905.02244, Table 1."""

from torch import Tensor, nn

from mlcore.pretrain.encoders.layers import averaged, convolution, initialise, scaled

EPSILON = 1e-3  # of BatchNorm

# kernel, expanded channels, channels, squeeze-and-excite, hard swish, stride
ROWS = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)


class MobileNetV3(nn.Module):
    """x (batch, channels, freq, time) → y (batch, features): 960 times width"""

    def __init__(self, width: float = 1.0, channels: int = 1):
        super().__init__()
        before = scaled(16, width)
        layers: list[nn.Module] = [convolution(channels, before, 3, 2, activation=nn.Hardswish, epsilon=EPSILON)]
        for kernel, expanded, after, squeezes, swish, stride in ROWS:
            inner, after = scaled(expanded, width), scaled(after, width)
            layers.append(Inverted(before, inner, after, kernel, stride, squeezes, nn.Hardswish if swish else nn.ReLU))
            before = after
        self.features = scaled(960, width)
        layers.append(convolution(before, self.features, activation=nn.Hardswish, epsilon=EPSILON))
        self.layers = nn.Sequential(*layers, averaged())
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]


class Inverted(nn.Module):
    """x (batch, before, h, w) → (batch, after, ⌈h / stride⌉, ⌈w / stride⌉): wide inside, narrow at both ends"""

    def __init__(
        self, before: int, inner: int, after: int, kernel: int, stride: int, squeezes: bool, activation: type[nn.Module]
    ):
        super().__init__()
        layers: list[nn.Module] = []
        if inner != before:
            layers.append(convolution(before, inner, activation=activation, epsilon=EPSILON))
        layers.append(convolution(inner, inner, kernel, stride, groups=inner, activation=activation, epsilon=EPSILON))
        if squeezes:
            layers.append(SqueezeExcite(inner))
        layers.append(convolution(inner, after, activation=None, epsilon=EPSILON))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.residual else y  # type: ignore[no-any-return]


class SqueezeExcite(nn.Module):
    """x (batch, channels, h, w) → x with each channel weighed by what the whole image says; Hu et al. 2018"""

    def __init__(self, channels: int):
        super().__init__()
        squeezed = scaled(channels / 4)
        self.weights = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights(x)  # type: ignore[no-any-return]
