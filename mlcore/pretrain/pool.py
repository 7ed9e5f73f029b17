"""A pool: what a network is pretrained on. Windows of recordings with any number of channels, most without a label.

A pool comes from a site's recordings (`pool_of_archive`), from a catalogue's events (`pool_of_events`), or from the
files of Åknes (`mlcore.pretrain.aknes`). On disk it is a folder of plain arrays, read piece by piece as it is needed.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mlcore.archive import Archive
from mlcore.catalogues import Skipped
from mlcore.checkpoint import write_atomically
from mlcore.config import Preprocessing
from mlcore.datasets import EDGE_S, EventWindows
from mlcore.errors import BadConfiguration, Cancelled, SeisloopError, UnusableWaveform
from mlcore.preprocessing import resample
from mlcore.pretrain.config import Pool as Section
from mlcore.sections import require
from mlcore.traces import iso
from mlcore.training import Progress, ProgressCallback, StopCallback, never, say_nothing
from mlcore.waveform import Waveform, preprocess

READ_S = 3600.0  # of one station, held at once
FACTS = "pool.json"


@dataclass(frozen=True)
class Facts:
    """What is known of one window besides its samples."""

    station: str  # NET.STA.LOC, or what stands in its place
    starttime: datetime | None = None  # of the first sample, UTC
    event_id: str = ""  # what its windows are scored together as; empty: itself alone
    label: str = ""  # empty: not labelled


# A window (channels, samples), which of its channels were recorded (channels,), and what is known of it.
Piece = tuple[NDArray[np.floating[Any]], NDArray[np.bool_], Facts]


@dataclass(frozen=True, eq=False)
class Pool:
    """n windows. A channel that was not recorded is 0 in `windows` and False in `recorded`."""

    windows: NDArray[np.float32]  # (n, channels, samples)
    recorded: NDArray[np.bool_]  # (n, channels)
    sampling_rate_hz: float
    facts: tuple[Facts, ...]

    def __post_init__(self) -> None:
        if self.windows.shape[:2] != self.recorded.shape or len(self.windows) != len(self.facts):
            raise ValueError(
                f"windows are {self.windows.shape}, recorded {self.recorded.shape}, and facts {len(self.facts)}"
            )

    def __len__(self) -> int:
        return len(self.facts)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(fact.label for fact in self.facts)

    @property
    def units(self) -> tuple[str, ...]:
        """What each window is scored as: its event, or itself."""
        return tuple(fact.event_id or f"window {number}" for number, fact in enumerate(self.facts))

    def select(self, indices: Iterable[int]) -> "Pool":
        """The windows at these indices, in their order."""
        chosen = list(indices)
        return Pool(
            self.windows[chosen], self.recorded[chosen], self.sampling_rate_hz, tuple(self.facts[i] for i in chosen)
        )

    def labelled(self) -> "Pool":
        """The windows that have a label."""
        return self.select(i for i, label in enumerate(self.labels) if label)

    def save(self, folder: Path | str) -> None:
        """Write windows, mask and facts to a folder; what vouches for the others comes last."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FACTS).unlink(missing_ok=True)
        np.save(folder / "windows.npy", self.windows, allow_pickle=False)
        np.save(folder / "recorded.npy", self.recorded, allow_pickle=False)
        facts = [[f.station, f.starttime and iso(f.starttime), f.event_id, f.label] for f in self.facts]
        text = json.dumps({"sampling_rate_hz": self.sampling_rate_hz, "facts": facts}, ensure_ascii=False)
        write_atomically(folder / FACTS, text.encode())

    @classmethod
    def load(cls, folder: Path | str) -> "Pool":
        """The pool in a folder; its windows stay on disk until they are asked for. Raises BadConfiguration."""
        folder = Path(folder)
        try:
            described = json.loads((folder / FACTS).read_text(encoding="utf-8"))
            windows = np.load(folder / "windows.npy", mmap_mode="r", allow_pickle=False)
            recorded = np.load(folder / "recorded.npy", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise BadConfiguration(f"{folder} holds no pool: {error}. Write it again with Pool.save.") from error
        facts = tuple(
            Facts(station, time and datetime.fromisoformat(time), event, label)
            for station, time, event, label in described["facts"]
        )
        return cls(windows, recorded, described["sampling_rate_hz"], facts)


def stack(pieces: list[Piece], sampling_rate_hz: float) -> Pool:
    """Windows (channels, samples) with the channels that were recorded (channels,), as one pool.

    The list is emptied on the way, so that samples are held once. Where windows differ in their number of channels, the
    pool has the largest, and the others' last are masked. Raises UnusableWaveform for no windows, and where they differ
    in length.
    """
    lengths = sorted({data.shape[-1] for data, _, _ in pieces})
    if len(lengths) != 1:
        raise UnusableWaveform(
            f"A pool needs windows of one length, but there are {len(pieces)} of {lengths or 'no'} samples. "
            "Choose recordings that hold a whole window, all of the same length."
        )
    channels = max(len(recorded) for _, recorded, _ in pieces)
    facts = tuple(facts for _, _, facts in pieces)
    windows = np.zeros((len(pieces), channels, lengths[0]), dtype=np.float32)
    mask = np.zeros((len(pieces), channels), dtype=bool)
    while pieces:
        data, recorded, _ = pieces.pop()
        windows[len(pieces), : len(data)] = np.where(recorded[:, None], data, 0.0)
        mask[len(pieces), : len(data)] = recorded
    return Pool(windows, mask, sampling_rate_hz, facts)


def joined(pools: Sequence[Pool]) -> Pool:
    """Several pools as one. Raises BadConfiguration where their sampling rates differ."""
    rates = sorted({pool.sampling_rate_hz for pool in pools})
    require(
        len(rates) == 1,
        f"The pools are sampled at {', '.join(f'{r:g}' for r in rates) or 'no'} Hz, but must share one rate. "
        "Make them with the same recipe.",
    )
    rows = chain.from_iterable(zip(p.windows, p.recorded, p.facts, strict=True) for p in pools)
    return stack(list(rows), rates[0])


def together(pool: Pool, most: int = 24, *, within_s: float = 0.0) -> Pool:
    """Each event as one window whose sensors are all channels of all its stations; beyond `most`, the first of them.

    So are windows without an event that begin in the same `within_s` seconds: with the step that they were cut with,
    one window of each station that recorded then. A network learns what stations have in common, as Lee et al. 2022
    do with the sensors of Åknes (section 3, sensor invariance). No label is looked at, and none is kept.
    """
    rows: dict[str, list[int]] = {}
    for row, (unit, fact) in enumerate(zip(pool.units, pool.facts, strict=True)):
        same_time = within_s and not fact.event_id and fact.starttime
        key = f"step {round(fact.starttime.timestamp() / within_s)}" if same_time and fact.starttime else unit
        rows.setdefault(key, []).append(row)
    pieces: list[Piece] = []
    for own in rows.values():
        data = pool.windows[own].reshape(-1, pool.windows.shape[-1])
        sensors = np.flatnonzero(pool.recorded[own].ravel())[:most]
        facts = replace(pool.facts[own[0]], label="", station=",".join(sorted({pool.facts[i].station for i in own})))
        if len(sensors):
            pieces.append((data[sensors], np.ones(len(sensors), dtype=bool), facts))
    return stack(pieces, pool.sampling_rate_hz)


def pool_of_events(windows: EventWindows, sampling_rate_hz: float) -> Pool:
    """The windows of catalogued events and of the noise around them, each with its label."""
    recorded = windows.recorded if windows.recorded is not None else np.ones(windows.windows.shape[:2], dtype=bool)
    times = windows.starttimes or (None,) * len(windows)
    columns = zip(windows.stations, times, windows.event_ids, windows.labels, strict=True)
    return Pool(windows.windows, recorded, sampling_rate_hz, tuple(Facts(*row) for row in columns))


def pool_of_archive(
    archive: Archive,
    section: Section,
    *,
    stations: Sequence[str] = (),
    most: int = 0,
    seed: int = 0,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> tuple[Pool, list[Skipped]]:
    """Windows one step apart over all that stations (or all of them) recorded, and what could not be read.

    With `most`, so many windows are drawn from all, evenly by chance. A channel of which more than `maximum_gap` is
    missing counts as not recorded, and a window without any is left out. Raises Cancelled when `should_stop` says so,
    UnusableWaveform where nothing can be used.
    """
    spans = [span for station in stations or archive.stations for span in _spans(archive, station, section)]
    pieces: list[Piece] = []
    skipped: list[Skipped] = []
    draw, seen = np.random.default_rng(seed), 0
    for number, (station, start, end) in enumerate(spans, start=1):
        if should_stop():
            raise Cancelled("Reading the pool was cancelled.")
        try:
            for piece in _windows(archive, station, start, end, section):
                seen += 1
                _keep(pieces, piece, most, int(draw.integers(seen)))
        except SeisloopError as error:
            skipped.append(Skipped(f"{station} from {iso(start)}", str(error)))
        figures = {"windows": float(len(pieces)), "of": float(seen)}
        progress(Progress("reading the pool", number / len(spans), figures, f"{len(pieces)} windows"))
    return stack(pieces, section.sampling_rate_hz), skipped


def _keep(kept: list[Piece], item: Piece, most: int, place: int) -> None:
    """Reservoir sampling: every item seen so far is among `kept` with the same chance. Vitter 1985, algorithm R"""
    if not most or len(kept) < most:
        kept.append(item)
    elif place < most:
        kept[place] = item


def _spans(archive: Archive, station: str, section: Section) -> Iterator[tuple[str, datetime, datetime]]:
    """What a station recorded, in parts of READ_S; each begins a step after the last window of the one before."""
    step, window = timedelta(seconds=section.step_s), timedelta(seconds=section.window_s)
    part = max(round(READ_S / section.step_s), 1) * step
    for start, end in archive.spans(station):
        while start + window <= end:
            yield station, start, min(start + part - step + window, end)
            start += part


def _windows(archive: Archive, station: str, start: datetime, end: datetime, section: Section) -> Iterator[Piece]:
    edge = timedelta(seconds=EDGE_S)
    components = section.components or _components(archive, station)
    prepared = prepare(archive.read(station, start - edge, end + edge, components), section).slice(start, end)
    if prepared.samples < section.window_samples:
        return
    data, mask = (
        sliding_window_view(each, section.window_samples, axis=-1)[:, :: section.step_samples].swapaxes(0, 1)
        for each in (prepared.data, prepared.mask)
    )
    for number, (samples, present) in enumerate(zip(data, mask, strict=True)):
        recorded = present.mean(axis=1) >= 1 - section.maximum_gap
        if recorded.any():
            window = normalised(samples, present & recorded[:, None], section)
            yield window, recorded, Facts(station, prepared.time_of(number * section.step_samples))


def _components(archive: Archive, station: str) -> tuple[str, ...]:
    """All that a station ever recorded, by the last letters of its channels."""
    return tuple(sorted({header.channel[-1:].upper() for header, _ in archive.headers if header.station_id == station}))


def prepare(waveform: Waveform, section: Section) -> Waveform:
    """At the pool's rate, and where it has a band, filtered as a classifier's input is."""
    if not section.band_hz:
        return resample(waveform, section.sampling_rate_hz)
    low, high = section.band_hz
    preprocessing = Preprocessing(
        sampling_rate_hz=section.sampling_rate_hz,
        components=waveform.components,
        band_hz=(low, high),
        filter_order=section.filter_order,
        zero_phase=section.zero_phase,
        detrend=section.detrend,
        taper=section.taper,
        window_s=section.window_s,
        stft_length=1,
        stft_hop=1,
    )
    return preprocess(waveform, preprocessing)


def normalised(data: NDArray[np.floating[Any]], mask: NDArray[np.bool_], section: Section) -> NDArray[np.float32]:
    """As the section says. data, mask (channels, samples) → the same shape; 0 where not recorded"""
    if section.normalise == "none":
        return np.where(mask, data, 0.0).astype(np.float32)
    mean = np.where(mask, data, 0.0).sum(axis=-1, keepdims=True) / np.maximum(mask.sum(axis=-1, keepdims=True), 1)
    centred = np.where(mask, data - mean, 0.0)
    peak = np.abs(centred).max(axis=-1 if section.normalise == "channel" else None, keepdims=True)
    return (centred / np.where(peak > 0, peak, 1.0)).astype(np.float32)
