"""Which points a map will have: every event, and unlabelled windows drawn by chance from all that was recorded.

The plan is kept beside the run's checkpoint, in parts that are worked on one after the other: a run that goes on sees
the same windows.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelapp.catalogue.models import Site, Station
from labelapp.learning.maps import MOST_POINTS, microseconds_of, time_of
from labelapp.learning.pipeline.detection import spans
from mlcore.checkpoint import write_atomically
from mlcore.pretrain.drawing import Places, in_order_of_chance

PART = 256  # windows or events
SEED = 0
APART_S = 300.0  # between windows that are read at once
TOGETHER_S = 3600.0  # read at once, at most

Spans = NDArray[np.int64]  # (n, 2), microseconds since 1970


@dataclass(frozen=True)
class Plan:
    """Parts of events, by key, then parts of windows: (number of the station, start in microseconds since 1970)."""

    events: list[list[int]]
    windows: list[list[tuple[int, int]]]
    # NET.STA.LOC by their numbers: a site may have more stations when a run goes on.
    stations: list[str]
    note: str = ""

    @property
    def points(self) -> int:
        return sum(map(len, self.events)) + sum(map(len, self.windows))

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps([self.events, self.windows, self.stations, self.note]).encode())

    @classmethod
    def load(cls, path: Path) -> "Plan | None":
        """The plan in a file; None where there is no whole one."""
        try:
            events, windows, stations, note = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return cls(events, [[(number, start) for number, start in part] for part in windows], stations, note)


def plan_of(site: Site, stations: Sequence[Station], window_s: float, most_windows: int) -> Plan:
    """What a new map of a site holds: every event of the catalogue, and at most so many windows beside them."""
    pks = list(site.events.current().order_by("starttime", "pk").values_list("pk", flat=True))
    note = ""
    if len(pks) > MOST_POINTS:
        note = f"{MOST_POINTS} of {len(pks)} events are drawn by chance: a map holds no more"
        pks = sorted(np.random.default_rng(SEED).choice(pks, MOST_POINTS, replace=False).tolist())
    most = min(most_windows, MOST_POINTS - len(pks))
    chosen = drawn_windows(site, stations, window_s, most)
    if len(chosen) < most_windows and not note:
        recorded = f"{len(chosen)} windows of {window_s:g} s that no event overlaps were recorded"
        room = f"a map holds {MOST_POINTS} points, so {most} windows beside {len(pks)} events"
        note = f"{room if len(chosen) == most else recorded}; {most_windows} were asked for"
    return Plan(list(in_parts(pks)), list(in_parts(chosen)), [station.seed_id for station in stations], note)


def in_parts(items: Sequence[Any]) -> Iterator[list[Any]]:
    for first in range(0, len(items), PART):
        yield list(items[first : first + PART])


def drawn_windows(site: Site, stations: Sequence[Station], window_s: float, most: int) -> list[tuple[int, int]]:
    """Windows side by side over all that was recorded, but for those that an event overlaps; `most` of them by chance.

    → (number of the station, start in microseconds since 1970), by station and time
    """
    recorded = ((number, *span) for number, station in enumerate(stations) for span in spans(station, {}))
    places = Places.of(recorded, window_s, window_s)
    if not len(places) or not most:
        return []
    numbers, start = places.at(in_order_of_chance(len(places), most, np.random.default_rng(SEED)))
    quiet = np.flatnonzero(~overlap(start, start + round(window_s * 1e6), busy_spans(site)))[:most]
    return sorted(zip(numbers[quiet].tolist(), start[quiet].tolist(), strict=True))


def busy_spans(site: Site) -> Spans:
    """The spans of a site's events, joined where they touch, in time order. → (n, 2)"""
    rows = site.events.current().order_by("starttime").values_list("starttime", "endtime")
    joined: list[list[int]] = []
    for start, end in ((microseconds_of(start), microseconds_of(end)) for start, end in rows.iterator()):
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return np.array(joined, dtype=np.int64).reshape(-1, 2)


def overlap(start: NDArray[np.int64], end: NDArray[np.int64], busy: Spans) -> NDArray[np.bool_]:
    """Whether any of `busy`, in time order and apart, has something within each window from `start` to before `end`."""
    if not len(busy):
        return np.zeros(len(start), dtype=bool)
    before_end = np.searchsorted(busy[:, 0], end, side="left")  # so many begin before the window ends
    last = np.maximum(before_end - 1, 0)
    return np.asarray((before_end > 0) & ((busy[last, 1] > start) | (busy[last, 0] >= start)))


def readings(part: Sequence[tuple[int, int]], window_s: float) -> Iterator[tuple[int, list[datetime]]]:
    """Windows of a part that are read at once: of one station, near each other. → (number of the station, starts)"""
    group: list[datetime] = []
    of = -1
    for number, start in part:
        time = time_of(start)
        far = group and (
            time - group[-1] > timedelta(seconds=APART_S + window_s)
            or time - group[0] > timedelta(seconds=TOGETHER_S - window_s)
        )
        if group and (number != of or far):
            yield of, group
            group = []
        of = number
        group.append(time)
    if group:
        yield of, group
