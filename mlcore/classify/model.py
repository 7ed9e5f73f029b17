"""The STFT-CNN: what Jiang et al. 2024 (section 4.1) call a VGG-like network, sized for two cores.

Layers are plain modules (no BatchNorm, no functional pooling), so that LRP-ε finds a rule for each of them.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mlcore.config import Network
from mlcore.stft_cnn import FREQUENCY_CELLS, Member, begin_with, fit_scale, hidden_size, rows_apart

FLAT = 1e-6  # spread below which an attribute does not vary


class STFTClassifier(nn.Module):
    """x (batch, channels, freq, time), attributes (batch, a) → logits (batch, classes)

    One or several convolutional members, and beside them, where the recipe asks for it, a linear part: cells of the
    map and hand-made attributes. All meet in the last layer alone. So networks that were trained apart, on other events
    or from other seeds, become one network whose logits are their mean, and LRP-ε explains it whole.
    With three channels, four classes and one member: 138,000 parameters.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        network: Network,
        *,
        members: int = 1,
        shape: Sequence[int] = (0, 0),
        attributes: int = 0,
    ):
        """`shape` is that of x, (freq, time); where it is not given, there are no cells. `attributes` is a."""
        super().__init__()
        rows = rows_apart(shape[0], network) if shape[0] else FREQUENCY_CELLS
        self.members = nn.ModuleList(Member(channels, network, rows) for _ in range(members))
        self.cells = nn.ModuleList(nn.Sequential(nn.AvgPool2d(cell), nn.Flatten()) for cell in network.cells)
        self.attributes = Standardised(attributes) if attributes else None
        cells = sum(channels * (shape[0] // rows) * (shape[1] // frames) for rows, frames in network.cells)
        self.hidden = members * hidden_size(network)
        self.logits = nn.Linear(self.hidden + cells + attributes, classes)
        self.apply(_initialise)
        nn.init.normal_(self.logits.weight, std=0.01)  # so that an untrained network prefers no class

    def forward(self, x: Tensor, attributes: Tensor | None = None) -> Tensor:
        return self.logits(self.features(x, attributes))  # type: ignore[no-any-return]  # no softmax: relevance starts here

    def features(self, x: Tensor, attributes: Tensor | None = None) -> Tensor:
        """What the last layer is given, where alike events lie close. → (batch, hidden + cells + a)"""
        parts = [member(x) for member in self.members]  # each (batch, hidden)
        parts += [cells(x) for cells in self.cells]
        if self.attributes is not None and attributes is not None:
            parts.append(self.attributes(attributes))
        return torch.cat(parts, dim=1)

    def fit_scale(self, inputs: Tensor) -> None:
        """Before training: scale the members' untrained weights to inputs (n, …); see `mlcore.stft_cnn.fit_scale`."""
        for member in self.members:
            fit_scale(member, inputs)  # type: ignore[arg-type]

    def begin_with(self, start: Mapping[str, Tensor]) -> list[str]:
        """Before training: give every member an encoder's weights; → which parts. See `mlcore.stft_cnn.begin_with`."""
        parts: list[str] = []
        for member in self.members:
            parts = begin_with(member, start)  # type: ignore[arg-type]
        return parts


class Standardised(nn.Module):
    """x (batch, a) → how many standard deviations each is above its mean over the training windows

    So an attribute's relevance says what it is about this event, and not what is common to all.
    """

    passes_relevance = True  # LRP: each number becomes one number

    mean: Tensor
    spread: Tensor

    def __init__(self, attributes: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(attributes))
        self.register_buffer("spread", torch.ones(attributes))

    @torch.no_grad()
    def fit(self, attributes: Tensor) -> None:
        """Take mean and spread from attributes (n, a); one that never varies keeps a spread of 1."""
        self.mean.copy_(attributes.mean(dim=0))
        spread = attributes.std(dim=0, correction=0)
        self.spread.copy_(torch.where(spread > FLAT, spread, 1.0))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.spread


def _initialise(module: nn.Module) -> None:
    # without BatchNorm, He's variance keeps six layers of ReLU from fading
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
