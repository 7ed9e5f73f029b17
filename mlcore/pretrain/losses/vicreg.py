"""VICReg: embeddings of two views agree, vary, and say different things. Bardes et al. 2021, arXiv:2105.04906.

As in Dias et al. 2023, section 2 (with the covariance's denominator inside C, where it belongs), and Lee et al. 2022,
Eqs. 3 and 4.
"""

import torch
from torch import Tensor

from mlcore.pretrain.config import Method


def vicreg(z_a: Tensor, z_b: Tensor, method: Method) -> dict[str, Tensor]:
    """Embeddings z_a, z_b (batch, dim) → the loss's three terms, each with its weight

    L = λ s(Z_a, Z_b) + μ {v(Z_a) + v(Z_b)} + ν {c(Z_a) + c(Z_b)}
    """
    return {
        "invariance": method.invariance * invariance(z_a, z_b, mean=method.invariance_mean),
        "variance": method.variance * both_variances(z_a, z_b, method),
        "covariance": method.covariance * (covariance(z_a) + covariance(z_b)),
    }


def invariance(z_a: Tensor, z_b: Tensor, *, mean: bool = True) -> Tensor:
    """(batch, dim), (batch, dim) → scalar

    s(Z_a, Z_b) = 1/B · Σ_b ‖z_ab − z_bb‖²            Lee et al. 2022, Eq. 3

    With `mean` also divided by the dimension: the mse of Dias et al. 2023, and of the authors' code of both papers.
    """
    squared = (z_a - z_b).square()
    return squared.mean() if mean else squared.sum(dim=1).mean()


def variance(z: Tensor, target_std: float = 1.0, epsilon: float = 1e-4) -> Tensor:
    """z (batch, dim) → scalar, 0 where each feature spreads by `target_std` or more

    v(Z) = 1/F · Σ_f ReLU(γ − √(Var(Z_f) + ε))        Lee et al. 2022, Eq. 4; Var with B − 1
    """
    return torch.relu(target_std - torch.sqrt(z.var(dim=0) + epsilon)).mean()


def both_variances(z_a: Tensor, z_b: Tensor, method: Method) -> Tensor:
    """v(Z_a) + v(Z_b): summed over both views, not halved."""
    return sum(  # type: ignore[return-value]
        variance(z, method.target_std, method.epsilon) for z in (z_a, z_b)
    )


def covariance(z: Tensor) -> Tensor:
    """z (batch, dim) → scalar

    With C = (Z − Z̄)ᵀ(Z − Z̄) / (n − 1),
        c(Z) = 1/N · Σ_{i≠j} C_ij²                    Dias et al. 2023, section 2
    VIbCReg uses correlations and 1/N²; see `vibcreg.decorrelation`.
    """
    centred = z - z.mean(dim=0)
    return off_diagonal(centred) / (len(z) - 1) ** 2 / z.shape[1]


def off_diagonal(x: Tensor) -> Tensor:
    """Σ_{i≠j} (xᵀx)_ij² of the columns of x (batch, dim) → scalar

    ‖xᵀx‖² = ‖xxᵀ‖² (Frobenius), so of a batch smaller than the dimension the smaller product tells the same: with 128
    windows and 4096 features, a thirtieth of the work and no matrix of 64 MB.
    """
    product = x @ x.T if len(x) < x.shape[1] else x.T @ x
    return product.square().sum() - x.square().sum(dim=0).square().sum()
