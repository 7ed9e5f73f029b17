"""What a screen needs of a waveform: a pass band, fewer samples, its outline, its spectrogram. Gaps stay gaps.

Nothing here goes to a network: `preprocessing` and `stft` make what a model sees.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from mlcore.errors import UnusableWaveform
from mlcore.traces import Waveform, stretches

ORDER = 4  # of the Butterworth filter, on each side, once forth and once back
NEAR_NYQUIST = 0.95  # of Nyquist: an upper corner beyond is as good as none
DEEPEST_DB = 100.0  # below the largest value, an image shows nothing
HALF_BAND = signal.firwin(61, 0.445)  # symmetric: no phase; -6 dB at 0.445 and -50 dB from 0.5 of Nyquist on
LEVELS = 254  # of a uint8 image, beside 0 for what was not recorded


def without_mean(waveform: Waveform) -> tuple[Waveform, NDArray[np.float64]]:
    """The waveform without the mean of each component's recorded samples, and these means, (components,)."""
    counts = waveform.mask.sum(axis=-1)
    means = np.where(waveform.mask, waveform.data, 0.0).sum(axis=-1) / np.maximum(counts, 1)
    return replace(waveform, data=np.where(waveform.mask, waveform.data - means[:, None], 0.0)), means


def band_passed(waveform: Waveform, low_hz: float | None, high_hz: float | None) -> Waveform:
    """The waveform through a Butterworth filter of zero phase; without a corner, that side stays open.

    Each recorded stretch is filtered by itself, without its mean. An upper corner that the record's rate does not hold
    is left away, and said. Raises UnusableWaveform where the rate holds nothing of the band.
    """
    nyquist = waveform.sampling_rate_hz / 2
    problems = list(waveform.problems)
    if low_hz is not None and low_hz >= NEAR_NYQUIST * nyquist:
        raise UnusableWaveform(
            f"{waveform.station_id} is sampled at {waveform.sampling_rate_hz:g} Hz, which holds frequencies up to "
            f"{nyquist:g} Hz, but the filter begins at {low_hz:g} Hz. Choose a lower band."
        )
    if high_hz is not None and high_hz >= NEAR_NYQUIST * nyquist:
        problems.append(
            f"sampled at {waveform.sampling_rate_hz:g} Hz: the filter has no end at {high_hz:g} Hz, the record has one "
            f"at {nyquist:g} Hz"
        )
        high_hz = None
    data = np.zeros_like(waveform.data)
    sections = _sections(low_hz, high_hz, waveform.sampling_rate_hz)
    period = round(waveform.sampling_rate_hz / (low_hz or high_hz or nyquist))
    for row, recorded in enumerate(waveform.mask):
        for part in stretches(recorded):
            values = waveform.data[row, part] - waveform.data[row, part].mean()
            data[row, part] = values if sections is None else _there_and_back(sections, values, period)
    return replace(waveform, data=data, problems=tuple(problems))


def _sections(low_hz: float | None, high_hz: float | None, rate_hz: float) -> NDArray[np.float64] | None:
    if low_hz is None and high_hz is None:
        return None
    corners = {"bandpass": [low_hz, high_hz], "highpass": low_hz, "lowpass": high_hz}
    kind = "highpass" if high_hz is None else "lowpass" if low_hz is None else "bandpass"
    return np.asarray(signal.butter(ORDER, corners[kind], kind, fs=rate_hz, output="sos"))


