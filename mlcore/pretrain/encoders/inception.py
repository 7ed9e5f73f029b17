"""Inception-v3. Szegedy et al. 2016, arXiv:1512.00567, Table 1, without the auxiliary classifier.

Every convolution and pooling is padded, also where the paper's shrink the image at its edges: crops of a few columns
would vanish. Weights and their number are the paper's.
"""

from functools import partial

import torch
from torch import Tensor, nn

from mlcore.pretrain.encoders.layers import averaged, convolution, initialise, scaled

Step = tuple[int, int | tuple[int, int]]  # channels after it, kernel


class InceptionV3(nn.Module):
    """x (batch, channels, freq, time) → y (batch, features): 2048 times width"""

    def __init__(self, width: float = 1.0, channels: int = 1):
        super().__init__()
        self.width, self.reached = width, channels
        layers = [
            *(self._chain((32, 3), stride=2), self._chain((32, 3), (64, 3)), halved()),
            *(self._chain((80, 1), (192, 3)), halved()),
            *(self._small(after) for after in (32, 64, 64)),
            self._halving([[(384, 3)], [(64, 1), (96, 3), (96, 3)]]),
            *(self._long(inner) for inner in (128, 160, 160, 192)),
            self._halving([[(192, 1), (320, 3)], [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)]]),
            *(self._wide() for _ in range(2)),
        ]
        self.features = self.reached
        self.layers = nn.Sequential(*layers, averaged())
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]

    def _chain(self, *steps: Step, stride: int = 1) -> nn.Module:
        chain = _chain(self.reached, steps, self.width, last_stride=stride)
        self.reached = scaled(steps[-1][0], self.width)
        return chain

    def _block(self, *branches: nn.Module, after: int) -> nn.Module:
        self.reached = after
        return Branches(*branches)

    def _small(self, pooled: int) -> nn.Module:
        """Fig. 5 of the paper: 5 × 5 beside two 3 × 3."""
        chains: list[list[Step]] = [[(64, 1)], [(48, 1), (64, 5)], [(64, 1), (96, 3), (96, 3)]]
        return self._level(chains, pooled)

    def _long(self, inner: int) -> nn.Module:
        """Fig. 6: 7 × 7 as 1 × 7 and 7 × 1."""
        along, across = (1, 7), (7, 1)
        once: list[Step] = [(inner, 1), (inner, along), (192, across)]
        twice: list[Step] = [(inner, 1), (inner, across), (inner, along), (inner, across), (192, along)]
        return self._level([[(192, 1)], once, twice], 192)

    def _level(self, chains: list[list[Step]], pooled: int) -> nn.Module:
        """Chains side by side, and a convolution of local averages."""
        before, width = self.reached, self.width
        branches = [_chain(before, chain, width) for chain in chains]
        after = sum(scaled(chain[-1][0], width) for chain in chains) + scaled(pooled, width)
        return self._block(*branches, _averages(before, pooled, width), after=after)

    def _halving(self, chains: list[list[Step]]) -> nn.Module:
        """Fig. 10: half the image's size, by strides and by a maximum side by side."""
        before, width = self.reached, self.width
        branches = [_chain(before, chain, width, last_stride=2) for chain in chains]
        after = sum(scaled(chain[-1][0], width) for chain in chains) + before
        return self._block(*branches, halved(), after=after)

    def _wide(self) -> nn.Module:
        """Fig. 7: chains that end in 1 × 3 beside 3 × 1."""
        before, width = self.reached, self.width
        forked = partial(_forked, width=width)
        branches = [
            _chain(before, [(320, 1)], width),
            nn.Sequential(_chain(before, [(384, 1)], width), forked()),
            nn.Sequential(_chain(before, [(448, 1), (384, 3)], width), forked()),
            _averages(before, 192, width),
        ]
        return self._block(*branches, after=scaled(320, width) + 4 * scaled(384, width) + scaled(192, width))


class Branches(nn.ModuleList):
    """x (batch, before, h, w) → what every branch makes of it, one behind the other in channels"""

    def __init__(self, *branches: nn.Module):
        super().__init__(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self], dim=1)


def halved() -> nn.Module:
    return nn.MaxPool2d(3, 2, padding=1)


def _chain(before: int, steps: list[Step] | tuple[Step, ...], width: float, last_stride: int = 1) -> nn.Sequential:
    sizes = [before, *(scaled(after, width) for after, _ in steps)]
    strides = [1] * (len(steps) - 1) + [last_stride]
    return nn.Sequential(
        *(
            convolution(a, b, kernel, stride, epsilon=1e-3)
            for a, b, (_, kernel), stride in zip(sizes[:-1], sizes[1:], steps, strides, strict=True)
        )
    )


def _averages(before: int, after: int, width: float) -> nn.Sequential:
    return nn.Sequential(nn.AvgPool2d(3, 1, padding=1), _chain(before, [(after, 1)], width))


def _forked(width: float) -> nn.Module:
    middle = scaled(384, width)
    return Branches(_chain(middle, [(384, (1, 3))], width), _chain(middle, [(384, (3, 1))], width))
