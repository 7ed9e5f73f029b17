"""Temporal neighbourhood coding: neighbours are told from others. Tonekaboni et al. 2021; Lee et al. 2022, Eqs. 7–9."""

from torch import Tensor
from torch.nn import functional as F


def discrimination(near: Tensor, far: Tensor) -> Tensor:
    """The discriminator's logits for (y_t, y_l) and (y_t, y_k), each (batch,) → scalar; the original L†_tnc

    −log D(y_t, y_l) − log(1 − D(y_t, y_k)), averaged over the batch        Lee et al. 2022, Eq. 7, first braces

    The sign of the second logarithm is a misprint there. Tonekaboni's weight for unlabelled samples is 0, as in Lee.
    """
    return F.softplus(-near).mean() + F.softplus(far).mean()


def correlation(y_t: Tensor, y_l: Tensor, y_k: Tensor) -> Tensor:
    """Representations (batch, features) → scalar; what L_tnc adds to L†_tnc

    (1 − c(y_t, y_l))² + c(y_t, y_k)², averaged over the batch              Lee et al. 2022, Eq. 7, second braces

    c is the correlation of a window's two rows over their features, as in the authors' code; Eqs. 8 and 9 are printed
    with means over the batch.
    """
    near, far = row_correlation(y_t, y_l), row_correlation(y_t, y_k)
    return (1 - near).square().mean() + far.square().mean()


def row_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation of matching rows: (batch, features), (batch, features) → (batch,)"""
    return F.cosine_similarity(a - a.mean(dim=1, keepdim=True), b - b.mean(dim=1, keepdim=True), dim=1)
