"""How well predictions agree with labels. Every figure is finite: the undefined is 0, and said under `undefined`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
