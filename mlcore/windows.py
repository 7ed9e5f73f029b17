"""Windows: the pieces of fixed length that a network sees. One for an event, or one every step for a scan."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mlcore.config import Placement, Preprocessing
from mlcore.errors import UnusableWaveform
from mlcore.placement import event_place
from mlcore.traces import Waveform, iso

BATCH = 64  # windows; larger batches are slower through the STFT and the network
SPAN = Placement()
ROUNDING = 1e-12  # of the largest value: below, a peak is what rounding left of a constant


@dataclass(frozen=True, eq=False)
class Window:
    """A normalised window. data · scale gives back the demeaned recording."""

    data: NDArray[np.float64]  # (components, samples), within ±1
    starttime: datetime  # of the first sample, UTC
    mask: NDArray[np.bool_]  # (components, samples), True where recorded
    scale: NDArray[np.float64]  # (components,), in the recording's unit; 1 where silent
    problems: tuple[str, ...] = ()


def event_window(
    waveform: Waveform,
    starttime: datetime,
    endtime: datetime,
    preprocessing: Preprocessing,
    placement: Placement = SPAN,
) -> Window:
    """The window that stands for the event from `starttime` to `endtime` in a preprocessed waveform.

    `placement` says where it lies. Raises UnusableWaveform where the record is shorter than a window, does not reach
    the event, or more than `maximum_gap` of the window was recorded on no component.
    """
    place = event_place(waveform, starttime, endtime, preprocessing, placement)
    return window_at(waveform, place.start, preprocessing)


def window_at(waveform: Waveform, start: int, preprocessing: Preprocessing) -> Window:
    """The window that begins at sample `start` of a preprocessed waveform, and lies within it.

    Raises UnusableWaveform where more than `maximum_gap` of it was recorded on no component.
    """
    part = np.s_[:, start : start + preprocessing.window_samples]
    data, mask = waveform.data[part], waveform.mask[part]
    missing = float(_missing(mask))
    if missing > preprocessing.maximum_gap:
        raise UnusableWaveform(
            f"{waveform.station_id}: {missing:.0%} of the window from {iso(waveform.time_of(start))} was not recorded, "
            f"but at most {preprocessing.maximum_gap:.0%} may be missing. Choose another station, or raise maximum_gap."
        )
    said = (f"{missing:.1%} of the window was not recorded",) if missing else ()
    centred, scale = _centred(data, mask), _scale(data, mask, preprocessing)
    return Window(centred / scale, waveform.time_of(start), mask.copy(), scale[:, 0], (*waveform.problems, *said))


def sliding_windows(
    waveform: Waveform, preprocessing: Preprocessing, batch: int = BATCH
) -> Iterator[tuple[list[datetime], NDArray[np.float64], NDArray[np.bool_]]]:
    """Normalised windows one step apart over a preprocessed waveform, in batches of bounded memory.

    Yields starttimes (n), data (n, components, samples), usable (n,): False where more than `maximum_gap` is missing.
    A record shorter than a window yields nothing.
    """
    length, step = preprocessing.window_samples, preprocessing.step_samples
    if waveform.samples < length:
        return
    windows = sliding_window_view(waveform.data, length, axis=-1)[:, ::step]  # a view: (components, n, samples)
    masks = sliding_window_view(waveform.mask, length, axis=-1)[:, ::step]
    for first in range(0, windows.shape[1], batch):
        part = np.s_[:, first : first + batch]
        data, mask = windows[part].swapaxes(0, 1), masks[part].swapaxes(0, 1)
        starttimes = [waveform.time_of((first + i) * step) for i in range(len(data))]
        yield starttimes, normalise(data, preprocessing, mask), _missing(mask) <= preprocessing.maximum_gap


def normalise(
    data: NDArray[np.floating[Any]], preprocessing: Preprocessing, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Demean each component over what was recorded, then divide by the largest magnitude of window or component.

    data, mask (…, components, samples) → the same shape, within ±1. Silence stays 0.  Jiang et al. 2024, section 4.2
    """
    recorded = np.ones(data.shape, dtype=bool) if mask is None else mask
    return np.asarray(_centred(data, recorded) / _scale(data, recorded, preprocessing))


def _centred(data: NDArray[np.floating[Any]], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Without each component's mean; 0 where not recorded, and where only rounding is left."""
    count = np.maximum(mask.sum(axis=-1, keepdims=True), 1)
    mean = np.where(mask, data, 0.0).sum(axis=-1, keepdims=True) / count
    centred = np.where(mask, data - mean, 0.0)
    floor = ROUNDING * np.abs(np.where(mask, data, 0.0)).max(axis=-1, keepdims=True)
    return np.where(np.abs(centred).max(axis=-1, keepdims=True) > floor, centred, 0.0)


def _scale(
    data: NDArray[np.floating[Any]], mask: NDArray[np.bool_], preprocessing: Preprocessing
) -> NDArray[np.float64]:
    """What normalising divides by, (…, components, 1)."""
    peak = np.abs(_centred(data, mask)).max(axis=-1, keepdims=True)
    if preprocessing.normalise == "window":
        peak = np.broadcast_to(peak.max(axis=-2, keepdims=True), peak.shape)
    return np.where(peak > 0, peak, 1.0)


def _missing(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of (…, components, samples) that was recorded on no component, (…)."""
    return np.asarray(1 - mask.any(axis=-2).mean(axis=-1))
