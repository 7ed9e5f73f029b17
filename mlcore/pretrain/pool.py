"""A pool: what a network is pretrained on. Windows of recordings with any number of channels, most without a label.

A pool comes from a site's recordings (`mlcore.pretrain.continuous`), from a catalogue's events (`pool_of_events`), or
from the files of Åknes (`mlcore.pretrain.aknes`). On disk it is a folder of plain arrays, read piece by piece as it is
needed.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.checkpoint import write_atomically
from mlcore.config import Preprocessing
from mlcore.datasets import EventWindows
from mlcore.errors import BadConfiguration, UnusableWaveform
from mlcore.preprocessing import resample
from mlcore.pretrain.config import Pool as Section
from mlcore.sections import require
from mlcore.traces import iso
from mlcore.waveform import Waveform, preprocess

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

    A station's second window of a time, as where it begins in the middle between two steps, belongs to a second group.
    """
    rows: dict[tuple[str, int], list[int]] = {}
    given: Counter[tuple[str, str]] = Counter()
    for row, (unit, fact) in enumerate(zip(pool.units, pool.facts, strict=True)):
        same_time = within_s and not fact.event_id and fact.starttime
        key = f"step {round(fact.starttime.timestamp() / within_s)}" if same_time and fact.starttime else unit
        rows.setdefault((key, given[key, fact.station]), []).append(row)
        given[key, fact.station] += 1
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


def prepare(waveform: Waveform, section: Section) -> Waveform:
    """At the pool's rate, and where it has a band, filtered as a classifier's input is; masked where it is dead."""
    waveform = alive(waveform, section.window_s)
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


def alive(waveform: Waveform, longest_s: float) -> Waveform:
    """The waveform with every stretch masked in which a channel stands still for so long: it is dead there."""
    mask = waveform.mask.copy()
    for values, recorded in zip(waveform.data, mask, strict=True):
        still = recorded[1:] & recorded[:-1] & (np.diff(values) == 0)
        edges = np.flatnonzero(np.diff(np.concatenate(([False], still, [False])))).reshape(-1, 2)
        for first, last in edges[np.diff(edges)[:, 0] + 1 >= longest_s * waveform.sampling_rate_hz]:
            recorded[first : last + 1] = False
    return replace(waveform, mask=mask)


def recorded_channels(mask: NDArray[np.bool_], section: Section) -> NDArray[np.bool_]:
    """Which channels of a window count as recorded: with at most `maximum_gap` missing. (channels, samples) →
    (channels,)
    """
    return np.asarray(mask.mean(axis=-1) >= 1 - section.maximum_gap)


def normalised(data: NDArray[np.floating[Any]], mask: NDArray[np.bool_], section: Section) -> NDArray[np.float32]:
    """As the section says. data, mask (channels, samples) → the same shape; 0 where not recorded"""
    if section.normalise == "none":
        return np.where(mask, data, 0.0).astype(np.float32)
    mean = np.where(mask, data, 0.0).sum(axis=-1, keepdims=True) / np.maximum(mask.sum(axis=-1, keepdims=True), 1)
    centred = np.where(mask, data - mean, 0.0)
    peak = np.abs(centred).max(axis=-1 if section.normalise == "channel" else None, keepdims=True)
    return (centred / np.where(peak > 0, peak, 1.0)).astype(np.float32)
