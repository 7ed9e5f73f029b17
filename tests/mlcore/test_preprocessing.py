from dataclasses import replace

import numpy as np
import obspy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from mlcore.config import Preprocessing
from mlcore.errors import UnusableWaveform
from mlcore.preprocessing import preprocess
from tests.mlcore.recordings import START, waveform

P = Preprocessing(sampling_rate_hz=100, band_hz=(5, 30), window_s=10)
TAPER = 40  # samples at 100 Hz: two periods of 5 Hz


def noise(samples=2000, components=3, seed=0):
    return np.random.default_rng(seed).standard_normal((components, samples)) * 1000 + 300


def sine(frequency_hz, rate_hz, seconds=20.0):
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def away_from_ends(values, seconds, rate_hz):
    return values[..., round(seconds * rate_hz) : -round(seconds * rate_hz)]


def test_filtering_equals_obspys():
    data = noise()
    filtered = preprocess(waveform(data), P).data
    for row, values in enumerate(data):
        values = (values - values.mean()) * signal.windows.tukey(len(values), 2 * TAPER / len(values))
        trace = obspy.Trace(values, {"sampling_rate": 100.0})
        trace.filter("bandpass", freqmin=5, freqmax=30, corners=4, zerophase=True)
        # obspy runs the filter there and back without extending the ends; they differ where it settles
        np.testing.assert_allclose(
            away_from_ends(filtered[row], 4, 100),
            away_from_ends(trace.data, 4, 100),
            atol=1e-6 * np.abs(trace.data).max(),
        )


def test_one_way_filtering_equals_scipys():
    data = noise(components=1)
    values = (data[0] - data[0].mean()) * signal.windows.tukey(2000, 2 * TAPER / 2000)
    expected = signal.sosfilt(signal.butter(4, (5, 30), "bandpass", fs=100, output="sos"), values)
    filtered = preprocess(waveform(data), replace(P, zero_phase=False)).data
    np.testing.assert_allclose(filtered[0], expected, atol=1e-9)


def test_each_recorded_stretch_is_filtered_by_itself():
    data, mask = noise(), np.ones((3, 2000), dtype=bool)
    mask[:, 900:1100] = False
    data[:, 1100:] += 1e6  # after the gap the sensor stands elsewhere
    whole = preprocess(waveform(data, mask=mask), P)
    for part in (np.s_[:, :900], np.s_[:, 1100:]):
        np.testing.assert_allclose(whole.data[part], preprocess(waveform(data[part]), P).data, atol=1e-6)
    assert not whole.data[:, 900:1100].any()
    np.testing.assert_array_equal(whole.mask, mask)


@given(
    lengths=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=10),
    rate_hz=st.sampled_from([61.3, 75.19, 100.0, 250.0]),
)
def test_stretches_of_any_length_are_survived(lengths, rate_hz):
    mask = np.concatenate([np.r_[np.ones(on, bool), np.zeros(off, bool)] for on, off in lengths])[None]
    result = preprocess(waveform(np.where(mask, noise(mask.size, 1)[:, : mask.size], 0), rate_hz, mask), P)
    assert np.isfinite(result.data).all()
    assert not result.data[~result.mask].any()
    assert result.data.shape == result.mask.shape


@given(seed=st.integers(0, 1000), rates=st.sampled_from([(250, 100), (75.19, 100), (62.5, 100), (200, 100)]))
def test_the_resampled_mask_equals_a_slow_loop(seed, rates):
    old_hz, new_hz = rates
    mask = np.repeat(np.random.default_rng(seed).random(30) > 0.4, 10)[None]
    result = preprocess(waveform(np.zeros(mask.shape), old_hz, mask), P)
    for sample, recorded in enumerate(result.mask[0]):
        place = sample * old_hz / new_hz
        neighbours = {int(np.floor(place + 1e-9)), int(np.ceil(place - 1e-9))}
        assert recorded == all(mask[0, min(n, mask.size - 1)] for n in neighbours)


