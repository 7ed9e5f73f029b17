"""Hand-made attributes of a window: how its energy comes and goes, and at which frequencies.

In the style of Provost et al. 2017 (doi:10.1002/2016GL070709), but each as a share: times of the window, frequencies of
the band on a logarithmic scale, energies of the whole. So they mean the same at any sampling rate, and a gain changes
none. They are those of the first component that recorded anything.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import signal
from scipy.ndimage import uniform_filter1d

from mlcore.config import Preprocessing

Floats = NDArray[np.float64]

SMOOTHED = 36  # parts of a window; the envelope is a mean over one
BINS = 12  # of the envelope
BANDS = 8  # of the spectrum
SUBBANDS = 3
LEVELS = (0.1, 0.2, 0.35, 0.5, 0.7)  # of the envelope's peak
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the energy
FLOOR = 1e-3  # of a peak, under a logarithm
TINY = 1e-12
LEAST = -12.0  # logarithm of a share


def attributes(windows: NDArray[np.floating], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """The attributes of normalised windows (n, components, samples), in the order of `attribute_names`. → (n, a)

    A silent window has finite ones, too.
    """
    if not len(windows):
        return np.zeros((0, len(attribute_names(preprocessing))), dtype=np.float32)
    return np.column_stack([values for _, values in _named(_first_recorded(windows), preprocessing)]).astype(np.float32)


def attribute_names(preprocessing: Preprocessing) -> list[str]:
    """What each attribute is, in words."""
    silence = np.zeros((1, preprocessing.window_samples))
    return [name for name, _ in _named(silence, preprocessing)]


def _first_recorded(windows: NDArray[np.floating]) -> Floats:
    """(n, components, samples) → (n, samples)"""
    speaks = (np.abs(windows).max(axis=2) > 0).argmax(axis=1)
    return np.asarray(windows[np.arange(len(windows)), speaks], dtype=np.float64)


def _named(z: Floats, preprocessing: Preprocessing) -> Iterator[tuple[str, Floats]]:
    """z (n, samples) → name and values (n,) of each attribute"""
    raw = np.abs(signal.hilbert(z, axis=1))
    envelope = _smooth(raw)
    yield from _of_shape(z, raw, envelope)
    yield from _of_slopes(envelope)
    yield from _of_spectrum(z, preprocessing)
    yield from _of_subbands(z, envelope, preprocessing)
    yield from _of_autocorrelation(z)


def _of_shape(z: Floats, raw: Floats, envelope: Floats) -> Iterator[tuple[str, Floats]]:
    n = z.shape[1]
    shape = envelope / _peak(envelope)
    yield "envelope mean", raw.mean(axis=1)
    yield "envelope median", np.median(raw, axis=1)
    yield "envelope skewness", _moment(raw, 3)
    yield "envelope kurtosis", _moment(raw, 4)
    yield "waveform skewness", _moment(z, 3)
    yield "waveform kurtosis, log", np.log(np.maximum(_moment(z, 4), 1.0))
    yield "time of the peak", shape.argmax(axis=1) / n
    times = [_quantile_time(z**2, q) for q in QUANTILES]
    for quantile, time in zip(QUANTILES, times, strict=True):
        yield f"time of {quantile:.0%} of the energy", time
    yield "duration of 90% of the energy, log", np.log(times[4] - times[0] + 0.003)
    yield "duration of 50% of the energy, log", np.log(times[3] - times[1] + 0.003)
    yield "asymmetry", (times[2] - times[0]) / (times[4] - times[0] + 0.003)
    yield "time of the peak, log", np.log(shape.argmax(axis=1) / n + 0.014)
    for level in LEVELS:
        yield f"share above {level:.0%} of the peak", (shape > level).mean(axis=1)
    yield "roughness", np.abs(np.diff(envelope, axis=1)).sum(axis=1) / (envelope.sum(axis=1) + TINY)
    inner = shape[:, 1:-1]
    summits = (inner > shape[:, :-2]) & (inner >= shape[:, 2:]) & (inner > 0.2)
    yield "number of peaks, log", np.log1p(summits.sum(axis=1))
    means = np.stack([part.mean(axis=1) for part in np.array_split(envelope, BINS, axis=1)], axis=1)
    for number, level_in_bin in enumerate(np.log(means / _peak(means) + FLOOR).T, start=1):
        yield f"level in part {number} of {BINS}", level_in_bin


def _of_slopes(envelope: Floats) -> Iterator[tuple[str, Floats]]:
    """Slopes of the logarithmic envelope, per window length, around its peak."""
    n = envelope.shape[1]
    level = np.log(envelope / _peak(envelope) + FLOOR)
    since = np.arange(n)[None] / n - envelope.argmax(axis=1)[:, None] / n
    yield "decay after the peak", _slope(since, level, (since >= 0) & (since < 0.28))
    yield "decay to the end", _slope(since, level, since >= 0)
    yield "growth before the peak", _slope(since, level, (since <= 0) & (since > -0.14))


def _of_spectrum(z: Floats, preprocessing: Preprocessing) -> Iterator[tuple[str, Floats]]:
    position, power = _spectrogram(z, preprocessing)
    frames = power.shape[2]
    whole = power.sum(axis=2)
    share = whole / (whole.sum(axis=1, keepdims=True) + TINY)
    centre = share @ position
    width = np.sqrt((share * (position - centre[:, None]) ** 2).sum(axis=1)) + 1e-3
    yield "centroid", centre
    yield "bandwidth", width
    yield "spectral skewness", (share * (position - centre[:, None]) ** 3).sum(axis=1) / width**3
    yield "spectral entropy", -(share * np.log(share + TINY)).sum(axis=1)
    yield "dominant frequency", position[share.argmax(axis=1)]
    yield "share of the dominant frequency, log", np.log(share.max(axis=1) + FLOOR)
    for number, rows in enumerate(_parts(position, BANDS), start=1):
        yield f"share of band {number} of {BANDS}, log", np.log(share[:, rows].sum(axis=1) + 1e-4)
    loudness = power.sum(axis=1)
    weight = loudness / (loudness.sum(axis=1, keepdims=True) + TINY)
    course = np.einsum("nft,f->nt", power, position) / (loudness + TINY)
    mean = (course * weight).sum(axis=1)
    yield "centroid, by loudness", mean
    yield "wandering of the centroid", np.sqrt(((course - mean[:, None]) ** 2 * weight).sum(axis=1))
    edge = max(frames // 6, 1)
    yield "level of the beginning, log", np.log(weight[:, :edge].mean(axis=1) * frames + FLOOR)
    yield "level of the end, log", np.log(weight[:, -edge:].mean(axis=1) * frames + FLOOR)
    yield from _of_changes(position, power, weight)


def _of_changes(position: Floats, power: Floats, weight: Floats) -> Iterator[tuple[str, Floats]]:
    """Low and high frequencies as the event begins and in its coda. power (n, freq, time), weight (n, time)"""
    frames = weight.shape[1]
    frame = np.arange(frames)[None]
    onset = (np.cumsum(weight, axis=1) >= 0.05).argmax(axis=1)[:, None]
    moments = {
        "at the onset": (frame >= onset) & (frame < onset + max(frames // 7, 1)),
        "in the coda": frame >= np.minimum(weight.argmax(axis=1)[:, None] + frames // 5, frames - 1),
    }
    rows = {"low frequencies": position < 0.44, "high frequencies": position >= 0.77}
    for name, chosen in rows.items():
        levels = []
        for when, frames_then in moments.items():
            then = (power * frames_then[:, None]).sum(axis=2)
            share = (then[:, chosen].sum(axis=1) + TINY) / (then.sum(axis=1) + TINY)
            levels.append(np.maximum(np.log(share), LEAST))
            yield f"{name} {when}", levels[-1]
        yield f"change of {name}", levels[0] - levels[1]


def _of_subbands(z: Floats, envelope: Floats, preprocessing: Preprocessing) -> Iterator[tuple[str, Floats]]:
    """The same band in equal parts on a logarithmic scale, each by itself."""
    low, high = preprocessing.band_hz
    edges = low * (high / low) ** (np.arange(SUBBANDS + 1) / SUBBANDS)
    n = z.shape[1]
    for number, (first, last) in enumerate(pairwise(edges), start=1):
        last = min(last, 0.49 * preprocessing.sampling_rate_hz)
        sections = signal.butter(3, (first, last), "bandpass", fs=preprocessing.sampling_rate_hz, output="sos")
        part = signal.sosfiltfilt(sections, z, axis=1)
        course = _smooth(np.abs(signal.hilbert(part, axis=1)))
        times = [_quantile_time(course**2, q) for q in (0.05, 0.5, 0.95)]
        yield f"kurtosis of sub-band {number}, log", np.log(np.maximum(_moment(part, 4), 1.0))
        yield f"median time of sub-band {number}", times[1]
        yield f"duration of sub-band {number}, log", np.log(times[2] - times[0] + 0.003)
        yield f"delay of sub-band {number}", (course.argmax(axis=1) - envelope.argmax(axis=1)) / n


def _of_autocorrelation(z: Floats) -> Iterator[tuple[str, Floats]]:
    n = z.shape[1]
    spectrum = np.fft.rfft(z, 2 * n, axis=1)
    likeness = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :n]
    likeness = likeness / (likeness[:, :1] + TINY)
    yield "first zero of the autocorrelation, log", np.log((likeness < 0).argmax(axis=1) + 1)
    yield "least autocorrelation", likeness[:, : n // 18].min(axis=1)
    yield "later autocorrelation", np.abs(signal.hilbert(likeness, axis=1))[:, n // 36 : n // 7].mean(axis=1)
    yield "zero crossings, log", np.log((np.diff(np.signbit(z), axis=1)).mean(axis=1) + FLOOR)


def _spectrogram(z: Floats, preprocessing: Preprocessing) -> tuple[Floats, Floats]:
    """Place in the band on a logarithmic scale (freq,), and power (n, freq, time), of the rows within the band."""
    length = preprocessing.stft_length
    low, high = preprocessing.band_hz
    frequencies, _, power = signal.spectrogram(
        z, preprocessing.sampling_rate_hz, "hann", nperseg=length, noverlap=length * 3 // 4
    )
    inside = (frequencies >= low) & (frequencies <= high)
    return np.log(frequencies[inside] / low) / np.log(high / low), power[:, inside]


def _parts(position: Floats, count: int) -> list[NDArray[np.bool_]]:
    number = np.minimum((position * count).astype(int), count - 1)
    return [number == part for part in range(count)]


def _smooth(values: Floats) -> Floats:
    return np.asarray(uniform_filter1d(values, max(values.shape[1] // SMOOTHED, 1), axis=1, mode="constant"))


def _peak(values: Floats) -> Floats:
    """(n, samples) → (n, 1), never zero"""
    return np.maximum(values.max(axis=1, keepdims=True), TINY)


def _moment(values: Floats, order: int) -> Floats:
    """The standardised central moment of each row; 0 for a constant."""
    centred = values - values.mean(axis=1, keepdims=True)
    spread = np.maximum(np.sqrt((centred**2).mean(axis=1)), TINY)
    power = math.prod([centred] * order)  # NumPy's power takes several times as long
    return np.asarray(power.mean(axis=1) / spread**order)


def _quantile_time(energy: Floats, quantile: float) -> Floats:
    """When a share of a row's energy has passed, as a share of the window."""
    passed = np.cumsum(energy, axis=1)
    return np.asarray((passed >= quantile * passed[:, -1:]).argmax(axis=1) / energy.shape[1])


def _slope(x: Floats, y: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """The least-squares slope of y over x where `chosen`, row by row; 0 where fewer than two samples are."""
    count = np.maximum(chosen.sum(axis=1), 1)
    x0 = (x * chosen).sum(axis=1) / count
    y0 = (y * chosen).sum(axis=1) / count
    dx, dy = (x - x0[:, None]) * chosen, (y - y0[:, None]) * chosen
    spread = (dx**2).sum(axis=1)
    return np.divide((dx * dy).sum(axis=1), spread, out=np.zeros(len(x)), where=spread > TINY)
