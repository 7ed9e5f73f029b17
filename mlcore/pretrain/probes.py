"""What a frozen representation is worth, measured on matrices of features: no network is run here.

Features are (n, features), one row for each window; labels and units name each row's class and what it is scored with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlcore.errors import BadConfiguration
from mlcore.metrics import classification_report
from mlcore.splits import split_by_event

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
AT_ONCE = 1024  # rows whose distances to all others are held at once


@dataclass(frozen=True)
class Split:
    """Which rows teach, and which test."""

    train: Rows
    test: Rows


def split_share(
    units: Sequence[str], labels: Sequence[str], share: float, *, seed: int, test_share: float = 0.2
) -> Split:
    """`share` of all units to learn from and `test_share` to test on: stratified by class, never parting an event.

    The test units are the same for every share, and the units of a smaller share are among those of a larger one. A
    class has at least one unit to learn from. Lee et al. 2022, section 4.1. Raises BadConfiguration for shares whose
    sum is above 1.
    """
    if not 0 < share <= 1 - test_share:
        raise BadConfiguration(
            f"{share:.0%} of the events were to be learned from and {test_share:.0%} to test, but both must be above "
            "0 and be at most all together. Choose a smaller share."
        )
    sides = split_by_event(units, labels, (test_share, 0.0), seed)
    rest = [row for row, unit in enumerate(units) if sides[unit] == "train"]
    taught = _part([units[i] for i in rest], [labels[i] for i in rest], min(share / (1 - test_share), 1.0), seed)
    return Split(
        np.array([row for row in rest if units[row] in taught], dtype=np.intp),
        np.array([row for row, unit in enumerate(units) if sides[unit] == "test"], dtype=np.intp),
    )


def _part(units: Sequence[str], labels: Sequence[str], share: float, seed: int) -> set[str]:
    """Units of about this share of each class, at least one of each."""
    if share == 1:
        return set(units)
    sides = split_by_event(units, labels, (share, 0.0), seed + 1)
    chosen = {unit for unit, side in sides.items() if side == "test"}
    missing = set(labels) - {label for unit, label in zip(units, labels, strict=True) if unit in chosen}
    lonely = {unit for unit, label in zip(units, labels, strict=True) if label in missing}
    return chosen | lonely  # a class of a single unit always teaches


def figures(scores: Floats, labels: Sequence[str], units: Sequence[str], classes: Sequence[str]) -> dict[str, float]:
    """Accuracy, balanced accuracy and macro-F1 of units, from log-probabilities (n, classes) of their windows.

    A unit's windows are averaged, as the authors' code averages its sensors.
    """
    truth = dict(zip(units, labels, strict=True))
    rows: dict[str, list[int]] = {}
    for row, unit in enumerate(units):
        rows.setdefault(unit, []).append(row)
    guesses = {unit: classes[int(scores[own].mean(axis=0).argmax())] for unit, own in rows.items()}
    report = classification_report(list(truth.values()), [guesses[unit] for unit in truth], classes)
    return {name: report[name] for name in ("accuracy", "balanced_accuracy", "macro_f1")}


def linear_probe(
    train: Floats,
    targets: NDArray[np.int64],
    test: Floats,
    classes: int,
    *,
    epochs: int = 100,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
    seed: int = 0,
) -> Floats:
    """Log-probabilities (n, classes) of `test`, by one linear layer learned on `train`. Lee et al. 2022, section 4.1

    Adam with a cosine, classes weighed alike. Features are standardised by those of `train`: pretrained and random
    encoders differ in scale by orders of magnitude, which one learning rate would not bridge.
    """
    x, new = (torch.from_numpy(each).float() for each in _standardised(train, test))
    y = torch.from_numpy(targets)
    layer = _zero_layer(x.shape[1], classes)
    optimizer = torch.optim.Adam(layer.parameters(), lr=learning_rate)
    steps = epochs * -(-len(x) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loss = nn.CrossEntropyLoss(balanced_weights(y, classes))
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss(layer(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
    with torch.inference_mode():
        return np.asarray(layer(new).log_softmax(dim=1).double().numpy())


def _zero_layer(features: int, classes: int) -> nn.Linear:
    """A linear layer that prefers no class, so that nothing depends on the global random state."""
    layer = nn.Linear(features, classes)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def balanced_weights(targets: Tensor, classes: int) -> Tensor:
    """n / (classes · n of the class), so that all classes weigh alike; 0 for one without rows. → (classes,)"""
    counts = torch.bincount(targets, minlength=classes).float()
    present = int((counts > 0).sum())
    return torch.where(counts > 0, len(targets) / (present * counts.clamp_min(1)), 0.0)


def knn_probe(train: Floats, targets: NDArray[np.int64], test: Floats, classes: int, *, neighbours: int = 5) -> Floats:
    """Log-shares (n, classes) of each class among the `neighbours` rows of `train` at the smallest cosine distance.

    Rows are centred by the mean of `train` first. Equal votes are decided by who is nearer: votes weigh by similarity.
    """
    centre = train.mean(axis=0)
    known, new = _unit_rows(train - centre), _unit_rows(test - centre)
    votes = np.zeros((len(test), classes))
    for first in range(0, len(test), AT_ONCE):
        similarity = new[first : first + AT_ONCE] @ known.T
        nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :neighbours]
        for rank in range(nearest.shape[1]):
            chosen = nearest[:, rank]
            weight = 1 + np.take_along_axis(similarity, chosen[:, None], axis=1)[:, 0]
            votes[np.arange(first, first + len(chosen)), targets[chosen]] += weight
    return np.asarray(np.log((votes + 1e-9) / (votes + 1e-9).sum(axis=1, keepdims=True)))


def silhouette(features: Floats, labels: Sequence[str]) -> float:
    """How much nearer rows lie to their own class than to the nearest other, from −1 to 1. Rousseeuw 1987

    With a the mean distance to the others of a row's class and b the smallest mean distance to another class,
        s = (b − a) / max(a, b), 0 for a class of one;   the mean over all rows.
    0 where there is only one class.
    """
    names, member = np.unique(np.asarray(labels), return_inverse=True)
    if len(names) < 2:
        return 0.0
    counts = np.bincount(member)
    indicator = np.eye(len(names))[member]
    found = []
    for first in range(0, len(features), AT_ONCE):
        rows = np.arange(first, min(first + AT_ONCE, len(features)))
        sums = _distances(features[rows], features) @ indicator
        found.append(_silhouettes(sums, counts, member[rows]))
    return float(np.concatenate(found).mean())


def _silhouettes(sums: Floats, counts: NDArray[np.intp], own: NDArray[np.intp]) -> Floats:
    """sums (rows, classes) of distances to all of each class, counts (classes,), own (rows,) → (rows,)"""
    row = np.arange(len(own))
    a = sums[row, own] / np.maximum(counts[own] - 1, 1)
    others = sums / counts
    others[row, own] = np.inf
    b = others.min(axis=1)
    largest = np.maximum(a, b)
    values = np.divide(b - a, largest, out=np.zeros(len(own)), where=largest > 0)
    return np.where(counts[own] > 1, values, 0.0)


def _distances(some: Floats, others: Floats) -> Floats:
    """Euclidean distances between rows. → (len(some), len(others))"""
    return np.asarray(torch.cdist(torch.from_numpy(some), torch.from_numpy(others)).numpy())


def _standardised(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    mean, spread = train.mean(axis=0), train.std(axis=0)
    spread = np.where(spread > 1e-12 * np.abs(train).max(initial=1e-300), spread, 1.0)
    return (train - mean) / spread, (test - mean) / spread


def _unit_rows(values: Floats) -> Floats:
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-300))


def summary(runs: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Mean and standard deviation (of the population, as NumPy has it) of each figure over runs of different seeds."""
    return {
        name: {"mean": float(np.mean(values)), "std": float(np.std(values)), "runs": values}
        for name in runs[0]
        if (values := [run[name] for run in runs])
    }
