"""GET /api/v1/catalogue.csv, relabels.csv, relabels.jsonl"""

import csv
import gc
import io
import json
import subprocess
import sys
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest

from labelapp.catalogue.models import Event
from labelapp.catalogue.services import create_site
from labelapp.review import chain
from tests.conftest import MORNING

EXPORTS = ["catalogue.csv", "relabels.csv", "relabels.jsonl"]


def text(answer):
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content).decode()


def rows(answer):
    return list(csv.DictReader(io.StringIO(text(answer))))


def test_the_catalogue_has_the_labels_that_hold_now(as_viewer, site, ask, decide):
    decide(ask("quake", "rockfall", event_id="a"), "rockfall")
    ask("quake", "noise", event_id="b")
    answer = as_viewer.get("/api/v1/catalogue.csv", {"site": site.pk})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="test-slope-catalogue.csv"'
    facts = [(row["event_id"], row["event_class"], row["catalogue_class"]) for row in rows(answer)]
    assert facts == [("a", "rockfall", "quake"), ("b", "quake", "quake")]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [({"label": "quake"}, "b"), ({"status": "reviewed"}, "a"), ({"starttime_after": "2026-03-01T06:01:00Z"}, "b")],
)
def test_the_catalogue_takes_the_filters_of_the_events(as_viewer, ask, decide, filters, expected):
    decide(ask("quake", "rockfall", event_id="a"), "rockfall")
    ask("quake", "noise", event_id="b")
    answer = as_viewer.get("/api/v1/catalogue.csv", {"site": "Test slope", **filters})
    assert "".join(row["event_id"] for row in rows(answer)) == expected


def test_another_sites_events_stay_out(as_viewer, make_event):
    make_event("quake")
    create_site(name="Other slope")
    for name in EXPORTS:
        lines = text(as_viewer.get(f"/api/v1/{name}", {"site": "Other slope"})).splitlines()
        assert len(lines) == name.endswith(".csv")


def test_the_history_says_who_decided_what(as_viewer, ask, decide):
    decide(ask("quake", "rockfall", event_id="a"), "rockfall")
    (row,) = rows(as_viewer.get("/api/v1/relabels.csv", {"site": "Test slope"}))
    assert (row["event_id"], row["expert"], row["from_class"], row["to_class"]) == (
        "a",
        "a expert",
        "quake",
        "rockfall",
    )
    assert rows(as_viewer.get("/api/v1/relabels.csv", {"site": "Test slope", "decided_after": "2999-01-01"})) == []


def test_the_downloaded_ledger_is_verified_offline(as_viewer, ask, decide, tmp_path):
    for _ in range(3):
        decide(ask("quake", "rockfall"), "rockfall")
    ledger = tmp_path / "relabels.jsonl"
    ledger.write_text(text(as_viewer.get("/api/v1/relabels.jsonl", {"site": "Test slope"})))
    assert len([json.loads(line) for line in ledger.read_text().splitlines()]) == 3
    verifying = [sys.executable, Path(chain.__file__), ledger]
    assert subprocess.run(verifying, capture_output=True, check=False).returncode == 0
    ledger.write_text(ledger.read_text().replace("clear impacts", "other words", 1))
    assert subprocess.run(verifying, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "Say of which site"),
        ({"site": ""}, "Say of which site"),
        ({"site": "Nowhere"}, "Sites: Test slope"),
        ({"site": "Test slope", "page": "1"}, "Allowed here"),
    ],
)
def test_an_export_that_cannot_be_made_is_refused_before_it_begins(as_viewer, site, refused, name, query, words):
    assert words in refused(as_viewer.get(f"/api/v1/{name}", query), 400)["detail"]


def test_a_wrong_filter_of_an_export_is_refused(as_viewer, site, refused):
    for name, query in (
        ("catalogue.csv", {"label": "avalanche"}),
        ("relabels.csv", {"decided_after": "soon"}),
        ("relabels.jsonl", {"decided_after": "soon"}),
    ):
        refused(as_viewer.get(f"/api/v1/{name}", {"site": site.pk, **query}), 400, "invalid")


def peak_of_download(client, classes, events):
    """The most memory, in bytes, that the download of a new site's catalogue of so many events takes."""
    site = create_site(name=f"{events} events")
    Event.objects.bulk_create(
        Event(
            site=site,
            event_id=f"event {number}",
            starttime=MORNING + timedelta(seconds=number),
            endtime=MORNING + timedelta(seconds=number + 1),
            origin="catalogue",
            label=classes["quake"],
        )
        for number in range(events)
    )
    answer = client.get("/api/v1/catalogue.csv", {"site": site.pk})
    tracemalloc.start()
    lines, peak = 0, 0
    for chunk in answer.streaming_content:
        lines += chunk.count(b"\n")
        if lines % 500 == 0:
            gc.collect()  # what waits for the collector is not held
            peak = max(peak, tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert lines == events + 1
    return peak


@pytest.mark.once
def test_a_catalogue_three_times_as_large_takes_no_more_memory(as_viewer, classes):
    small, large = (peak_of_download(as_viewer, classes, events) for events in (3000, 9000))
    assert large < 1.5 * small
