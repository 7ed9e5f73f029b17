from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mlcore.catalogues import read_catalogue
from mlcore.config import Preprocessing, Recipe
from mlcore.datasets import EventWindows, labelled_window, load_event_windows, split_by_event
from mlcore.errors import BadConfiguration, Cancelled
from mlcore.waveform import Waveform, write_mseed

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
PREPROCESSING = Preprocessing(
    sampling_rate_hz=50.0, band_hz=(1.0, 20.0), window_s=10.0, stft_length=32, stft_hop=16, components=("Z", "N")
)
RECIPE = Recipe(preprocessing=PREPROCESSING)


def record(seconds=60, station="AAA", seed=0, rate=50.0):
    """Noise with one pulse in the middle."""
    t = np.arange(int(seconds * rate)) / rate
    pulse = 40 * np.exp(-((t - seconds / 2) ** 2)) * np.sin(2 * np.pi * 6 * t)
    data = np.random.default_rng(seed).normal(size=(2, len(t))) + pulse
    return Waveform("XX", station, "00", "HH", ("Z", "N"), rate, START, data, np.ones(data.shape, dtype=bool))


def at(seconds):
    return START + timedelta(seconds=seconds)


def window_of(waveform, start=28, end=32, margin_s=2.0):
    return labelled_window(
        waveform,
        event_id="e1",
        label="quake",
        starttime=at(start),
        endtime=at(end),
        preprocessing=PREPROCESSING,
        margin_s=margin_s,
    )


def catalogue(tmp_path, text):
    path = tmp_path / "catalogue.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_way_of_giving_a_span_is_read_and_the_most_precise_wins(tmp_path):
    path = catalogue(
        tmp_path,
        "event_id,event_class,file,network,station,location,starttime,endtime,onset,duration_s,trace_start,trace_end\n"
        "a,quake,a.mseed,XX,AAA,00,2026-03-01T06:00:10Z,2026-03-01T06:00:20Z,,,2026-03-01T06:00:00Z,2026-03-01T06:01:00Z\n"
        "b,quake,b.mseed,XX,AAA,,,,2026-03-01T07:00:10+01:00,2.5,2026-03-01T06:00:00Z,2026-03-01T06:01:00Z\n"
        "c,noise,c.mseed,,,,,,,,2026-03-01T06:00:00,2026-03-01T06:01:00\n"
        "d,noise,d.mseed,,,,,,,,,\n",
    )
    entries, skipped = read_catalogue(path)
    assert skipped == []
    assert [(e.starttime, e.endtime) for e in entries] == [
        (at(10), at(20)),
        (at(10), at(12.5)),
        (at(0), at(60)),
        (None, None),
    ]
    assert [e.station for e in entries] == ["XX.AAA.00", "XX.AAA", None, None]


def test_a_station_may_be_named_by_its_id_as_in_the_catalogues_that_seisloop_imports(tmp_path):
    path = tmp_path / "catalogue.csv"
    path.write_text("event_id,event_class,file,station_id\ne1,quake,a.mseed,XX.AAA.00\ne2,quake,b.mseed,\n")
    assert [entry.station for entry in read_catalogue(path)[0]] == ["XX.AAA.00", None]


def test_rows_that_make_no_sense_are_told_and_the_rest_goes_on(tmp_path):
    path = catalogue(
        tmp_path,
        "event_id,event_class,file,starttime,endtime,onset,duration_s\n"
        ",quake,a.mseed,,,,\n"
        "b,quake,../../etc/passwd,,,,\n"
        "c,quake,/etc/passwd,,,,\n"
        "d,quake,d.mseed,yesterday,today,,\n"
        "e,quake,e.mseed,2026-03-01T06:00:10Z,2026-03-01T06:00:00Z,,\n"
        "f,quake,f.mseed,,,2026-03-01T06:00:10Z,long\n"
        "g,quake,g.mseed\n",
    )
    entries, skipped = read_catalogue(path)
    assert [e.event_id for e in entries] == ["g"]
    reasons = ["event_id is empty", "leads out", "leads out", "must be a time", "ends before", "number of seconds"]
    assert all(reason in s.reason for reason, s in zip(reasons, skipped, strict=True))
    assert skipped[0].item == "row 2 (no event_id)"


