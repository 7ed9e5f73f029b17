"""Events of long records: across pieces, files, gaps and days, as if all had been one array."""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.archive import Archive
from mlcore.classify.detect import Options, detect, scan
from mlcore.classify.detect_command import main
from mlcore.classify.pieces import ahead, pieces, settling_s
from mlcore.classify.postprocess import detections
from mlcore.classify.predict import Classifier
from mlcore.config import Preprocessing, Trigger
from mlcore.errors import BadConfiguration, Cancelled, UnusableWaveform
from mlcore.preprocessing import preprocess
from mlcore.waveform import write_mseed

from .examples import START, record
from .listeners import RECIPE, listener

EVENTS = [("quake", 60), ("rockfall", 149.5), ("quake", 240), ("rockfall", 330), ("quake", 372)]
CLASSES = [name for name, _ in EVENTS]


def seconds(time):
    return (time - START).total_seconds()


def told(found):
    return [(round(seconds(d.starttime), 2), round(seconds(d.endtime), 2), d.class_code) for d in found]


def span_of(waveform):
    return waveform.starttime, waveform.time_of(waveform.samples)


def of_the_whole(waveform, classifier):
    scanned = scan(waveform, classifier)
    return detections(scanned.starttimes, scanned.probabilities, classifier.classes, classifier.recipe)


def through(waveform, classifier, **options):
    return list(detect(waveform.slice, span_of(waveform), classifier, options=Options(**options)))


@given(piece_s=st.integers(20, 400), reading_ahead=st.booleans(), seed=st.integers(0, 50))
@settings(max_examples=10)
def test_pieces_of_any_length_give_the_events_of_the_whole(piece_s, reading_ahead, seed):
    waveform, classifier = record(*EVENTS, seconds=400, seed=seed), listener()
    found = through(waveform, classifier, piece_s=piece_s, ahead=reading_ahead)
    expected = of_the_whole(waveform, classifier)
    assert told(found) == told(expected)
    np.testing.assert_allclose([d.probability for d in found], [d.probability for d in expected], atol=1e-5)
    assert {d.station for d in found} == {"XX.AAA.00"}
    assert [d.class_code for d in found] == CLASSES


@pytest.mark.parametrize(
    ("rate", "changes"),
    [
        (50.0, {}),
        (100.0, {}),  # resampled
        (40.0, {"band_hz": (2.0, 15.0)}),  # to 50 Hz
        (50.0, {"zero_phase": False}),
        (50.0, {"taper": False, "detrend": "linear"}),
    ],
)
def test_a_piece_is_filtered_as_the_whole_record(rate, changes):
    preprocessing = replace(RECIPE.preprocessing, **changes)
    waveform = record(*EVENTS, seconds=400, rate=rate)
    whole = preprocess(waveform, preprocessing)
    for piece in pieces(waveform.slice, span_of(waveform), preprocessing, piece_s=90):
        part = piece.waveform
        first = whole.sample_at(part.starttime)
        assert part.starttime == whole.time_of(first)
        # at the record's own ends the taper shows that a part has another mean than the whole
        ends = piece.begin == START or first + part.samples == whole.samples
        inner = slice(150, -150) if ends else slice(None)
        np.testing.assert_allclose(
            part.data[:, inner],
            whole.data[:, first : first + part.samples][:, inner],
            atol=1e-5 * np.abs(whole.data).max(),
        )


def test_every_window_belongs_to_one_piece():
    waveform = record(seconds=400)
    starts = []
    for piece in pieces(waveform.slice, span_of(waveform), RECIPE.preprocessing, piece_s=70):
        count = (piece.waveform.samples - 500) // 50 + 1
        starts += [round(seconds(piece.waveform.time_of(50 * i)), 6) for i in range(count)]
    assert starts == list(range(391))


def test_a_lower_band_takes_longer_to_settle():
    paper = settling_s(Preprocessing())
    low = settling_s(Preprocessing(sampling_rate_hz=20.0, band_hz=(0.5, 8.0), stft_length=64, stft_hop=20))
    assert 2 < paper < 10 < low < 120


def test_reading_ahead_keeps_order_and_passes_errors_on():
    assert list(ahead(iter(range(20)))) == list(range(20))

    def broken():
        yield 1
        raise UnusableWaveform("no")

    items = ahead(broken())
    assert next(items) == 1
    with pytest.raises(UnusableWaveform):
        next(items)


