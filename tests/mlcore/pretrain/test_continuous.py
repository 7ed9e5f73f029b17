"""A pool from continuous recordings: every window, or some that are drawn before anything is read."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from mlcore.archive import Archive
from mlcore.errors import Cancelled, UnusableWaveform
from mlcore.pretrain.config import Pool as Section
from mlcore.pretrain.continuous import pool_of_archive
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


def write_days(folder, dead=()):
    """Twenty files of 100 s, one after the other, at 20 Hz, each ten windows."""
    draw = np.random.default_rng(0)
    for day in range(20):
        data = np.full((1, 2000), 7.0) if day in dead else draw.normal(0, 100, (1, 2000)).round()
        record = waveform(data, 20.0)
        write_mseed(replace(record, starttime=START + timedelta(seconds=100 * day)), folder / f"{day:02d}.mseed")
    return Archive.of([folder])


@pytest.fixture
def days(tmp_path):
    return write_days(tmp_path)


def seconds(fact):
    return (fact.starttime - START).total_seconds()


@pytest.fixture
def read(monkeypatch):
    """The files that were read, by name, with how often."""
    counts = Counter()
    asked = Archive.usable
    monkeypatch.setattr(
        Archive, "usable", lambda self, paths: counts.update(path.name for path in paths) or asked(self, paths)
    )
    return counts


DAYS = Section(sampling_rate_hz=20.0, band_hz=(1.0, 8.0), window_s=10.0, step_s=10.0, normalise="window")


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
    monkeypatch.setattr("mlcore.pretrain.continuous.READ_S", 15.0)
    parts, _ = pool_of_archive(archive, SECTION)
    assert [f.starttime for f in parts.facts] == [f.starttime for f in whole.facts]
    np.testing.assert_array_equal(parts.recorded, whole.recorded)


def test_so_many_windows_are_drawn_evenly_by_chance(archive):
    counts = np.zeros(8)
    starts = [fact.starttime for fact in pool_of_archive(archive, SECTION)[0].facts]
    for seed in range(20):
        drawn, _ = pool_of_archive(archive, SECTION, most=4, seed=seed)
        assert len(drawn) == 4
        for fact in drawn.facts:
            counts[starts.index(fact.starttime)] += 1
    assert counts.min() >= 3  # 10 expected, a standard deviation of 2
    assert counts.max() <= 17


def test_where_nothing_is_usable_it_is_said_why(tmp_path):
    write_mseed(waveform(np.ones((1, 100)), 10.0), tmp_path / "short.mseed")
    for most in (0, 5):
        with pytest.raises(
            UnusableWaveform, match=r"10 s can be used of the 1 that headers tell of. All are gaps, or dead"
        ):
            pool_of_archive(Archive.of([tmp_path]), replace(SECTION, band_hz=()), most=most)
    with pytest.raises(UnusableWaveform, match=r"The most common reason: .* sampled at 10 Hz"):
        pool_of_archive(Archive.of([tmp_path]), SECTION)


def test_reading_a_pool_can_be_cancelled(archive):
    with pytest.raises(Cancelled):
        pool_of_archive(archive, SECTION, should_stop=lambda: True)


def test_without_band_and_components_every_channel_is_taken_as_it_was_recorded(tmp_path):
    data = np.random.default_rng(0).normal(0, 1000, (2, 6000)).round()
    write_mseed(waveform(data, 100.0, components="12"), tmp_path / "record.mseed")
    section = Section(sampling_rate_hz=100.0, window_s=10.0, step_s=10.0)
    pool, _ = pool_of_archive(Archive.of([tmp_path]), section)
    np.testing.assert_array_equal(pool.windows, data.reshape(2, 6, 1000).swapaxes(0, 1))


def test_only_files_that_hold_a_drawn_window_are_read_and_each_once(days, read):
    pool, skipped = pool_of_archive(days, DAYS, most=4)
    assert (len(pool), skipped) == (4, [])
    needed = {int(seconds(fact) + s) // 100 for fact in pool.facts for s in (-10, 0, 20)}  # 10 s beyond are read too
    assert set(read) == {f"{day:02d}.mseed" for day in needed if 0 <= day < 20}
    assert len(read) < 12
    assert set(read.values()) == {1}


def test_each_small_file_is_read_once_however_many_of_its_windows_are_drawn(days, read):
    pool_of_archive(days, DAYS, most=100)
    assert set(read.values()) == {1}


def test_what_cannot_be_used_is_replaced_until_enough_or_nothing_is_left(tmp_path):
    archive = write_days(tmp_path, dead=range(5, 15))
    alive = {start for start in range(0, 2000, 10) if not 500 <= start < 1500}
    pool, _ = pool_of_archive(archive, DAYS, most=60)
    starts = [seconds(fact) for fact in pool.facts]
    assert len(set(starts)) == len(pool) == 60
    assert set(starts) <= alive
    assert {seconds(fact) for fact in pool_of_archive(archive, DAYS, most=150)[0].facts} == alive


def test_the_same_headers_and_seed_give_the_same_windows_and_another_seed_others(days):
    first, again, other = (pool_of_archive(days, DAYS, most=20, seed=seed)[0] for seed in (0, 0, 1))
    assert first.facts == again.facts
    np.testing.assert_array_equal(first.windows, again.windows)
    assert first.facts != other.facts


def test_drawn_windows_hold_what_they_hold_in_the_pool_of_all(days):
    whole, drawn = (pool_of_archive(days, DAYS, most=most)[0] for most in (0, 30))
    rows = dict(zip(whole.facts, whole.windows, strict=True))
    for fact, window in zip(drawn.facts, drawn.windows, strict=True):
        np.testing.assert_allclose(window, rows[fact], atol=2e-3)


def test_a_pool_that_is_large_enough_for_all_has_all_in_their_order(days):
    whole, enough = (pool_of_archive(days, DAYS, most=most)[0] for most in (0, 200))
    assert enough.facts == whole.facts
    np.testing.assert_array_equal(enough.windows, whole.windows)


def test_a_file_that_cannot_be_read_is_said_and_others_take_its_place(days, tmp_path):
    torn = [tmp_path / f"{day}.mseed" for day in range(13, 20)]
    for path in torn:
        path.write_bytes(b"torn")
    pool, skipped = pool_of_archive(days, DAYS, most=10)
    assert len(pool) == 10
    assert {str(path) for path in torn} & {item.reason.split(":")[0] for item in skipped}


def test_of_drawn_windows_it_is_told_how_many_there_are_and_they_can_be_cancelled(days):
    told = []
    pool_of_archive(days, DAYS, most=6, progress=told.append)
    assert [p.metrics["windows"] for p in told] == [1, 2, 3, 4, 5, 6]
    assert {p.metrics["of"] for p in told} == {200}
    assert told[-1].fraction == 1
    with pytest.raises(Cancelled):
        pool_of_archive(days, DAYS, most=6, should_stop=lambda: True)
