"""Where windows lie in a prepared record: one for an event, and those that hold the noise around it.

Samples count from the start of the record. What was not recorded is no signal: it is never part of a measurement.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from mlcore.config import Catalogue, Placement, Preprocessing
from mlcore.errors import UnusableWaveform
from mlcore.traces import Waveform, iso

TINY = 1e-200  # mean power below which there is silence


@dataclass(frozen=True)
class Place:
    """A window's first sample, and the part of the record that it may move in: from `first` to before `end`."""

    start: int
    first: int
    end: int


def event_place(
    waveform: Waveform, starttime: datetime, endtime: datetime, preprocessing: Preprocessing, placement: Placement
) -> Place:
    """The place of the window that stands for the event from `starttime` to `endtime` in a preprocessed waveform.

    Raises UnusableWaveform where the record is shorter than a window, or does not reach the event.
    """
    _require_record(waveform, starttime, endtime, preprocessing, placement)
    if placement.rule == "onset":
        return _at_onset(waveform, starttime, endtime, preprocessing, placement)
    start = _on_span(waveform, starttime, endtime, preprocessing)
    return Place(start, 0, waveform.samples)


def noise_places(
    waveform: Waveform,
    starttime: datetime,
    event: Place,
    preprocessing: Preprocessing,
    placement: Placement,
    catalogue: Catalogue,
) -> list[Place]:
    """Windows side by side within `noise_span_s` from the trace's start, as long as they end before the event's.

    The trace is what was recorded of the event's span from `starttime`, widened by `slack_s`.
    """
    length, rate = preprocessing.window_samples, preprocessing.sampling_rate_hz
    recorded = np.flatnonzero(waveform.mask[reference_row(waveform)])
    begin = max(_widened(waveform, starttime, -placement.slack_s), int(recorded[0]))
    low, high = (begin + round(second * rate) for second in catalogue.noise_span_s)
    first, end = _usable(waveform, preprocessing, placement)
    last = min(high, event.start, end) - length
    return [Place(start, first, event.start) for start in range(low, last + 1, length) if start >= first]


def onset_of(
    values: NDArray[np.float64], recorded: NDArray[np.bool_], first: int, end: int, rate_hz: float, placement: Placement
) -> int:
    """Sample of the onset of the strongest signal that begins and ends between samples `first` and `end`.

    values (samples,), recorded (samples,): False where nothing was recorded or the filter rings. With P(a, b) the mean
    power of samples a…b−1, s and l short and long lengths:
        peak = argmax P(i, i+s);   onset = argmax P(i, i+s) / P(i−l, i)   over   peak − search ≤ i ≤ peak
    where i has l samples before it; else the peak is the onset.
    Raises UnusableWaveform where no `short_s` is recorded.
    """
    short, long, search = (round(s * rate_hz) for s in (placement.short_s, placement.long_s, placement.search_s))
    after = _power(values, recorded, short)  # of the short window that begins at each sample
    allowed = np.full(len(after), -np.inf)
    part = slice(max(first, 0), max(end - short + 1, 0))
    allowed[part] = after[part]
    if not np.isfinite(allowed).any():
        raise UnusableWaveform(
            f"No {placement.short_s:g} s of the event are recorded away from the record's ends and gaps. "
            "Choose another station, or give more of the recording."
        )
    peak = int(allowed.argmax())
    before = _power(values, recorded, long)  # of the long window that begins at each sample
    candidates = np.arange(max(peak - search, long), peak + 1)
    ratios = after[candidates] / np.maximum(before[candidates - long], TINY)
    ratios[~np.isfinite(after[candidates]) | ~np.isfinite(before[candidates - long])] = -np.inf
    return int(candidates[ratios.argmax()]) if np.isfinite(ratios).any() else peak


def _power(values: NDArray[np.float64], recorded: NDArray[np.bool_], length: int) -> NDArray[np.float64]:
    """Mean square of the `length` samples from each sample on; −∞ where one was not recorded or the record ends."""
    power = np.full(len(values), -np.inf)
    if len(values) < length:
        return power
    sums = np.concatenate([[0.0], np.cumsum(np.where(recorded, values, 0.0) ** 2)])
    counts = np.concatenate([[0], np.cumsum(recorded)])
    whole = counts[length:] - counts[:-length] == length
    power[: len(whole)] = np.where(whole, (sums[length:] - sums[:-length]) / length, -np.inf)
    return power


