"""Which detection is which event of a catalogue: one to one, within a tolerance."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Timed(Protocol):
    """What has a place in time, and a class."""

    @property
    def starttime(self) -> datetime: ...
    @property
    def endtime(self) -> datetime: ...
    @property
    def class_code(self) -> str: ...


@dataclass(frozen=True)
class CatalogueEvent:
    """An event that experts say there was."""

    starttime: datetime
    endtime: datetime
    class_code: str
    event_id: str = ""


@dataclass(frozen=True)
class Matching:
    """Indices of what belongs together, and of what is left."""

    hits: list[tuple[int, int]]  # (event, detection)
    misses: list[int]  # events
    false_alarms: list[int]  # detections


def match(events: Sequence[Timed], detections: Sequence[Timed], tolerance_s: float) -> Matching:
    """As many pairs as can be made, each of an event and a detection whose spans are at most `tolerance_s` apart.

    Every event and every detection is in one pair at most, and pairs keep the order of their starts. Of the matchings
    with most pairs, the one whose starts differ least in sum. Spans that overlap are 0 s apart.
    """
    hits: list[tuple[int, int]] = []
    for event_rows, detection_rows in _clusters(events, detections, tolerance_s):
        own, theirs = _spans(events, event_rows), _spans(detections, detection_rows)
        gap = np.maximum(own[:, None, 0] - theirs[None, :, 1], theirs[None, :, 0] - own[:, None, 1])
        cost = np.where(gap <= tolerance_s, np.abs(own[:, None, 0] - theirs[None, :, 0]), np.inf)
        hits += [(event_rows[i], detection_rows[j]) for i, j in _in_order(cost)]
    found, used = {i for i, _ in hits}, {j for _, j in hits}
    misses = [i for i in range(len(events)) if i not in found]
    return Matching(sorted(hits), misses, [j for j in range(len(detections)) if j not in used])


def matching_report(
    events: Sequence[Timed], detections: Sequence[Timed], tolerance_s: float, noise_class: str = "noise"
) -> dict[str, Any]:
    """Hits, misses and false alarms, and which class was taken for which.

    A detection called noise is none. An event that the catalogue calls noise is no miss where nothing was detected,
    and a false alarm where something was. Recall and precision ask for a detection; `class_accuracy`, of the hits, for
    the right class too.
    """
    told = [one for one in detections if one.class_code != noise_class]
    matching = match(events, told, tolerance_s)
    pairs = [(events[i].class_code, told[j].class_code) for i, j in matching.hits]
    hits = [pair for pair in pairs if pair[0] != noise_class]
    missed = Counter(events[i].class_code for i in matching.misses)
    noise_left_alone = missed.pop(noise_class, 0)
    wanted = len(hits) + sum(missed.values())
    confusion: dict[str, Counter[str]] = {}
    for labelled, detected in pairs:
        confusion.setdefault(labelled, Counter())[detected] += 1
    return {
        "tolerance_s": tolerance_s,
        "events": wanted,
        "detections": len(told),
        "hits": len(hits),
        "misses": wanted - len(hits),
        "false_alarms": len(told) - len(hits),
        "recall": len(hits) / wanted if wanted else None,
        "precision": len(hits) / len(told) if told else None,
        "class_accuracy": sum(a == b for a, b in hits) / len(hits) if hits else None,
        "confusion": {label: dict(counts) for label, counts in sorted(confusion.items())},
        "missed": dict(sorted(missed.items())),
        "uncatalogued": dict(sorted(Counter(told[j].class_code for j in matching.false_alarms).items())),
        "noise_left_alone": noise_left_alone,
    }


def _clusters(
    events: Sequence[Timed], detections: Sequence[Timed], tolerance_s: float
) -> Iterator[tuple[list[int], list[int]]]:
    """Indices of events and detections, by start, that no pair connects with another cluster's."""
    both = [(one.starttime.timestamp(), one.endtime.timestamp(), 0, i) for i, one in enumerate(events)]
    both += [(one.starttime.timestamp(), one.endtime.timestamp(), 1, j) for j, one in enumerate(detections)]
    cluster: tuple[list[int], list[int]] = ([], [])
    end = -np.inf
    for start, last, side, index in sorted(both):
        if start > end + tolerance_s:
            yield cluster
            cluster = ([], [])
        cluster[side].append(index)
        end = max(end, last)
    yield cluster


def _spans(items: Sequence[Timed], rows: Sequence[int]) -> NDArray[np.float64]:
    """Start and end in seconds, (rows, 2)."""
    times = [(items[row].starttime.timestamp(), items[row].endtime.timestamp()) for row in rows]
    return np.array(times, dtype=np.float64).reshape(-1, 2)


def _in_order(cost: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Most pairs, then least cost, with rows and columns both rising. cost (rows, columns), inf where impossible."""
    rows, columns = cost.shape
    # best[i][j]: (pairs made, −cost) from rows i… and columns j…
    best = [[(0, 0.0)] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            if np.isfinite(cost[i, j]):
                pairs, saved = best[i + 1][j + 1]
                best[i][j] = max(best[i][j], (pairs + 1, saved - float(cost[i, j])))
    found, i, j = [], 0, 0
    while i < rows and j < columns:
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            found.append((i, j))
            i, j = i + 1, j + 1
    return found
