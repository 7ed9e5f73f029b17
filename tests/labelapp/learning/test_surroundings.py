"""Waveforms around an event, read on demand: held against obspy and scipy by hand."""

import json
import os
import subprocess
import sys
import zlib
from datetime import timedelta

import numpy as np
import obspy
import pytest
from obspy.geodetics import locations2degrees
from safetensors.numpy import load
from scipy import signal

from labelapp.learning.pipeline import decoded as decoding
from labelapp.learning.pipeline import surroundings
from labelapp.learning.pipeline.decoded import Kept, Span, components_of
from labelapp.learning.pipeline.surroundings import Band, around_event, of_record
from labelapp.learning.surroundings import NotRecorded, context_of_event, recorded_spans
from mlcore.errors import UnusableWaveform
from mlcore.waveform import write_mseed
from tests.conftest import MORNING
from tests.recorded import EVENT_S, GAP_S, RATE_HZ, event_times, record_site, waveform, with_gap

pytestmark = [pytest.mark.once, pytest.mark.django_db]
RAW = Band()


@pytest.fixture(autouse=True)
def nothing_is_kept_from_the_test_before():
    decoding.KEPT.clear()


@pytest.fixture
def recorded(site, station, tmp_path):
    return record_site(site, tmp_path)


@pytest.fixture
def event(recorded, make_event):
    made = make_event("rockfall", **event_times())
    made.station.refresh_from_db()  # its place
    return made


def opened(content):
    """(facts, tensors) of an answer."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["context"]), load(content)


def station_of(event, code):
    return event.site.stations.get(code=code)


def in_counts(facts, tensors, number=0):
    scale = np.array(facts["stations"][number]["scale"])
    return tensors[f"{number}.waveform"] * scale[:, None]


def samples_of(folder, code, channel, first_s, last_s):
    """Samples as obspy reads them from the file, in a span given in seconds from the record's start."""
    begin = obspy.UTCDateTime(MORNING.replace(tzinfo=None)) + first_s
    trace = obspy.read(folder / f"{code}.mseed").select(channel=channel).merge()[0]
    return trace.slice(begin, begin + (last_s - first_s) - 1 / RATE_HZ).data.astype(float)


class TestTheWaveform:
    def test_raw_is_what_obspy_reads_without_its_mean(self, event, tmp_path):
        facts, tensors = opened(around_event(event, [station_of(event, "AAA")], 20, 30, RAW))
        (about,) = facts["stations"]
        assert (about["components"], about["thinned"], about["outline"]) == (["Z", "N", "E"], 1, None)
        assert facts["filter"] is None
        for row, channel in enumerate(("HHZ", "HHN", "HHE")):
            expected = samples_of(tmp_path, "AAA", channel, EVENT_S - 20, EVENT_S + 36)
            assert about["mean"][row] == pytest.approx(expected.mean())
            found = in_counts(facts, tensors)[row]
            np.testing.assert_allclose(found, expected - expected.mean(), atol=about["scale"][row])
        assert tensors["0.mask"].all()

    def test_the_band_is_scipys_zero_phase_butterworth_settled_before_the_span_begins(self, event, tmp_path):
        facts, tensors = opened(around_event(event, [station_of(event, "AAA")], 20, 30, Band(5.0, 12.0)))
        wide = samples_of(tmp_path, "AAA", "HHZ", EVENT_S - 120, EVENT_S + 130)
        sections = signal.butter(4, [5.0, 12.0], "bandpass", fs=RATE_HZ, output="sos")
        expected = signal.sosfiltfilt(sections, wide - wide.mean())[100 * 100 : 156 * 100]
        scale = facts["stations"][0]["scale"][0]
        np.testing.assert_allclose(in_counts(facts, tensors)[0], expected, atol=scale + 0.01)
        assert facts["filter"] == {"low_hz": 5.0, "high_hz": 12.0, "order": 4, "zero_phase": True}

    def test_times_are_those_of_the_samples(self, event):
        facts, _ = opened(around_event(event, [station_of(event, "AAA")], 20, 30, RAW))
        assert facts["stations"][0]["starttime"] == facts["starttime"] == "2026-03-01T06:04:40.000000Z"
        assert (facts["event_start"], facts["event_end"]) == (
            "2026-03-01T06:05:00.000000Z",
            "2026-03-01T06:05:06.000000Z",
        )

    def test_a_gap_is_masked_and_said(self, event):
        facts, tensors = opened(around_event(event, [station_of(event, "BBB")], 10, 90, RAW))
        missing = np.flatnonzero(tensors["0.mask"][0] == 0) / RATE_HZ + EVENT_S - 10
        assert (missing.min(), missing.max()) == pytest.approx((GAP_S[0], GAP_S[1] - 1 / RATE_HZ))
        assert "component Z misses 11.32% of the time" in facts["stations"][0]["problems"]

    def test_what_all_components_miss_is_said_once(self, site, event, tmp_path):
        from labelapp.learning.pipeline.ingesting import ingest

        write_mseed(with_gap(waveform("GGG")), tmp_path / "GGG.mseed")
        ingest(site, [tmp_path])
        facts, _ = opened(around_event(event, [station_of(event, "GGG")], 10, 90, RAW))
        assert facts["stations"][0]["problems"] == ["components Z, N, E miss 11.32% of the time"]

    def test_one_component_can_be_asked_for_and_a_missing_one_is_said(self, event):
        facts, tensors = opened(around_event(event, [station_of(event, "AAA")], 10, 10, RAW, "N"))
        assert facts["stations"][0]["components"] == ["N"]
        assert tensors["0.waveform"].shape == (1, 2600)
        with pytest.raises(UnusableWaveform, match="has components Z, but none of N"):
            around_event(event, [station_of(event, "BBB")], 10, 10, RAW, "N")