def in_files(waveform, folder, edges):
    """The waveform in files that begin at these seconds; what lies between an end and the next beginning is lost."""
    for number, (start, end) in enumerate(edges):
        part = waveform.slice(START + timedelta(seconds=start), START + timedelta(seconds=end))
        write_mseed(part, folder / f"{waveform.station}{number}.mseed")


def in_archive(folder, classifier, **options):
    archive = Archive.of([folder])
    found, done = [], []
    for station in archive.stations:
        for span in archive.spans(station):
            read = lambda a, b, s=station: archive.read(s, a, b, classifier.recipe.preprocessing.components)  # noqa: E731
            found += detect(read, span, classifier, watch=done.append, options=Options(**options))
    return found, done


def test_files_that_touch_are_one_record(tmp_path):
    waveform, classifier = record(*EVENTS, seconds=400), listener()
    in_files(waveform, tmp_path, [(0, 150), (150, 151), (151, 400)])
    found, done = in_archive(tmp_path, classifier, piece_s=60)
    assert told(found) == told(of_the_whole(waveform, classifier))
    assert sum(piece.windows for piece in done) == 391


def test_events_beside_a_gap_are_found_and_none_in_it(tmp_path):
    classifier = listener()
    waveform = record(*EVENTS, seconds=400)
    in_files(waveform, tmp_path, [(0, 170), (176, 300), (345, 400)])  # 6 s are a gap, 45 s end a span
    found, done = in_archive(tmp_path, classifier, piece_s=60)
    assert [d.class_code for d in found] == ["quake", "rockfall", "quake", "quake"]
    assert all(not 300 <= seconds(d.starttime) + 6 < 345 for d in found)
    assert not [piece.problem for piece in done if piece.problem]


def test_two_stations_of_which_one_stops_for_a_day_are_scanned_each_by_itself(tmp_path):
    classifier = listener()
    steady = record(*EVENTS, seconds=400, station="AAA")
    early = record(("quake", 60), seconds=120, station="BBB")
    late = replace(record(("rockfall", 60), seconds=120, station="BBB"), starttime=START + timedelta(days=1))
    for number, waveform in enumerate([steady, early, late]):
        write_mseed(waveform, tmp_path / f"{number}.mseed")
    found, done = in_archive(tmp_path, classifier)
    assert [(d.station, d.class_code) for d in found] == [
        *[("XX.AAA.00", name) for name in CLASSES],
        ("XX.BBB.00", "quake"),
        ("XX.BBB.00", "rockfall"),
    ]
    assert len(done) == 3  # nobody looked at the day between


def test_a_gap_of_days_inside_one_file_costs_no_memory(tmp_path):
    classifier = listener()
    early, late = (record((name, 60), seconds=120) for name in ("quake", "rockfall"))
    write_mseed([early, replace(late, starttime=START + timedelta(days=3))], tmp_path / "one.mseed")
    found, done = in_archive(tmp_path, classifier)
    assert [d.class_code for d in found] == ["quake", "rockfall"]
    assert sum("nothing was recorded" in piece.problem for piece in done) > 65


def test_a_change_of_sampling_rate_begins_a_new_span(tmp_path):
    classifier = listener()
    slow = record(("quake", 60), seconds=120, rate=50.0)
    fast = replace(record(("rockfall", 60), seconds=120, rate=100.0), starttime=START + timedelta(seconds=120))
    write_mseed(slow, tmp_path / "slow.mseed")
    write_mseed(fast, tmp_path / "fast.mseed")
    assert len(Archive.of([tmp_path]).spans("XX.AAA.00")) == 2
    found, done = in_archive(tmp_path, classifier, piece_s=50)
    assert [d.class_code for d in found] == ["quake", "rockfall"]
    assert not [piece.problem for piece in done if piece.problem]


def test_a_piece_that_cannot_be_read_is_told_and_the_rest_goes_on():
    waveform, classifier, done = record(*EVENTS, seconds=400), listener(), []

    def read(start, end):
        if start < START + timedelta(seconds=160) < end:
            raise UnusableWaveform("the disk is gone")
        return waveform.slice(start, end)

    options = Options(piece_s=50)
    found = list(detect(read, span_of(waveform), classifier, watch=done.append, options=options))
    assert [d.class_code for d in found] == ["quake", "quake", "rockfall", "quake"]
    assert "the disk is gone" in {piece.problem for piece in done}