def reference_row(waveform: Waveform) -> int:
    """The component that places windows: the first of the recipe's that recorded anything."""
    return int(waveform.mask.any(axis=1).argmax())


def _at_onset(
    waveform: Waveform, starttime: datetime, endtime: datetime, preprocessing: Preprocessing, placement: Placement
) -> Place:
    rate = preprocessing.sampling_rate_hz
    row = reference_row(waveform)
    away = _away_from_edges(waveform.mask[row], round(placement.edge_s * rate))
    begin, close = (
        _widened(waveform, time, by) for time, by in ((starttime, -placement.slack_s), (endtime, placement.slack_s))
    )
    try:
        onset = onset_of(waveform.data[row], away, begin, close + 1, rate, placement)
    except UnusableWaveform as error:
        raise UnusableWaveform(f"{waveform.station_id}: {error}") from error
    first, end = _usable(waveform, preprocessing, placement)
    start = onset - round(placement.before_s * rate)
    return Place(min(max(start, first), end - preprocessing.window_samples), first, end)


def _usable(waveform: Waveform, preprocessing: Preprocessing, placement: Placement) -> tuple[int, int]:
    """The part of the record that windows may lie in: without its edges, for the rule onset."""
    recorded = np.flatnonzero(waveform.mask[reference_row(waveform)])
    if placement.rule != "onset" or not recorded.size:
        return 0, waveform.samples
    edge = round(placement.edge_s * preprocessing.sampling_rate_hz)
    return int(recorded[0]) + edge, int(recorded[-1]) + 1 - edge


def _away_from_edges(mask: NDArray[np.bool_], edge: int) -> NDArray[np.bool_]:
    """Samples with `edge` recorded samples on either side. mask (samples,)"""
    away = np.zeros_like(mask)
    counts = np.concatenate([[0], np.cumsum(mask)])
    span = 2 * edge + 1
    if len(mask) >= span:
        away[edge : len(mask) - edge] = counts[span:] - counts[:-span] == span
    return away


def _widened(waveform: Waveform, time: datetime, by_s: float) -> int:
    return waveform.sample_at(time + timedelta(seconds=by_s))


def _on_span(waveform: Waveform, starttime: datetime, endtime: datetime, preprocessing: Preprocessing) -> int:
    """A shorter event is centred, as far as the record allows; of a longer one the part with the most energy."""
    length = preprocessing.window_samples
    first, last = waveform.sample_at(starttime), waveform.sample_at(endtime)
    if last - first <= length:
        start = (first + last - length) // 2
    else:
        start = _most_energetic(waveform.data, max(first, 0), min(last, waveform.samples), preprocessing)
    return min(max(start, 0), waveform.samples - length)


def _most_energetic(data: NDArray[np.float64], first: int, last: int, preprocessing: Preprocessing) -> int:
    """First sample of the window with the largest sum of squares; windows start each step from `first` to `last`."""
    length, step = preprocessing.window_samples, preprocessing.step_samples
    starts = np.arange(first, max(last - length, first) + 1, step)
    power = (data[:, first:last] ** 2).sum(axis=0)
    energies = [power[start - first : start - first + length].sum() for start in starts]
    return int(starts[np.argmax(energies)])


def _require_record(
    waveform: Waveform, starttime: datetime, endtime: datetime, preprocessing: Preprocessing, placement: Placement
) -> None:
    if endtime < starttime:
        raise UnusableWaveform(
            f"The event from {iso(starttime)} ends before it starts, at {iso(endtime)}. Correct the catalogue."
        )
    recorded = f"{waveform.station_id} is recorded {iso(waveform.starttime)} to {iso(waveform.endtime)}"
    if endtime < waveform.starttime or starttime > waveform.endtime:
        raise UnusableWaveform(
            f"{recorded}, but the event is {iso(starttime)} to {iso(endtime)}. Check the catalogue's times."
        )
    edges_s = 2 * placement.edge_s if placement.rule == "onset" else 0.0
    first, end = _usable(waveform, preprocessing, placement)
    if end - first < preprocessing.window_samples:
        beside = f" beside {edges_s:g} s at its edges" if edges_s else ""
        raise UnusableWaveform(
            f"{recorded}, {waveform.samples / waveform.sampling_rate_hz:.2f} s, but a window takes "
            f"{preprocessing.window_s:g} s{beside}. Give more of the recording, or retrain with a shorter window_s."
        )
