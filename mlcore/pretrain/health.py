"""Whether a representation still says different things of different inputs, or has collapsed.

A network that gives every input the same answer makes an invariance term vanish; the other terms are there to prevent
it, and these figures say whether they do.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

SAME = 0.01  # of their size: outputs that differ by less are one and the same
SHRUNK = 0.1  # of the standard deviation that a method aims at
FEW = 2.0  # dimensions: outputs that use fewer vary along a line


def spread(features: Tensor) -> Tensor:
    """Standard deviation of each dimension over the batch. features (batch, dim) → (dim,)"""
    return features.std(dim=0, correction=0)


def mean_covariance(features: Tensor) -> Tensor:
    """Root mean square of the covariances between different dimensions. features (batch, dim) → scalar"""
    centred = features - features.mean(dim=0)
    covariance = centred.T @ centred / (len(features) - 1)
    dim = features.shape[1]
    squares = covariance.square().sum() - covariance.diagonal().square().sum()
    return (squares.clamp_min(0) / max(dim * (dim - 1), 1)).sqrt()


def effective_rank(features: Tensor) -> Tensor:
    """How many dimensions the batch fills. features (batch, dim) → scalar from 1 to min(batch − 1, dim); 0 if constant

    With σ the singular values of the centred matrix and p = σ / Σσ,
        erank = exp(−Σ p log p)      Roy & Vetterli 2007, EUSIPCO, definition 1
    """
    singular = torch.linalg.svdvals(features - features.mean(dim=0))
    if singular.sum() <= torch.finfo(features.dtype).eps * features.abs().max() * len(features):
        return torch.zeros(())
    p = singular / singular.sum()
    return torch.special.entr(p).sum().exp()


NAMES = tuple(f"{of}_{name}" for of in ("y", "z") for name in ("std", "std_smallest", "spread", "covariance", "rank"))


def health_of(epoch: Mapping[str, float]) -> dict[str, float]:
    """Of an epoch's figures, those that `health` found."""
    return {name: epoch[name] for name in NAMES if name in epoch}


@torch.no_grad()
def health(y: Tensor, z: Tensor) -> dict[str, float]:
    """Figures of representations y (batch, features) and embeddings z (batch, dim), whole batches of them.

    Spreads are relative: the root mean square of the deviations over that of the values, from 0 (all the same) to 1.
    """
    found: dict[str, float] = {}
    for name, values in (("y", y.detach().float()), ("z", z.detach().float())):
        size = values.square().mean().sqrt().clamp_min(torch.finfo(torch.float32).tiny)
        found |= {
            f"{name}_std": spread(values).mean().item(),
            f"{name}_std_smallest": spread(values).min().item(),
            f"{name}_spread": (spread(values).square().mean().sqrt() / size).item(),
            f"{name}_covariance": mean_covariance(values).item(),
            f"{name}_rank": effective_rank(values).item(),
        }
    return found


def collapse_warning(figures: Mapping[str, float], target_std: float = 0.0) -> str:
    """A sentence where `health` found collapsed representations or embeddings; empty where it did not.

    `target_std` is the standard deviation that the method gives its embeddings; 0 where their scale says nothing.
    """
    way_out = "Raise the weights of variance and covariance, lower the learning rate, or take a larger batch."
    if figures["z_std"] < SHRUNK * target_std:
        return (
            f"The embedding has collapsed: its features have a standard deviation of {figures['z_std']:.2g}, but "
            f"should have about {target_std:g}. {way_out}"
        )
    for name, what in (("y", "representation"), ("z", "embedding")):
        if figures[f"{name}_spread"] < SAME:
            return (
                f"The {what} has collapsed: it differs by {figures[f'{name}_spread']:.2%} of its size between inputs, "
                f"but should by more than {SAME:.0%}. {way_out}"
            )
        if figures[f"{name}_rank"] < FEW:
            return (
                f"The {what} has collapsed to {figures[f'{name}_rank']:.1f} dimensions, but should fill more than "
                f"{FEW:.0f}. {way_out}"
            )
    return ""