class TestStations:
    def test_come_nearest_first_with_their_distance_and_a_silent_one_says_so(self, event):
        event.latitude_deg, event.longitude_deg = 24.612, 121.523
        facts, tensors = opened(around_event(event, list(event.site.stations.all()), 10, 10, RAW, "Z"))
        assert [s["station"] for s in facts["stations"]] == ["XX.BBB.00", "XX.AAA.00", "XX.CCC.00"]
        for about, place in zip(facts["stations"], ((24.61, 121.52), (24.60, 121.50), (24.70, 121.60)), strict=True):
            degrees = locations2degrees(24.612, 121.523, *place)
            assert about["distance_km"] == pytest.approx(np.radians(degrees) * 6371.0, abs=1e-3)
        silent = facts["stations"][2]
        assert silent["components"] == []
        assert "XX.CCC.00 has no record from" in silent["problems"][0]
        assert {name.split(".")[0] for name in tensors} == {"0", "1"}
        assert facts["distance_from"] == "event"

    def test_without_the_events_place_distances_are_from_its_station(self, event):
        facts, _ = opened(around_event(event, list(event.site.stations.all()), 10, 10, RAW, "Z"))
        assert facts["distance_from"] == "XX.AAA.00"
        assert facts["stations"][0]["distance_km"] == 0

    def test_without_any_place_they_come_by_name(self, event):
        event.site.stations.update(latitude_deg=None, longitude_deg=None)
        event.station.refresh_from_db()
        facts, _ = opened(around_event(event, list(event.site.stations.order_by("-code")), 10, 10, RAW, "Z"))
        assert [s["station"] for s in facts["stations"]] == ["XX.AAA.00", "XX.BBB.00", "XX.CCC.00"]
        assert facts["distance_from"] is None

    def test_of_more_stations_than_can_be_shown_those_that_recorded_come(self, event, monkeypatch):
        monkeypatch.setattr("labelapp.learning.pipeline.surroundings.MOST_STATIONS", 2)
        facts, _ = opened(around_event(event, list(event.site.stations.all()), 10, 10, RAW, "Z"))
        assert [s["station"] for s in facts["stations"]] == ["XX.AAA.00", "XX.BBB.00"]
        assert facts["problems"] == ["1 of 3 stations have no record of this time"]

    def test_where_nobody_recorded_there_is_nothing_but_words(self, event):
        with pytest.raises(UnusableWaveform, match=r"XX\.CCC\.00 has no record from 2026-03-01T06:04:50Z"):
            around_event(event, [station_of(event, "CCC")], 10, 10, RAW)
        with pytest.raises(NotRecorded, match=r"XX\.CCC\.00 has no record"):
            context_of_event(event, stations="XX.CCC.00", before_s=1, after_s=1, corners=(None, None), components="")

    def test_more_than_forty_are_not_read(self, event, monkeypatch):
        monkeypatch.setattr(surroundings, "MOST_STATIONS", 1)
        facts, _ = opened(around_event(event, list(event.site.stations.all()), 10, 10, RAW, "Z"))
        assert len(facts["stations"]) == 1
        of_time = "1 of 3 stations have no record of this time"
        assert facts["problems"] == [of_time, "the first 1 of 2 stations are shown"]


