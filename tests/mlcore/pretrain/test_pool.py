"""Windows to pretrain on: of events, with any number of channels, put together, on disk and back."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from mlcore.datasets import EventWindows
from mlcore.errors import BadConfiguration
from mlcore.pretrain.config import Pool as Section
from mlcore.pretrain.pool import Facts, Pool, alive, joined, normalised, pool_of_events, prepare, stack, together
from tests.mlcore.recordings import START, waveform

SECTION = Section(sampling_rate_hz=50.0, band_hz=(1.0, 20.0), window_s=10.0, step_s=5.0, normalise="window")


def test_windows_of_one_and_of_three_channels_make_one_pool():
    ones, threes = np.ones((1, 8)), np.full((3, 8), 2.0)
    pool = stack(
        [(ones, np.array([True]), Facts("A")), (threes, np.array([True, False, True]), Facts("B"))], sampling_rate_hz=4
    )
    assert pool.windows[:, :, 0].tolist() == [[1, 0, 0], [2, 0, 2]]
    assert pool.recorded.tolist() == [[True, False, False], [True, False, True]]


def test_pools_of_two_rates_are_refused():
    slow, fast = (stack([(np.ones((1, 8)), np.array([True]), Facts("A"))], sampling_rate_hz=hz) for hz in (4, 8))
    assert len(joined([slow, slow])) == 2
    with pytest.raises(BadConfiguration, match="4, 8 Hz"):
        joined([slow, fast])


def test_events_keep_their_labels_and_their_missing_channels():
    windows = EventWindows(
        windows=np.ones((2, 1, 5), dtype=np.float32),
        event_ids=("e1", "e1/noise"),
        stations=("A", "A"),
        labels=("rockfall", ""),
        recorded=np.array([[True], [False]]),
        starttimes=(START, START + timedelta(seconds=5)),
    )
    pool = pool_of_events(windows, 50.0)
    assert pool.units == ("e1", "e1/noise")
    assert pool.recorded.tolist() == [[True], [False]]
    assert len(pool.labelled()) == 1


def test_a_pool_on_disk_is_read_back_piece_by_piece(tmp_path):
    data = np.random.default_rng(0).normal(size=(3, 2, 8))
    facts = (Facts("A", START, "e1", "rockfall"), Facts("B", START + timedelta(seconds=0.5)), Facts("C"))
    pool = stack([(each, np.array([True, False]), fact) for each, fact in zip(data, facts, strict=True)], 50.0)
    pool.save(tmp_path / "pool")
    back = Pool.load(tmp_path / "pool")
    assert isinstance(back.windows, np.memmap)
    np.testing.assert_array_equal(back.windows, pool.windows)
    np.testing.assert_array_equal(back.recorded, pool.recorded)
    assert back.facts == pool.facts
    assert back.sampling_rate_hz == pool.sampling_rate_hz


def test_a_folder_without_a_pool_is_refused(tmp_path):
    with pytest.raises(BadConfiguration, match="holds no pool"):
        Pool.load(tmp_path)


@pytest.mark.parametrize(("normalise", "peaks"), [("channel", [1, 1]), ("window", [0.25, 1])])
def test_normalised_windows_have_no_mean_and_a_peak_of_one(normalise, peaks):
    data = np.random.default_rng(0).normal(5, 1, (2, 100)) * [[1], [4]]
    data[1] = 4 * data[0]
    section = replace(SECTION, normalise=normalise)
    found = normalised(data, np.ones(data.shape, dtype=bool), section)
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(np.abs(found).max(axis=1), peaks, rtol=1e-6)


def test_the_stations_of_an_event_become_its_sensors():
    data = np.arange(4 * 2 * 3, dtype=float).reshape(4, 2, 3)
    masks = [[True, True], [True, False], [True, True], [False, False]]
    facts = [
        Facts("A", START, "e1", "rockfall"),
        Facts("B", START, "e1", "rockfall"),
        Facts("A"),
        Facts("C", None, "e2"),
    ]
    pool = stack(list(zip(data, map(np.array, masks), facts, strict=True)), sampling_rate_hz=1)
    found = together(pool)
    assert found.recorded.tolist() == [[True, True, True], [True, True, False]]  # e2 has nothing recorded
    np.testing.assert_array_equal(found.windows[0], [data[0, 0], data[0, 1], data[1, 0]])
    assert found.facts[0] == Facts("A,B", START, "e1")
    assert len(together(pool, most=2).recorded[0]) == 2


def test_recordings_of_one_time_become_the_sensors_of_one_window():
    data = np.arange(5 * 3, dtype=float).reshape(5, 1, 3)
    stations, seconds = "ABABA", (0, 1, 6, 7, 12)
    facts = [Facts(s, START + timedelta(seconds=t)) for s, t in zip(stations, seconds, strict=True)]
    pool = stack([(each, np.array([True]), fact) for each, fact in zip(data, facts, strict=True)], sampling_rate_hz=1)
    found = together(pool, within_s=6.0)
    assert [fact.station for fact in found.facts] == ["A,B", "A,B", "A"]
    np.testing.assert_array_equal(found.windows[1], data[2:4, 0])
    assert len(together(pool)) == 5  # of no event, and no time asked for


def test_two_windows_of_one_station_never_become_sensors_of_one_window():
    """They begin in the middle between two steps: half a second before and after 12 s lie as near to it."""
    seconds = {"A": (9, 15, 21), "B": (9, 15, 21), "C": (13, 19)}
    facts = [Facts(name, START + timedelta(seconds=t)) for name, times in seconds.items() for t in times]
    pool = stack([(np.ones((1, 3)), np.array([True]), fact) for fact in facts], sampling_rate_hz=1)
    found = [(fact.station, (fact.starttime - START).total_seconds()) for fact in together(pool, within_s=6.0).facts]
    assert sorted(found) == [("A,B", 15), ("A,B", 21), ("A,B,C", 9), ("C", 19)]


def test_a_channel_that_stands_still_for_a_window_is_masked_there_and_only_there():
    data = np.random.default_rng(0).normal(0, 100, (2, 6000)).round()
    data[0, 1000:2000] = 7.0
    data[0, 3000:3999] = 0.0  # a sample less than a window
    data[0, 2000], data[0, 3999] = 8.0, 9.0
    mask = np.ones(data.shape, dtype=bool)
    mask[1, 100:5000] = False
    expected = mask.copy()
    expected[0, 1000:2000] = False
    record = waveform(data, 100.0, mask)
    np.testing.assert_array_equal(alive(record, 10.0).mask, expected)
    assert record.mask[0].all()
    assert not prepare(record, SECTION).mask[0, 520:980].any()
