"""Several events at once on the catalogue's list: chosen, previewed, relabelled, taken back, merged."""

import pytest
from playwright.sync_api import expect

from labelapp.catalogue.models import Event
from labelapp.review import ledger, services
from labelapp.review.models import Relabel

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def catalogue(open_page, site, expert):
    def open_list(query="", user=expert):
        return open_page(user, f"/sites/{site.pk}/events/{query}")

    return open_list


def choose(page, *events):
    for event in events:
        page.get_by_label(f"Choose {event.event_id}", exact=True).check()


def relabel(page, name, reason="same swarm"):
    page.get_by_label("Class for the chosen events").select_option(label=name)
    page.get_by_role("button", name="Preview").click()
    page.get_by_label("Reason, written down with each").fill(reason)
    page.locator("#bulk-dialog button.primary").click()


def labels():
    return list(Event.objects.order_by("pk").values_list("label__code", flat=True))


def test_events_chosen_by_hand_are_previewed_relabelled_and_taken_back(catalogue, make_event, site):
    events = [make_event("quake"), make_event("rockfall"), make_event("noise")]
    page = catalogue()
    expect(page.locator("#bulk")).to_be_hidden()
    choose(page, *events[:2])
    expect(page.locator("#bulk-count")).to_have_text("2 events chosen")
    page.get_by_label("Class for the chosen events").select_option(label="Rockfall")
    page.get_by_role("button", name="Preview").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 change, 1 keeps its label and is confirmed")
    assert not Relabel.objects.exists()
    page.get_by_label("Reason, written down with each").fill("same swarm")
    page.keyboard.press("Enter")
    expect(page.locator("#bulk-done")).to_contain_text("2 events relabelled as Rockfall.")
    assert labels() == ["rockfall", "rockfall", "noise"]
    assert set(Relabel.objects.values_list("reason", flat=True)) == {"same swarm"}
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#bulk-done")).to_contain_text("Taken back: 2 events")
    assert labels() == ["quake", "rockfall", "noise"]
    assert ledger.verify(site) == []


def test_the_whole_selection_is_chosen_also_beyond_the_page(catalogue, make_event):
    for _ in range(102):
        make_event("quake")
    make_event("noise")
    page = catalogue("?label=quake")
    page.get_by_label("Choose every event of this page").check()
    expect(page.locator("#bulk-count")).to_have_text("100 events chosen")
    page.get_by_role("button", name="Choose all 102 of this selection").click()
    relabel(page, "Rockfall")
    expect(page.locator("#bulk-done")).to_contain_text("102 events relabelled as Rockfall.")
    assert labels() == ["rockfall"] * 102 + ["noise"]


def test_shift_chooses_what_lies_between(catalogue, make_event):
    events = [make_event("quake") for _ in range(5)]
    page = catalogue()
    page.get_by_label(f"Choose {events[1].event_id}", exact=True).click()
    page.get_by_label(f"Choose {events[3].event_id}", exact=True).click(modifiers=["Shift"])
    expect(page.locator("#bulk-count")).to_have_text("3 events chosen")
    page.get_by_role("button", name="Choose none").click()
    expect(page.locator("#bulk")).to_be_hidden()


def test_what_others_look_at_is_left_out_and_said(catalogue, enqueue, manager):
    mine, theirs = enqueue("quake"), enqueue("quake")
    services.take_item(item=theirs, expert=manager)
    page = catalogue()
    choose(page, mine.event, theirs.event)
    page.get_by_label("Class for the chosen events").select_option(label="Noise")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"another expert is looking at it: {theirs.event}")
    page.get_by_label("Reason, written down with each").fill("wind")
    page.keyboard.press("Enter")
    expect(page.locator("#bulk-done")).to_contain_text("1 event left out")
    assert labels() == ["noise", "quake"]


def test_nothing_is_done_without_a_reason_or_when_it_is_cancelled(catalogue, make_event):
    event = make_event("quake")
    page = catalogue()
    choose(page, event)
    page.get_by_label("Class for the chosen events").select_option(label="Noise")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Relabel 1 event").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#bulk-count")).to_have_text("1 event chosen")
    assert not Relabel.objects.exists()


def test_two_events_that_are_one_are_merged(catalogue, make_event, site):
    first, second = make_event("quake"), make_event("rockfall")
    page = catalogue()
    choose(page, first)
    expect(page.get_by_role("button", name="Merge into one")).to_be_disabled()
    choose(page, second)
    page.get_by_role("button", name="Merge into one").click()
    expect(page.get_by_role("dialog")).to_contain_text("Their labels differ (Quake, Rockfall)")
    page.locator("#bulk-dialog button.primary").click()
    page.wait_for_url(f"**/events/{first.pk}/")
    second.refresh_from_db()
    assert second.merged_into == first
    assert ledger.verify(site) == []
    page = catalogue()
    expect(page.locator("[data-choose]")).to_have_count(1)


def test_viewers_choose_nothing(catalogue, make_event, viewer):
    make_event("quake")
    page = catalogue(user=viewer)
    expect(page.get_by_role("link", name="event 0")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(0)
