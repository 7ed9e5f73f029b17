"""What the classifier minimises, and in which order it is shown its examples.

Targets are class numbers (n,), or shares of classes (n, K): of two mixed windows, of a label in doubt. A row that sums
to less than one counts so much less; a row of zeros is not learnt from.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mlcore.config import Training

Loss = Callable[[Tensor, Tensor], Tensor]


def class_weights(targets: Tensor, classes: int) -> Tensor:
    """Weights that let every class count alike however rare it is. targets (n,) or (n, K) → (classes,)

    w_k = n / (K · n_k), with K the number of classes that occur; a class without examples has weight 0.
    """
    counts = shares(targets, classes).sum(dim=0).to(torch.float32)
    occurring = (counts > 0).sum()
    return torch.where(counts > 0, counts.sum() / (occurring * counts.clamp(min=1e-6)), 0.0)


def shares(targets: Tensor, classes: int) -> Tensor:
    """Targets as shares of classes. (n,) or (n, classes) → (n, classes)"""
    return F.one_hot(targets, classes).float() if targets.ndim == 1 else targets


def weighted_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor | Sequence[float]) -> Tensor:
    """Categorical cross-entropy of Jiang et al. 2024, section 5.1, with class weights. (batch, K), (batch,) → scalar

        L = Σ_i w_{y_i} · (−log softmax(logits_i)_{y_i}) / Σ_i w_{y_i}

    Weights are ours: catalogues of slopes hold few earthquakes and much noise.
    """
    return focal_cross_entropy(logits, targets, weights)


def focal_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | Sequence[float],
    *,
    gamma: float = 0.0,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy in which what is right already counts less. (batch, K), (batch,) or (batch, K) → scalar

    With p = softmax(logits_i), shares t_ik of the target and s_ik = (1 − ε) t_ik + ε/K · Σ_j t_ij,

        L = Σ_i Σ_k s_ik · w_k · (1 − p_ik)^γ · (−log p_ik) / Σ_i Σ_k t_ik · w_k

    γ is Lin et al. 2017's (arXiv:1708.02002, eq. 5), ε Szegedy et al. 2016's label smoothing (arXiv:1512.00567).
    Both 0: the weighted cross-entropy. 0 where no example counts.
    """
    w = torch.as_tensor(weights, dtype=logits.dtype, device=logits.device)
    t = shares(targets, logits.shape[1]).to(logits.dtype)
    smoothed = (1 - label_smoothing) * t + label_smoothing / t.shape[1] * t.sum(dim=1, keepdim=True)
    log_p = F.log_softmax(logits, dim=1)
    terms = smoothed * w * -log_p
    if gamma:
        terms = terms * (1 - log_p.exp()).clamp(min=0) ** gamma
    counted = (t * w).sum()
    return terms.sum() / torch.where(counted > 0, counted, 1.0)


def classification_loss(training: Training, targets: Tensor, classes: int) -> Loss:
    """The loss that a recipe asks for, for examples with these `targets`, (n,) or (n, K)."""
    balanced = training.class_balance == "weights"
    weights = class_weights(targets, classes) if balanced else torch.ones(classes)

    def loss(logits: Tensor, batch_targets: Tensor) -> Tensor:
        return focal_cross_entropy(
            logits, batch_targets, weights, gamma=training.focal_gamma, label_smoothing=training.label_smoothing
        )

    return loss


def balanced_order(targets: Tensor, generator: torch.Generator) -> Tensor:
    """An epoch's order in which every class comes equally often. targets (n,) or (n, K) → indices (about n,)

    Within a class, no example comes a second time before each has come once. A rare class repeats its examples, a
    frequent one shows only some of them. An example counts as of its largest share; one of no share is left out.
    """
    used = (shares(targets, int(targets.max()) + 1 if targets.ndim == 1 else targets.shape[1]).sum(dim=1) > 0).nonzero()
    labels = targets if targets.ndim == 1 else targets.argmax(dim=1)
    members = [used[labels[used] == label] for label in labels[used].unique()]
    each = -(-len(used) // len(members))
    drawn = [_repeated(rows, each, generator) for rows in members]
    order = torch.cat(drawn)
    return order[torch.randperm(len(order), generator=generator)]


def _repeated(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` of these rows: shuffled as often as it takes."""
    rounds = [rows[torch.randperm(len(rows), generator=generator)] for _ in range(-(-count // len(rows)))]
    return torch.cat(rounds)[:count]
