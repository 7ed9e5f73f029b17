"""What goes out comes back without loss, opens safely in a spreadsheet, and is valid QuakeML."""

import csv
import io
from datetime import UTC, datetime, timedelta

import obspy
import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obspy.io.quakeml.core import _validate

from labelapp.catalogue.exporting import write_catalogue_csv, write_catalogue_quakeml
from labelapp.catalogue.importing import import_catalogue
from labelapp.catalogue.models import Event, Observation, Site
from labelapp.catalogue.services import create_site
from labelapp.catalogue.text import guarded, unguarded

MORNING = datetime(2026, 3, 1, 6, 0, 0, 1, UTC)
DESCRIPTION = '"Großer" Fels, 3 m³; =2+2\nzweite Zeile <b>&amp;</b>'


@pytest.fixture
def full(site, station, classes):
    """Events with everything, with nothing, and with names that are hard on formats."""
    from labelapp.catalogue.models import Station

    second = Station.objects.create(site=site, network="XX", code="-AB")
    known = {"site": site, "origin": "catalogue"}
    one = Event.objects.create(
        event_id="=1+1", starttime=MORNING, endtime=MORNING + timedelta(seconds=9.000007), station=second,
        catalogue_label=classes["quake"], label=classes["rockfall"], latitude_deg=46.123456789, longitude_deg=-7.1,
        description=DESCRIPTION, source="field book", **known,
    )  # fmt: skip
    for place, seconds, snr in ((station, 2.000003, 3.25), (second, 5, None)):
        end = MORNING + timedelta(seconds=seconds)
        Observation.objects.create(event=one, station=place, starttime=MORNING, endtime=end, snr=snr)
    Event.objects.create(event_id="smi:ch.ethz/event/1", starttime=MORNING, endtime=MORNING, source="x", **known)
    Event.objects.create(
        event_id="'@x", starttime=MORNING, endtime=MORNING + timedelta(seconds=1), label=classes["noise"],
        catalogue_label=classes["noise"], source="x", **known,
    )  # fmt: skip
    return site


def facts(site):
    """Everything an export must carry, without database keys."""
    return [
        (
            event.event_id, event.starttime, event.endtime, str(event.station), event.label and event.label.code,
            event.latitude_deg, event.longitude_deg, event.description, event.source,
            [(str(o.station), o.starttime, o.endtime, o.snr) for o in event.observations.all()],
        )
        for event in site.events.order_by("event_id")
    ]  # fmt: skip


@pytest.mark.parametrize("format", ["csv", "quakeml"])
def test_an_export_imported_elsewhere_is_the_same_catalogue(full, tmp_path, format):
    path = tmp_path / "catalogue"
    call_command("export_catalogue", full.name, "--format", format, "--out", str(path), stderr=io.StringIO())
    elsewhere = create_site(name="Elsewhere")
    report = import_catalogue(site=elsewhere, file=path)
    assert (report.created, report.refused) == (3, [])
    assert facts(elsewhere) == facts(full)
    assert import_catalogue(site=full, file=path).unchanged == 3


def test_the_csv_has_utc_times_with_microseconds_and_no_formulas(full):
    out = io.StringIO()
    assert write_catalogue_csv(out, full.events.all()) == 4
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    first = next(row for row in rows if row["event_id"] == "'=1+1")
    assert first["starttime"] == "2026-03-01T06:00:00.000001Z"
    assert first["event_endtime"] == "2026-03-01T06:00:09.000008Z"
    assert (first["event_class"], first["catalogue_class"], first["station"]) == ("rockfall", "quake", "'-AB")
    text = [cell for row in rows for name, cell in row.items() if name not in ("latitude", "longitude")]
    assert not [cell for cell in text if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@given(st.text())
def test_a_guarded_text_is_no_formula_and_comes_back_as_it_was(text):
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(guarded(text)) == text


def test_the_quakeml_is_valid_and_obspy_reads_the_facts(full, tmp_path):
    path = tmp_path / "catalogue.xml"
    call_command("export_catalogue", full.name, "--format", "quakeml", "--out", str(path), stderr=io.StringIO())
    assert _validate(str(path), verbose=True)
    events = {len(event.picks): event for event in obspy.read_events(str(path))}
    event = events[2]
    assert event.event_type == "rockslide"
    assert event.preferred_origin().latitude == 46.123456789
    assert event.picks[0].time == obspy.UTCDateTime(2026, 3, 1, 6, 0, 0, 1)
    assert event.picks[0].waveform_id.station_code == "-AB"
    assert [a.generic_amplitude for a in event.amplitudes] == [5.0, 2.000003]
    assert event.event_descriptions[0].text == DESCRIPTION


def test_every_event_keeps_its_quakeml_id_in_every_export(full):
    first, second = io.StringIO(), io.StringIO()
    write_catalogue_quakeml(first, full.events.all())
    write_catalogue_quakeml(second, full.events.all())
    assert first.getvalue() == second.getvalue()
    assert 'publicID="smi:ch.ethz/event/1"' in first.getvalue()


@pytest.mark.parametrize("format", ["csv", "quakeml"])
def test_an_empty_catalogue_is_a_valid_file(site, tmp_path, format):
    path = tmp_path / "empty"
    call_command("export_catalogue", site.name, "--format", format, "--out", str(path), stderr=io.StringIO())
    assert format == "csv" or _validate(str(path), verbose=True)


def test_an_unwritable_file_is_refused_and_nothing_left_behind(site, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export_catalogue", site.name, "--out", str(tmp_path / "folder"))
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_catalogue_is_written_in_a_number_of_queries_that_does_not_grow(site, make_event, django_assert_num_queries):
    for _ in range(30):
        make_event("quake")
    with django_assert_num_queries(3):
        write_catalogue_csv(io.StringIO(), site.events.all())


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn"]), min_size=1, max_size=20
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(texts, texts), max_size=3, unique_by=lambda pair: pair[0].strip()))
def test_any_text_survives_both_formats(db, tmp_path, pairs):
    number = Site.objects.count()
    here = create_site(name=f"Here {number}")
    for name, words in pairs:
        if name.strip():
            Event.objects.create(
                site=here, event_id=name.strip(), starttime=MORNING, endtime=MORNING, origin="catalogue",
                description=words.strip(), source="x",
            )  # fmt: skip
    if not here.events.exists():
        return
    for format in ("csv", "quakeml"):
        there = create_site(name=f"There {number} {format}")
        call_command(
            "export_catalogue", here.name, "--format", format, "--out", str(tmp_path / "x"), stderr=io.StringIO()
        )
        import_catalogue(site=there, file=tmp_path / "x")
        assert facts(there) == facts(here)
