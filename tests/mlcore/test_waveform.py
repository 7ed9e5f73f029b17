import bz2
import contextlib
import gzip
import pickle
import shutil
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import obspy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mlcore.waveform
from fixtures import make_fixtures
from mlcore.errors import SeisloopError, UnreadableRecording, UnusableWaveform
from mlcore.traces import is_clipped, stretches
from mlcore.waveform import read, scan, write_mseed
from tests.mlcore.recordings import (
    FIXTURES,
    REFTEK,
    START,
    fixture,
    waveform,
)


def counts(samples=500, components=3, seed=0):
    return np.rint(np.random.default_rng(seed).standard_normal((components, samples)) * 1000)


def written(tmp_path, *waveforms, name="some.mseed"):
    write_mseed(waveforms, tmp_path / name)
    return tmp_path / name


# --- what a healthy recording gives


def test_what_is_written_is_read_again(tmp_path):
    original = waveform(counts())
    again = read(written(tmp_path, original))
    np.testing.assert_array_equal(again.data, original.data)
    assert (again.station_id, again.band_code, again.starttime) == ("XX.AAA.00", "EH", START)
    assert (again.sampling_rate_hz, again.endtime) == (100, START + timedelta(seconds=4.99))
    assert again.mask.all()
    assert again.problems == ()


def test_whole_numbers_are_written_as_steim2_and_others_exactly(tmp_path):
    whole, fractions = written(tmp_path, waveform(counts())), tmp_path / "fractions.mseed"
    write_mseed(waveform(counts() / 3), fractions)
    assert obspy.read(whole)[0].stats.mseed.encoding == "STEIM2"
    np.testing.assert_array_equal(read(fractions).data, counts() / 3)