def test_a_scan_is_cancelled_between_blocks():
    waveform, asked = record(seconds=400), []
    with pytest.raises(Cancelled):
        list(
            detect(
                waveform.slice,
                span_of(waveform),
                listener(),
                should_stop=lambda: len(asked) > 1 or asked.append(1),
                options=Options(piece_s=50),
            )
        )


def by_sta_lta(**settings):
    trigger = Trigger(**{"method": "sta_lta", "sta_s": 1.0, "lta_s": 20.0, **settings})
    return listener(replace(RECIPE, trigger=trigger))


@pytest.mark.parametrize("average", ["classic", "recursive"])
def test_sta_lta_triggers_and_the_network_names_what_it_triggered_on(average):
    waveform = record(*EVENTS[:4], ("quake", 9), seconds=400)  # the first lies within the first long average
    classifier = by_sta_lta(average=average)
    whole = through(waveform, classifier, piece_s=1000)
    assert [d.class_code for d in whole] == ["quake", "rockfall", "quake", "rockfall"]
    for event, (_, second) in zip(whole, EVENTS[:4], strict=True):
        assert seconds(event.starttime) < second < seconds(event.endtime) < second + 25
    for piece_s in (30, 70, 149):
        assert told(through(waveform, classifier, piece_s=piece_s)) == told(whole)


def test_sta_lta_hears_glitches_but_keeps_none_that_are_too_short():
    waveform = record(seconds=200)
    waveform.data[:, 5000:5002] += 500
    assert through(waveform, by_sta_lta(shortest_s=20.0)) == []
    assert len(through(waveform, by_sta_lta())) == 1


def test_sta_lta_begins_afresh_behind_a_gap():
    waveform = record(*EVENTS[:3], seconds=400)
    waveform.mask[:, 9000:9600] = False
    waveform.data[:, 9000:9600] = 0.0
    found = through(waveform, by_sta_lta(), piece_s=100)
    assert [d.class_code for d in found] == ["quake", "rockfall", "quake"]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """The command in a folder with a listening model and two files of a record."""
    in_files(record(*EVENTS, seconds=400), tmp_path, [(0, 200), (200, 400)])
    monkeypatch.setattr(Classifier, "from_directory", lambda directory: listener())
    return lambda *arguments: main(["model", str(tmp_path), *map(str, arguments)])


def catalogue(path, rows, station="AAA"):
    lines = ["event_id,event_class,starttime,endtime,network,station,location"]
    for number, (name, second) in enumerate(rows):
        times = [(START + timedelta(seconds=second + d)).isoformat() for d in (-2, 2)]
        lines.append(f"e{number},{name},{times[0]},{times[1]},XX,{station},00")
    path.write_text("\n".join(lines))
    return path


def test_the_command_finds_and_compares(command, tmp_path, capsys):
    truth = catalogue(tmp_path.parent / "truth.csv", [*EVENTS[:2], ("quake", 290)])
    command("--catalogue", truth, "--tolerance", 2)
    answer = json.loads(capsys.readouterr().out)
    assert [d["class"] for d in answer["detections"]] == CLASSES
    assert answer["stations"][0]["windows"] == 391
    matching = answer["matching"]["XX.AAA.00"]
    assert (matching["hits"], matching["misses"], matching["false_alarms"]) == (2, 1, 3)
    truth.unlink()


def test_the_command_writes_a_catalogue_of_the_asked_time(command, capsys):
    command("--csv", "--start", (START + timedelta(seconds=100)).isoformat(), "--end", "2026-03-01T06:04:00")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert (rows[0]["event_class"], rows[0]["station"]) == ("rockfall", "AAA")


def test_the_command_can_trigger_by_sta_lta(command, capsys):
    command("--trigger", "sta_lta")
    assert len(json.loads(capsys.readouterr().out)["detections"]) >= 4


def test_the_command_says_why_nothing_can_be_scanned(command, tmp_path):
    with pytest.raises(UnusableWaveform, match="No record in that time"):
        command("--start", "2031-01-01T00:00:00Z")
    untimed = tmp_path.parent / "untimed.csv"
    untimed.write_text("event_id,event_class\na,quake\n")
    with pytest.raises(BadConfiguration, match="Give starttime and endtime"):
        command("--catalogue", untimed)
    untimed.unlink()
