"""What the classifier minimises."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def class_weights(targets: Tensor, classes: int) -> Tensor:
    """Weights that let every class count alike however rare it is. targets (n,) → (classes,)

    w_k = n / (K · n_k), with K the number of classes that occur; a class without examples has weight 0.
    """
    counts = torch.bincount(targets, minlength=classes).to(torch.float32)
    occurring = (counts > 0).sum()
    return torch.where(counts > 0, counts.sum() / (occurring * counts.clamp(min=1)), 0.0)


def weighted_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor | Sequence[float]) -> Tensor:
    """Categorical cross-entropy of Jiang et al. 2024, section 5.1, with class weights. (batch, K), (batch,) → scalar

        L = Σ_i w_{y_i} · (−log softmax(logits_i)_{y_i}) / Σ_i w_{y_i}

    Weights are ours: catalogues of slopes hold few earthquakes and much noise.
    """
    return F.cross_entropy(logits, targets, weight=torch.as_tensor(weights, dtype=logits.dtype, device=logits.device))