@pytest.mark.parametrize("rate_hz", [62.5, 75.19, 100.0, 120.0, 150.0, 250.0, 999.99])
def test_a_sine_keeps_its_time_and_size_through_resampling(rate_hz):
    result = preprocess(waveform(sine(12, rate_hz), rate_hz), P)
    expected = sine(12, 100.0, result.samples / 100)
    np.testing.assert_allclose(away_from_ends(result.data[0], 3, 100), away_from_ends(expected, 3, 100), atol=0.01)
    assert result.starttime == START
    assert result.sampling_rate_hz == 100


def test_what_lies_above_the_new_nyquist_frequency_does_not_fold_into_the_band():
    # Sampled at 100 Hz without care, 82 Hz would look like 18 Hz.
    result = preprocess(waveform(sine(82, 250), 250), P)
    assert np.abs(away_from_ends(result.data, 2, 100)).max() < 0.003


def test_75_19_hz_becomes_75_hz_without_drift():
    settings = replace(P, sampling_rate_hz=75.0, band_hz=(2.0, 20.0))
    result = preprocess(waveform(sine(7, 75.19, 600), 75.19), settings)
    expected = sine(7, 75.0, result.samples / 75)
    np.testing.assert_allclose(away_from_ends(result.data[0], 5, 75), away_from_ends(expected, 5, 75), atol=0.01)
    assert not any("times are off" in problem for problem in result.problems)


def test_a_rate_that_no_ratio_meets_has_its_drift_said():
    result = preprocess(waveform(np.zeros((1, 100 * 3600)), 99.9997), P)
    assert any("times are off by up to" in problem for problem in result.problems)


def test_a_recording_too_slow_for_the_band_is_refused_with_the_way_out():
    with pytest.raises(UnusableWaveform, match=r"XX\.AAA\.00\.EH\* .* sampled at 50 Hz.*expects 5–30 Hz.*retrain"):
        preprocess(waveform(noise(), 50.0), P)
    with pytest.raises(UnusableWaveform, match="sampled at 60 Hz"):
        preprocess(waveform(noise(), 60.0), P)


def test_resampling_upward_is_said():
    assert "recorded at 80 Hz and resampled to 100 Hz" in preprocess(waveform(noise(), 80.0), P).problems[0]


def test_components_come_in_the_models_order_and_missing_ones_are_masked():
    data = noise()
    result = preprocess(waveform(data[:2], components="EZ"), P)
    alone = preprocess(waveform(data[:1], components="E"), replace(P, components=("E",)))
    assert result.components == ("Z", "N", "E")
    np.testing.assert_array_equal(result.data[2], alone.data[0])
    assert not result.mask[1].any()
    assert not result.data[1].any()
    assert result.problems == ("component N was not recorded",)


def test_a_dead_channel_stays_exactly_zero():
    assert not preprocess(waveform(np.full((3, 2000), 0.1)), P).data.any()


def test_the_recording_itself_is_left_as_it_is():
    data = noise()
    record = waveform(data.copy())
    preprocess(record, P)
    np.testing.assert_array_equal(record.data, data)


def test_a_linear_trend_goes_without_a_taper_and_each_stretch_loses_its_own():
    plain = replace(P, detrend="linear", taper=False)
    data, mask = noise(components=1), np.ones((1, 2000), dtype=bool)
    mask[:, 900:1100] = False
    data[0, :900] += 50 * np.arange(900)
    sections = signal.butter(4, (5, 30), "bandpass", fs=100, output="sos")
    result = preprocess(waveform(data, mask=mask), plain)
    for part in (slice(0, 900), slice(1100, 2000)):
        line = np.polyval(np.polyfit(np.arange(900), data[0, part], 1), np.arange(900))
        expected = signal.sosfiltfilt(sections, data[0, part] - line)
        np.testing.assert_allclose(result.data[0, part], expected, atol=1e-7)
    assert not result.data[0, 900:1100].any()
