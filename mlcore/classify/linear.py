"""The linear part of a network: softmax regression on cells of the map and attributes of the waveform.

With a hundred events, convolutions learn the events and not their classes; a cautious linear rule on the same map does
better, and its relevance is read off its weights. It is convex, so it has one solution, whatever the seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

STEPS = 200  # of L-BFGS at most; a hundred settle it
FLAT = 1e-6  # spread below which a feature says nothing
LARGEST = 5.0  # standard deviations; what is further out counts as this far while weights are learned


@dataclass(frozen=True)
class LinearPart:
    """logits = features · weightᵀ + bias. weight (classes, d), bias (classes,), float64"""

    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """features (n, d) → (n, classes), float64"""
        return features.double() @ self.weight.T + self.bias


def fit_linear(parts: Sequence[Tensor], targets: Tensor, strength: float) -> LinearPart:
    """The most probable weights for features in `parts`, each (n, d_i), and targets (n, classes) that are shares.

    A target row counts as much as it sums to. Minimises

        Σ_i w_i · cross-entropy_i + ‖W‖² / (2 · strength)        Σ_i w_i = n

    over standardised features. Each part, however many features it has, is given the same total variance, so that
    some attributes are heard beside a thousand cells. The weights returned are for the features as they are.
    """
    means, spreads = zip(*(_standard(part) for part in parts), strict=True)
    mean, spread = torch.cat(means), torch.cat(spreads)
    x = ((torch.cat(list(parts), dim=1).double() - mean) / spread).clamp(-LARGEST, LARGEST)
    gain = torch.cat([torch.full((part.shape[1],), part.shape[1] ** -0.5, dtype=torch.float64) for part in parts])
    weight, bias = _minimise(x * gain, targets.double(), strength)
    raw = weight * gain / spread
    return LinearPart(raw, bias - raw @ mean)


def _standard(part: Tensor) -> tuple[Tensor, Tensor]:
    values = part.double()
    spread = values.std(dim=0, correction=0)
    return values.mean(dim=0), torch.where(spread > FLAT, spread, torch.inf)  # so a flat feature weighs nothing


def _minimise(x: Tensor, targets: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """x (n, d), targets (n, classes) → weight (classes, d), bias (classes,)"""
    weight = torch.zeros(targets.shape[1], x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(targets.shape[1], dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, tolerance_grad=1e-5, tolerance_change=1e-9, line_search_fn="strong_wolfe"
    )
    counted = targets * (len(targets) / targets.sum().clamp(min=1e-12))

    def loss() -> Tensor:
        search.zero_grad()
        value = -(counted * F.log_softmax(x @ weight.T + bias, dim=1)).sum() + weight.square().sum() / (2 * strength)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    search.step(loss)
    return weight.detach(), bias.detach()
