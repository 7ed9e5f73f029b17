"""ResNet18, 34 and 50. He et al. 2016, arXiv:1512.03385, Table 1."""

from collections.abc import Sequence

from torch import Tensor, nn

from mlcore.pretrain.encoders.layers import averaged, convolution, initialise, scaled


class ResNet(nn.Module):
    """x (batch, channels, freq, time) → y (batch, features): 512, or 2048 with bottlenecks, times width

    `blocks` are those of the four stages. In bottlenecks the middle convolution has the stride, as in torchvision.
    """

    def __init__(self, blocks: Sequence[int], bottleneck: bool, width: float = 1.0, channels: int = 1):
        super().__init__()
        expansion = 4 if bottleneck else 1
        before = scaled(64, width)
        self.stem = nn.Sequential(convolution(channels, before, 7, 2), nn.MaxPool2d(3, 2, padding=1))
        stages: list[nn.Module] = []
        for stage, count in enumerate(blocks):
            inner = scaled(64 * 2**stage, width)
            for block in range(count):
                stride = 2 if stage and not block else 1
                stages.append(Residual(before, inner, inner * expansion, stride, bottleneck))
                before = inner * expansion
        self.blocks = nn.Sequential(*stages)
        self.pool = averaged()
        self.features = before
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.blocks(self.stem(x)))  # type: ignore[no-any-return]


class Residual(nn.Module):
    """x (batch, before, h, w) → (batch, after, ⌈h / stride⌉, ⌈w / stride⌉): ReLU(convolutions(x) + shortcut(x))"""

    def __init__(self, before: int, inner: int, after: int, stride: int, bottleneck: bool):
        super().__init__()
        if bottleneck:
            layers = [convolution(before, inner), convolution(inner, inner, 3, stride)]
            last = convolution(inner, after, activation=None)
        else:
            layers = [convolution(before, inner, 3, stride)]
            last = convolution(inner, after, 3, activation=None)
        self.convolutions = nn.Sequential(*layers, last)
        same = stride == 1 and before == after
        self.shortcut = nn.Identity() if same else convolution(before, after, 1, stride, activation=None)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.convolutions(x) + self.shortcut(x))  # type: ignore[no-any-return]
