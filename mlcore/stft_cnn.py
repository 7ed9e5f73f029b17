"""The convolutions of the STFT-CNN: a classifier's members, and an encoder that is pretrained to become one.

Layers are plain modules (no BatchNorm, no functional pooling), so that LRP-ε finds a rule for each of them.
A pretrained member is handed on as a plain table of tensors, named as `Member.state_dict` names them.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mlcore.config import Network
from mlcore.errors import BadConfiguration

FREQUENCY_CELLS = 8  # at most; what three halvings leave of Jiang's 65 frequencies
FIRST = "features.0.0.weight"  # of the convolution that sees the input


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


@torch.no_grad()
def fit_scale(member: Member, inputs: Tensor) -> None:
    """Before training: scale the untrained weights so that `inputs` (n, …) reach the head at order one.

    STFT magnitudes of windows within ±1 are of order 0.01, and would fade. ReLU layers without bias pass a factor
    on, so each convolution takes an equal part of it.
    """
    size = inputs.square().mean().sqrt()
    convolutions = [module for module in member.modules() if isinstance(module, nn.Conv2d)]
    for convolution in convolutions if size > 0 else []:
        convolution.weight.mul_(size ** (-1 / len(convolutions)))


def member_weights(encoder: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a classifier's member begins with, of the weights of a pretrained encoder of the kind stft_cnn.

    Raises BadConfiguration for those of another network.
    """
    found = {name.removeprefix("member."): value for name, value in encoder.items() if name.startswith("member.")}
    if FIRST not in found:
        raise BadConfiguration(
            f"The weights are of another network: they begin with {min(encoder, default='nothing')}, but those of an "
            "encoder stft_cnn are expected. Pretrain with encoder.name = 'stft_cnn'."
        )
    return found


@torch.no_grad()
def begin_with(member: Member, start: Mapping[str, Tensor]) -> list[str]:
    """Give a member the weights of one that was pretrained on single components. → "convolutions", "head" if it fits

    The first convolution's weights (kernels, 1, 3, 3) are spread over the member's channels, each getting an equal
    part: what it makes of several components is the mean of what it makes of each. The head fits where both keep as
    many rows of frequency apart; else it stays as it was. Raises BadConfiguration where convolutions do not fit.
    """
    own = member.state_dict()
    given = {**start, FIRST: _spread(start[FIRST], own[FIRST].shape[1])} if FIRST in start else dict(start)
    for name in (name for name in own if name.startswith("features.")):
        wanted, found = tuple(own[name].shape), tuple(given[name].shape) if name in given else "no such tensor"
        if wanted != found:
            raise BadConfiguration(
                f"The encoder does not fit the network: {name} is {found}, but {wanted} is needed. Pretrain an encoder "
                "of this recipe's network, or start without one."
            )
    parts = ["features."]
    if all(name in given and given[name].shape == own[name].shape for name in own if name.startswith("head.")):
        parts.append("head.")
    for name, tensor in own.items():
        if name.startswith(tuple(parts)):
            tensor.copy_(given[name])
    return [{"features.": "convolutions", "head.": "head"}[part] for part in parts]


def _spread(weight: Tensor, channels: int) -> Tensor:
    """(kernels, 1, 3, 3) → (kernels, channels, 3, 3), whose sum over the channels is the weight"""
    return weight.expand(-1, channels, -1, -1) / channels if weight.shape[1] == 1 else weight


def rows_apart(frequencies: int, network: Network) -> int:
    """How many rows of frequency a member keeps apart until its head: what the halvings leave, at most 8."""
    return min(frequencies // 2**network.blocks or 1, FREQUENCY_CELLS)


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
