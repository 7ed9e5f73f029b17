"""Labelled windows to learn from: cut from catalogued events by one rule, and split by event, never within one."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from mlcore.catalogues import CatalogueEntry, Skipped, read_catalogue
from mlcore.config import Preprocessing
from mlcore.errors import BadConfiguration, Cancelled, SeisloopError, UnusableWaveform
from mlcore.training import Progress, ProgressCallback, StopCallback, never, say_nothing
from mlcore.waveform import Waveform, preprocess, read
from mlcore.windows import Window, event_window, normalise

__all__ = [
    "CatalogueEntry",
    "EventWindows",
    "LabelledWindow",
    "Skipped",
    "labelled_window",
    "load_event_windows",
    "read_catalogue",
    "require_windows",
    "split_by_event",
]

EDGE_S = 10.0  # read beyond what is needed, so that taper and filter settle outside the window

Side = Literal["train", "validation", "test"]


@dataclass(frozen=True, eq=False)
class LabelledWindow:
    """An event as one station saw it."""

    event_id: str
    station: str
    label: str
    window: Window
    # The window with up to a margin of real record on either side, not normalised.
    surroundings: NDArray[np.float32]  # (components, before + window + after)
    before: int  # samples


@dataclass(frozen=True, eq=False)
class EventWindows:
    """n windows of labelled events. An event has one window per station."""

    windows: NDArray[np.float32]  # (n, components, samples), normalised
    event_ids: tuple[str, ...]
    stations: tuple[str, ...]
    labels: tuple[str, ...]
    surroundings: tuple[NDArray[np.float32], ...] = ()  # of each window; empty where windows do not move
    before: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.windows), len(self.event_ids), len(self.stations), len(self.labels)}
        if len(lengths) > 1:
            raise ValueError(
                f"{len(self.windows)} windows, but {len(self.event_ids)} events, {len(self.labels)} labels"
            )

    def __len__(self) -> int:
        return len(self.windows)

    @classmethod
    def stack(cls, items: Sequence[LabelledWindow], preprocessing: Preprocessing) -> "EventWindows":
        """All windows in one array; an empty one, of the right shape, for no items."""
        shape = (0, len(preprocessing.components), preprocessing.window_samples)
        windows = [item.window.data.astype(np.float32) for item in items]
        return cls(
            windows=np.stack(windows) if windows else np.zeros(shape, dtype=np.float32),
            event_ids=tuple(item.event_id for item in items),
            stations=tuple(item.station for item in items),
            labels=tuple(item.label for item in items),
            surroundings=tuple(item.surroundings for item in items),
            before=tuple(item.before for item in items),
        )

    def select(self, indices: Iterable[int]) -> "EventWindows":
        """The windows at these indices, in their order."""
        chosen = list(indices)
        return EventWindows(
            windows=self.windows[chosen],
            event_ids=tuple(self.event_ids[i] for i in chosen),
            stations=tuple(self.stations[i] for i in chosen),
            labels=tuple(self.labels[i] for i in chosen),
            surroundings=tuple(self.surroundings[i] for i in chosen) if self.surroundings else (),
            before=tuple(self.before[i] for i in chosen) if self.before else (),
        )

    def moved(self, indices: Sequence[int], shifts: Sequence[int], preprocessing: Preprocessing) -> NDArray[np.float32]:
        """Windows cut `shifts` samples later, as far as records allow, and normalised. → (n, components, samples)"""
        if not self.surroundings:
            return self.windows[list(indices)]
        cuts = np.empty((len(indices), *self.windows.shape[1:]), dtype=np.float32)
        for cut, index, shift in zip(cuts, indices, shifts, strict=True):
            record = self.surroundings[index]
            start = min(max(self.before[index] + shift, 0), record.shape[-1] - cut.shape[-1])
            cut[:] = record[:, start : start + cut.shape[-1]]
        moved = normalise(cuts, preprocessing).astype(np.float32, copy=False)
        for row, index in enumerate(indices):
            if self.surroundings[index].shape[-1] == cuts.shape[-1]:  # it cannot move, and may hold a gap
                moved[row] = self.windows[index]
        return moved


def labelled_window(
    waveform: Waveform,
    *,
    event_id: str,
    label: str,
    starttime: datetime,
    endtime: datetime,
    preprocessing: Preprocessing,
    margin_s: float = 0.0,
) -> LabelledWindow:
    """The window of an event in a recording as it was read, with up to `margin_s` of real record on either side.

    Raises UnusableWaveform where the recording cannot serve.
    """
    prepared = preprocess(waveform, preprocessing)
    window = event_window(prepared, starttime, endtime, preprocessing)
    first = prepared.sample_at(window.starttime)
    end = first + preprocessing.window_samples
    margin = round(margin_s * preprocessing.sampling_rate_hz)
    before, after = _room(prepared.mask, first, end, margin)
    surroundings = prepared.data[:, first - before : end + after].astype(np.float32)
    return LabelledWindow(event_id, prepared.station_id, label, window, surroundings, before)


def load_event_windows(
    catalogue: Sequence[CatalogueEntry],
    waveform_dir: Path | str,
    preprocessing: Preprocessing,
    *,
    margin_s: float = 0.0,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> tuple[EventWindows, list[Skipped]]:
    """The windows of all entries that can be used, and the others with their reasons.

    Raises Cancelled when `should_stop` says so.
    """
    items, skipped = [], []
    for number, entry in enumerate(catalogue, start=1):
        if should_stop():
            raise Cancelled("Reading the catalogue's waveforms was cancelled.")
        try:
            items.append(_load(entry, Path(waveform_dir), preprocessing, margin_s))
        except SeisloopError as error:
            skipped.append(Skipped(f"{entry.event_id} at {entry.station or entry.file}", str(error)))
        progress(Progress("reading waveforms", number / len(catalogue), {}, f"{number} of {len(catalogue)}"))
    return EventWindows.stack(items, preprocessing), skipped


def require_windows(windows: EventWindows, skipped: Sequence[Skipped]) -> None:
    """Raises UnusableWaveform, with the most common reason, where no row of a catalogue could be used."""
    if len(windows):
        return
    if not skipped:
        raise UnusableWaveform("There is no event to use: the catalogue has no row for it. Give one with events.")
    reason, _ = Counter(item.reason for item in skipped).most_common(1)[0]
    raise UnusableWaveform(f"None of the catalogue's {len(skipped)} rows can be used. The most common reason: {reason}")


def split_by_event(
    event_ids: Sequence[str], labels: Sequence[str], shares: tuple[float, float], seed: int
) -> dict[str, Side]:
    """The side of each event: stratified by class, all stations of an event together, the same for the same seed.

    An event more, less or relabelled leaves the others where they are, but for one of its class at most that begins or
    ends to test, and one that begins or ends to validate: so what tested one model still tests the next.
    `shares` are those of test and validation events. A class with one event trains; one with two trains and tests;
    one with three or more is on every side whose share is above zero.
    Raises BadConfiguration where one event carries two labels.
    """
    by_class: dict[str, list[str]] = {}
    for event, label in _label_of_each(event_ids, labels).items():
        by_class.setdefault(label, []).append(event)
    sides: dict[str, Side] = {}
    for label in sorted(by_class):
        events = sorted(by_class[label], key=lambda event: _place(event, seed))
        tests, validations = _side_counts(len(events), shares)
        trains = len(events) - tests - validations
        for side, count in (("test", tests), ("train", trains), ("validation", validations)):
            sides |= dict.fromkeys(events[:count], cast(Side, side))
            events = events[count:]
    return sides


def _place(event: str, seed: int) -> str:
    """Where an event stands among those of its class: by itself alone, whatever others there are."""
    return hashlib.sha256(f"{seed}:{event}".encode()).hexdigest()


def _side_counts(events: int, shares: tuple[float, float]) -> tuple[int, int]:
    """How many of a class's events test, and how many validate; at least one is left to train."""
    tests, validations = (max(round(share * events), 1) if share else 0 for share in shares)
    tests = min(tests, events - 1)
    return tests, min(validations, max(events - tests - 1, 0))