@given(
    recorded=st.lists(st.booleans(), min_size=30, max_size=120).filter(any),
    seed=st.integers(0, 100),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_the_mask_of_a_recording_with_gaps_equals_what_was_recorded(tmp_path, recorded, seed):
    mask, data = np.array([recorded]), counts(len(recorded), 1, seed)
    result = read(written(tmp_path, waveform(data, mask=mask)), components=("Z",))
    first, last = recorded.index(True), len(recorded) - recorded[::-1].index(True)
    expected = [data[0, i] if recorded[i] else 0 for i in range(first, last)]
    assert result.starttime == START + timedelta(seconds=first / 100)
    assert result.mask[0].tolist() == recorded[first:last]
    assert result.data[0].tolist() == expected


@given(st.lists(st.booleans(), max_size=50))
def test_stretches_equal_a_slow_loop(values):
    inside = [i for s in stretches(np.array(values, dtype=bool)) for i in range(s.start, s.stop)]
    assert inside == [i for i, value in enumerate(values) if value]
    assert all(s.start == 0 or not values[s.start - 1] for s in stretches(np.array(values, dtype=bool)))


def test_a_span_is_read_up_to_not_including_its_end(tmp_path):
    path = written(tmp_path, waveform(counts()))
    part = read(path, starttime=START + timedelta(seconds=1), endtime=START + timedelta(seconds=2.5))
    np.testing.assert_array_equal(part.data, counts()[:, 100:250])
    assert part.starttime == START + timedelta(seconds=1)


def test_a_slice_is_half_open_and_stays_inside_the_record():
    record = waveform(counts())
    assert record.slice(START, START + timedelta(seconds=3)).samples == 300
    assert record.slice(START - timedelta(days=1), START + timedelta(days=1)).samples == 500
    with pytest.raises(UnusableWaveform, match="has nothing between"):
        record.slice(START + timedelta(seconds=5), START + timedelta(seconds=6))


def test_a_span_outside_the_recording_is_refused(tmp_path):
    path = written(tmp_path, waveform(counts()))
    with pytest.raises(UnusableWaveform, match="nothing was recorded between 2030"):
        read(path, starttime=datetime(2030, 1, 1, tzinfo=UTC), endtime=datetime(2030, 1, 2, tzinfo=UTC))


def test_components_in_separate_files_become_one_waveform(tmp_path):
    paths = []
    for row, component in enumerate("ZNE"):
        paths.append(
            written(tmp_path, waveform(counts()[row : row + 1], components=component), name=f"{component}.mseed")
        )
    np.testing.assert_array_equal(read(paths).data, counts())


def test_a_file_of_several_stations_needs_to_be_told_which(tmp_path):
    other = replace(waveform(counts(seed=1)), station="BBB")
    path = written(tmp_path, waveform(counts()), other)
    np.testing.assert_array_equal(read(path, station="XX.BBB.00").data, other.data)
    np.testing.assert_array_equal(read(path, station="XX.BBB").data, other.data)
    with pytest.raises(UnusableWaveform, match=r"holds stations XX\.AAA\.00, XX\.BBB\.00\. Say which"):
        read(path)
    with pytest.raises(UnusableWaveform, match=r"station XX\.CCC\.00 is not in it"):
        read(path, station="XX.CCC.00")


def test_of_two_sensors_the_more_complete_is_taken_and_the_other_said(tmp_path):
    accelerometer = replace(waveform(counts(seed=1)[:1]), band_code="HN")
    result = read(written(tmp_path, accelerometer, waveform(counts())))
    assert result.band_code == "EH"
    assert result.problems == ("channels HNZ belong to another sensor and are not used",)


def test_numbered_components_stand_in_and_are_said(tmp_path):
    result = read(written(tmp_path, waveform(counts(), components="12Z")))
    np.testing.assert_array_equal(result.data, counts()[[2, 0, 1]])
    assert result.problems == ("components 1,2 have no stated orientation and are used as N,E",)


def test_a_stated_orientation_goes_before_a_numbered_one(tmp_path):
    result = read(written(tmp_path, waveform(counts(), components="1NZ")))
    np.testing.assert_array_equal(result.data[1], counts()[1])


# --- what a broken recording gives


def test_a_gap_is_masked_and_counted():
    header, result = scan(fixture("gap"))[0], read(fixture("gap"))
    assert (header.gaps, header.samples) == (1, 1850)
    assert not result.mask[:, 700:850].any()
    assert result.mask.sum() == 3 * 1850
    assert not result.data[~result.mask].any()
    assert "component Z misses 7.50% of the time" in result.problems


def test_overlaps_that_agree_are_kept():
    assert scan(fixture("overlap_agreeing"))[0].problems == ("EHZ has 1 overlap",)
    np.testing.assert_array_equal(read(fixture("overlap_agreeing")).data, read(fixture("healthy")).data)


def test_overlaps_that_disagree_are_masked_and_said():
    result = read(fixture("overlap_conflicting"))
    assert np.flatnonzero(~result.mask[0]).tolist() == list(range(900, 1000))
    assert "EHZ has overlapping records that disagree for 1.000 s; that time is masked" in result.problems


def test_what_is_not_a_number_is_masked_and_said():
    result = read(fixture("nan"))
    assert np.flatnonzero(~result.mask[0]).tolist() == [*range(300, 310), 1200]
    assert np.isfinite(result.data).all()
    assert "EHZ has 11 samples that are not finite numbers; they are masked" in result.problems


def test_dead_and_clipped_channels_are_said_and_healthy_ones_not():
    assert read(fixture("dead")).problems == ("component Z is dead: every sample is 12",)
    assert read(fixture("clipped")).problems[0].startswith("component Z is clipped at ")
    assert read(fixture("healthy")).problems == ()


@given(scale=st.floats(1, 1e6), seed=st.integers(0, 1000))
def test_noise_is_not_taken_for_clipped_and_cut_noise_is(scale, seed):
    noise = np.rint(np.random.default_rng(seed).standard_normal(5000) * scale)
    assert not is_clipped(noise)
    if scale > 200:
        assert is_clipped(np.clip(noise, -np.rint(scale), np.rint(scale)))


def test_mixed_rates_are_refused_but_each_time_can_be_read():
    assert {(h.channel, h.sampling_rate_hz) for h in scan(fixture("mixed_rates"))} >= {("EHZ", 100), ("EHZ", 50)}
    with pytest.raises(UnusableWaveform, match="sampled at 50, 100 Hz"):
        read(fixture("mixed_rates"))
    first = read(fixture("healthy")).starttime
    assert read(fixture("mixed_rates"), endtime=first + timedelta(seconds=19)).sampling_rate_hz == 100


def test_a_missing_component_is_masked_and_said():
    result = read(fixture("missing_component"))
    assert [result.recorded(c) for c in "ZNE"] == [True, False, True]
    assert result.problems == ("component N was not recorded",)


def test_none_of_the_components_is_refused(tmp_path):
    with pytest.raises(UnusableWaveform, match="has channels EHN, but none for component Z"):
        read(written(tmp_path, waveform(counts()[:1], components="N")), components=("Z",))


def test_a_truncated_file_gives_what_is_whole_and_says_so():
    result = read(fixture("truncated"))
    assert result.recorded("Z")
    assert not result.recorded("E")
    assert any("bytes into a record" in problem for problem in result.problems)


def test_a_broken_record_costs_no_more_than_itself():
    result, healthy = read(fixture("corrupt")), read(fixture("healthy"))
    assert [result.recorded(c) for c in "ZNE"] == [True, False, True]
    np.testing.assert_array_equal(result.data[[0, 2]], healthy.data[[0, 2]])
    assert any(problem.startswith("broken records are left out") for problem in result.problems)


@pytest.mark.parametrize("name", ["garbage", "text"])
@pytest.mark.parametrize("reading", [scan, read])
def test_what_is_no_recording_is_refused_by_name(reading, name):
    with pytest.raises(UnreadableRecording, match=rf"{name}\.mseed: is no recording"):
        reading(fixture(name))


@pytest.mark.parametrize("reading", [scan, read])
def test_missing_and_empty_files_and_folders_are_refused(tmp_path, reading):
    (tmp_path / "empty.mseed").touch()
    for path, why in (
        ("none.mseed", "no such file"),
        ("empty.mseed", "is empty"),
        ("", "no such file"),
        ("a\0b", "no such file"),
    ):
        with pytest.raises(UnreadableRecording, match=why):
            reading(tmp_path / path)


def test_one_unreadable_file_among_others_is_said_and_the_rest_read(tmp_path):
    result = read([fixture("healthy"), fixture("garbage")])
    np.testing.assert_array_equal(result.data, read(fixture("healthy")).data)
    assert "garbage.mseed: is no recording" in result.problems[0]


@pytest.mark.parametrize("name", ["a[1]*?.mseed", "with space ü.mseed", "-rf; $(x).mseed", "x.gz"])
def test_a_hostile_name_is_only_a_name(tmp_path, name):
    shutil.copy(fixture("healthy"), tmp_path / name)
    shutil.copy(fixture("dead"), tmp_path / "a1bcd.mseed")  # what a[1]*? would match as a pattern
    assert read(tmp_path / name).problems == ()
    assert len(scan(tmp_path / name)) == 3


class Payload:
    ran = False

    def __reduce__(self):
        return setattr, (Payload, "ran", True)


def test_a_pickle_is_not_opened(tmp_path):
    (tmp_path / "stream.pickle").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(UnreadableRecording, match="no recording in a known format"):
        scan(tmp_path / "stream.pickle")
    assert not Payload.ran


def test_compressed_files_are_read_whatever_their_name(tmp_path):
    content = fixture("healthy").read_bytes()
    (tmp_path / "a").write_bytes(gzip.compress(content))
    (tmp_path / "b").write_bytes(bz2.compress(content))
    for name in "ab":
        np.testing.assert_array_equal(read(tmp_path / name).data, read(fixture("healthy")).data)


def test_a_broken_or_endless_compressed_file_is_refused(tmp_path, monkeypatch):
    packed = gzip.compress(fixture("healthy").read_bytes())
    for broken in (packed[:-100], packed[:500] + bytes(100) + packed[600:], packed[:20] + b"\xff" * 100):
        (tmp_path / "broken.gz").write_bytes(broken)
        with pytest.raises(UnreadableRecording, match=r"broken\.gz: cannot be unpacked"):
            scan(tmp_path / "broken.gz")
    monkeypatch.setattr(mlcore.waveform, "LARGEST_UNPACKED", 1000)
    (tmp_path / "bomb.gz").write_bytes(packed)
    with pytest.raises(UnreadableRecording, match="unpacks to more than 1,000 bytes"):
        scan(tmp_path / "bomb.gz")


def test_a_huge_file_is_read_in_pieces_and_gives_the_same(tmp_path, monkeypatch):
    path = written(tmp_path, waveform(counts(20_000)))
    headers, whole = scan(path), read(path)
    monkeypatch.setattr(mlcore.waveform, "PIECE", 8192)
    assert scan(path) == headers
    np.testing.assert_array_equal(read(path).data, whole.data)
    span = {"starttime": START + timedelta(seconds=50), "endtime": START + timedelta(seconds=60)}
    np.testing.assert_array_equal(read(path, **span).data, whole.data[:, 5000:6000])


def test_more_than_can_be_held_is_refused_before_it_is_held(tmp_path):
    later = replace(waveform(counts()), starttime=START + timedelta(days=20 * 365))
    with pytest.raises(UnusableWaveform, match="Ask for a shorter time span"):
        read(written(tmp_path, waveform(counts()), later))


@given(seed=st.integers(0, 10_000), damage=st.integers(1, 200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_damaged_bytes_never_raise_anything_but_our_errors(tmp_path, seed, damage):
    rng = np.random.default_rng(seed)
    content = bytearray(fixture("healthy").read_bytes())
    for place in rng.integers(0, len(content), damage):
        content[place] = rng.integers(256)
    path = tmp_path / "damaged.mseed"
    path.write_bytes(content[: rng.integers(1, len(content))])
    for reading in (scan, read):
        with contextlib.suppress(SeisloopError):
            assert reading(path) is not None


def test_obspys_warnings_become_problems_and_nothing_is_printed(recwarn):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert any("No channel code" in problem for problem in read(REFTEK).problems)
    assert not recwarn.list


def test_nothing_recorded_is_not_written(tmp_path):
    empty = waveform(counts(), mask=np.zeros((3, 500), dtype=bool))
    with pytest.raises(UnusableWaveform, match="nothing to write"):
        write_mseed(empty, tmp_path / "x.mseed")
    assert not list(tmp_path.iterdir())


def test_the_fixtures_are_what_their_script_makes(tmp_path):
    make_fixtures.main(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in FIXTURES.iterdir()}
    np.testing.assert_allclose(read(tmp_path / "healthy.mseed").data, read(fixture("healthy")).data, atol=1)
