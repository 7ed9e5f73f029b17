"""How well predictions agree with labels. Every figure is finite: the undefined is 0, and said under `undefined`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def confusion_matrix(labels: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """How often label i was predicted as j. → (classes, classes), rows are labels

    Raises ValueError for a class that is not in `classes`, or when the two sequences differ in length.
    """
    index = {name: number for number, name in enumerate(classes)}
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for label, guess in zip(labels, predicted, strict=True):
        if label not in index or guess not in index:
            raise ValueError(f"{label!r} predicted as {guess!r}, but the classes are {', '.join(classes)}.")
        matrix[index[label], index[guess]] += 1
    return matrix


def classification_report(labels: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> dict[str, Any]:
    """The figures of `report_from_confusion` for labels and predictions, one of `classes` each."""
    return report_from_confusion(confusion_matrix(labels, predicted, classes), classes)


def report_from_confusion(matrix: NDArray[np.int64], classes: Sequence[str]) -> dict[str, Any]:
    """Figures of a confusion matrix (classes, classes) with labels in rows, as values that JSON can hold.

    precision = TP / predicted, recall = TP / labelled, F1 = 2 TP / (labelled + predicted), per class.
    `macro_f1` is the mean F1 of the classes that occur in labels or predictions, `balanced_accuracy` the mean recall
    of the classes that occur in labels: both as scikit-learn defines them.
    """
    hits = matrix.diagonal().astype(float)
    labelled, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    precision, recall = _ratio(hits, predicted), _ratio(hits, labelled)
    f1 = _ratio(2 * hits, labelled + predicted)
    return {
        "classes": list(classes),
        "confusion_matrix": matrix.tolist(),
        "per_class": {
            name: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "support": int(labelled[i]),
            }
            for i, name in enumerate(classes)
        },
        "macro_f1": _mean(f1[(labelled + predicted) > 0]),
        "balanced_accuracy": _mean(recall[labelled > 0]),
        "accuracy": float(_ratio(hits.sum(), matrix.sum())),
        "undefined": _undefined(labelled, predicted, classes),
    }


def reliability(probabilities: ArrayLike, targets: ArrayLike, bins: int = 10) -> dict[str, Any]:
    """How often predictions made with some confidence are right, as values that JSON can hold: a reliability diagram.

    probabilities (n, K), targets (n,). Confidence is the largest probability of a row; bins are of equal width, each
    without its lower edge. Empty bins are left out. `expected_calibration_error` is the mean of
    |accuracy − confidence| over the bins, weighted by their counts: Guo et al. 2017, arXiv:1706.04599, eq. 3.
    """
    p, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(targets, dtype=np.int64)
    confidence, right = p.max(axis=1, initial=0.0), p.argmax(axis=1) == truth
    edges = np.linspace(0, 1, bins + 1)
    member = np.searchsorted(edges[1:-1], confidence)
    filled = [_bin(confidence[member == b], right[member == b], edges[b : b + 2]) for b in np.unique(member)]
    gaps = [each["count"] * abs(each["accuracy"] - each["confidence"]) for each in filled]
    return {
        "bins": filled,
        "count": len(p),
        "accuracy": float(right.mean()) if len(p) else 0.0,
        "confidence": _mean(confidence),
        "expected_calibration_error": sum(gaps) / max(len(p), 1),
    }


def _bin(confidence: NDArray[np.float64], right: NDArray[np.bool_], edges: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "from": float(edges[0]),
        "to": float(edges[1]),
        "confidence": float(confidence.mean()),
        "accuracy": float(right.mean()),
        "count": len(confidence),
    }


def ranking_report(scores: ArrayLike, wrong: ArrayLike) -> dict[str, float]:
    """How well scores put the wrong labels first. scores (n,), larger is more suspicious; wrong (n,) True or False

    `average_precision` as scikit-learn defines it for scores without ties; `precision`: share of wrong ones among as
    many first as there are; `reviewed`: how many must be looked at to find 90 % of them, as a multiple of their number.
    All 0 where no label is wrong.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    hits = np.asarray(wrong, dtype=bool)[order]
    planted, found = int(hits.sum()), hits.cumsum()
    if not planted:
        return {"average_precision": 0.0, "precision": 0.0, "reviewed": 0.0}
    precision = found / np.arange(1, len(hits) + 1)
    return {
        "average_precision": float(precision[hits].mean()),
        "precision": float(precision[planted - 1]),
        "reviewed": float(np.searchsorted(found, np.ceil(0.9 * planted)) + 1) / planted,
    }


@dataclass(frozen=True)
class Correction:
    """So many events of one label, predicted alike, that an expert gave another label or removed."""

    label: str  # before
    predicted: str
    to_label: str | None  # None: removed from the catalogue
    count: int = 1


def apply_corrections(
    matrix: NDArray[np.int64], classes: Sequence[str], corrections: Iterable[Correction]
) -> NDArray[np.int64]:
    """A confusion matrix (labels, predictions) after relabelling; the predictions stay. → (classes, classes)

    With the corrections of Jiang et al. 2024, section 5.4, their Table 1 becomes their Table 2.
    Raises ValueError for a class that is not in `classes`, and where more events are moved than there are.
    """
    index = {name: number for number, name in enumerate(classes)}
    after = matrix.copy()
    for each in corrections:
        unknown = {each.label, each.predicted, each.to_label} - {None} - set(classes)
        if unknown:
            raise ValueError(f"{', '.join(map(str, unknown))} is no class; the classes are {', '.join(classes)}.")
        row, column = index[each.label], index[each.predicted]
        if not 0 <= each.count <= after[row, column]:
            raise ValueError(
                f"{each.count} events labelled {each.label} and predicted as {each.predicted} are to be corrected, "
                f"but there are {after[row, column]}."
            )
        after[row, column] -= each.count
        if each.to_label is not None:
            after[index[each.to_label], column] += each.count
    return after


def corrections_between(
    before: Mapping[str, str], after: Mapping[str, str], predicted: Mapping[str, str]
) -> list[Correction]:
    """What changed between two catalogues {event id: label}, of events that were predicted; most frequent first.

    An event that `after` lacks was removed. One that only `after` has is no correction.
    """
    changes = Counter(
        (before[event], predicted[event], after.get(event))
        for event in before
        if event in predicted and after.get(event) != before[event]
    )
    return [Correction(*change, count) for change, count in changes.most_common()]


def _ratio(numerator: Any, denominator: Any) -> Any:
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=np.asarray(denominator) > 0)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else 0.0


def _undefined(labelled: NDArray[np.int64], predicted: NDArray[np.int64], classes: Sequence[str]) -> list[str]:
    never_labelled = [
        f"recall of {c}: no event is labelled so" for c, n in zip(classes, labelled, strict=True) if not n
    ]
    never_predicted = [f"precision of {c}: never predicted" for c, n in zip(classes, predicted, strict=True) if not n]
    return never_labelled + never_predicted
