"""The next event is drawn while the expert looks at this one, and shows itself at once: never the wrong one."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from labelapp.review.models import ReviewItem
from tests.frontend.test_model_page import until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

DRAWN = "(id) => document.getElementById(id).layout?.xaxis.title.text ?? null"


@pytest.fixture
def prepared(review, enqueue):
    """A page with three events waiting, the second drawn out of sight; (page, items)"""
    items = [enqueue("quake", "rockfall") for _ in range(3)]
    page = review()
    until(page, f"({DRAWN})('plot-ahead') !== null")
    return page, items


def confirm(page, steps):
    page.keyboard.press("Enter")
    expect(page.locator("#review")).to_have_attribute("data-steps", str(steps))


def test_what_was_drawn_ahead_is_what_is_shown_next(prepared):
    page, items = prepared
    page.evaluate("document.getElementById('plot-ahead').dataset.mark = 'drawn ahead'")
    title = page.evaluate(DRAWN, "plot-ahead")
    confirm(page, 1)
    expect(page.locator("#plot")).to_have_attribute("data-mark", "drawn ahead")
    assert page.evaluate(DRAWN, "plot") == title
    expect(page.locator("#event-name")).to_contain_text(items[1].event.event_id)
    assert f"{items[1].event.starttime:%Y-%m-%dT%H:%M}"[:13] in title


def test_what_colleagues_hold_is_passed_over(review, enqueue, manager):
    enqueue("quake", "rockfall")
    theirs = [enqueue("quake", "rockfall", panel=False) for _ in range(9)]
    ReviewItem.objects.filter(pk__in=[item.pk for item in theirs]).update(
        holder=manager, held_until=timezone.now() + timedelta(hours=1)
    )
    coming = enqueue("quake", "rockfall")
    page = review()
    until(page, f"({DRAWN})('plot-ahead') !== null")
    assert f"{coming.event.starttime:%Y-%m-%dT%H:%M}"[:13] in page.evaluate(DRAWN, "plot-ahead")


def test_only_one_drawing_is_seen_and_named(prepared):
    page, _ = prepared
    for steps in (1, 2):
        expect(page.locator("#plot")).to_be_visible()
        expect(page.locator("#plot-ahead")).to_be_hidden()
        expect(page.get_by_role("group", name="Waveform, STFT and relevance")).to_have_count(1)
        confirm(page, steps)


def test_an_event_that_came_in_between_is_drawn_anew(prepared, enqueue):
    page, _ = prepared
    late = enqueue("quake", "rockfall")
    type(late).objects.filter(pk=late.pk).update(priority=9)
    confirm(page, 1)
    expect(page.locator("#event-name")).to_contain_text(late.event.event_id)
    assert page.evaluate(DRAWN, "plot") != page.evaluate(DRAWN, "plot-ahead")


def test_a_zoom_into_frequencies_goes_on_to_the_next_event(prepared):
    page, items = prepared
    box = page.locator("#plot .nsewdrag[data-subplot=x2y2]").bounding_box()
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(middle, box["y"] + box["height"] * 0.7, steps=4)
    page.mouse.up()
    frequencies = "document.getElementById('plot').layout.yaxis2.range"
    until(page, f"{frequencies}[0] > 5")
    zoomed = page.evaluate(frequencies)
    confirm(page, 1)
    expect(page.locator("#event-name")).to_contain_text(items[1].event.event_id)
    assert page.evaluate(frequencies) == zoomed


def test_a_change_of_colours_is_seen_on_the_next_event_too(prepared):
    page, _ = prepared
    page.keyboard.press("b")
    confirm(page, 1)
    until(page, "document.getElementById('plot').layout.coloraxis3.showscale === true")
