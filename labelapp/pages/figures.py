"""Figures of a confusion matrix for a page, as mlcore.metrics defines them (the web process never imports it).

What is undefined is None here, and shown as a dash: a class that no event has is not recalled badly.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelapp.catalogue.models import EventClass


@dataclass(frozen=True)
class Row:
    """One class: a row of the matrix, and its figures."""

    code: str
    event_class: EventClass | None
    cells: list[dict[str, Any]]  # count, share of the row, whether on the diagonal
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True)
class Scores:
    """A confusion matrix with everything that follows from it."""

    rows: list[Row]
    macro_f1: float | None
    balanced_accuracy: float | None
    accuracy: float | None
    events: int


def scores(matrix: Sequence[Sequence[int]], codes: Sequence[str], classes: Mapping[str, EventClass]) -> Scores:
    """The figures of a matrix (labels, predictions). Raises ValueError where it is not square, or not of `codes`."""
    if len(matrix) != len(codes) or any(len(row) != len(codes) for row in matrix):
        raise ValueError(f"The matrix is not {len(codes)} × {len(codes)}.")
    predicted = [sum(column) for column in zip(*matrix, strict=True)]
    rows = [
        _row(i, counts, predicted[i], code, classes.get(code))
        for i, (code, counts) in enumerate(zip(codes, matrix, strict=True))
    ]
    events = sum(row.support for row in rows)
    hits = sum(matrix[i][i] for i in range(len(codes)))
    return Scores(
        rows=rows,
        macro_f1=_mean(row.f1 for row in rows),
        balanced_accuracy=_mean(row.recall for row in rows),
        accuracy=_ratio(hits, events),
        events=events,
    )


def scores_of(
    pairs: Iterable[tuple[str | None, str]], codes: Sequence[str], classes: Mapping[str, EventClass]
) -> Scores:
    """The figures of (label, prediction) pairs; a pair with a label that is none of `codes` is left out."""
    place = {code: number for number, code in enumerate(codes)}
    matrix = [[0] * len(codes) for _ in codes]
    for label, predicted in pairs:
        if label in place and predicted in place:
            matrix[place[label]][place[predicted]] += 1
    return scores(matrix, codes, classes)


def kappa(found: Scores) -> float | None:
    """Cohen's κ of a matrix: agreement beyond what the margins alone would give. None where chance says everything."""
    columns = [
        sum(counts) for counts in zip(*([cell["count"] for cell in row.cells] for row in found.rows), strict=True)
    ]
    by_chance = sum(row.support * column for row, column in zip(found.rows, columns, strict=True))
    chance = _ratio(by_chance, found.events**2)
    if found.accuracy is None or chance is None or chance == 1:
        return None
    return (found.accuracy - chance) / (1 - chance)


def changes(before: Scores, after: Scores) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each class before and after relabelling: Table 3 of Jiang et al. 2024, twice."""
    return [
        {
            "event_class": new.event_class,
            "code": new.code,
            "figures": [_change(getattr(old, name), getattr(new, name)) for name in ("precision", "recall", "f1")],
            "support": (old.support, new.support),
        }
        for old, new in zip(before.rows, after.rows, strict=True)
    ]


def overall_changes(before: Scores, after: Scores) -> dict[str, dict[str, float | None]]:
    """The same of the figures over all classes."""
    names = ("macro_f1", "balanced_accuracy", "accuracy")
    return {name: _change(getattr(before, name), getattr(after, name)) for name in names}


def _row(i: int, counts: Sequence[int], predicted: int, code: str, event_class: EventClass | None) -> Row:
    support, hits = sum(counts), counts[i]
    cells = [{"count": n, "share": n / (support or 1), "diagonal": i == j} for j, n in enumerate(counts)]
    f1 = _ratio(2 * hits, support + predicted)
    return Row(code, event_class, cells, _ratio(hits, predicted), _ratio(hits, support), f1, support)


def _change(before: float | None, after: float | None) -> dict[str, float | None]:
    by = None if before is None or after is None else after - before
    return {"before": before, "after": after, "by": by}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
