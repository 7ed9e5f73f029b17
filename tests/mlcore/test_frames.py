"""Frames that windows share give what each window's own transform gives."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal

from mlcore.config import Preprocessing
from mlcore.frames import Layout, SharedFrames
from mlcore.stft import stft_magnitude
from mlcore.windows import normalise


def cut(data, preprocessing):
    """Windows one step apart, (n, components, samples)."""
    windows = sliding_window_view(data, preprocessing.window_samples, axis=-1)[:, :: preprocessing.step_samples]
    return windows.swapaxes(0, 1)


def record(preprocessing, steps=6, seed=0, offset=0.0):
    """Noise with a burst 10,000 times as large."""
    samples = preprocessing.window_samples + steps * preprocessing.step_samples
    data = np.random.default_rng(seed).standard_normal((len(preprocessing.components), samples)) + offset
    data[:, samples // 3 : samples // 3 + 40] *= 1e4
    return data


def own(windows, preprocessing):
    """What each window's own transform gives."""
    return stft_magnitude(torch.as_tensor(normalise(windows, preprocessing)), preprocessing)


@pytest.mark.parametrize("hop", [40, 50, 25])  # 50 and 25 divide the step of 250 samples; 40 shares every tenth sample
def test_a_windows_frames_equal_scipys_of_the_normalised_window(hop):
    preprocessing = Preprocessing(stft_hop=hop)
    assert Layout.of(preprocessing).pays
    data = record(preprocessing, offset=3.0)
    windows = cut(data, preprocessing)
    normal = [(w - w.mean(axis=1, keepdims=True)) for w in windows]
    expected = [np.abs(signal.stft(w / np.abs(w).max(), 250, "boxcar", 128, 128 - hop)[2]) for w in normal]
    inputs = SharedFrames(data, preprocessing).inputs(np.arange(len(windows)))
    np.testing.assert_allclose(inputs, expected, atol=1e-6, rtol=0)
    assert inputs.is_contiguous(memory_format=torch.channels_last)


@given(
    length=st.integers(16, 64),
    overlap=st.floats(0, 0.95),
    step=st.integers(1, 120),
    taper=st.sampled_from(["boxcar", "hann", "hamming", "blackman"]),
    whole=st.sampled_from(["window", "component"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=25)
def test_any_lengths_hops_steps_and_tapers_give_what_the_windows_themselves_give(
    length, overlap, step, taper, whole, seed
):
    preprocessing = Preprocessing(
        sampling_rate_hz=20.0,
        band_hz=(1, 8),
        window_s=9.6,
        step_s=step / 20,
        stft_length=length,
        stft_hop=max(1, int(length * (1 - overlap))),
        stft_window=taper,
        normalise=whole,
        components=("Z", "N"),
    )
    data = record(preprocessing, seed=seed, offset=0.5)
    frames = SharedFrames(data, preprocessing)
    windows = cut(data, preprocessing)
    rows = np.random.default_rng(seed).permutation(len(windows))[:4]
    assert len(frames.plain) == len(windows)
    np.testing.assert_allclose(frames.inputs(rows), own(windows[rows], preprocessing), atol=1e-6, rtol=0)


def test_windows_whose_mean_drowns_their_signal_are_told():
    preprocessing = Preprocessing(stft_hop=50)
    data = np.random.default_rng(0).standard_normal((3, 250 * 40))
    data[1, 250 * 20 :] += 1e6
    plain = SharedFrames(data, preprocessing).plain
    assert not plain[:6].any()  # windows that end before the step of the record
    assert plain[20:].all()  # windows behind it


def test_silence_stays_silent():
    preprocessing = Preprocessing(stft_hop=50)
    assert not SharedFrames(np.zeros((3, 5000)), preprocessing).inputs(np.arange(6)).any()


def test_sharing_is_refused_where_it_saves_nothing():
    assert not Layout.of(Preprocessing(stft_hop=41)).pays  # no grid but that of the samples
    assert not Layout.of(Preprocessing(step_s=15.0)).pays  # windows that share nothing
