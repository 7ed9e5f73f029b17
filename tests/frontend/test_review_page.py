"""Reviewing in a real browser: what is drawn is what the network saw, and keys alone decide."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone
from playwright.sync_api import expect

from labelapp.catalogue.models import Event
from labelapp.review.models import Relabel, ReviewItem
from tests.conftest import MORNING
from tests.frontend.panels import classifier, start_of, window

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def shown_event(page):
    return page.inner_text("#event-name").removeprefix("Event ")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def decide(page, *keys):
    """Press keys that end in a decision, and wait for the next event (or the end of the queue)."""
    steps = int(page.get_attribute("#review", "data-steps") or 0)
    press(page, *keys)
    page.wait_for_selector(f"[data-steps='{steps + 1}']")


def until(page, holds):
    """Wait until `holds()`: the page's own rules forbid Playwright to wait by evaluating texts."""
    for _ in range(100):
        if holds():
            return
        page.wait_for_timeout(50)
    pytest.fail("it never came to be so")


def drawn(page, kind, name):
    """The numbers that Plotly holds for the trace of that name."""
    script = """([kind, name]) => {
        const trace = document.getElementById('plot').data.find((trace) => trace.type === kind && trace.name === name);
        return trace && Array.from(trace.z ?? [trace.y], (row) => Array.from(row));
    }"""
    return page.evaluate(script, [kind, name])


class TestWhatIsDrawn:
    def test_the_stft_is_the_networks_input_number_for_number(self, enqueue, review):
        item = enqueue()
        page = review()
        given = classifier().inputs(window(item.event.pk, start_of(item.event)).data[None]).numpy()[0]
        for row, component in enumerate("ZNE"):
            np.testing.assert_array_equal(np.array(drawn(page, "heatmap", f"{component} STFT")), given[row])

    def test_key_b_changes_the_colours_of_the_stft_and_none_of_its_numbers(self, enqueue, review):
        enqueue()
        page = review()
        linear = drawn(page, "heatmap", "Z STFT")
        press(page, "b")
        expect(page.locator("#plot")).to_contain_text("colours in dB")
        assert drawn(page, "heatmap", "Z STFT") == linear
        scale = page.evaluate("document.getElementById('plot').layout.coloraxis.colorscale.map(([at]) => at)")
        steps_db = 20 * np.log10(scale[1:])
        np.testing.assert_allclose(np.diff(steps_db), 50 / 9)

    def test_zooming_in_one_time_axis_moves_all(self, enqueue, review):
        enqueue()
        page = review()
        page.evaluate("Plotly.relayout('plot', {'xaxis2.range': [3, 5]})")
        ranges = "['xaxis', 'xaxis2', 'xaxis3'].map(a => document.getElementById('plot')._fullLayout[a].range)"
        assert page.evaluate(ranges) == [[3, 5]] * 3
        press(page, "0")
        until(page, lambda: page.evaluate(ranges) == [[0, 15]] * 3)

    def test_dragging_over_a_waveform_zooms_the_maps(self, enqueue, review):
        enqueue()
        page = review()
        box = page.locator("#plot .xy .nsewdrag, #plot .nsewdrag").first.bounding_box()
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] * 0.4, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=4)
        page.mouse.up()
        span = "document.getElementById('plot')._fullLayout.xaxis3.range.map(Math.round)"
        until(page, lambda: page.evaluate(span) == [6, 9])

    def test_the_events_start_and_end_are_marked(self, enqueue, review):
        enqueue()
        page = review()
        lines = page.evaluate("document.getElementById('plot').layout.shapes.map(s => [s.xref, s.x0])")
        assert sorted(lines) == [[axis, x] for axis in ("x", "x2", "x3") for x in (6, 11)]

    def test_an_event_longer_than_the_window_is_said_to_go_on(self, enqueue, review):
        enqueue(endtime=MORNING + timedelta(seconds=30))
        page = review()
        assert "ends outside of this window" in page.inner_text("#event-head")
        assert page.evaluate("document.getElementById('plot').layout.shapes.length") == 3

    def test_a_component_that_did_not_record_is_said_and_not_drawn(self, enqueue, review):
        enqueue(problems={"missing": (1,)})
        page = review()
        assert drawn(page, "heatmap", "N STFT") is None
        assert drawn(page, "scatter", "N waveform") is None
        assert "was not recorded" in page.inner_text("#plot")
        assert "component N is missing" in page.inner_text("#event-head")

    def test_a_gap_is_a_break_in_the_line_and_not_a_zero(self, enqueue, review):
        enqueue(problems={"gap_s": (12, 13)})
        page = review()
        samples = drawn(page, "scatter", "Z waveform")[0]
        assert samples[3000:3250] == [None] * 250
        assert None not in samples[:3000]
        gaps = page.evaluate(
            "document.getElementById('plot').layout.shapes.filter(s => s.type === 'rect').map(s => [s.x0, s.x1])"
        )
        assert gaps == [[12, 13]] * 9

    def test_stations_of_the_event_take_turns(self, enqueue, review, explain, site):
        item = enqueue()
        other = site.stations.create(network="XX", code="ZZZ", location="")
        explain(item.prediction, at=other, gap_s=(1, 2))
        page = review()
        first = drawn(page, "scatter", "Z waveform")
        press(page, "t")
        page.wait_for_selector(".stations button[aria-pressed=true] >> text=XX.ZZZ.")
        assert drawn(page, "scatter", "Z waveform") != first

    def test_an_event_without_a_panel_says_so_and_can_still_be_decided(self, enqueue, review):
        enqueue(panel=False)
        page = review()
        assert "No panel is stored" in page.inner_text("#plot")
        decide(page, "Enter")
        assert Relabel.objects.get().kind == "confirm"


