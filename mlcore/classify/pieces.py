"""A long record piece by piece, each prepared as if the whole had been, in bounded memory."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeVar

import numpy as np
from scipy import signal

from mlcore.archive import Span
from mlcore.config import Preprocessing
from mlcore.errors import SeisloopError
from mlcore.preprocessing import TAPER_PERIODS, TAPER_SHARE, preprocess, rate_ratio
from mlcore.traces import Waveform

PIECE_S = 3600.0  # read at once: a longer piece reads faster, and takes more memory
SETTLED = 1e-9  # of an edge's echo that may be left in what is used
LONGEST_SETTLING_S = 600.0
LONGEST_CUT_S = 1.0  # what may be cut off so that resampled pieces share one time axis

Read = Callable[[datetime, datetime], Waveform]  # what was recorded from one time to before another
Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class Piece:
    """The windows that start from `begin` to before `end`."""

    begin: datetime
    end: datetime
    waveform: Waveform | None  # prepared, from the first window's start to the last one's end; None: see `problem`
    problem: str = ""


def pieces(read: Read, span: Span, preprocessing: Preprocessing, piece_s: float | None = None) -> Iterator[Piece]:
    """The span in pieces of whole steps, prepared; windows that reach into the next piece belong to the earlier one.

    What a filter makes of a piece equals what it makes of the whole record: each piece is read with as much before and
    behind it as the filter needs to settle. Only where a recorded stretch itself begins or ends may the two differ, by
    what the mean of the whole stretch differs from that of its part.
    """
    step_s = preprocessing.step_samples / preprocessing.sampling_rate_hz
    length = timedelta(seconds=max(round((piece_s or PIECE_S) / step_s), 1) * step_s)
    begin = span[0]
    while begin < span[1]:
        end = min(begin + length, span[1])
        try:
            yield Piece(begin, end, _prepared(read, (begin, end), span, preprocessing))
        except SeisloopError as error:
            yield Piece(begin, end, None, str(error))
        begin += length


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; each is made in another thread while the one before it is used."""
    with ThreadPoolExecutor(1, "ahead") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


@lru_cache(maxsize=16)
def settling_s(preprocessing: Preprocessing) -> float:
    """Seconds after which neither taper nor filter remembers where a piece began."""
    _, poles, _ = signal.butter(
        preprocessing.filter_order, preprocessing.band_hz, "bandpass", fs=preprocessing.sampling_rate_hz, output="zpk"
    )
    ringing_s = np.log(SETTLED) / np.log(np.abs(poles).max()) / preprocessing.sampling_rate_hz
    taper_s = TAPER_PERIODS / preprocessing.band_hz[0]
    resampling_s = 20 / (2 * preprocessing.band_hz[1])  # scipy's low-pass reaches ten samples of the lower rate
    # a stretch that a piece cuts must not be so short that its taper is another
    return float(min(max(taper_s + ringing_s + resampling_s, taper_s / TAPER_SHARE), LONGEST_SETTLING_S))


def _prepared(read: Read, piece: Span, span: Span, preprocessing: Preprocessing) -> Waveform | None:
    """From the first window's start to the last one's end; None where no window fits. Raises SeisloopError."""
    window, step = timedelta(seconds=preprocessing.window_s), timedelta(seconds=preprocessing.step_s)
    edge = timedelta(seconds=settling_s(preprocessing))
    low = max(piece[0] - edge - timedelta(seconds=LONGEST_CUT_S), span[0])
    high = min(piece[1] + window + edge, span[1])
    # the span's end is the first sample of what may follow at another rate
    waveform = _on_axis(read(low, high - timedelta(microseconds=1)), span[0], preprocessing)
    prepared = preprocess(waveform, preprocessing)
    first = _next_step(max(piece[0], prepared.starttime), span[0], preprocessing)
    last = min(piece[1] - step + window, span[1])
    past_end = prepared.time_of(prepared.samples)
    if first >= piece[1] or min(last, past_end) - first < window - timedelta(microseconds=2):
        return None
    return prepared.slice(first, last)


def _next_step(time: datetime, origin: datetime, preprocessing: Preprocessing) -> datetime:
    step_s = preprocessing.step_samples / preprocessing.sampling_rate_hz
    number = int(np.ceil((time - origin).total_seconds() / step_s - 0.5 / preprocessing.step_samples))
    return origin + timedelta(seconds=number * step_s)


def _on_axis(waveform: Waveform, origin: datetime, preprocessing: Preprocessing) -> Waveform:
    """Without the few samples before one that resampling keeps where it is, counted from the origin of the span."""
    every = rate_ratio(waveform.sampling_rate_hz, preprocessing.sampling_rate_hz).denominator
    past = round((waveform.starttime - origin).total_seconds() * waveform.sampling_rate_hz)
    cut = -past % every
    if not cut or every > LONGEST_CUT_S * waveform.sampling_rate_hz or cut >= waveform.samples:
        return waveform
    part = np.s_[:, cut:]
    return replace(waveform, starttime=waveform.time_of(cut), data=waveform.data[part], mask=waveform.mask[part])
