"""Whether a representation still says different things of different inputs, or has collapsed.

A network that gives every input the same answer makes an invariance term vanish; the other terms are there to prevent
it, and these figures say whether they do.
"""

import torch
from torch import Tensor

SAME = 0.01  # of their size: outputs that differ by less are one and the same
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


@torch.no_grad()
def health(y: Tensor, z: Tensor) -> dict[str, float]:
    """Figures of representations y (batch, features) and embeddings z (batch, dim), whole batches of them.

    `y_spread` is relative: the root mean square of y's deviations over that of y itself, from 0 (all the same) to 1.
    """
    y, z = y.detach().float(), z.detach().float()
    size = y.square().mean().sqrt().clamp_min(torch.finfo(torch.float32).tiny)
    return {
        "y_std": spread(y).mean().item(),
        "y_spread": (spread(y).square().mean().sqrt() / size).item(),
        "y_covariance": mean_covariance(y).item(),
        "y_rank": effective_rank(y).item(),
        "z_std": spread(z).mean().item(),
        "z_std_smallest": spread(z).min().item(),
        "z_covariance": mean_covariance(z).item(),
        "z_rank": effective_rank(z).item(),
    }


def collapse_warning(figures: dict[str, float]) -> str:
    """A sentence where `health` found a collapsed representation; empty where it did not."""
    way_out = "Raise the weights of variance and covariance, lower the learning rate, or take a larger batch."
    if figures["y_spread"] < SAME:
        return (
            f"The representation has collapsed: it differs by {figures['y_spread']:.2%} of its size between inputs, "
            f"but should by more than {SAME:.0%}. {way_out}"
        )
    if figures["y_rank"] < FEW:
        return (
            f"The representation has collapsed to {figures['y_rank']:.1f} dimensions, but should fill more than "
            f"{FEW:.0f}. {way_out}"
        )
    return ""