class TestKeys:
    def test_enter_confirms_the_label_and_the_next_event_follows(self, enqueue, review):
        first, second = enqueue("quake"), enqueue("noise")
        page = review()
        assert shown_event(page) == first.event.event_id
        decide(page, "Enter")
        assert shown_event(page) == second.event.event_id
        row = Relabel.objects.get()
        assert (row.event, row.kind, row.to_code, row.prediction) == (first.event, "confirm", "quake", first.prediction)
        assert "Quake confirmed" in page.inner_text("#done")
        assert "1 reviewed, 1 left" in page.inner_text("#progress")

    def test_another_class_asks_for_a_reason_and_records_both(self, enqueue, review):
        item, _ = enqueue("quake", "rockfall"), enqueue()
        page = review()
        press(page, "3")
        page.wait_for_selector("[data-state=reason]")
        assert not Relabel.objects.exists()
        decide(page, "w", "d", "Enter")
        row = Relabel.objects.get()
        assert (row.from_code, row.to_code, row.reason) == ("quake", "rockfall", "waveform shape; duration")
        assert Event.objects.get(pk=item.event.pk).label.code == "rockfall"
        assert "Quake → Rockfall recorded" in page.inner_text("#done")

    def test_a_reason_in_own_words_may_hold_every_key(self, enqueue, review):
        enqueue("quake"), enqueue()
        page = review()
        press(page, "3")
        page.focus("#reason")
        page.keyboard.type("1 spike? so RST 2")
        decide(page, "Enter")
        assert Relabel.objects.get().reason == "1 spike? so RST 2"

    def test_a_change_without_a_reason_is_refused_and_nothing_is_lost(self, enqueue, review):
        enqueue("quake")
        page = review()
        press(page, "3", "Enter")
        expect(page.locator("#trouble")).not_to_be_empty()
        assert "eason" in page.inner_text("#trouble")
        assert page.get_attribute("#review", "data-state") == "reason"
        assert not Relabel.objects.exists()

    def test_escape_closes_the_reason_box_and_keeps_the_event(self, enqueue, review):
        item = enqueue("quake")
        page = review()
        press(page, "3", "Escape")
        assert page.is_hidden("#reason-box")
        assert shown_event(page) == item.event.event_id

    def test_x_puts_an_event_off_and_it_is_not_asked_again_at_once(self, enqueue, review):
        first, second = enqueue(), enqueue()
        page = review()
        decide(page, "x", "Enter")
        assert shown_event(page) == second.event.event_id
        first.refresh_from_db()
        assert first.postponed_until is not None
        assert not Relabel.objects.exists()

    def test_a_detection_takes_its_first_label_without_a_reason(self, enqueue, review):
        enqueue(None, "rockfall"), enqueue()
        page = review()
        press(page, "Enter")
        assert "no label" in page.inner_text("#trouble")
        decide(page, "3")
        assert Relabel.objects.get().kind == "first"

    def test_the_question_mark_lists_the_keys_and_escape_closes(self, enqueue, review):
        enqueue()
        page = review()
        press(page, "?")
        assert "Rockfall" in page.inner_text("#keys")
        press(page, "Enter")
        assert not Relabel.objects.exists()

    def test_the_last_decision_ends_in_a_page_that_says_so(self, enqueue, review):
        enqueue()
        page = review()
        decide(page, "Enter")
        assert "Nothing is waiting for you" in page.inner_text("#rest")
        assert "1 reviewed, 0 left" in page.inner_text("#rest")

    def test_the_confirmation_leads_to_the_events_history(self, enqueue, review):
        item, _ = enqueue(), enqueue()
        page = review()
        decide(page, "Enter")
        page.click("#done a")
        page.wait_for_selector("[data-state=ready]")
        assert item.event.event_id in page.inner_text("h1")
        assert "confirmed" in page.inner_text("#relabel-1")


