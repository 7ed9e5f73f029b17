"""The first page: how far each site is, what runs there, and the way on for whoever may go it."""

import random

import pytest

from labelapp.catalogue.models import Event
from labelapp.catalogue.services import create_site
from labelapp.learning.models import Run
from labelapp.review.models import ReviewItem
from tests.labelapp.review.rows import ledger_of


@pytest.fixture
def cards(client, viewer):
    """cards() → {site name: its card}"""

    def read(user=viewer):
        client.force_login(user)
        return {card["site"].name: card for card in client.get("/").context["cards"]}

    return read


def test_each_card_counts_its_own_site(cards, site, make_event, classes, expert):
    events = [make_event(label) for label in ["quake", "rockfall", None, "noise", "quake"]]
    Event.objects.filter(pk=events[4].pk).update(merged_into=events[0])
    rows = ledger_of(events[:4], [expert], classes, random.Random(6), rows=12)
    ReviewItem.objects.create(site=site, event=events[0], reason="doubt")
    create_site(name="Elsewhere")
    taken_back = {row.details["withdraws"] for row in rows if row.kind == "withdraw"}
    reviewed = {
        row.event_id for row in rows
        if row.kind in {"confirm", "correct", "first"} and row.sequence not in taken_back
    }  # fmt: skip
    card = cards()[site.name]
    found = card["site"]
    assert (found.events_count, found.waiting_count, found.decision_count) == (4, 1, 12)
    assert found.reviewed_count == len(reviewed)
    assert card["share"] == pytest.approx(len(reviewed) / 4)
    assert found.labelled_count == Event.objects.filter(label__isnull=False, merged_into=None).count()
    assert cards()["Elsewhere"]["share"] == 0


def test_a_card_says_what_runs(client, cards, site):
    waits = Run.objects.create(site=site, kind="train", state="queued")
    assert cards()[site.name]["run"] == waits
    run = Run.objects.create(site=site, kind="classify", state="running", progress=0.3)
    assert cards()[site.name]["run"] == run
    assert "classification 30%" in client.get("/").text


def test_only_experts_are_asked_to_review(client, viewer, expert, site, make_event):
    ReviewItem.objects.create(site=site, event=make_event(), reason="doubt")
    for user, invited in ((viewer, False), (expert, True)):
        client.force_login(user)
        assert ("Review 1" in client.get("/").text) == invited


def test_a_site_without_events_or_model_says_what_comes_first(client, viewer, site, make_event):
    client.force_login(viewer)
    assert "import_catalogue" in client.get("/").text
    assert "it takes labelled events" in client.get("/").text
    make_event("quake")
    assert "manage.py train" in client.get("/").text


def test_more_sites_take_no_more_queries(client, viewer, site, django_assert_max_num_queries):
    for number in range(5):
        create_site(name=f"Slope {number}")
    client.force_login(viewer)
    with django_assert_max_num_queries(12):
        assert client.get("/").status_code == 200
