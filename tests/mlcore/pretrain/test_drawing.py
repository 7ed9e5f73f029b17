"""Which windows there are by their headers, which are drawn, and which are read at once."""

from datetime import timedelta

import numpy as np
import pytest

from mlcore.archive import Archive
from mlcore.pretrain import drawing
from mlcore.pretrain.drawing import EPOCH, Places, in_order_of_chance, needed, readings
from mlcore.traces import TraceHeader
from tests.mlcore.recordings import START

SECOND = timedelta(seconds=1)


def after(seconds):
    return START + timedelta(seconds=seconds)


def header(start_s, length_s, station="AAA", rate_hz=10.0, file_format="MSEED"):
    begin, end, samples = after(start_s), after(start_s + length_s - 1 / rate_hz), round(length_s * rate_hz)
    return TraceHeader("XX", station, "", "HHZ", begin, end, rate_hz, samples, 0, file_format)


def test_places_are_what_a_slow_loop_finds():
    spans = [
        (3, after(0), after(100)),
        (3, after(200), after(214.9)),
        (3, after(300), after(315)),
        (5, after(7), after(60)),
    ]
    expected = []
    for owner, start, end in spans:
        while start + timedelta(seconds=15) <= end:
            expected.append((owner, start))
            start += timedelta(seconds=7.5)
    places = Places.of(spans, 15.0, 7.5)
    owners, starts = places.at(np.arange(len(places)))
    assert [
        (o, EPOCH + timedelta(microseconds=s)) for o, s in zip(owners.tolist(), starts.tolist(), strict=True)
    ] == expected
    assert len(Places.of([], 15.0, 7.5)) == 0


def test_steps_that_are_no_whole_microseconds_do_not_add_up_to_an_error():
    places = Places.of([(0, START, after(10_000))], 1.0, 1 / 3)
    _, starts = places.at(np.array([len(places) - 1]))
    assert starts[0] == (after(9_999) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize("few", [1000, 10])
def test_the_order_of_chance_is_even_and_has_nothing_twice(few, monkeypatch):
    monkeypatch.setattr(drawing, "FEW", few)
    counts = np.zeros(100)
    for seed in range(200):
        order = in_order_of_chance(100, 5, np.random.default_rng(seed))
        assert len(set(order.tolist())) == len(order) >= 50
        counts[order[:5]] += 1
    assert counts.min() >= 1  # 10 expected, a standard deviation of 3
    assert counts.max() <= 22


def test_more_is_drawn_where_less_can_be_used():
    assert needed(100, 0, 0) == 100
    assert needed(50, 99, 49) == 100
    assert needed(100, 99, 0) == 10_000


def groups(archive, seconds):
    return list(readings(archive, "XX.AAA.", [after(s) for s in seconds], 10 * SECOND, 10 * SECOND))


@pytest.fixture
def sizes(monkeypatch):
    """Of files by name, in bytes; others are not there."""
    known = {}
    monkeypatch.setattr(Archive, "is_read_whole", lambda self, path: known.get(path, 0) < 2**21)
    return known


def test_windows_near_each_other_or_in_one_small_file_are_read_at_once(sizes):
    archive = Archive(((header(0, 5000), "a"), (header(5000, 5000), "b")), {})
    assert groups(archive, [0, 4000, 5500, 9000]) == [[0, 1], [2, 3]]
    assert groups(archive, [0, 4995, 9000]) == [[0, 1, 2]]  # one lies in both
    sizes.update(a=2**30, b=2**30)
    assert groups(archive, [0, 4000, 4200, 4995]) == [[0], [1, 2], [3]]
    assert groups(archive, [4995, 5200]) == [[0, 1]]


def test_no_more_is_read_at_once_than_can_be_held(sizes, monkeypatch):
    monkeypatch.setattr(drawing, "HELD", 10_000)  # samples: 1000 s
    archive = Archive(((header(0, 5000), "a"),), {})
    assert groups(archive, range(0, 3000, 500)) == [[0, 1], [2, 3], [4, 5]]


def test_what_is_not_miniseed_or_small_is_read_whole(tmp_path):
    large, small = tmp_path / "large", tmp_path / "small"
    small.write_bytes(b"1")
    with large.open("wb") as file:
        file.truncate(2**21)
    other = tmp_path / "other"
    other.hardlink_to(large)
    headers = [(header(0, 1), large), (header(0, 1), small), (header(0, 1, file_format="SAC"), other)]
    archive = Archive(tuple(headers), {})
    assert [archive.is_read_whole(path) for path in (large, small, other)] == [False, True, True]
