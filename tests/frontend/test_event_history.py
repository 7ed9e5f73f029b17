"""The event page tells every kind of row of the ledger in words, and which run makes the maps that are missing."""

import re

import pytest
from django.urls import reverse
from django.utils.html import strip_tags
from playwright.sync_api import expect

from labelapp.catalogue.models import Event
from labelapp.learning.models import Run
from labelapp.pages.history import notes
from labelapp.review.models import Relabel
from tests.labelapp.review.rows import write


@pytest.fixture
def told(client, viewer):
    """told(event) → the words of each row of its history"""
    client.force_login(viewer)

    def read(event):
        page = client.get(reverse("event", args=[event.pk])).text
        rows = re.findall(r'<tr id="relabel-\d+".*?</tr>', page, re.S)
        return [re.sub(r"\s+", " ", strip_tags(row)).strip() for row in rows]

    return read


def test_every_kind_of_row_is_told(told, make_event, classes, expert):
    event, said = make_event("quake"), classes["rockfall"]
    expected = {
        "confirm": "confirmed",
        "correct": "→",
        "first": "first label:",
        "withdraw": "took a decision back, the label is",
        "blind": "before seeing the machine’s opinion:",
        "opinion": "opinion:",
        "unsure": "could not tell, the label stays",
        "span": "moved the boundaries",
        "merge": "found it to be another event",
    }
    assert set(expected) == set(Relabel.Kind.values)
    for kind in expected:
        write(event, expert, kind, None if kind == "unsure" else said)
    for words, row in zip(expected.values(), told(event), strict=True):
        assert words in row


def test_a_decision_that_was_taken_back_says_by_which_row(told, make_event, classes, expert):
    event = make_event(None)
    first = write(event, expert, "first", classes["quake"])
    write(event, expert, "withdraw", None, withdraws=first.sequence)
    before, after = told(event)
    assert "taken back in row 2" in before
    assert "the label is none again" in after
    assert "takes back row 1" in after


def test_what_was_said_beside_the_class_is_told(told, make_event, classes, expert):
    event = make_event("quake")
    box = {"station": "XX.AAA.00", "component": "Z", "map": "rockfall", "from_s": "1.5", "to_s": "3.25",
           "low_hz": "20.0", "high_hz": "40.0"}  # fmt: skip
    write(event, expert, "correct", classes["rockfall"], reason="impacts", confidence="likely", box=box,
          verdict="wrong_reason", comment="<b>two</b> onsets", seconds="83.2", between=[3, 4], blind=2,
          asked="doubt")  # fmt: skip
    (row,) = told(event)
    for words in (
        "impacts", "confidence: fairly sure", "verdict: the machine is right for the wrong reason",
        "comment: &lt;b&gt;two&lt;/b&gt; onsets", "looked for: 1 min 23 s", "question: the model doubts itself",
        "1.5–3.25 s, 20–40 Hz in the map of rockfall, XX.AAA.00 Z", "decides between rows 3 and 4",
        "seen after the blind decision in row 2",
    ):  # fmt: skip
        assert words in row


def test_boundaries_are_told_with_how_far_they_moved():
    span = {
        "from": ["2026-03-01T06:00:00+00:00", "2026-03-01T06:00:05+00:00"],
        "to": ["2026-03-01T05:59:58.500000+00:00", "2026-03-01T06:00:05+00:00"],
    }
    ((_, text),) = notes({"span": span})
    assert text.endswith("(start −1.500 s, end as it was)")
    assert text.startswith("2026-03-01T06:00:00.000000Z to")


def test_a_gold_check_looks_like_any_other_question(told, make_event, classes, expert):
    event = make_event("quake")
    write(event, expert, "opinion", classes["quake"], gold={"expected": "quake"}, asked="gold")
    (row,) = told(event)
    assert "gold" not in row.lower()


@pytest.mark.parametrize("bad", [{"box": {}}, {"box": "x"}, {"span": {"from": []}}, {"between": 3}, {"seconds": "?"}])
def test_details_of_another_shape_say_nothing(bad):
    assert notes(bad) == []


def test_a_merged_event_says_where_it_went(client, viewer, told, make_event, classes, expert):
    gone, kept = make_event("quake"), make_event("quake")
    write(gone, expert, "merge", classes["quake"], into=kept.event_id)
    Event.objects.filter(pk=gone.pk).update(merged_into=kept)
    page = client.get(reverse("event", args=[gone.pk])).text
    assert page.count(f'href="{reverse("event", args=[kept.pk])}"') >= 2
    assert "same event as" in page
    assert f"merged into {kept.event_id}" in told(gone)[0]


def test_parts_lead_to_the_events_they_became(client, viewer, told, make_event, classes, expert):
    event, part = make_event("quake"), make_event("quake")
    write(event, expert, "span", classes["quake"], parts=[part.event_id, "gone"])
    write(part, expert, "first", classes["quake"], from_event=event.event_id)
    assert f"split into {part.event_id}split into gone" in told(event)[0]
    assert f"split off {event.event_id}" in told(part)[0]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
class TestMissingMaps:
    @pytest.fixture
    def unexplained(self, site, make_event, make_model, make_prediction):
        """An event that a model judged and nobody asked about: no maps are stored."""
        model = make_model()
        type(site).objects.filter(pk=site.pk).update(active_model=model)
        event = make_event("quake")
        make_prediction(event, "quake", model=model)
        return event

    def test_who_asks_for_an_event_is_told_which_run_makes_its_maps(self, open_page, expert, unexplained):
        page = open_page(expert, f"/events/{unexplained.pk}/")
        page.get_by_role("button", name="Review this event").click()
        run = page.locator("#asked a").first
        expect(run).to_have_text(re.compile(r"run \d+"))
        expect(page.locator("#asked")).to_contain_text("Look at it now")
        # The notice goes on to say how far that run is, for everybody.
        expect(page.locator("#making")).to_contain_text("as soon as a worker is free")
        found = Run.objects.get()
        Run.objects.update(state="running", progress=0.5)
        expect(page.locator("#making")).to_contain_text("50% done")
        run.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Classification {found.pk}")

    def test_the_maps_appear_when_the_run_has_ended(self, open_page, viewer, unexplained, explain):
        Run.objects.create(
            site=unexplained.site, kind="classify", state="running",
            parameters={"events": [unexplained.pk], "explain_all": True},
        )  # fmt: skip
        page = open_page(viewer, f"/events/{unexplained.pk}/")
        expect(page.locator("#making")).to_contain_text("makes them")
        expect(page.locator("#panel-status")).to_contain_text("No panel is stored")
        explain(unexplained.predictions.get())
        Run.objects.update(state="done")
        page.wait_for_selector("[data-state=ready]")

    def test_an_event_with_maps_opens_for_review_at_once(self, open_page, expert, unexplained, explain):
        explain(unexplained.predictions.get())
        page = open_page(expert, f"/events/{unexplained.pk}/")
        page.get_by_role("button", name="Review this event").click()
        page.wait_for_url("**/review/?item=*")
