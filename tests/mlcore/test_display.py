"""What a screen is given of a waveform: held against obspy, scipy and slow loops."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import obspy
import pytest
from scipy import ndimage, signal

from mlcore.display import HALF_BAND, LEVELS, band_passed, halved, outline, spectrogram, without_mean
from mlcore.errors import UnusableWaveform
from mlcore.traces import Waveform

RATE_HZ = 100.0


def record(data, mask=None, rate_hz=RATE_HZ):
    data = np.atleast_2d(np.asarray(data, dtype=float))
    mask = np.ones(data.shape, dtype=bool) if mask is None else np.atleast_2d(mask)
    letters = tuple("ZNE"[: len(data)])
    start = datetime(2026, 3, 1, tzinfo=UTC)
    return Waveform("XX", "AAA", "", "HH", letters, rate_hz, start, np.where(mask, data, 0.0), mask)


def noise(samples=6000, seed=0):
    return np.random.default_rng(seed).normal(300, 50, samples)


def tone(hz, samples=6000, rate_hz=RATE_HZ):
    return np.sin(2 * np.pi * hz * np.arange(samples) / rate_hz)


def with_gap(first=2000, last=2600, samples=6000):
    mask = np.ones(samples, dtype=bool)
    mask[first:last] = False
    return mask


class TestBandPass:
    @pytest.mark.parametrize(
        ("low", "high", "kind"), [(5.0, 20.0, "bandpass"), (5.0, None, "highpass"), (None, 20.0, "lowpass")]
    )
    def test_equals_obspys_zero_phase_filter_away_from_the_ends(self, low, high, kind):
        values = noise() - noise().mean()
        trace = obspy.Trace(values.copy(), {"sampling_rate": RATE_HZ})
        corners = {"freqmin": low, "freqmax": high} if kind == "bandpass" else {"freq": low or high}
        trace.filter(kind, **corners, corners=4, zerophase=True)
        ours = band_passed(record(values), low, high)
        np.testing.assert_allclose(ours.data[0, 500:-500], trace.data[500:-500], atol=1e-3)

    def test_each_recorded_stretch_is_filtered_by_itself(self):
        values, mask = noise(), with_gap()
        whole = band_passed(record(values, mask), 5.0, 20.0)
        for part in (slice(0, 2000), slice(2600, 6000)):
            alone = band_passed(record(values[part]), 5.0, 20.0)
            np.testing.assert_allclose(whole.data[0, part], alone.data[0], atol=1e-9)
        assert not whole.data[0, 2000:2600].any()

    def test_an_upper_corner_beyond_the_record_is_left_away_and_said(self):
        made = band_passed(record(noise()), 5.0, 60.0)
        np.testing.assert_allclose(made.data, band_passed(record(noise()), 5.0, None).data)
        assert "no end at 60 Hz" in made.problems[-1]

    def test_a_band_that_the_record_does_not_hold_is_refused(self):
        with pytest.raises(UnusableWaveform, match="up to 50 Hz, but the filter begins at 60 Hz"):
            band_passed(record(noise()), 60.0, 80.0)

    @pytest.mark.parametrize("samples", [1, 2, 7])
    def test_a_stretch_of_few_samples_does_no_harm(self, samples):
        mask = np.zeros(6000, dtype=bool)
        mask[100 : 100 + samples] = True
        assert np.isfinite(band_passed(record(noise(), mask), 1.0, 10.0).data).all()


def test_the_mean_of_what_was_recorded_is_taken_away_and_told():
    values, mask = noise(), with_gap()
    made, means = without_mean(record(values, mask))
    np.testing.assert_allclose(means, [values[mask].mean()])
    np.testing.assert_allclose(made.data[0, mask], values[mask] - values[mask].mean())
    assert not made.data[0, ~mask].any()


class TestHalving:
    @pytest.mark.parametrize("hz", [0.0, 1.0, 10.0, 18.0])
    def test_what_the_new_rate_holds_is_the_same_at_every_second_sample(self, hz):
        made = halved(record(1 + tone(hz)))
        assert made.sampling_rate_hz == RATE_HZ / 2
        np.testing.assert_allclose(made.data[0, 50:-50], (1 + tone(hz))[::2][50:-50], atol=0.01)

    @pytest.mark.parametrize("hz", [26.0, 35.0, 49.0])
    def test_nothing_is_left_of_what_the_new_rate_does_not_hold(self, hz):
        assert np.abs(halved(record(tone(hz))).data[0, 50:-50]).max() < 0.01

    @pytest.mark.parametrize("first", [0, 1, 40, 41])
    @pytest.mark.parametrize("samples", [1, 2, 7, 400, 401])
    def test_equals_a_convolution_of_each_stretch_that_is_mirrored_at_its_ends(self, first, samples):
        values, mask = noise(1000), np.zeros(1000, dtype=bool)
        mask[first : first + samples] = True
        expected = np.zeros(1000)
        expected[mask] = ndimage.convolve1d(values[mask], HALF_BAND, mode="mirror")
        np.testing.assert_allclose(halved(record(values, mask)).data[0], expected[::2], atol=1e-9)

    def test_a_gap_stays_a_gap_and_rings_nowhere(self):
        made = halved(record(np.full(6000, 1000.0), with_gap()))
        assert made.mask[0].tolist() == with_gap()[::2].tolist()
        np.testing.assert_allclose(made.data[0], np.where(made.mask[0], 1000.0, 0.0))


def test_an_outline_is_the_smallest_and_largest_of_each_bin_by_a_slow_loop():
    values, mask = noise(1003), with_gap(300, 520, 1003)
    made, step_s = outline(record(values, mask), 50)
    width = round(step_s * RATE_HZ)
    assert made.shape[-1] <= 50
    for number, first in enumerate(range(0, 1003, width)):
        inside = [v for v, m in zip(values[first : first + width], mask[first : first + width], strict=True) if m]
        expected = [min(inside), max(inside)] if inside else [np.nan, np.nan]
        np.testing.assert_array_equal(made[0, :, number], expected)


class TestSpectrogram:
    def test_levels_are_scipys_power_in_decibels(self):
        values = noise() + 400 * tone(12.0)
        made = spectrogram(values, np.ones(6000, bool), RATE_HZ, window_s=1.0, overlap=0.5)
        _, times, power = signal.spectrogram(values, RATE_HZ, window="hann", nperseg=100, noverlap=50)
        level = 10 * np.log10(power)
        step = (made.peak_db - made.floor_db) / LEVELS
        ours = made.floor_db + (made.image.astype(float) - 1) * step
        np.testing.assert_allclose(ours, np.maximum(level, made.floor_db), atol=step)
        np.testing.assert_allclose(made.times_s, times)
        assert made.frequencies_hz[made.image.mean(axis=1).argmax()] == pytest.approx(12.0)

    def test_a_frame_that_a_gap_touches_was_not_recorded(self):
        mask = with_gap()
        made = spectrogram(np.where(mask, noise(), 0.0), mask, RATE_HZ, window_s=1.0, overlap=0.5)
        touched = [not mask[round((t - 0.5) * RATE_HZ) : round((t + 0.5) * RATE_HZ)].all() for t in made.times_s]
        assert (made.image == 0).all(axis=0).tolist() == touched
        assert any(touched)

    def test_too_many_cells_are_averaged_as_power(self):
        values, mask = noise(), np.ones(6000, bool)
        fine = spectrogram(values, mask, RATE_HZ, window_s=0.5, overlap=0.5)
        coarse = spectrogram(values, mask, RATE_HZ, window_s=0.5, overlap=0.5, most_cells=fine.image.size // 3)
        assert coarse.image.size <= fine.image.size / 3 + coarse.image.shape[0]
        assert coarse.frames_together > 1
        together = coarse.frames_together
        assert coarse.times_s[0] == pytest.approx(fine.times_s[:together].mean())

    def test_only_frequencies_up_to_the_highest_one_asked_for_are_given(self):
        made = spectrogram(noise(), np.ones(6000, bool), RATE_HZ, window_s=1.0, overlap=0.5, max_hz=20.0)
        assert made.frequencies_hz[-1] == 20.0

    def test_a_window_longer_than_the_record_is_refused_and_silence_is_no_trouble(self):
        with pytest.raises(UnusableWaveform, match="does not fit"):
            spectrogram(noise(50), np.ones(50, bool), RATE_HZ, window_s=1.0, overlap=0.5)
        silent = spectrogram(np.zeros(1000), np.ones(1000, bool), RATE_HZ, window_s=1.0, overlap=0.95)
        assert set(np.unique(silent.image)) == {1}


def test_problems_of_the_record_travel_along():
    said = replace(record(noise()), problems=("component E is dead",))
    assert halved(band_passed(said, 1.0, 10.0)).problems == ("component E is dead",)
