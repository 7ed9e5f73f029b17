"""A long miniSEED file is read hour by hour, and gives what reading it whole gives."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from mlcore import mseed
from mlcore.waveform import read, write_mseed

from .recordings import AT_150_HZ, START, waveform


@pytest.fixture
def long_file(tmp_path, monkeypatch):
    """Two stations, each with three components one after the other, and a gap; one record a block."""
    monkeypatch.setattr(mseed, "SHORTEST", 0)
    monkeypatch.setattr(mseed, "BLOCK", 4096)
    mseed._index.cache_clear()
    rng = np.random.default_rng(0)
    first = waveform(rng.integers(-900, 900, (3, 60_000)))
    first.mask[:, 20_000:30_000] = False
    second = replace(first, station="BBB", data=first.data[::-1], starttime=START + timedelta(seconds=77))
    write_mseed([first, second], tmp_path / "long.mseed")
    return tmp_path / "long.mseed"


@pytest.mark.parametrize(("start", "end"), [(0, 60), (123.4, 130), (150, 320), (590, 700), (-50, 5)])
def test_a_part_of_a_file_equals_that_part_of_the_whole(long_file, start, end):
    span = {"starttime": START + timedelta(seconds=start), "endtime": START + timedelta(seconds=end)}
    assert mseed.parts_within(long_file, *span.values()) is not None
    for station in ("XX.AAA", "XX.BBB") if start > 77 else ("XX.AAA",):
        part = read(long_file, station=station, **span)
        whole = read(long_file, station=station).slice(*span.values())
        assert part.starttime == whole.starttime
        np.testing.assert_array_equal(part.data, whole.data[:, : part.samples])
        np.testing.assert_array_equal(part.mask, whole.mask[:, : part.samples])


def test_only_what_is_wanted_is_read(long_file):
    wanted = list(mseed.parts_within(long_file, START, START + timedelta(seconds=60)))
    assert 0 < sum(map(len, wanted)) < 0.4 * long_file.stat().st_size
    assert not list(mseed.parts_within(long_file, START + timedelta(days=1), None))


def test_a_file_with_a_broken_header_has_no_index(long_file):
    content = bytearray(long_file.read_bytes())
    content[4096 * 3 : 4096 * 3 + 48] = bytes(48)
    long_file.write_bytes(content)
    assert mseed.parts_within(long_file, START, None) is None


def test_a_file_that_has_grown_is_indexed_again(long_file):
    assert not list(mseed.parts_within(long_file, START + timedelta(days=1), None))
    later = waveform(np.arange(500), components="Z")
    write_mseed(replace(later, starttime=START + timedelta(days=1)), long_file.with_name("later.mseed"))
    long_file.write_bytes(long_file.read_bytes() + long_file.with_name("later.mseed").read_bytes())
    assert len(list(mseed.parts_within(long_file, START + timedelta(days=1), None))) == 1


def test_other_peoples_records_are_indexed_by_their_times(monkeypatch):
    monkeypatch.setattr(mseed, "SHORTEST", 0)
    whole = read(AT_150_HZ, station=None)
    span = (whole.starttime + timedelta(seconds=20), whole.starttime + timedelta(seconds=30))
    part = read(AT_150_HZ, starttime=span[0], endtime=span[1])
    np.testing.assert_array_equal(part.data, whole.slice(*span).data)


def test_without_times_or_for_a_small_file_there_is_nothing_to_choose(long_file, monkeypatch):
    assert mseed.parts_within(long_file, None, None) is None
    monkeypatch.setattr(mseed, "SHORTEST", 2**40)
    assert mseed.parts_within(long_file, START, None) is None
