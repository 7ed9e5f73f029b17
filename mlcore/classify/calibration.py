"""Probabilities that can be believed: of events called with 80 %, eight in ten should be right.

Networks are too sure of themselves. Dividing all logits by one temperature mends that without changing any decision
of a single window (Guo et al. 2017, arXiv:1706.04599). It is fitted on predictions of events that the network never
saw: on those it learnt from, it is right nearly always.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from mlcore.errors import BadConfiguration

COLDEST, HOTTEST = 0.05, 20.0  # a network that is never wrong would have its temperature fall to nothing
GRID = 61  # temperatures tried before the search: averaging over stations may leave more than one valley
SMALLEST = 1e-12  # probability: a logarithm must stay finite

Floats = NDArray[np.float64]


def fit_temperature(
    logits: ArrayLike, targets: ArrayLike, units: Sequence[str] | None = None, weights: ArrayLike | None = None
) -> float:
    """The temperature T that makes softmax(logits / T) most likely. logits (n, K), targets (n,) → T

    Minimises the mean of −log p(target) over units, with T between 0.05 and 20. `units` (n,) names the event of each
    row; an event's probability is the mean over its rows, as everywhere. Without it each row is a unit. `weights`
    (number of units, in the order in which they first appear) lets some count more.
    Raises BadConfiguration where there is nothing to fit on.
    """
    scores, right = np.asarray(logits, dtype=np.float64), np.asarray(targets, dtype=np.int64)
    _require_rows(scores, right)
    rows = unit_rows(units) if units is not None else np.arange(len(scores))
    truth = right[_first_rows(rows)]
    shares = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)

    def loss(log_temperature: float) -> float:
        by_row = softmax(scores / np.exp(log_temperature))
        return log_loss(average_by_unit(by_row, rows), truth, shares)

    tried = np.linspace(np.log(COLDEST), np.log(HOTTEST), GRID)
    best = int(np.argmin([loss(t) for t in tried]))
    bounds = tried[max(best - 1, 0)], tried[min(best + 1, GRID - 1)]
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def log_loss(probabilities: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean of −log p(target), weighted. probabilities (n, K), targets (n,), weights (n,)"""
    p = np.asarray(probabilities, dtype=np.float64)
    chosen = p[np.arange(len(p)), np.asarray(targets, dtype=np.int64)]
    counted = None if weights is None else np.asarray(weights, dtype=np.float64)
    return float(np.average(-np.log(np.maximum(chosen, SMALLEST)), weights=counted))


def softmax(logits: ArrayLike) -> Floats:
    """Probabilities of each row. logits (n, K) → (n, K)"""
    scores = np.asarray(logits, dtype=np.float64)
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def unit_rows(units: Sequence[str]) -> NDArray[np.int64]:
    """The number of each row's unit, in the order in which units first appear. (n,) names → (n,) numbers"""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(unit, len(numbers)) for unit in units], dtype=np.int64)


def average_by_unit(values: ArrayLike, rows: NDArray[np.int64]) -> Floats:
    """The mean over each unit's rows. values (n, …), rows (n,) as `unit_rows` gives them → (units, …)"""
    each = np.asarray(values, dtype=np.float64)
    counts = np.bincount(rows)
    sums = np.zeros((len(counts), *each.shape[1:]))
    np.add.at(sums, rows, each)
    return np.asarray(sums / counts.reshape(-1, *[1] * (each.ndim - 1)))


def _first_rows(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(rows, return_index=True)[1]


def _require_rows(scores: Floats, right: NDArray[np.int64]) -> None:
    if len(scores) and len(scores) == len(right):
        return
    raise BadConfiguration(
        f"A temperature cannot be fitted on {len(scores)} predictions with {len(right)} labels. "
        "Give as many labels as predictions, of events that the model did not learn from."
    )
