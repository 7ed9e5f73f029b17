"""A catalogue comes in row by row; what is wrong is refused by line, the rest goes in."""

from datetime import UTC, datetime, timedelta

import pytest

from labelapp.catalogue import importing
from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.importing import import_catalogue
from labelapp.catalogue.models import Event, Observation, Station

SPAN = "2026-03-01T06:00:00Z,2026-03-01T06:00:05Z"


def labels(site):
    return {event.event_id: event.label.code if event.label else None for event in site.events.all()}


def test_a_row_becomes_an_event_with_its_label_in_utc(site, load):
    report = load("a,quake,2026-03-01T06:00:00.123456Z,2026-03-01T07:00:05.5+01:00\n")
    event = Event.objects.get()
    assert event.starttime == datetime(2026, 3, 1, 6, 0, 0, 123456, UTC)
    assert event.endtime == datetime(2026, 3, 1, 6, 0, 5, 500000, UTC)
    assert (event.label.code, event.catalogue_label.code, event.origin) == ("quake", "quake", "catalogue")
    assert (event.source, event.station) == ("catalogue.csv", None)
    assert (report.rows, report.created, report.refused, report.failed) == (1, 1, [], False)


def test_times_without_an_offset_are_read_as_utc(load):
    load("a,quake,2026-03-01T06:00:00,2026-03-01 06:00:05\n")
    assert Event.objects.get().starttime == datetime(2026, 3, 1, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("columns", "cells"),
    [
        ("starttime,endtime", "2026-03-01T06:00:00Z,2026-03-01T06:00:05Z"),
        ("onset,duration_s", "2026-03-01T06:00:00Z,5.0"),
        ("catalogue_time,duration_s", "2026-03-01T06:00:00Z,5"),
        ("trace_start,trace_end", "2026-03-01T06:00:00Z,2026-03-01T06:00:05Z"),
        ("catalogue_time,trace_start,trace_end", "2020-01-01T00:00:00Z,2026-03-01T06:00:00Z,2026-03-01T06:00:05Z"),
        ("trace_start,trace_end,onset,duration_s", "2020-01-01T00:00:00Z,2020-01-01T01:00:00Z,2026-03-01T06:00:00Z,5"),
    ],
)
def test_a_span_may_be_told_in_four_ways(load, columns, cells):
    load(f"event_id,label,{columns}\na,quake,{cells}\n")
    event = Event.objects.get()
    assert (event.starttime, event.endtime - event.starttime) == (
        datetime(2026, 3, 1, 6, tzinfo=UTC),
        timedelta(seconds=5),
    )


def test_rows_with_one_event_id_are_one_event_at_several_stations(site, load):
    report = load(
        "event_id,event_class,starttime,endtime,network,station,location,snr\n"
        f"a,quake,{SPAN},XX,AAA,00,3.5\n"
        "a,quake,2026-03-01T06:00:02Z,2026-03-01T06:00:09Z,XX,BBB,--,\n"
    )
    event = Event.objects.get()
    assert {str(o.station): o.snr for o in event.observations.all()} == {"XX.AAA.00": 3.5, "XX.BBB.": None}
    assert (event.starttime.second, event.endtime.second, str(event.station)) == (0, 9, "XX.AAA.00")
    assert (report.created, report.rows) == (1, 2)


def test_a_station_may_be_told_by_its_seed_id(site, load):
    load(f"event_id,event_class,starttime,endtime,station_id\na,quake,{SPAN},XX.AAA.00\nb,quake,{SPAN},XX.BBB\n")
    assert [str(station) for station in Station.objects.all()] == ["XX.AAA.00", "XX.BBB."]


def test_an_empty_class_is_an_event_without_a_label(site, load):
    load(f"a,,{SPAN}\n")
    assert labels(site) == {"a": None}


def test_a_class_may_be_told_by_its_name_in_any_case(site, load):
    load(f"a,Rockfall,{SPAN}\nb,QUAKE,{SPAN}\n")
    assert labels(site) == {"a": "rockfall", "b": "quake"}


def test_a_repeated_import_changes_nothing(site, load):
    text = (
        "event_id,event_class,starttime,endtime,station_id\n"
        f"a,quake,{SPAN},XX.AAA.\na,quake,{SPAN},XX.BBB.\nb,,{SPAN},\n"
    )
    load(text)
    before = list(Event.objects.values()), list(Observation.objects.values())
    report = load(text)
    assert (report.created, report.extended, report.unchanged, report.refused) == (0, 0, 2, [])
    assert (list(Event.objects.values()), list(Observation.objects.values())) == before


