"""Windows to pretrain on: of continuous recordings, of events, with any number of channels, on disk and back."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from mlcore.archive import Archive
from mlcore.datasets import EventWindows
from mlcore.errors import BadConfiguration, Cancelled, UnusableWaveform
from mlcore.pretrain.config import Pool as Section
from mlcore.pretrain.pool import Facts, Pool, joined, normalised, pool_of_archive, pool_of_events, stack, together
from mlcore.waveform import write_mseed
from tests.mlcore.recordings import START, waveform

SECTION = Section(sampling_rate_hz=50.0, band_hz=(1.0, 20.0), window_s=10.0, step_s=5.0, normalise="window")


@pytest.fixture
def archive(tmp_path):
    data = np.random.default_rng(0).normal(0, 1000, (3, 100 * 60)).round()
    mask = np.ones(data.shape, dtype=bool)
    mask[1, 2000:] = False  # N stops after 20 s
    mask[:, 4000:4800] = False  # everything pauses from 40 to 48 s
    write_mseed(waveform(data, 100.0, mask), tmp_path / "record.mseed")
    return Archive.of([tmp_path])


def test_a_pool_of_recordings_has_a_window_every_step_and_says_which_channels_recorded(archive):
    pool, skipped = pool_of_archive(archive, SECTION)
    assert skipped == []
    assert pool.windows.shape[1:] == (3, 500)
    assert pool.windows.dtype == np.float32
    starts = [(fact.starttime - START).total_seconds() for fact in pool.facts]
    assert starts == [0, 5, 10, 15, 20, 25, 30, 50]  # 35, 40 and 45 s lie in the pause by more than a fifth
    assert pool.recorded[:, 1].tolist() == [True] * 3 + [False] * 5
    assert not pool.windows[~pool.recorded].any()
    assert np.abs(pool.windows).max() <= 1
    assert set(pool.labels) == {""}
    assert len(set(pool.units)) == len(pool)


def test_reading_in_parts_gives_the_same_windows(archive, monkeypatch):
    whole, _ = pool_of_archive(archive, SECTION)
    monkeypatch.setattr("mlcore.pretrain.pool.READ_S", 15.0)
    parts, _ = pool_of_archive(archive, SECTION)
    assert [f.starttime for f in parts.facts] == [f.starttime for f in whole.facts]
    np.testing.assert_array_equal(parts.recorded, whole.recorded)


def test_so_many_windows_are_drawn_evenly_by_chance(archive):
    counts = np.zeros(8)
    starts = [fact.starttime for fact in pool_of_archive(archive, SECTION)[0].facts]
    for seed in range(40):
        drawn, _ = pool_of_archive(archive, SECTION, most=4, seed=seed)
        assert len(drawn) == 4
        for fact in drawn.facts:
            counts[starts.index(fact.starttime)] += 1
    assert counts.min() >= 10  # 20 expected, a standard deviation of 3
    assert counts.max() <= 30


def test_a_station_without_anything_usable_is_said(tmp_path):
    write_mseed(waveform(np.ones((1, 100)), 10.0), tmp_path / "slow.mseed")
    with pytest.raises(UnusableWaveform, match="whole window"):
        pool_of_archive(Archive.of([tmp_path]), SECTION)


def test_reading_a_pool_can_be_cancelled(archive):
    with pytest.raises(Cancelled):
        pool_of_archive(archive, SECTION, should_stop=lambda: True)


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


def test_a_pool_on_disk_is_read_back_piece_by_piece(archive, tmp_path):
    pool, _ = pool_of_archive(archive, SECTION)
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


def test_without_band_and_components_every_channel_is_taken_as_it_was_recorded(tmp_path):
    data = np.random.default_rng(0).normal(0, 1000, (2, 6000)).round()
    write_mseed(waveform(data, 100.0, components="12"), tmp_path / "record.mseed")
    section = Section(sampling_rate_hz=100.0, window_s=10.0, step_s=10.0)
    pool, _ = pool_of_archive(Archive.of([tmp_path]), section)
    np.testing.assert_array_equal(pool.windows, data.reshape(2, 6, 1000).swapaxes(0, 1))


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
