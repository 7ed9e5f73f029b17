"""Views of sounds: what each change keeps, and what it changes."""

import numpy as np
import pytest
import torch
from scipy import signal

from mlcore.pretrain.sound import CHANGES, augmented, noisy, shifted, stretched, vocoded

RATE_HZ, SAMPLES = 200.0, 4096
FRAME_S = SAMPLES / 16 / RATE_HZ  # of the vocoder
TIME = torch.arange(SAMPLES, dtype=torch.float64) / RATE_HZ


def tone(frequency_hz):
    return torch.sin(2 * torch.pi * frequency_hz * TIME)[None]


def burst(at_s):
    """A tone of 20 Hz that swells around `at_s`."""
    return tone(20.0) * torch.exp(-(((TIME - at_s) / 1.0) ** 2))


def loudest_hz(waveform):
    inner = waveform[0, SAMPLES // 8 : SAMPLES // 2].numpy()
    power = np.abs(np.fft.rfft(inner * signal.windows.hann(len(inner)), 16 * len(inner)))
    return power.argmax() * RATE_HZ / (16 * len(inner))


def centre_s(waveform):
    power = waveform[0].square()
    return float((power * TIME).sum() / power.sum())


@pytest.mark.parametrize("steps", [-12.0, -3.0, 6.0, 12.0])
def test_semitones_change_the_pitch_and_nothing_else(steps):
    assert loudest_hz(shifted(tone(20.0), steps)) == pytest.approx(20.0 * 2 ** (steps / 12), rel=0.01)
    assert centre_s(shifted(burst(8.0), steps)) == pytest.approx(8.0, abs=FRAME_S / 2)


@pytest.mark.parametrize("rate", [0.7, 1.3])
def test_stretching_changes_the_speed_and_not_the_pitch(rate):
    assert loudest_hz(stretched(tone(20.0), rate)) == pytest.approx(20.0, rel=0.01)
    assert centre_s(stretched(burst(8.0), rate)) == pytest.approx(8.0 / rate, abs=FRAME_S / 2)


def test_at_its_own_speed_a_waveform_stays_itself():
    waveforms = torch.randn(2, SAMPLES, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(vocoded(waveforms, 1.0), waveforms)


def test_a_shift_resamples_as_scipy_does():
    waveform = torch.randn(1, SAMPLES, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = signal.resample(vocoded(waveform, 0.5)[0].numpy(), SAMPLES)
    ours = shifted(waveform, 12.0)[0].numpy()
    assert np.abs(ours - expected).max() < 0.02 * np.abs(expected).max()  # scipy halves Nyquist's line


def test_noise_lies_so_many_decibels_below():
    added = noisy(tone(20.0), 6.0, torch.Generator().manual_seed(0)) - tone(20.0)
    assert 10 * torch.log10(tone(20.0).square().mean() / added.square().mean()) == pytest.approx(6.0, abs=0.2)


def test_each_window_is_changed_in_its_own_way_and_the_same_seed_changes_alike():
    waveforms = tone(20.0).float().repeat(12, 1)
    changed = augmented(waveforms, torch.Generator().manual_seed(1))
    assert changed.shape == waveforms.shape
    assert changed.isfinite().all()
    assert len({row.numpy().tobytes() for row in changed}) == 12
    torch.testing.assert_close(changed, augmented(waveforms, torch.Generator().manual_seed(1)))


def test_a_silent_window_stays_silent():
    assert not augmented(torch.zeros(8, SAMPLES), torch.Generator().manual_seed(0)).any()


def test_the_values_are_those_of_the_papers_table():
    assert [len(values) for _, values in CHANGES] == [6, 6, 6]
