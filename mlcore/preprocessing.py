"""From a recording to what a model expects: its components, rate and band. The mask travels along."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from mlcore.config import Preprocessing
from mlcore.errors import UnusableWaveform
from mlcore.traces import Waveform, iso, stretches

TAPER_PERIODS = 2  # of the band's lowest frequency, at each end of a stretch
TAPER_SHARE = 0.1  # of a stretch, at most
LARGEST_RATIO = 100_000


def preprocess(waveform: Waveform, preprocessing: Preprocessing) -> Waveform:
    """The waveform as a model sees it: chosen components, without mean or trend, tapered, resampled, band-passed.

    Each recorded stretch is treated by itself, so that a gap's edge makes no signal. The first and last tenths of
    seconds of a stretch are weakened by the taper, though recorded; without a taper, the filter rings there.
    Raises UnusableWaveform where the recording's rate does not hold the band: nothing above Nyquist can be known.
    """
    _require_band(waveform, preprocessing)
    problems = list(waveform.problems)
    data, mask = _select(waveform, preprocessing.components, problems)
    taper = TAPER_PERIODS / preprocessing.band_hz[0] * waveform.sampling_rate_hz if preprocessing.taper else 0.0
    for values, recorded in zip(data, mask, strict=True):
        for part in stretches(recorded):
            values[part] = _tapered(_level(values[part], preprocessing.detrend), taper)
    data, mask = _resampled(data, mask, waveform.sampling_rate_hz, preprocessing.sampling_rate_hz, problems)
    sections = _bandpass(preprocessing)
    for values, recorded in zip(data, mask, strict=True):
        for part in stretches(recorded):
            values[part] = _filtered(values[part], sections, zero_phase=preprocessing.zero_phase)
    data[~mask] = 0.0
    return replace(
        waveform,
        components=preprocessing.components,
        sampling_rate_hz=preprocessing.sampling_rate_hz,
        data=data,
        mask=mask,
        problems=tuple(dict.fromkeys(problems)),
    )


def resample(waveform: Waveform, sampling_rate_hz: float) -> Waveform:
    """The waveform at another rate, not filtered but for what would fold over the new Nyquist frequency."""
    problems = list(waveform.problems)
    data, mask = waveform.data.copy(), waveform.mask
    data, mask = _resampled(data, mask, waveform.sampling_rate_hz, sampling_rate_hz, problems)
    data[~mask] = 0.0
    return replace(waveform, sampling_rate_hz=sampling_rate_hz, data=data, mask=mask, problems=tuple(problems))


def _require_band(waveform: Waveform, preprocessing: Preprocessing) -> None:
    low, high = preprocessing.band_hz
    if waveform.sampling_rate_hz / 2 > high:
        return
    raise UnusableWaveform(
        f"{waveform.station_id}.{waveform.band_code}* from {iso(waveform.starttime)} is sampled at "
        f"{waveform.sampling_rate_hz:g} Hz, which holds frequencies up to {waveform.sampling_rate_hz / 2:g} Hz, but "
        f"the model expects {low:g}–{high:g} Hz. Choose a model for a lower band, or retrain with band_hz ending below "
        f"{waveform.sampling_rate_hz / 2:g}."
    )


def _select(
    waveform: Waveform, components: Sequence[str], problems: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Copies of data and mask with `components`, in that order; one that the waveform lacks stays masked."""
    data = np.zeros((len(components), waveform.samples))
    mask = np.zeros(data.shape, dtype=bool)
    for row, component in enumerate(components):
        if component not in waveform.components:
            problems.append(f"component {component} was not recorded")
            continue
        source = waveform.components.index(component)
        data[row], mask[row] = waveform.data[source], waveform.mask[source]
    return data, mask


def _level(values: NDArray[np.float64], detrend: str) -> NDArray[np.float64]:
    """values (samples,) without their mean or their straight line of least squares."""
    if np.ptp(values) == 0:
        return np.zeros_like(values)  # exactly: rounding left by the mean would be blown up by normalising
    centred = values - values.mean()
    return np.asarray(signal.detrend(centred)) if detrend == "linear" else centred


def _tapered(values: NDArray[np.float64], samples: float) -> NDArray[np.float64]:
    """With cosine ends of `samples`. values (samples,)"""
    share = min(TAPER_SHARE, samples / len(values))
    return np.asarray(values * signal.windows.tukey(len(values), 2 * share))


def _resampled(
    data: NDArray[np.float64], mask: NDArray[np.bool_], from_hz: float, to_hz: float, problems: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """data and mask (components, samples) at another rate, low-passed below the lower Nyquist frequency.

    The rates' ratio is taken as the nearest ratio of whole numbers up to 100,000 (75.19 → 75 Hz is 7500/7519). Where
    that shifts the record's end by more than a sample, it is said. A new sample counts as recorded where both its
    old neighbours were.
    """
    ratio = rate_ratio(from_hz, to_hz)
    if ratio > 1:
        problems.append(f"recorded at {from_hz:g} Hz and resampled to {to_hz:g} Hz; nothing above {from_hz / 2:g} Hz")
    drift = abs(float(ratio) * from_hz / to_hz - 1) * data.shape[-1] / from_hz
    if drift * to_hz > 1:
        problems.append(f"{from_hz:g} Hz taken as {to_hz / float(ratio):g} Hz; times are off by up to {drift:.3f} s")
    if ratio == 1:
        return data, mask
    resampled = signal.resample_poly(data, ratio.numerator, ratio.denominator, axis=-1)
    new = np.arange(resampled.shape[-1], dtype=np.int64) * ratio.denominator
    before = np.minimum(new // ratio.numerator, data.shape[-1] - 1)
    after = np.minimum(-(-new // ratio.numerator), data.shape[-1] - 1)
    return resampled, mask[:, before] & mask[:, after]


def rate_ratio(from_hz: float, to_hz: float) -> Fraction:
    """Samples at the new rate for each at the old: the nearest ratio of whole numbers up to 100,000."""
    exact = Fraction(to_hz).limit_denominator(10**6) / Fraction(from_hz).limit_denominator(10**6)
    if exact > 1:  # so that numerator and denominator both stay small
        return 1 / (1 / exact).limit_denominator(LARGEST_RATIO)
    return exact.limit_denominator(LARGEST_RATIO)


def _bandpass(preprocessing: Preprocessing) -> NDArray[np.float64]:
    return np.asarray(
        signal.butter(
            preprocessing.filter_order,
            preprocessing.band_hz,
            "bandpass",
            fs=preprocessing.sampling_rate_hz,
            output="sos",
        )
    )


def _filtered(values: NDArray[np.float64], sections: NDArray[np.float64], *, zero_phase: bool) -> NDArray[np.float64]:
    """values (samples,) through the filter; a stretch too short for scipy's edge extension gets a shorter one."""
    if not zero_phase:
        return np.asarray(signal.sosfilt(sections, values))
    extension = min(3 * (2 * len(sections) + 1), len(values) - 1)
    return np.asarray(signal.sosfiltfilt(sections, values, padlen=extension))