def _label_of_each(event_ids: Sequence[str], labels: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for event, label in zip(event_ids, labels, strict=True):
        if found.setdefault(event, label) != label:
            raise BadConfiguration(
                f"Event {event} is labelled both {found[event]} and {label}. Give all of its stations one label."
            )
    return found


def _load(entry: CatalogueEntry, folder: Path, preprocessing: Preprocessing, margin_s: float) -> LabelledWindow:
    beyond = timedelta(seconds=preprocessing.window_s + margin_s + EDGE_S)
    waveform = read(
        folder / entry.file,
        station=entry.station,
        starttime=entry.starttime and entry.starttime - beyond,
        endtime=entry.endtime and entry.endtime + beyond,
        components=preprocessing.components,
    )
    return labelled_window(
        waveform,
        event_id=entry.event_id,
        label=entry.event_class,
        starttime=entry.starttime or waveform.starttime,
        endtime=entry.endtime or waveform.endtime,
        preprocessing=preprocessing,
        margin_s=margin_s,
    )


def _room(mask: NDArray[np.bool_], first: int, end: int, margin: int) -> tuple[int, int]:
    """How far, up to `margin`, the window first…end may move either way over unbroken record. mask (components, n)"""
    present = mask[mask[:, first:end].any(axis=1)]
    whole = np.asarray(present.all(axis=0))
    if not whole[first:end].all():
        return 0, 0
    before = whole[max(first - margin, 0) : first][::-1]
    after = whole[end : end + margin]
    return _leading(before), _leading(after)


def _leading(true: NDArray[np.bool_]) -> int:
    """How many values are True before the first False."""
    return len(true) if true.all() else int(true.argmin())