def test_a_known_event_may_gain_a_station(site, load):
    header = "event_id,event_class,starttime,endtime,station_id\n"
    load(header + f"a,quake,{SPAN},XX.AAA.\n")
    report = load(header + "a,quake,2026-03-01T06:00:01Z,2026-03-01T06:00:08Z,XX.BBB.\n")
    assert (report.created, report.extended) == (0, 1)
    assert Event.objects.get().endtime.second == 8
    assert Observation.objects.count() == 2


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (f"a,noise,{SPAN},XX.AAA.", "a is noise here, but quake in line 2"),
        ("a,quake,2026-03-01T07:00:00Z,2026-03-01T07:00:05Z,XX.AAA.", "a at XX.AAA. is there already"),
        ("a,quake,2026-03-01T07:00:00Z,2026-03-01T07:00:05Z,", "a is there already, from 2026-03-01T06:00:00"),
    ],
)
def test_rows_that_contradict_an_earlier_row_are_refused_by_line(site, load, second, why):
    report = load(
        f"event_id,event_class,starttime,endtime,station_id\na,quake,{SPAN},XX.AAA.\n{second}\nb,quake,{SPAN},\n"
    )
    assert [line for line, _ in report.refused] == [3]
    assert why in report.refused[0][1]
    assert labels(site) == {"a": "quake", "b": "quake"}


def test_an_import_never_changes_a_label(site, load, make_event, classes):
    make_event("quake", event_id="a")
    start, end = Event.objects.values_list("starttime", "endtime").get()
    report = load(f"a,noise,{start.isoformat()},{end.isoformat()}\n")
    assert "a is labelled quake, but the file says noise. An import never changes a label" in report.refused[0][1]
    assert report.failed
    assert labels(site) == {"a": "quake"}


def test_what_an_expert_relabelled_may_be_imported_again_under_either_class(site, load, make_event, classes):
    event = make_event("quake", event_id="a")
    Event.objects.update(label=classes["rockfall"])
    for code in ("quake", "rockfall"):
        assert load(f"a,{code},{event.starttime.isoformat()},{event.endtime.isoformat()}\n").unchanged == 1
    assert labels(site) == {"a": "rockfall"}


def test_bad_rows_are_refused_by_line_with_a_reason_and_the_rest_goes_in(site, load):
    report = load(
        "event_id,event_class,starttime,endtime,latitude,longitude,snr\n"  # 1
        f"good,quake,{SPAN},46.1,7.1,3\n"  # 2
        f"unknown,dragon,{SPAN},,,\n"  # 3
        f",quake,{SPAN},,,\n"  # 4
        "backwards,quake,2026-03-01T06:00:05Z,2026-03-01T06:00:00Z,,,\n"  # 5
        "yesterday,quake,yesterday,2026-03-01T06:00:00Z,,,\n"  # 6
        "dateonly,quake,2026-03-01,2026-03-01,,,\n"  # 7
        "timeless,quake,,,,,\n"  # 8
        f"north,quake,{SPAN},91,0,\n"  # 9
        f"nan,quake,{SPAN},nan,0,\n"  # 10
        f"inf,quake,{SPAN},,,inf\n"  # 11
        f"words,quake,{SPAN},far,0,\n"  # 12
        f"short,quake,{SPAN}\n"  # 13
        f"long,quake,{SPAN},,,,,,\n"  # 14
        "ages,quake,1026-03-01T06:00:00Z,1026-03-01T06:00:05Z,,,\n"  # 15
        "eternal,quake,2026-03-01T06:00:00Z,2027-03-01T06:00:00Z,,,\n"  # 16
        "\n"
        f"also good,quake,{SPAN},,,\n"  # 18
    )
    reasons = dict(report.refused)
    assert labels(site) == {"good": "quake", "also good": "quake"}
    assert sorted(reasons) == list(range(3, 17))
    assert reasons[3] == "Test slope has no class 'dragon'. Its classes are earthquake, noise, quake, rockfall."
    assert reasons[4] == "event_id is empty."
    assert "before it starts" in reasons[5]
    assert reasons[6] == "starttime is 'yesterday'. Expected a time such as 2020-03-28T13:00:00.000000Z."
    assert "Expected a time" in reasons[7]
    assert reasons[8].startswith("it has no span: fill in starttime and endtime or onset and duration_s")
    assert reasons[9] == "latitude is 91.0. Expected a number from -90 to 90."
    assert reasons[13] == "it has 4 fields, but the header has 7."
    assert report.verdict == (
        "16 rows: 2 events added, 0 extended, 0 unchanged, 14 rows refused, 0 recordings not ingested"
    )


