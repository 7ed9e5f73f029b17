"""GET /api/v1/progress.csv, comparison.csv"""

import csv
import io
import random
from collections import Counter
from datetime import timedelta

import pytest

from labelapp.catalogue.models import Event
from tests.labelapp.review.rows import MORNING, ledger_of


def rows(answer):
    assert answer.status_code == 200, answer.content
    return list(csv.DictReader(io.StringIO(b"".join(answer).decode())))


@pytest.fixture
def ledger(make_event, classes, expert, second_expert):
    events = [make_event(label) for label in ["quake", "rockfall", "noise", None, "quake"]]
    Event.objects.update(created_at=MORNING - timedelta(days=1))
    return ledger_of(events, [expert, second_expert], classes, random.Random(4), rows=70)


def test_progress_has_a_line_for_each_day_and_expert_that_adds_up_to_the_ledger(as_viewer, site, ledger):
    found = rows(as_viewer.get("/api/v1/progress.csv", {"site": site.name}))
    answers = [row for row in ledger if row.kind in {"confirm", "correct", "first", "opinion", "unsure"}]
    by_line = Counter((f"{row.decided_at:%Y-%m-%d}", row.expert_name) for row in answers)
    assert {(row["day"], row["expert"]): int(row["decisions"]) + int(row["withdrawn"]) for row in found} == by_line
    assert [(row["day"], row["expert"]) for row in found] == sorted(by_line)
    for row in found:
        assert int(row["decisions"]) == sum(int(row[k]) for k in ("confirm", "correct", "first", "opinion", "unsure"))


def test_comparison_has_a_line_for_each_event(as_viewer, site, ledger):
    found = rows(as_viewer.get("/api/v1/comparison.csv", {"site": site.name}))
    expected = [
        (e.event_id, e.catalogue_label.code if e.catalogue_label else "", e.label.code if e.label else "")
        for e in Event.objects.order_by("pk")
    ]
    assert [(row["event_id"], row["before"], row["after"]) for row in found] == expected
    assert all(row["starttime"].endswith("Z") for row in found)


def test_comparison_holds_both_against_a_model(as_viewer, site, ledger, make_prediction):
    event = Event.objects.filter(label__isnull=False, catalogue_label__isnull=False).first()
    make_prediction(event, "noise")
    asked = {"site": site.name, "before": "imported", "after": "2026-03-02T08:00", "against": "model-1"}
    (row,) = rows(as_viewer.get("/api/v1/comparison.csv", asked))
    assert (row["event_id"], row["against"]) == (event.event_id, "noise")


@pytest.mark.parametrize(
    ("path", "asked", "field"),
    [
        ("progress.csv", {}, "site"),
        ("progress.csv", {"before": "now"}, "before"),
        ("comparison.csv", {}, "site"),
        ("comparison.csv", {"site": "Test slope", "before": "yesterday"}, "before"),
        ("comparison.csv", {"site": "Test slope", "against": "model-9"}, "against"),
        ("comparison.csv", {"site": "Test slope", "judging": "harshly"}, "judging"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(as_viewer, site, refused, path, asked, field):
    said = refused(as_viewer.get(f"/api/v1/{path}", asked), 400)
    assert field in said["fields"]


def test_without_login_there_is_no_file(anonymous, site):
    for path in ("progress.csv", "comparison.csv"):
        assert anonymous.get(f"/api/v1/{path}", {"site": site.name}).status_code == 401
