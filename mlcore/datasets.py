"""Labelled windows to learn from: cut from catalogued events, and from the noise around them, by one rule.

A unit is what a model is scored on: an event, or the noise around one at all of its stations, whose id is that of the
event and "/noise". Both are one group: what divides windows never parts them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlcore.catalogues import CatalogueEntry, Skipped, read_catalogue
from mlcore.config import Preprocessing, Recipe
from mlcore.errors import Cancelled, SeisloopError, UnusableWaveform
from mlcore.placement import Place, event_place, noise_places
from mlcore.splits import Side, folds_by_event, group_of, noise_of, split_by_event
from mlcore.training import Progress, ProgressCallback, StopCallback, never, say_nothing
from mlcore.waveform import Waveform, preprocess, read
from mlcore.windows import Window, normalise, window_at

__all__ = [
    "CatalogueEntry",
    "EventWindows",
    "LabelledWindow",
    "Side",
    "Skipped",
    "folds_by_event",
    "labelled_windows",
    "load_event_windows",
    "missing_components",
    "reach",
    "read_catalogue",
    "require_windows",
    "split_by_event",
]

EDGE_S = 10.0  # read beyond what is needed, so that taper and filter settle outside the window


@dataclass(frozen=True, eq=False)
class LabelledWindow:
    """A unit as one station saw it."""

    event_id: str
    station: str
    label: str
    window: Window
    # The window with up to a margin of real record on either side, not normalised.
    surroundings: NDArray[np.float32]  # (components, before + window + after)
    before: int  # samples


@dataclass(frozen=True, eq=False)
class EventWindows:
    """n windows of labelled units. An event has one window per station; its noise may have several."""

    windows: NDArray[np.float32]  # (n, components, samples), normalised; 0 where nothing was recorded
    event_ids: tuple[str, ...]
    stations: tuple[str, ...]
    labels: tuple[str, ...]
    surroundings: tuple[NDArray[np.float32], ...] = ()  # of each window; empty where windows do not move
    before: tuple[int, ...] = ()
    starttimes: tuple[datetime, ...] = ()  # of each window's first sample, UTC
    recorded: NDArray[np.bool_] | None = None  # (n, components), False where a component has nothing in a window

    def __post_init__(self) -> None:
        lengths = {len(self.windows), len(self.event_ids), len(self.stations), len(self.labels)}
        if len(lengths) > 1:
            raise ValueError(
                f"{len(self.windows)} windows, but {len(self.event_ids)} events, {len(self.labels)} labels"
            )

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def groups(self) -> tuple[str, ...]:
        """The event of each window, also where it is the noise around one."""
        return tuple(map(group_of, self.event_ids))

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
            starttimes=tuple(item.window.starttime for item in items),
            recorded=np.array([item.window.mask.any(axis=1) for item in items]).reshape(len(items), shape[1]),
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
            starttimes=tuple(self.starttimes[i] for i in chosen) if self.starttimes else (),
            recorded=None if self.recorded is None else self.recorded[chosen],
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


def labelled_windows(
    waveform: Waveform,
    *,
    event_id: str,
    label: str,
    starttime: datetime,
    endtime: datetime,
    recipe: Recipe,
    gives_noise: bool = False,
) -> list[LabelledWindow]:
    """The window of an event in a recording as it was read, then those of the noise around it, by a recipe.

    Each has as much real record on either side as training may move it by. Raises UnusableWaveform where the recording
    cannot serve for the event; noise that cannot be cut is left out.
    """
    preprocessing, placement, margin_s = recipe.preprocessing, recipe.placement, recipe.training.time_shift_s
    prepared = preprocess(waveform, preprocessing)
    place = event_place(prepared, starttime, endtime, preprocessing, placement)
    windows = [_cut(prepared, place, event_id, label, preprocessing, margin_s)]
    if not gives_noise:
        return windows
    for quiet in noise_places(prepared, starttime, place, preprocessing, placement, recipe.catalogue):
        with suppress(UnusableWaveform):  # a gap
            name = recipe.catalogue.noise_class
            windows.append(_cut(prepared, quiet, noise_of(event_id), name, preprocessing, margin_s))
    return windows


def reach(recipe: Recipe) -> tuple[timedelta, timedelta]:
    """How much record is read before and after an event's span, so that its windows lie where a recipe says."""
    placement, window_s = recipe.placement, recipe.preprocessing.window_s + recipe.training.time_shift_s
    sought_s = placement.slack_s + placement.search_s + placement.long_s if placement.rule == "onset" else 0.0
    quiet_s = placement.slack_s - min(recipe.catalogue.noise_span_s[0], 0.0) if recipe.catalogue.noise_class else 0.0
    before, after = max(window_s, sought_s, quiet_s), max(window_s, placement.slack_s)
    return timedelta(seconds=before + EDGE_S), timedelta(seconds=after + EDGE_S)