def test_line_numbers_count_the_lines_of_quoted_fields(load):
    report = load(
        "event_id,event_class,starttime,endtime,description\n"
        f'a,quake,{SPAN},"two\nlines"\nb,dragon,{SPAN},\n'
    )  # fmt: skip
    assert [line for line, _ in report.refused] == [4]


def test_problems_and_progress_are_told_as_they_come(load, monkeypatch):
    monkeypatch.setattr(importing, "CHUNK", 2)
    told, progress = [], []
    load(
        "".join(f"{name},{'quake' if name != 'c' else 'x'},{SPAN}\n" for name in "abcde"),
        on_problem=told.append,
        on_progress=lambda *done: progress.append(done),
    )
    assert progress == [(2, 5), (4, 5), (5, 5)]
    assert told == ["line 4: Test slope has no class 'x'. Its classes are earthquake, noise, quake, rockfall."]


def test_events_split_over_chunks_are_one_event_and_counted_once(load, monkeypatch):
    monkeypatch.setattr(importing, "CHUNK", 1)
    header = "event_id,event_class,starttime,endtime,station_id\n"
    report = load(header + "".join(f"a,quake,{SPAN},XX.{code}.\n" for code in ("AAA", "BBB", "CCC")))
    assert (report.created, report.extended, report.unchanged) == (1, 0, 0)
    assert Observation.objects.count() == 3


def test_a_long_catalogue_takes_few_queries(load, django_assert_max_num_queries):
    header = "event_id,event_class,starttime,endtime,station_id\n"
    with django_assert_max_num_queries(40):
        load(header + "".join(f"event {n},quake,{SPAN},XX.AAA.\n" for n in range(400)))
    assert Observation.objects.count() == 400


@pytest.fixture
def waveforms(tmp_path):
    folder = tmp_path / "waveforms"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.mseed").write_bytes(b"a")
    (folder / "deep" / "b.mseed").write_bytes(b"b")
    (tmp_path / "secret.mseed").write_bytes(b"secret")
    (folder / "way out").symlink_to(tmp_path / "secret.mseed")
    return folder


def test_recordings_named_in_the_file_are_ingested_once_each(load, waveforms):
    asked = []
    header = "event_id,event_class,starttime,endtime,file\n"
    rows = f"a,quake,{SPAN},a.mseed\na2,quake,{SPAN},a.mseed\nb,quake,{SPAN},deep/b.mseed\nc,quake,{SPAN},\n"
    report = load(header + rows, waveforms=waveforms, ingest=lambda paths: asked.extend(paths) or [])
    assert asked == [waveforms / "a.mseed", waveforms / "deep" / "b.mseed"]
    assert report.created == 4


def test_a_recording_that_cannot_be_ingested_is_a_problem_of_its_line_and_the_event_goes_in(load, waveforms):
    report = load(
        f"event_id,event_class,starttime,endtime,file\na,quake,{SPAN},missing.mseed\n",
        waveforms=waveforms,
        ingest=lambda paths: [(str(path), "it is not there") for path in paths],
    )
    assert (report.created, report.problems) == (1, [(2, "it is not there")])


@pytest.mark.parametrize(
    "name", ["../secret.mseed", "/etc/passwd", "deep/../../secret.mseed", "way out", ".", "x" * 999]
)
def test_recordings_outside_of_the_folder_are_never_touched(load, waveforms, name):
    asked = []
    report = load(
        f"event_id,event_class,starttime,endtime,file\na,quake,{SPAN},{name}\n",
        waveforms=waveforms,
        ingest=lambda paths: asked.extend(paths) or [],
    )
    assert all(path.parent == waveforms for path in asked)
    assert len(name) == 999 or "leads out of" in report.refused[0][1]


def test_a_folder_of_waveforms_that_is_none_is_refused(load, tmp_path):
    with pytest.raises(Invalid, match="is no folder"):
        load(f"a,quake,{SPAN}\n", waveforms=tmp_path / "none")


@pytest.mark.real_data
@pytest.mark.parametrize(("folder", "events", "observations"), [("mass_movements", 345, 594), ("sechilienne", 3, 3)])
def test_the_catalogues_of_the_real_recordings_go_in_as_they_are(db, real_data, folder, events, observations):
    from labelapp.catalogue.schemes import scheme
    from labelapp.catalogue.services import create_site

    codes = ["rockfall", "slide", "debris_flow", "snow_avalanche", "earthquake", "explosion"]
    site = create_site(name="Real slopes", classes=scheme([{"code": code} for code in codes]))
    report = import_catalogue(site=site, file=real_data / folder / "catalogue.csv")
    assert (report.created, report.refused) == (events, [])
    assert Observation.objects.count() == observations