class TestTheLease:
    def test_the_item_is_held_while_it_is_looked_at_and_given_back_on_leaving(self, enqueue, review, expert):
        item = enqueue()
        page = review()
        item.refresh_from_db()
        assert item.holder == expert
        page.goto("about:blank")
        page.wait_for_timeout(500)
        item.refresh_from_db()
        assert item.holder is None

    def test_a_given_item_can_be_asked_for(self, enqueue, review):
        enqueue()
        second = enqueue()
        page = review(query=f"?item={second.pk}")
        assert shown_event(page) == second.event.event_id

    def test_a_decision_on_an_item_that_somebody_else_decided_says_who(self, enqueue, review, expert, manager, classes):
        from labelapp.review.services import decide as decide_elsewhere
        from labelapp.review.services import release, take_item

        item = enqueue("quake")
        page = review()
        release(item=item, expert=expert)
        take_item(item=item, expert=manager)
        decide_elsewhere(item=item, expert=manager, event_class=classes["quake"], prediction=item.prediction)
        press(page, "Enter")
        page.wait_for_selector("[data-state=conflict]")
        assert manager.username in page.inner_text("#opinions")
        assert Relabel.objects.count() == 1

    def test_a_lost_lease_is_said(self, enqueue, review, expert, manager, settings):
        settings.LEASE_S = 3
        item = enqueue()
        page = review()
        # In one step: released first, the page's next sign of life could take it again.
        later = timezone.now() + timedelta(minutes=10)
        ReviewItem.objects.filter(pk=item.pk).update(holder=manager, held_until=later)
        expect(page.locator("#trouble")).to_contain_text("no longer hold")
        assert page.get_attribute("#review", "data-state") == "ready"

    def test_a_refusal_loses_nothing_that_was_typed(self, enqueue, review):
        enqueue("quake"), enqueue()
        page, refusal = review(), {"status": 429, "json": {"detail": "The database is being restored."}}
        refusing = [refusal]
        page.route("**/decide/", lambda route: route.fulfill(**refusing[0]) if refusing else route.continue_())
        page.reload()  # Chromium asks the route for certain only in a document that came after it
        page.wait_for_selector("[data-state=ready]")
        press(page, "3")
        page.focus("#reason")
        page.keyboard.type("two impacts")
        press(page, "Enter")
        expect(page.locator("#trouble")).not_to_be_empty()
        assert "being restored" in page.inner_text("#trouble")
        refusing.clear()
        assert page.input_value("#reason") == "two impacts"
        page.click("#reason-box .primary")
        expect(page.locator("#done")).not_to_be_empty()
        assert Relabel.objects.get().reason == "two impacts"


def test_a_synthetic_site_says_so_while_reviewing(enqueue, review, site):
    site.synthetic = True
    site.save()
    enqueue()
    assert "Synthetic site." in review().inner_text("body")


def test_hostile_names_and_reasons_are_text(enqueue, review, classes):
    hostile = "<img src=x onerror=alert(1)>"
    type(classes["quake"]).objects.filter(pk=classes["quake"].pk).update(name=hostile)
    enqueue("quake", "quake", event_id=hostile, description=hostile), enqueue("quake")
    page = review()
    page.on("dialog", lambda dialog: pytest.fail("a name ran as code"))
    assert shown_event(page) == hostile
    press(page, "3")
    page.focus("#reason")
    page.keyboard.type(hostile)
    decide(page, "Enter")
    assert hostile in page.inner_text("#done")
    assert page.locator("img").count() == 0


def test_the_queue_is_empty_for_nobody_else_than_who_holds_it(enqueue, review, manager, expert):
    item = enqueue()
    ReviewItem.objects.filter(pk=item.pk).update(holder=manager, held_until="2100-01-01T00:00Z")
    assert "Nothing is waiting for you" in review(state="empty").inner_text("#rest")