def load_event_windows(
    catalogue: Sequence[CatalogueEntry],
    waveform_dir: Path | str,
    recipe: Recipe,
    *,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> tuple[EventWindows, list[Skipped]]:
    """The windows of all entries that can be used, events and noise, and the entries that cannot, with their reasons.

    Raises Cancelled when `should_stop` says so.
    """
    items, skipped = [], []
    for number, entry in enumerate(catalogue, start=1):
        if should_stop():
            raise Cancelled("Reading the catalogue's waveforms was cancelled.")
        try:
            items += _load(entry, Path(waveform_dir), recipe)
        except SeisloopError as error:
            skipped.append(Skipped(f"{entry.event_id} at {entry.station or entry.file}", str(error)))
        progress(Progress("reading waveforms", number / len(catalogue), {}, f"{number} of {len(catalogue)}"))
    return EventWindows.stack(items, recipe.preprocessing), skipped


def missing_components(windows: EventWindows, preprocessing: Preprocessing) -> dict[str, int]:
    """How many windows have nothing of a component; those that all have are left out."""
    if windows.recorded is None:
        return {}
    counts = (~windows.recorded).sum(axis=0).tolist()
    return {name: count for name, count in zip(preprocessing.components, counts, strict=True) if count}


def require_windows(windows: EventWindows, skipped: Sequence[Skipped]) -> None:
    """Raises UnusableWaveform, with the most common reason, where no row of a catalogue could be used."""
    if len(windows):
        return
    if not skipped:
        raise UnusableWaveform("There is no event to use: the catalogue has no row for it. Give one with events.")
    reasons = Counter[str]()
    for item in skipped:
        reasons[item.reason] += item.rows
    reason, _ = reasons.most_common(1)[0]
    raise UnusableWaveform(
        f"None of the catalogue's {reasons.total()} rows can be used. The most common reason: {reason}"
    )


def _load(entry: CatalogueEntry, folder: Path, recipe: Recipe) -> list[LabelledWindow]:
    before, after = reach(recipe)
    waveform = read(
        folder / entry.file,
        station=entry.station,
        starttime=entry.starttime and entry.starttime - before,
        endtime=entry.endtime and entry.endtime + after,
        components=recipe.preprocessing.components,
    )
    return labelled_windows(
        waveform,
        event_id=entry.event_id,
        label=entry.event_class,
        starttime=entry.starttime or waveform.starttime,
        endtime=entry.endtime or waveform.endtime,
        recipe=recipe,
        gives_noise=entry.gives_noise,
    )


def _cut(
    prepared: Waveform, place: Place, event_id: str, label: str, preprocessing: Preprocessing, margin_s: float
) -> LabelledWindow:
    window = window_at(prepared, place.start, preprocessing)
    end = place.start + preprocessing.window_samples
    before, after = _room(prepared.mask, place, end, round(margin_s * preprocessing.sampling_rate_hz))
    surroundings = prepared.data[:, place.start - before : end + after].astype(np.float32)
    return LabelledWindow(event_id, prepared.station_id, label, window, surroundings, before)


def _room(mask: NDArray[np.bool_], place: Place, end: int, margin: int) -> tuple[int, int]:
    """How far, up to `margin`, a window may move either way over unbroken record. mask (components, n)"""
    first = place.start
    present = mask[mask[:, first:end].any(axis=1)]
    whole = np.asarray(present.all(axis=0))
    if not whole[first:end].all():
        return 0, 0
    before = whole[max(first - margin, place.first, 0) : first][::-1]
    after = whole[end : max(min(end + margin, place.end), end)]
    return _leading(before), _leading(after)


def _leading(true: NDArray[np.bool_]) -> int:
    """How many values are True before the first False."""
    return len(true) if true.all() else int(true.argmin())
