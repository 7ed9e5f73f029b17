import numpy as np
import pytest
import torch
from scipy import signal

from mlcore.config import Preprocessing
from mlcore.stft import stft_axes, stft_magnitude

SETTINGS = [
    Preprocessing(),
    Preprocessing(sampling_rate_hz=75, band_hz=(2, 30), stft_length=64, stft_hop=20, stft_window="hann"),
    Preprocessing(sampling_rate_hz=100, band_hz=(5, 40), stft_length=101, stft_hop=33, stft_window="hamming"),
    Preprocessing(sampling_rate_hz=20, band_hz=(1, 8), window_s=36, stft_length=64, stft_hop=64),
]


def windows(preprocessing, n=3):
    return np.random.default_rng(0).standard_normal((n, len(preprocessing.components), preprocessing.window_samples))


@pytest.mark.parametrize("preprocessing", SETTINGS)
def test_magnitudes_and_axes_equal_scipys(preprocessing):
    x = windows(preprocessing)
    frequencies, times, expected = signal.stft(
        x,
        preprocessing.sampling_rate_hz,
        preprocessing.stft_window,
        preprocessing.stft_length,
        preprocessing.stft_length - preprocessing.stft_hop,
    )
    np.testing.assert_allclose(stft_magnitude(torch.from_numpy(x), preprocessing), np.abs(expected), atol=1e-12, rtol=0)
    np.testing.assert_allclose(stft_axes(preprocessing)[0], frequencies)
    np.testing.assert_allclose(stft_axes(preprocessing)[1], times, atol=1e-12)


def test_defaults_give_the_papers_shape():
    assert stft_magnitude(torch.zeros(2, 3, 3750), Preprocessing()).shape == (2, 3, 65, 95)
    assert [len(axis) for axis in stft_axes(Preprocessing())] == [65, 95]


def test_batches_beyond_a_chunk_equal_single_windows():
    x = torch.from_numpy(windows(SETTINGS[3], n=70))
    together = stft_magnitude(x, SETTINGS[3])
    assert torch.equal(together[69], stft_magnitude(x[69:], SETTINGS[3])[0])


def test_the_dtype_is_kept():
    assert stft_magnitude(torch.zeros(1, 3, 3750, dtype=torch.float32), Preprocessing()).dtype == torch.float32
    assert stft_magnitude(torch.zeros(1, 3, 3750, dtype=torch.float64), Preprocessing()).dtype == torch.float64


def test_no_windows_give_no_maps():
    assert stft_magnitude(torch.zeros(0, 3, 3750), Preprocessing()).shape == (0, 3, 65, 95)
