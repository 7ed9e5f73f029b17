"""Convolutions in float64 on a CPU, which torch leaves to a slow path.

That path unfolds a whole batch at once on the way forward, which leaves the caches, and window by window on the way
back, which does not: backwards costs less than half of forwards. But a convolution of stride 1 is also the gradient of
the one with its kernel turned round. So here both ways take the quicker one.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


def quick_convolutions(network: nn.Module) -> nn.Module:
    """The network itself; each Conv2d that can computes its output as a gradient. Outputs differ by rounding only."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _fits(module):
            module.forward = partial(_forward, module)  # type: ignore[method-assign]
    return network


def _fits(module: nn.Conv2d) -> bool:
    plain = module.stride == module.dilation == (1, 1) and module.groups == 1 and module.padding_mode == "zeros"
    return plain and not isinstance(module.padding, str) and min(_turned_padding(module)) >= 0


def _turned_padding(module: nn.Conv2d) -> list[int]:
    return [k - 1 - p for p, k in zip(module.padding, module.kernel_size, strict=True)]  # type: ignore[operator]


def _forward(module: nn.Conv2d, x: Tensor) -> Tensor:
    turned = module.weight.flip(2, 3).transpose(0, 1).contiguous()
    y: Tensor = Convolution.apply(x, module.weight, turned, module.bias, _turned_padding(module))
    return y


class Convolution(torch.autograd.Function):
    """x (n, channels, height, width) → (n, kernels, height', width'); for fixed weights."""

    @staticmethod
    def forward(  # type: ignore[override]
        context: Any, x: Tensor, weight: Tensor, turned: Tensor, bias: Tensor | None, padding: list[int]
    ) -> Tensor:
        context.save_for_backward(weight)
        context.shape, context.padding = x.shape, [k - 1 - p for k, p in zip(weight.shape[2:], padding, strict=True)]
        sizes = zip(x.shape[2:], context.padding, weight.shape[2:], strict=True)
        shape = (len(x), len(weight), *(size + 2 * p - k + 1 for size, p, k in sizes))
        y = _gradient(x, x.new_empty(1).expand(shape), turned, padding)  # of the second, only its shape counts
        return y if bias is None else y.add_(bias[:, None, None])

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        (weight,) = context.saved_tensors
        x = gradient.new_empty(1).expand(context.shape)
        return _gradient(gradient, x, weight, context.padding), None, None, None, None


def _gradient(gradient: Tensor, x: Tensor, weight: Tensor, padding: list[int]) -> Tensor:
    ones, none, wanted = [1, 1], [0, 0], [True, False, False]
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, ones, padding, ones, False, none, 1, wanted
    )[0]
    return found