class TestSize:
    def test_what_is_too_much_is_halved_until_it_fits_and_its_outline_has_every_sample(self, event, monkeypatch):
        monkeypatch.setattr(surroundings, "MOST_BYTES", 10**9)
        whole, every = opened(of_record(station_of(event, "AAA"), MORNING, MORNING + timedelta(seconds=600), RAW))
        assert whole["stations"][0]["thinned"] == 1
        monkeypatch.setattr(surroundings, "MOST_BYTES", 90_000)
        content = of_record(station_of(event, "AAA"), MORNING, MORNING + timedelta(seconds=600), RAW)
        assert len(zlib.compress(content, 6)) <= 90_000
        facts, tensors = opened(content)
        (about,) = facts["stations"]
        assert about["thinned"] == 4
        assert about["sampling_rate_hz"] == RATE_HZ / 4
        counts = in_counts(whole, every)
        width = round(about["outline"]["step_s"] * RATE_HZ)
        outline = tensors["0.outline"] * np.array(about["scale"])[:, None, None]
        for number in (0, 7, outline.shape[-1] - 1):
            part = counts[:, number * width : (number + 1) * width]
            tolerance = about["scale"][0] + whole["stations"][0]["scale"][0]
            np.testing.assert_allclose(outline[:, 0, number], part.min(axis=1), atol=tolerance)
            np.testing.assert_allclose(outline[:, 1, number], part.max(axis=1), atol=tolerance)

    def test_a_long_event_is_shown_for_an_hour(self, event):
        event.endtime = event.starttime + timedelta(hours=5)
        facts, _ = opened(around_event(event, [station_of(event, "AAA")], 10, 10, RAW))
        assert facts["endtime"] == "2026-03-01T07:04:50.000000Z"
        assert "first 60 min" in facts["problems"][0]

    def test_more_samples_than_a_page_may_ask_for_are_refused(self, event, monkeypatch):
        monkeypatch.setattr(decoding, "MOST_SAMPLES", 1000)
        with pytest.raises(UnusableWaveform, match="at most 1,000 are read for a page"):
            around_event(event, [station_of(event, "AAA")], 10, 10, RAW)


