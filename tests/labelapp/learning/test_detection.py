"""A scan finds what is there, across files and gaps, and adds nothing the second time."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from labelapp.learning.pipeline.ingesting import ingest
from mlcore.waveform import write_mseed
from tests.labelapp.learning.conftest import START, record

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def trained_site(recorded_site, work_on):
    noise = recorded_site.classes.get(code="noise")
    quiet = recorded_site.events.filter(event_id__in=[f"e{n}" for n in range(0, 40, 4)])
    for event in quiet:  # between two events there is only background
        event.observations.update(
            starttime=event.starttime + timedelta(seconds=9), endtime=event.endtime + timedelta(seconds=9)
        )
    quiet.update(label=noise)
    run = work_on(recorded_site, "train", seed=1, epochs=25)
    assert run.state == "done", run.log
    assert run.model.metrics["macro_f1"] > 0.8
    return recorded_site


def test_events_are_found_across_file_boundaries_once_each(trained_site, work_on, tmp_path, monkeypatch):
    monkeypatch.setattr("mlcore.classify.pieces.PIECE_S", 70.0)
    events = [(60.0, "quake"), (149.5, "rockfall"), (240.0, "quake")]  # the second lies across two files
    whole = record(events, 300, np.random.default_rng(5), station="BBB")
    for number in range(2):
        part = whole.slice(START + timedelta(seconds=150 * number), START + timedelta(seconds=150 * (number + 1)))
        write_mseed(part, tmp_path / f"part{number}.mseed")
    ingest(trained_site, [tmp_path / "part0.mseed", tmp_path / "part1.mseed"])
    run = work_on(trained_site, "detect")
    assert run.state == "done", run.log
    found = trained_site.events.filter(origin="detection", station__code="BBB").order_by("starttime")
    middles = [(e.starttime + (e.endtime - e.starttime) / 2 - START).total_seconds() for e in found]
    assert middles == pytest.approx([61, 150.5, 241], abs=3)
    assert [e.predictions.get().event_class.code for e in found] == ["quake", "rockfall", "quake"]
    assert all(e.predictions.get().explanations.count() == 1 for e in found)
    assert all(e.label is None for e in found)
    assert trained_site.review_items.filter(reason="detection", event__in=found).count() == 3
    assert work_on(trained_site, "detect").figures["new events"] == 0


def test_only_the_asked_time_is_scanned(trained_site, work_on):
    run = work_on(trained_site, "detect", starttime="2026-03-01T06:00:00Z", endtime="2026-03-01T06:01:00Z")
    assert run.state == "done", run.log
    assert run.figures["windows"] == 55  # 60 s hold 55 windows of 6 s, one a second


def test_a_time_without_recordings_fails_with_a_way_out(trained_site, work_on):
    run = work_on(trained_site, "detect", starttime="2031-01-01T00:00:00Z")
    assert run.state == "failed"
    assert "choose another time" in run.error


def test_a_scan_stops_where_somebody_cancels_it(trained_site, work_on, monkeypatch):
    stops = iter([False, False, True])
    monkeypatch.setattr("labelapp.learning.tracking.Job.should_stop", lambda job: next(stops, True))
    run = work_on(trained_site, "detect")
    assert run.state == "cancelled", run.log


def test_a_day_that_cannot_be_read_is_said_and_the_rest_is_scanned(trained_site, work_on, tmp_path):
    for number, minute in enumerate((0, 30)):
        part = record([(60.0, "quake")], 120, np.random.default_rng(6), station="CCC")
        part = replace(part, starttime=START + timedelta(minutes=minute))
        write_mseed(part, tmp_path / f"part{number}.mseed")
    ingest(trained_site, sorted(tmp_path.glob("*.mseed")))
    (tmp_path / "part0.mseed").unlink()
    run = work_on(trained_site, "detect")
    assert run.state == "done", run.log
    assert "part0.mseed was ingested" in run.log
    assert trained_site.events.filter(origin="detection", station__code="CCC").count() == 1