@pytest.mark.parametrize("content", [b"event_id,file\n1,a\n", b"", b"\xff\xfe\x00", b"a,b\n\x00"])
def test_a_file_that_is_no_catalogue_is_refused_with_a_way_out(tmp_path, content):
    path = tmp_path / "catalogue.csv"
    path.write_bytes(content)
    with pytest.raises(BadConfiguration, match=r"Name the columns|Give a UTF-8 file"):
        read_catalogue(path)


def test_a_window_that_does_not_move_is_the_window_of_the_event():
    labelled = window_of(record())
    windows = EventWindows.stack([labelled], PREPROCESSING)
    np.testing.assert_allclose(windows.moved([0], [0], PREPROCESSING)[0], labelled.window.data, atol=1e-6)


def test_a_moved_window_is_the_record_itself_some_samples_later():
    windows = EventWindows.stack([window_of(record(), 28, 32)], PREPROCESSING)
    moved = EventWindows.stack([window_of(record(), 28 + 1, 32 + 1)], PREPROCESSING)
    np.testing.assert_allclose(windows.moved([0], [50], PREPROCESSING)[0], moved.windows[0], atol=1e-6)


def test_a_window_never_moves_beyond_the_record_or_the_margin():
    at_the_edge = EventWindows.stack([window_of(record(), 0, 2)], PREPROCESSING)
    assert at_the_edge.before == (0,)
    np.testing.assert_array_equal(
        at_the_edge.moved([0], [-99], PREPROCESSING)[0], at_the_edge.moved([0], [0], PREPROCESSING)[0]
    )
    inside = EventWindows.stack([window_of(record())], PREPROCESSING)
    assert inside.surroundings[0].shape == (2, 500 + 2 * 100)
    np.testing.assert_array_equal(
        inside.moved([0], [999], PREPROCESSING)[0], inside.moved([0], [100], PREPROCESSING)[0]
    )


def test_a_window_never_moves_into_a_gap():
    waveform = record()
    waveform.mask[0, : 24 * 50] = False  # one second before the window begins at 25 s
    labelled = window_of(waveform)
    assert labelled.before == 50
    waveform.mask[0, 29 * 50 : 30 * 50] = False  # a gap within: it stays where it is
    stays = window_of(waveform)
    assert stays.surroundings.shape == (2, 500)
    windows = EventWindows.stack([stays], PREPROCESSING)
    np.testing.assert_array_equal(windows.moved([0], [50], PREPROCESSING), windows.windows)


def test_a_component_that_was_never_recorded_does_not_keep_a_window_from_moving():
    waveform = record()
    waveform.mask[1] = False
    assert window_of(waveform).before == 100


def test_unusable_entries_are_skipped_with_their_reason_and_the_rest_goes_on(tmp_path):
    write_mseed(record(), tmp_path / "good.mseed")
    write_mseed(record(seconds=4), tmp_path / "short.mseed")
    (tmp_path / "broken.mseed").write_bytes(b"not a recording")
    entries, _ = read_catalogue(
        catalogue(
            tmp_path,
            "event_id,event_class,file,network,station\n"
            "a,quake,good.mseed,XX,AAA\nb,quake,short.mseed,XX,AAA\nc,noise,broken.mseed,XX,AAA\n"
            "d,noise,gone.mseed,XX,AAA\ne,noise,good.mseed,XX,ZZZ\nf,noise,good.mseed,,\n",
        )
    )
    fractions = []
    windows, skipped = load_event_windows(entries, tmp_path, RECIPE, progress=lambda p: fractions.append(p.fraction))
    assert (windows.event_ids, windows.labels) == (("a", "f"), ("quake", "noise"))
    assert windows.stations == ("XX.AAA.00", "XX.AAA.00")
    assert windows.windows.shape == (2, 2, 500)
    assert [s.item for s in skipped] == ["b at XX.AAA", "c at XX.AAA", "d at XX.AAA", "e at XX.ZZZ"]
    assert "10 s" in skipped[0].reason
    assert fractions[-1] == 1.0