class TestFiles:
    def test_another_filter_or_a_step_inside_reads_no_file(self, event, monkeypatch):
        around_event(event, [station_of(event, "AAA")], 60, 60, RAW)
        monkeypatch.setattr(decoding, "read_span", None)
        around_event(event, [station_of(event, "AAA")], 60, 60, Band(5.0, 10.0))
        around_event(event, [station_of(event, "AAA")], 20, 30, Band(5.0, None))

    def test_a_file_that_is_gone_or_has_changed_is_said_even_if_it_was_read_before(self, event, tmp_path):
        around_event(event, [station_of(event, "AAA")], 60, 60, RAW)
        (tmp_path / "AAA.mseed").write_bytes(b"something else")
        with pytest.raises(UnusableWaveform, match="has changed since it was ingested"):
            around_event(event, [station_of(event, "AAA")], 60, 60, RAW)
        (tmp_path / "AAA.mseed").unlink()
        with pytest.raises(UnusableWaveform, match="cannot be found now"):
            around_event(event, [station_of(event, "AAA")], 60, 60, RAW)
        facts, _ = opened(around_event(event, list(event.site.stations.all()), 60, 60, RAW, "Z"))
        assert [bool(s["components"]) for s in facts["stations"]] == [False, True, False]

    def test_what_is_kept_stays_within_its_bytes(self, station):
        kept, one = Kept(most_bytes=3_000_000), waveform("AAA", "Z")
        for hour in range(9):
            start = MORNING + timedelta(hours=hour)
            kept.add(Span(station.pk, start, start + timedelta(hours=1), (), one))
            assert kept.size <= 3_000_000
        assert kept.find(station, MORNING, MORNING, ()) is None
        assert kept.find(station, start, start, ()) is one

    def test_codes_without_orientation_stand_in(self, site, tmp_path):
        from labelapp.learning.pipeline.ingesting import ingest

        write_mseed(waveform("DDD", "012"), tmp_path / "odd.mseed")
        write_mseed(waveform("EEE", "ZH"), tmp_path / "more.mseed")
        ingest(site, [tmp_path])
        letters = {s.code: components_of(s, MORNING, MORNING) for s in site.stations.all()}
        assert letters == {"DDD": ("Z", "N", "E"), "EEE": ("Z", "H")}


def test_pauses_of_a_minute_are_told_shorter_ones_are_not(site, tmp_path):
    from labelapp.learning.pipeline.ingesting import ingest

    for number, second in enumerate((0, 630, 1500)):
        piece = waveform("AAA", "Z", seed=number, starttime=MORNING + timedelta(seconds=second))
        write_mseed(piece, tmp_path / f"{number}.mseed")
    ingest(site, [tmp_path])
    spans = recorded_spans(site.stations.get())
    seconds = [tuple(round((t - MORNING).total_seconds()) for t in span) for span in spans]
    assert seconds == [(0, 1230), (1500, 2100)]


ASK = """
import sys
import django
django.setup()
from django.test import Client
from labelapp.catalogue.models import Event
event = Event.objects.get()
client = Client()
from django.contrib.auth import get_user_model
client.force_login(get_user_model().objects.get())
for address in (
    f"/api/v1/events/{event.pk}/context/?low_hz=5&high_hz=10",
    f"/api/v1/events/{event.pk}/context/?stations=all&components=Z",
    f"/api/v1/events/{event.pk}/spectrogram/",
    f"/api/v1/events/{event.pk}/neighbours/",
    f"/api/v1/sites/{event.site_id}/recorded/?station=XX.AAA.00",
):
    answer = client.get(address, HTTP_HOST="localhost")
    assert answer.status_code == 200, (address, answer.status_code, answer.content[:500])
print([name for name in ("torch", "zennit", "torchvision") if name in sys.modules])
"""


@pytest.fixture
def home_with_an_event(tmp_path):
    """A home of its own, with a site that recorded one event."""
    (tmp_path / "static").mkdir()
    (tmp_path / "data").mkdir()
    environment = {**os.environ, "SEISLOOP_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "labelapp.settings"}
    environment.pop("DATABASE_URL", None)
    return tmp_path, environment


FILL = """
import sys
from pathlib import Path
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth import get_user_model
from labelapp.catalogue.models import Event, Station
from labelapp.catalogue.services import create_site
from tests.recorded import event_times, record_site
site = create_site(name="Slope")
record_site(site, Path(sys.argv[1]))
station = Station.objects.get(code="AAA")
Event.objects.create(site=site, event_id="e", station=station, origin="catalogue", **event_times())
get_user_model().objects.create_superuser("anna")
"""


def test_no_question_about_surroundings_loads_torch(home_with_an_event):
    home, environment = home_with_an_event

    def python(script, *arguments):
        command = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    python(FILL, str(home / "data"))
    assert python(ASK).splitlines()[-1] == "[]"
