from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.config import Preprocessing
from mlcore.errors import UnusableWaveform
from mlcore.windows import event_window, normalise, sliding_windows
from tests.mlcore.recordings import START, waveform

P = Preprocessing(sampling_rate_hz=20, band_hz=(1, 8), window_s=3, step_s=0.5, stft_length=32, stft_hop=8)
BY_COMPONENT = replace(P, normalise="component")


def noise(seconds=30.0, components=3, seed=0):
    return np.random.default_rng(seed).standard_normal((components, round(seconds * 20)))


def at(seconds):
    return START + timedelta(seconds=seconds)


def normalised_slowly(data, mask, by_window):
    """One window (components, samples), sample by sample."""
    centred = []
    for values, recorded in zip(data.tolist(), mask.tolist(), strict=True):
        known = [v for v, r in zip(values, recorded, strict=True) if r]
        mean = sum(known) / len(known) if known else 0
        centred.append([v - mean if r else 0.0 for v, r in zip(values, recorded, strict=True)])
    peaks = [max(abs(v) for v in row) for row in centred]
    if by_window:
        peaks = [max(peaks)] * len(peaks)
    return np.array([[v / p if p else 0.0 for v in row] for row, p in zip(centred, peaks, strict=True)])


@pytest.mark.parametrize("preprocessing", [P, BY_COMPONENT])
@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_normalising_equals_slow_loops(preprocessing, seed, share):
    rng = np.random.default_rng(seed)
    data, mask = rng.normal(5, 100, (3, 60)), rng.random((3, 60)) >= share
    expected = normalised_slowly(data, mask, preprocessing.normalise == "window")
    np.testing.assert_allclose(normalise(data, preprocessing, mask), expected, atol=1e-12)


def test_normalising_a_batch_equals_normalising_each():
    batch = np.random.default_rng(0).standard_normal((4, 3, 60))
    np.testing.assert_array_equal(normalise(batch, P), np.stack([normalise(one, P) for one in batch]))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e12, -3.3e-9])
def test_a_silent_window_stays_zero(value):
    assert not normalise(np.full((3, 60), value), P).any()
    assert not normalise(np.full((3, 60), value), BY_COMPONENT).any()


def test_a_short_event_is_centred():
    window = event_window(waveform(noise(), 20), at(10), at(11), P)
    assert window.starttime == at(9)
    assert window.data.shape == (3, 60)


@pytest.mark.parametrize(("start", "end", "expected"), [(0, 1, 0), (-2, 0.5, 0), (29.5, 29.9, 27), (29, 35, 27)])
def test_a_window_stays_inside_the_record(start, end, expected):
    assert event_window(waveform(noise(), 20), at(start), at(end), P).starttime == at(expected)


def test_of_a_long_event_the_window_with_most_energy_is_taken():
    data = noise()
    data[1, 400:440] *= 30
    window = event_window(waveform(data, 20), at(10), at(25), P)
    energies = {}
    for step in range(25):  # slow loop over every step from 10 s to 22 s
        first = 200 + step * 10
        energies[first] = sum(float(v) ** 2 for row in data[:, first : first + 60] for v in row)
    best = max(energies, key=energies.__getitem__)
    assert window.starttime == at(best / 20)
    np.testing.assert_allclose(window.data, normalised_slowly(data[:, best : best + 60], np.ones((3, 60), bool), True))


def test_a_window_times_its_scale_is_the_demeaned_recording():
    data = noise() * 500
    window = event_window(waveform(data, 20), at(10), at(11), BY_COMPONENT)
    part = data[:, 180:240]
    np.testing.assert_allclose(window.data * window.scale[:, None], part - part.mean(axis=1, keepdims=True))


def test_a_missing_component_does_not_make_a_window_unusable():
    mask = np.ones((3, 600), dtype=bool)
    mask[1] = False
    window = event_window(waveform(noise(), 20, mask), at(10), at(11), P)
    assert not window.data[1].any()
    assert not window.problems


def test_a_window_that_misses_too_much_is_refused_with_its_share():
    mask = np.ones((3, 600), dtype=bool)
    mask[:, 180:195] = False
    with pytest.raises(UnusableWaveform, match=r"25% of the window from 2024-05-01T00:00:09\.000000Z was not recorded"):
        event_window(waveform(noise(), 20, mask), at(10), at(11), P)
    mask[:, 180:186] = True
    assert event_window(waveform(noise(), 20, mask), at(10), at(11), P).problems == (
        "15.0% of the window was not recorded",
    )


@pytest.mark.parametrize(
    ("seconds", "start", "end", "why"),
    [
        (2, 0, 1, "a window takes 3 s"),
        (30, 40, 50, "but the event is"),
        (30, -9, -5, "but the event is"),
        (30, 9, 8, "ends before"),
    ],
)
def test_an_event_that_cannot_be_cut_is_refused(seconds, start, end, why):
    with pytest.raises(UnusableWaveform, match=why):
        event_window(waveform(noise(seconds), 20), at(start), at(end), P)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_sliding_windows_equal_slow_loops(batch):
    data, mask = noise(), np.random.default_rng(1).random((3, 600)) > 0.2
    mask[:, 250:300] = False
    data[~mask] = 0
    starts, windows, usable = [], [], []
    for batch_starts, batch_data, batch_usable in sliding_windows(waveform(data, 20, mask), P, batch):
        assert len(batch_starts) == len(batch_data) == len(batch_usable) <= batch
        starts += batch_starts
        windows += list(batch_data)
        usable += batch_usable.tolist()
    firsts = list(range(0, 600 - 60 + 1, 10))
    assert starts == [at(first / 20) for first in firsts]
    for first, window, use in zip(firsts, windows, usable, strict=True):
        part = np.s_[:, first : first + 60]
        np.testing.assert_allclose(window, normalised_slowly(data[part], mask[part], True), atol=1e-12)
        missing = sum(not column.any() for column in mask[part].T) / 60
        assert use == (missing <= 0.2)


def test_a_record_shorter_than_a_window_has_no_windows():
    assert list(sliding_windows(waveform(noise(2.9), 20), P)) == []


def test_an_event_window_equals_the_sliding_window_at_its_place():
    record = waveform(noise(), 20)
    window = event_window(record, at(10), at(11), P)
    starts, data, _ = next(sliding_windows(record, P))
    np.testing.assert_array_equal(window.data, data[starts.index(window.starttime)])