def test_reading_can_be_cancelled(tmp_path):
    entries, _ = read_catalogue(catalogue(tmp_path, "event_id,event_class,file\na,quake,a.mseed\n"))
    with pytest.raises(Cancelled):
        load_event_windows(entries, tmp_path, RECIPE, should_stop=lambda: True)


def events(**counts):
    """Event ids and labels, each event at two stations."""
    pairs = [(f"{label}{i}", label) for label, n in counts.items() for i in range(n) for _ in range(2)]
    return [event for event, _ in pairs], [label for _, label in pairs]


def test_a_split_holds_every_event_once_in_the_asked_shares_of_every_class():
    ids, labels = events(quake=100, rockfall=40)
    sides = split_by_event(ids, labels, (0.2, 0.1), seed=1)
    assert set(sides) == set(ids)
    for label, total in (("quake", 100), ("rockfall", 40)):
        of_class = [side for event, side in sides.items() if event.startswith(label)]
        assert of_class.count("test") == total * 0.2
        assert of_class.count("validation") == total * 0.1


def test_a_split_depends_on_the_seed_and_not_on_the_order_of_events():
    ids, labels = events(quake=30, rockfall=30)
    forwards = split_by_event(ids, labels, (0.2, 0.1), seed=1)
    assert forwards == split_by_event(ids[::-1], labels[::-1], (0.2, 0.1), seed=1)
    assert forwards != split_by_event(ids, labels, (0.2, 0.1), seed=2)


def exchanged(before, after, side, label):
    """How many events of a class, there before and after, came to a side or left it."""
    there = [event for event in before.keys() & after.keys() if event.startswith(label)]
    return sum((before[event] == side) != (after[event] == side) for event in there)


@pytest.mark.parametrize("count", range(3, 60))
def test_a_new_event_moves_at_most_one_other_to_or_from_a_held_out_side(count):
    ids, labels = events(quake=count, rockfall=20)
    before = split_by_event(ids, labels, (0.2, 0.15), seed=3)
    for name in ("a new one", "another", "2020-03-28 13:00"):
        after = split_by_event([*ids, name], [*labels, "quake"], (0.2, 0.15), seed=3)
        for side in ("test", "validation"):
            assert exchanged(before, after, side, "quake") <= 1
            assert exchanged(before, after, side, "rockfall") == 0


@pytest.mark.parametrize("relabelled", ["quake0", "quake7", "quake19", "quake33"])
def test_a_relabelled_event_moves_at_most_one_other_of_either_class_to_or_from_a_held_out_side(relabelled):
    ids, labels = events(quake=40, rockfall=25)
    before = split_by_event(ids, labels, (0.2, 0.15), seed=3)
    corrected = ["rockfall" if event == relabelled else label for event, label in zip(ids, labels, strict=True)]
    after = split_by_event(ids, corrected, (0.2, 0.15), seed=3)
    del before[relabelled]
    for side in ("test", "validation"):
        for label in ("quake", "rockfall"):
            assert exchanged(before, after, side, label) <= 1


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, ["train"]), (2, ["test", "train"]), (3, ["test", "train", "validation"])],
)
def test_a_rare_class_trains_first_then_tests_then_validates(count, expected):
    sides = split_by_event(*events(quake=count), (0.2, 0.15), seed=0)
    assert sorted(sides.values()) == expected


def test_a_share_of_zero_holds_nothing_out():
    assert set(split_by_event(*events(quake=10), (0.0, 0.0), seed=0).values()) == {"train"}


def test_an_event_with_two_labels_is_refused():
    with pytest.raises(BadConfiguration, match="e1 is labelled both quake and noise"):
        split_by_event(["e1", "e1"], ["quake", "noise"], (0.2, 0.1), seed=0)
