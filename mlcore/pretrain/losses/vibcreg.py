"""VIbCReg: VICReg with correlations in place of covariances. Lee & Aune 2021, arXiv:2109.00783; Lee et al. 2022."""

from torch import Tensor
from torch.nn import functional as F

from mlcore.pretrain.config import Method
from mlcore.pretrain.losses.vicreg import both_variances, invariance, off_diagonal


def vibcreg(z_a: Tensor, z_b: Tensor, method: Method) -> dict[str, Tensor]:
    """Embeddings z_a, z_b (batch, dim) → the loss's three terms, each with its weight

    L = λ s(Z_a, Z_b) + μ {v(Z_a) + v(Z_b)} + ν {c(Z_a) + c(Z_b)}        Lee et al. 2022, Eq. 2
    """
    return {
        "invariance": method.invariance * invariance(z_a, z_b, mean=method.invariance_mean),
        "variance": method.variance * both_variances(z_a, z_b, method),
        "covariance": method.covariance * (decorrelation(z_a) + decorrelation(z_b)),
    }


def decorrelation(z: Tensor) -> Tensor:
    """Covariance term of VIbCReg. z (batch, dim) → scalar

    With C the (dim, dim) correlation matrix of z's columns,
        c(Z) = 1/F² · Σ_{i≠j} C_ij²                   Lee et al. 2022, Eqs. 5 and 6
    VICReg uses covariances and 1/F; see `vicreg.covariance`.
    """
    return off_diagonal(F.normalize(z - z.mean(dim=0), dim=0)) / z.shape[1] ** 2
