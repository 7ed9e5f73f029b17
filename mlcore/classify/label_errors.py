"""Which labels are probably wrong: the order in which an expert should look at them again.

All scores take what networks that never saw an event say of it: out-of-fold probabilities (n, K) of n labelled events,
with the natural share of classes (trained without class weights, or corrected for them), and labels (n,) as class
numbers. A larger score is more suspicious.

`label_scores` is ours. It asks not only how probable the label is, but also how often such a label is wrong: an event
labelled explosion that might be an earthquake is suspicious where many such explosions turned out to be earthquakes,
and not where none did. Of the rivals, `disagreement` is the rule of Jiang et al. 2024, section 4.5.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

WRONG = (0.05, 0.1, 0.2, 0.3)  # shares of wrong labels that may be expected before looking
STRENGTHS = (5.0, 20.0, 60.0, 200.0, 1000.0)  # events of each class that an expectation may be worth
PARTS = 5  # of the events, each foreseen by the others
ROUNDS = 20  # of expectation and maximisation; the table of confusions has settled by then
DOUBTFUL = 0.3  # probability of being wrong; of 0.3, 0.5 and 0.7, this left most errors found by the next round
NEIGHBOURS = 15
SMALLEST = 1e-9


def label_scores(
    labels: ArrayLike,
    probabilities: ArrayLike,
    features: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    neighbours: float = 0.3,
) -> Floats:
    """The probability that each label is wrong, given out-of-fold probabilities. (n,), (n, K) → (n,)

    With t_kj how often an event of class k is labelled j, estimated from the same labels by `confusion_rates`,

        P(wrong)_i = 1 − p_i(ỹ_i) t(ỹ_i, ỹ_i) / Σ_k p_i(k) t(k, ỹ_i)

    With `features` (n, d), in which alike events lie close, the probabilities are first multiplied by the classes of
    the 15 nearest events to the power `neighbours`. `groups` (n,): events of one group are no neighbours.
    """
    given, p = _checked(labels, probabilities)
    if features is not None:
        p = p * neighbour_probabilities(given, features, p.shape[1], groups) ** neighbours
        p = p / p.sum(axis=1, keepdims=True)
    true = true_probabilities(given, p, confusion_rates(given, p))
    return np.asarray(1 - true[np.arange(len(given)), given])


def confusion_rates(labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """How often an event of class k is labelled j: t (K, K), rows sum to one.

    The most probable table by expectation and maximisation (Dawid & Skene 1979, with one labeller and the network's
    probabilities in place of class shares). Before looking, a share of wrong labels is expected, of any other class
    alike, with the weight of some events a class. Both are chosen so that a table found on four fifths of the events
    makes the labels of the last fifth most probable: few events, or errors without a pattern, end near the
    expectation; frequent errors of one kind are followed.
    """
    given, p = _checked(labels, probabilities)
    choices = [(wrong, strength) for wrong in WRONG for strength in STRENGTHS]
    best = max(choices, key=lambda choice: _foreseen(given, p, *choice))
    return _most_probable_rates(given, p, *best)


def true_probabilities(labels: ArrayLike, probabilities: ArrayLike, rates: Floats) -> Floats:
    """Each event's probable classes, its label heard: p_i(k) t(k, ỹ_i), normalised. → (n, K)"""
    given, p = _checked(labels, probabilities)
    joint = p * rates[:, given].T
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))


def neighbour_probabilities(
    labels: ArrayLike, features: ArrayLike, classes: int, groups: ArrayLike | None = None
) -> Floats:
    """The classes of each event's nearest neighbours, near ones counting more. (n,), (n, d) → (n, classes)

    Features are standardised, nearness is the cosine. The overall shares of classes count as two neighbours.
    """
    given, x = np.asarray(labels, dtype=np.int64), np.asarray(features, dtype=np.float64)
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), SMALLEST)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), SMALLEST)
    group = np.arange(len(x)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    likeness = np.where(group[:, None] == group, -np.inf, x @ x.T)
    nearest = np.argsort(-likeness, axis=1)[:, :NEIGHBOURS]
    weight = np.exp((np.take_along_axis(likeness, nearest, axis=1) - 1) / 0.3)
    said = np.eye(classes)[given]
    votes = np.einsum("ij,ijk->ik", weight, said[nearest])
    share = votes / np.maximum(votes.sum(axis=1, keepdims=True), SMALLEST)
    count = nearest.shape[1]
    return np.asarray((count * share + 2 * said.mean(axis=0)) / (count + 2))


def worth_learning(scores: ArrayLike) -> Floats:
    """How much each event should count when the networks learn again, given its `label_scores`: 1 or 0. (n,)

    What is wrong with more than `DOUBTFUL` probability is left out, and judged by networks that it did not teach.
    """
    return np.asarray(np.asarray(scores) < DOUBTFUL, dtype=np.float64)


def disagreement(labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """Events predicted as another class first, by the probability of that class; then the others, the least sure first.

    Jiang et al. 2024, section 4.5, send the expert all events of the first kind; the order is ours.
    """
    given, p = _checked(labels, probabilities)
    sure = p.max(axis=1)
    return np.asarray(np.where(p.argmax(axis=1) != given, 1 + sure, 1 - sure))


def self_confidence(labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """One minus the label's probability. Northcutt et al. 2021, arXiv:1911.00068; cleanlab's default."""
    given, p = _checked(labels, probabilities)
    return np.asarray(1 - p[np.arange(len(p)), given])


def normalised_margin(labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """By how much another class is more probable than the label, from 0 to 1; cleanlab's normalized_margin, reversed.

    cleanlab: (p(label) − max_{k ≠ label} p(k) + 1) / 2, small where suspicious.
    """
    given, p = _checked(labels, probabilities)
    rows = np.arange(len(p))
    others = p.copy()
    others[rows, given] = -np.inf
    return np.asarray((1 + others.max(axis=1) - p[rows, given]) / 2)


def _most_probable_rates(labels: Labels, p: Floats, wrong: float, strength: float) -> Floats:
    classes = p.shape[1]
    expected = np.full((classes, classes), wrong / max(classes - 1, 1))
    np.fill_diagonal(expected, 1 - wrong)
    said, rates = np.eye(classes)[labels], expected
    for _ in range(ROUNDS):
        counts = true_probabilities(labels, p, rates).T @ said + strength * expected
        rates = counts / counts.sum(axis=1, keepdims=True)
    return np.asarray(rates)


def _foreseen(labels: Labels, p: Floats, wrong: float, strength: float) -> float:
    """Log-likelihood of each part's labels under the table that the other parts give."""
    part = np.random.default_rng(0).permutation(len(labels)) % PARTS
    total = 0.0
    for left_out in range(PARTS):
        seen, unseen = part != left_out, part == left_out
        rates = _most_probable_rates(labels[seen], p[seen], wrong, strength)
        total += float(np.log((p[unseen] * rates[:, labels[unseen]].T).sum(axis=1)).sum())
    return total


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Labels, Floats]:
    given, p = np.asarray(labels, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or given.shape != p.shape[:1]:
        raise ValueError(f"labels have shape {given.shape} and probabilities {p.shape}; expected (n,) and (n, K).")
    return given, np.maximum(p, SMALLEST)
