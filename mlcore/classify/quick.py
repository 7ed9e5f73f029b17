"""A network for asking in bfloat16: each convolution takes the ReLU behind it along, and pooling keeps no indices."""

import copy

import torch
from torch import Tensor, nn


def quick_copy(model: nn.Module) -> nn.Module:
    """A copy for inference under bfloat16's autocast, whose sequences of layers are fused where they can be."""
    fused = copy.deepcopy(model).eval()
    for module in [module for module in fused.modules() if isinstance(module, nn.Sequential)]:
        layers = list(module)
        for place, (layer, following) in enumerate(zip(layers, [*layers[1:], None], strict=True)):
            if isinstance(layer, nn.Conv2d) and isinstance(following, nn.ReLU) and _can_fuse(layer):
                module[place], module[place + 1] = ConvolutionReLU(layer), nn.Identity()
            elif isinstance(layer, nn.MaxPool2d) and (layer.kernel_size, layer.stride, layer.padding) == (2, 2, 0):
                module[place] = HalvingMaximum()
    return fused


class ConvolutionReLU(nn.Module):
    """x (batch, channels, freq, time) → max(conv(x), 0), in bfloat16"""

    def __init__(self, convolution: nn.Conv2d):
        super().__init__()
        weight = convolution.weight.detach().to(torch.bfloat16)
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), requires_grad=False)
        bias = torch.zeros(len(weight)) if convolution.bias is None else convolution.bias.detach()
        self.bias = nn.Parameter(bias.to(torch.bfloat16), requires_grad=False)
        self.settings = (convolution.padding, convolution.stride, convolution.dilation, convolution.groups)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.ops.mkldnn._convolution_pointwise(
            x.to(torch.bfloat16), self.weight, self.bias, *self.settings, "relu", [], ""
        )
        return y  # type: ignore[no-any-return]


class HalvingMaximum(nn.Module):
    """x (batch, channels, freq, time) → the maximum of each 2 × 2 cells"""

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
        x = x.permute(0, 2, 3, 1)[:, :rows, :columns]  # channels last, as the memory lies
        x = torch.maximum(x[:, 0::2], x[:, 1::2])
        return torch.maximum(x[:, :, 0::2], x[:, :, 1::2]).permute(0, 3, 1, 2)


def _can_fuse(convolution: nn.Conv2d) -> bool:
    return (
        torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
        and convolution.weight.device.type == "cpu"
    )