def _there_and_back(sections: NDArray[np.float64], values: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """values (samples,) filtered with zero phase, mirrored at its ends by a period of the lowest corner."""
    extension = min(max(period, 6 * len(sections) + 3), len(values) - 1)
    return np.asarray(signal.sosfiltfilt(sections, values, padtype="even", padlen=extension))


def halved(waveform: Waveform) -> Waveform:
    """Every second sample, after a filter that leaves nothing above the new Nyquist frequency.

    Each recorded stretch by itself, mirrored at its ends; flat up to 0.75 of the new Nyquist frequency.
    """
    mask = np.ascontiguousarray(waveform.mask[:, ::2])
    data = np.zeros(mask.shape)
    for row, recorded in enumerate(waveform.mask):
        for part in stretches(recorded):
            first, last = -(-part.start // 2), -(-part.stop // 2)
            data[row, first:last] = _every_second(waveform.data[row, part], part.start % 2)
    return replace(waveform, data=data, mask=mask, sampling_rate_hz=waveform.sampling_rate_hz / 2)


def _every_second(values: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """values (samples,) through HALF_BAND, mirrored at its ends: only those at `first`, `first` + 2, … are computed."""
    half = len(HALF_BAND) // 2
    count = -(-(len(values) - first) // 2)
    mirrored = np.pad(values, half, mode="reflect" if len(values) > 1 else "edge")
    return np.asarray(signal.upfirdn(HALF_BAND, mirrored[first:], down=2)[half : half + count])


def outline(waveform: Waveform, bins: int) -> tuple[NDArray[np.float64], float]:
    """Smallest and largest value of each bin, (components, 2, bins), NaN where nothing was recorded; seconds a bin.

    The last bin may reach beyond the record. `bins` is at most that many.
    """
    width = -(-waveform.samples // bins)
    edges = np.arange(0, waveform.samples, width)
    low = np.minimum.reduceat(np.where(waveform.mask, waveform.data, np.inf), edges, axis=-1)
    high = np.maximum.reduceat(np.where(waveform.mask, waveform.data, -np.inf), edges, axis=-1)
    both = np.stack([low, high], axis=1)
    return np.where(np.isfinite(both), both, np.nan), width / waveform.sampling_rate_hz


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """Power over frequency and time as an image: 0 was not recorded, 1 is `floor_db` or less, 255 is `peak_db`."""

    image: NDArray[np.uint8]  # (freq, time)
    frequencies_hz: NDArray[np.float64]  # (freq,)
    times_s: NDArray[np.float64]  # (time,), frames' centres from the record's first sample
    floor_db: float
    peak_db: float
    frames_together: int  # so many neighbouring frames were averaged, for there were too many
    rows_together: int


def spectrogram(
    values: NDArray[np.float64],
    mask: NDArray[np.bool_],
    rate_hz: float,
    *,
    window_s: float,
    overlap: float,
    max_hz: float | None = None,
    most_cells: int = 150_000,
) -> Spectrogram:
    """Power spectral density of values (samples,) in dB of unit²/Hz: Hann windows, each without its mean.

    A frame that a gap touches is not recorded. Where there would be more than `most_cells`, neighbouring frames and
    frequencies are averaged. Raises UnusableWaveform where no frame fits.
    """
    length = max(8, round(window_s * rate_hz))
    if len(values) < length:
        raise UnusableWaveform(
            f"A window of {length / rate_hz:g} s does not fit into {len(values) / rate_hz:g} s of record. "
            "Choose a shorter window."
        )
    step = max(1, length - min(length - 1, round(overlap * length)))
    frequencies, times, power = signal.spectrogram(
        values, rate_hz, window="hann", nperseg=length, noverlap=length - step, detrend="constant"
    )
    recorded = np.asarray(np.lib.stride_tricks.sliding_window_view(mask, length)[::step].all(axis=-1))[: len(times)]
    power = np.where(recorded, power, np.nan)
    if max_hz is not None:
        kept = max(2, int(np.searchsorted(frequencies, max_hz, side="right")))
        frequencies, power = frequencies[:kept], power[:kept]
    rows = max(1, -(-len(frequencies) // 512))
    frames = max(1, -(-(-(-len(frequencies) // rows) * len(times)) // most_cells))
    power, frequencies = _averaged(power, rows, 0), _averaged(frequencies, rows, 0)
    power, times = _averaged(power, frames, 1), _averaged(times, frames, 0)
    return _image(power, frequencies, times, frames, rows)


def _averaged(values: NDArray[np.float64], together: int, axis: int) -> NDArray[np.float64]:
    """Means of so many neighbours; NaN where one of them is."""
    if together == 1:
        return values
    edges = np.arange(0, values.shape[axis], together)
    counts = np.diff(np.append(edges, values.shape[axis]))
    sums = np.add.reduceat(values, edges, axis=axis)
    return np.asarray(sums / (counts[:, None] if values.ndim == 2 and axis == 0 else counts))


def _image(
    power: NDArray[np.float64],
    frequencies: NDArray[np.float64],
    times: NDArray[np.float64],
    frames_together: int,
    rows_together: int,
) -> Spectrogram:
    known = np.isfinite(power)
    with np.errstate(divide="ignore"):
        level = 10 * np.log10(np.where(known, power, 0.0))
    finite = level[np.isfinite(level)]
    peak = float(finite.max()) if finite.size else 0.0
    floor = max(float(finite.min()), peak - DEEPEST_DB) if finite.size else -1.0
    floor = min(floor, peak - 1.0)
    share = np.clip((level - floor) / (peak - floor), 0.0, 1.0)
    image = np.where(known, 1 + np.rint(LEVELS * share), 0).astype(np.uint8)
    return Spectrogram(image, frequencies, times, floor, peak, frames_together, rows_together)
