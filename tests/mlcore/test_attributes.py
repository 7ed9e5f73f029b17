from itertools import pairwise

import numpy as np
import pytest
from scipy import signal, stats

from mlcore.attributes import attribute_names, attributes
from mlcore.config import Preprocessing

PREPROCESSING = Preprocessing(
    sampling_rate_hz=20.0, components=("Z",), band_hz=(1.0, 8.0), window_s=36.0, stft_length=64, stft_hop=8
)


def windows(count=6, seed=0):
    """Noise with a ringing event, each another one."""
    generator = np.random.default_rng(seed)
    t = np.arange(PREPROCESSING.window_samples) / 20.0
    found = []
    for _ in range(count):
        onset, decay, pitch = generator.uniform(4, 20), generator.uniform(1, 8), generator.uniform(1.5, 7)
        event = np.where(t > onset, np.exp(-(t - onset) / decay), 0) * np.sin(2 * np.pi * pitch * t)
        found.append(event + 0.05 * generator.normal(size=len(t)))
    found = np.array(found)[:, None]
    return found / np.abs(found).max(axis=2, keepdims=True)


def named(values):
    return dict(zip(attribute_names(PREPROCESSING), values.T, strict=True))


def test_every_attribute_has_a_name_of_its_own_and_a_finite_value():
    names = attribute_names(PREPROCESSING)
    assert len(set(names)) == len(names) > 60
    assert np.isfinite(attributes(np.zeros((2, 1, 720)), PREPROCESSING)).all()
    assert attributes(np.zeros((0, 1, 720)), PREPROCESSING).shape == (0, len(names))


def test_attributes_of_shape_equal_their_definitions_written_as_loops():
    found = named(attributes(windows(), PREPROCESSING))
    for row, z in enumerate(windows()[:, 0]):
        passed, number, total = z[0] ** 2, 0, sum(sample**2 for sample in z)
        while passed < 0.5 * total:
            number += 1
            passed += z[number] ** 2
        assert found["time of 50% of the energy"][row] == pytest.approx(number / len(z))
        assert found["waveform kurtosis, log"][row] == pytest.approx(np.log(stats.kurtosis(z, fisher=False)), rel=1e-5)
        assert found["waveform skewness"][row] == pytest.approx(stats.skew(z), abs=1e-5)
        crossings = sum((a < 0) != (b < 0) for a, b in pairwise(z)) / (len(z) - 1)
        assert found["zero crossings, log"][row] == pytest.approx(np.log(crossings + 1e-3), rel=1e-5)


def test_the_centroid_equals_scipys_spectrogram_on_a_logarithmic_scale():
    found = named(attributes(windows(), PREPROCESSING))
    for row, z in enumerate(windows()[:, 0]):
        hz, _, power = signal.spectrogram(z, 20.0, "hann", nperseg=64, noverlap=48)
        inside = (hz >= 1) & (hz <= 8)
        share = power[inside].sum(axis=1) / power[inside].sum()
        expected = (share * np.log(hz[inside]) / np.log(8)).sum()
        assert found["centroid"][row] == pytest.approx(expected, rel=1e-4)


def test_a_gain_or_a_change_of_sign_leaves_what_is_a_share():
    plain, louder = (attributes(gain * windows(), PREPROCESSING) for gain in (1.0, -1.0))
    odd = [name in ("waveform skewness",) for name in attribute_names(PREPROCESSING)]
    np.testing.assert_allclose(plain[:, ~np.array(odd)], louder[:, ~np.array(odd)], atol=1e-4)


def test_the_first_component_that_was_recorded_is_described():
    with_three = np.zeros((6, 3, 720))
    with_three[:, 1] = windows()[:, 0]
    np.testing.assert_array_equal(attributes(with_three, PREPROCESSING), attributes(windows(), PREPROCESSING))
