"""The review page in each of its states: nothing that axe-core calls serious, nothing out of sight, no jumps."""

import pytest
from playwright.sync_api import expect

from labelapp.review.models import ReviewPolicy
from tests.frontend.test_browsing import assert_accessible_light_and_dark
from tests.frontend.test_review_page import decide, press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_axe_finds_nothing_serious_in_any_state(enqueue, review):
    enqueue("quake", "rockfall"), enqueue("quake", "rockfall"), enqueue("quake", "rockfall", panel=False)
    page = review(viewport={"width": 1024, "height": 768})
    page.click("#account-button")
    press(page, "h", "y", ".")
    assert_accessible_light_and_dark(page, "figures, and what goes with the decision")
    for key, state in (("m", "comment"), ("x", "postpone"), ("j", "box")):
        press(page, key)
        page.wait_for_selector(f"[data-state={state}]")
        assert_accessible_light_and_dark(page, state)
        press(page, "Escape")
        page.wait_for_selector("[data-state=ready]")
    decide(page, "Enter")
    press(page, "p")
    page.wait_for_selector("[data-state=back]")
    press(page, "i")
    expect(page.locator("#popup")).to_be_visible()
    assert_accessible_light_and_dark(page, "looking back, history")
    press(page, "Escape", "Escape")
    page.wait_for_selector("[data-state=ready]")
    decide(page, "Enter")
    expect(page.locator("#plot")).to_contain_text("No panel is stored")
    assert_accessible_light_and_dark(page, "no panel")
    decide(page, "Enter")
    assert_accessible_light_and_dark(page, "empty")


def test_axe_finds_nothing_serious_before_and_after_a_blind_decision(enqueue, review, site):
    ReviewPolicy.objects.create(site=site, blind=True)
    enqueue("quake", "rockfall")
    page = review(query="?label=quake")
    assert_accessible_light_and_dark(page, "blind, filtered")
    decide(page, "3")
    assert_accessible_light_and_dark(page, "unblinded")


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (1440, 900), (2560, 1300)])
def test_the_decision_stays_in_view_and_nothing_jumps_between_events(enqueue, review, width, height):
    enqueue("quake", "rockfall"), enqueue("quake", "quake", description="a long description " * 12)
    page = review(viewport={"width": width, "height": height})
    places = ("#event-head", "#plot", "#readout", "#maps", "#words", "#buttons", "#more")

    def boxes():
        found = [page.locator(place).bounding_box() for place in places]
        return [(box["x"], box["y"], box["height"]) for box in found]

    before = boxes()
    _, y, tall = before[places.index("#more")]
    assert y + tall <= height
    for key in ("3", "Escape", "m", "Escape", "x", "Escape"):
        press(page, key)
        assert boxes()[:5] == before[:5], key
    decide(page, "Enter")
    assert boxes() == before
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_action_of_the_bar_can_be_reached_by_the_tabulator(enqueue, review):
    enqueue("quake", "rockfall")
    page = review()
    reached = set()
    for _ in range(60):
        press(page, "Tab")
        reached.add(page.evaluate("document.activeElement.dataset.action ?? document.activeElement.id"))
    wanted = {"unsure", "postpone", "confidence", "verdict", "box", "comment", "undo", "previous", "keys", "confirm"}
    assert wanted <= reached
