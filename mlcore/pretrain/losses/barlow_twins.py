"""Barlow Twins: each feature agrees with itself across two views, and with no other. Zbontar et al. 2021."""

from torch import Tensor
from torch.nn import functional as F

from mlcore.pretrain.config import Method


def barlow_twins(z_a: Tensor, z_b: Tensor, method: Method) -> dict[str, Tensor]:
    """Embeddings z_a, z_b (batch, dim) → the loss's two terms, the second with its weight

    L = Σ_i (1 − C_ii)² + λ Σ_i Σ_{j≠i} C_ij²         Dias et al. 2023, Eq. 1
    """
    a, b = standardised(z_a), standardised(z_b)
    diagonal = (a * b).sum(dim=0)  # C_ii
    return {
        "invariance": (1 - diagonal).square().sum(),
        "redundancy": method.redundancy * (squared_norm(a, b) - diagonal.square().sum()),
    }


def cross_correlation(z_a: Tensor, z_b: Tensor) -> Tensor:
    """C of two views' features: (batch, dim), (batch, dim) → (dim, dim)"""
    return standardised(z_a).T @ standardised(z_b)


def standardised(z: Tensor) -> Tensor:
    """z (batch, dim) with columns of mean 0 and length 1"""
    return F.normalize(z - z.mean(dim=0), dim=0)


def squared_norm(a: Tensor, b: Tensor) -> Tensor:
    """‖aᵀb‖² (Frobenius) of a and b (batch, dim) → scalar

    ‖aᵀb‖² = Σ (aaᵀ ∘ bbᵀ), so of a batch smaller than the dimension the smaller products tell the same.
    """
    if len(a) < a.shape[1]:
        return ((a @ a.T) * (b @ b.T)).sum()
    return (a.T @ b).square().sum()
