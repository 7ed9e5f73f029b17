"""What encoders are built of."""

from torch import nn


def scaled(channels: float, width: float = 1.0) -> int:
    """The number of channels times `width`, as a multiple of 8, and never a tenth less: MobileNet's rule."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def convolution(
    before: int,
    after: int,
    kernel: int | tuple[int, int] = 1,
    stride: int = 1,
    *,
    groups: int = 1,
    activation: type[nn.Module] | None = nn.ReLU,
    epsilon: float = 1e-5,
) -> nn.Sequential:
    """Convolution–BatchNorm–activation: (batch, before, h, w) → (batch, after, ⌈h / stride⌉, ⌈w / stride⌉)"""
    kernels = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (kernels[0] // 2, kernels[1] // 2)
    layers: list[nn.Module] = [
        nn.Conv2d(before, after, kernels, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(after, eps=epsilon),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


def averaged() -> nn.Sequential:
    """(batch, channels, h, w) → (batch, channels)"""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def initialise(module: nn.Module) -> None:
    """He's initialisation of every convolution: He et al. 2015, arXiv:1502.01852."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
