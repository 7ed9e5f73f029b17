"""What goes with a decision, and what can be taken back, passed over, put off or moved: by keys, in a real browser."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from labelapp.catalogue.models import Event
from labelapp.review.models import Relabel, ReviewItem
from tests.frontend.test_review_page import decide, press, shown_event, until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_confidence_verdict_comment_and_looking_time_go_with_the_decision(enqueue, review):
    enqueue("quake", "rockfall"), enqueue()
    page = review()
    press(page, "h", "h", "y", "y", "m")
    page.keyboard.type("two impacts, 3 s apart")
    press(page, "Enter")
    expect(page.locator("#more")).to_contain_text("likely")
    expect(page.locator("#more")).to_contain_text("right class, wrong reason")
    expect(page.locator("#more")).to_contain_text("two impacts")
    decide(page, "Enter")
    details = Relabel.objects.get().details
    assert (details["confidence"], details["verdict"]) == ("likely", "wrong_reason")
    assert details["comment"] == "two impacts, 3 s apart"
    assert 0 <= float(details["seconds"]) < 600
    expect(page.locator("#more")).not_to_contain_text("likely")  # the next event begins afresh


def test_unsure_leaves_the_label_and_asks_somebody_else(enqueue, review, expert):
    first, second = enqueue("quake", "rockfall"), enqueue()
    page = review()
    decide(page, "u")
    assert shown_event(page) == second.event.event_id
    row = Relabel.objects.get()
    assert (row.kind, row.to_class) == ("unsure", None)
    assert Event.objects.get(pk=first.event.pk).label.code == "quake"
    assert first.event.review_items.filter(state="open", reason="second_opinion").exists()
    expect(page.locator("#done")).to_contain_text("another expert is asked")


def test_a_box_is_drawn_with_the_pointer_or_taken_from_the_zoom(enqueue, review):
    enqueue("quake", "rockfall"), enqueue()
    page = review()
    press(page, "j")
    page.wait_for_selector("[data-state=box]")
    area = page.locator("#plot .nsewdrag[data-subplot=x3y3]").bounding_box()
    page.mouse.move(area["x"] + 0.2 * area["width"], area["y"] + 0.25 * area["height"])
    page.mouse.down()
    page.mouse.move(area["x"] + 0.4 * area["width"], area["y"] + 0.75 * area["height"], steps=4)
    page.mouse.up()
    page.wait_for_selector("[data-state=ready]")
    expect(page.locator(".over-box")).to_have_count(2)  # on STFT and relevance
    press(page, "j")  # takes it away
    expect(page.locator(".over-box")).to_have_count(0)
    page.evaluate("Plotly.relayout('plot', {'xaxis.range': [3, 5], 'yaxis2.range': [10, 30]})")
    press(page, "j", "j")
    decide(page, "Enter")
    box = Relabel.objects.get().details["box"]
    assert (box["component"], box["map"]) == ("Z", "rockfall")
    assert [float(box[name]) for name in ("from_s", "to_s", "low_hz", "high_hz")] == [3, 5, 10, 30]


def test_undo_brings_the_event_back_and_says_so(enqueue, review):
    first, second = enqueue("quake", "rockfall"), enqueue()
    page = review()
    press(page, "3")
    decide(page, "w", "Enter")
    assert Event.objects.get(pk=first.event.pk).label.code == "rockfall"
    decide(page, "Control+z")
    assert shown_event(page) == first.event.event_id
    expect(page.locator("#done")).to_contain_text("its label is Quake again")
    assert Event.objects.get(pk=first.event.pk).label.code == "quake"
    assert list(Relabel.objects.values_list("kind", flat=True)) == ["correct", "withdraw"]
    decide(page, "Enter")
    assert shown_event(page) == second.event.event_id


def test_with_nothing_to_undo_the_page_says_so_and_stays(enqueue, review):
    item = enqueue()
    page = review()
    press(page, "Control+z")
    expect(page.locator("#trouble")).not_to_be_empty()
    assert shown_event(page) == item.event.event_id
    page.wait_for_selector("[data-state=ready]")


def test_earlier_events_of_the_sitting_can_be_looked_at_but_not_decided(enqueue, review):
    first, second, third = enqueue("quake"), enqueue("quake"), enqueue("quake")
    page = review()
    decide(page, "Enter")
    decide(page, "Enter")
    press(page, "p")
    page.wait_for_selector("[data-state=back]")
    assert shown_event(page) == second.event.event_id
    press(page, "p")
    until(page, lambda: shown_event(page) == first.event.event_id)
    page.wait_for_selector("[data-state=back]")
    press(page, "Enter", "1", "u")
    assert Relabel.objects.count() == 2
    press(page, "Escape")
    page.wait_for_selector("[data-state=ready]")
    assert shown_event(page) == third.event.event_id
    third.refresh_from_db()
    assert third.held


def test_passing_over_goes_on_and_decides_nothing(enqueue, review):
    first, second = enqueue(), enqueue()
    page = review()
    decide(page, "n")
    assert shown_event(page) == second.event.event_id
    assert not Relabel.objects.exists()
    first.refresh_from_db()
    assert timedelta(minutes=9) < first.postponed_until - timezone.now() < timedelta(minutes=11)


@pytest.mark.parametrize(
    ("key", "about"), [("1", timedelta(minutes=10)), ("3", timedelta(days=1)), ("x", timedelta(hours=1))]
)
def test_how_long_an_event_is_put_off_is_a_choice(enqueue, review, key, about):
    first, _ = enqueue(), enqueue()
    page = review()
    decide(page, "x", key)
    first.refresh_from_db()
    assert abs(first.postponed_until - timezone.now() - about) < timedelta(minutes=1)
    assert not Relabel.objects.exists()


def test_boundaries_are_moved_to_the_cursor_and_saved_by_enter(enqueue, review):
    item = enqueue()
    before = (item.event.starttime, item.event.endtime)
    page = review()
    press(page, "]")
    expect(page.locator("#trouble")).to_contain_text("Point at a moment first")
    area = page.locator("#plot .nsewdrag[data-subplot=x2y2]").bounding_box()
    page.mouse.move(area["x"] + area["width"] * 10 / 15, area["y"] + 0.5 * area["height"])
    press(page, "]")
    expect(page.locator(".over-line.is-end")).to_have_count(3)
    press(page, "Escape")
    expect(page.locator(".over-line.is-end")).to_have_count(0)
    press(page, "]", "Enter")
    expect(page.locator("#done")).to_contain_text("moved")
    event = Event.objects.get(pk=item.event.pk)
    assert event.starttime == before[0]
    assert abs((event.endtime - event.starttime).total_seconds() - 4) < 0.1  # the window begins 6 s before the event
    assert list(Relabel.objects.values_list("kind", flat=True)) == ["span"]
    page.wait_for_selector("[data-state=ready]")


def test_the_filter_of_the_address_holds_for_every_event_and_is_shown(enqueue, review, site):
    enqueue("quake"), enqueue("noise"), enqueue("quake"), enqueue("noise")
    page = review(query="?label=noise")
    expect(page.locator("#filter-bar")).to_contain_text("label: noise")
    labels = []
    for _ in range(2):
        labels.append(page.locator("button.is-label").get_attribute("data-class"))
        decide(page, "Enter")
    assert labels == ["noise", "noise"]
    page.wait_for_selector("[data-state=empty]")
    expect(page.locator("#rest")).to_contain_text("passes the filter")
    page.click("#filter-clear")
    page.wait_for_selector("[data-state=ready]")
    assert page.is_hidden("#filter-bar")


def test_whoever_was_slower_sees_both_views_and_may_ask_again(enqueue, review, expert, manager, classes):
    from labelapp.review.services import decide as decide_elsewhere
    from labelapp.review.services import release, take_item

    item = enqueue("quake", "rockfall")
    page = review()
    release(item=item, expert=expert)
    take_item(item=item, expert=manager)
    decide_elsewhere(
        item=item, expert=manager, event_class=classes["noise"], reason="silent", prediction=item.prediction
    )
    press(page, "3", "w", "Enter")
    page.wait_for_selector("[data-state=conflict]")
    views = page.locator(".opinion")
    expect(views.nth(0)).to_contain_text("silent")
    expect(views.nth(0)).to_contain_text("Noise")
    expect(views.nth(1)).to_contain_text("waveform shape")
    expect(views.nth(1)).to_contain_text("Rockfall")
    page.click("#ask-again")
    page.wait_for_selector("[data-state=ready]")
    assert ReviewItem.objects.get(state="open").reason == "request"
    assert shown_event(page) == item.event.event_id
    press(page, "i")
    expect(page.locator("#popup")).to_contain_text("silent")


def test_a_recorded_change_leaves_nothing_of_its_question_behind(enqueue, review):
    enqueue("quake", "rockfall"), enqueue()
    page = review()
    page.click("[data-class=rockfall]")
    press(page, "w")
    decide(page, "Enter")
    expect(page.locator("#reason-box")).to_be_hidden()


def test_tab_leads_from_the_reasons_to_the_text(enqueue, review):
    enqueue("quake", "rockfall"), enqueue()
    page = review()
    page.click("[data-class=rockfall]")
    page.wait_for_selector("[data-state=reason]")
    press(page, "Tab")
    page.keyboard.type("dust seen by the camera")
    decide(page, "Enter")
    assert Relabel.objects.get().reason == "dust seen by the camera"


def test_a_reason_is_forgotten_with_the_change_that_it_was_for(enqueue, review):
    enqueue("quake", "rockfall")
    page = review()
    page.click("[data-class=rockfall]")
    press(page, "w", "Escape")
    page.click("[data-class=rockfall]")
    expect(page.locator("[data-reason='waveform shape']")).to_have_attribute("aria-pressed", "false")
