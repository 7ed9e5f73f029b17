"""The continuous record: looked through by keys, and an event that the detector missed added to the catalogue."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from labelapp.catalogue.models import Event
from labelapp.review.models import Relabel
from tests.recorded import event_times

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def record(open_page, site, expert, recorded):
    """record("?time=…") → the page with the record drawn."""

    def open_record(query="", user=expert, state="ready", **options):
        page = open_page(user, f"/sites/{site.pk}/record/{query}", **options)
        drawn(page, state)
        return page

    return open_record


def drawn(page, state="ready"):
    expect(page.locator("#record")).to_have_attribute("data-state", state)


def span(page):
    """What is in view, in seconds from six o'clock."""
    start = 1_772_344_800_000  # 2026-03-01T06:00:00Z
    data = page.locator("#timeline .timeline")
    return [(float(data.get_attribute(f"data-{end}")) - start) / 1000 for end in ("from", "to")]


def drag(page, first_px, last_px):
    box = page.locator("#timeline canvas").bounding_box()
    page.mouse.move(box["x"] + first_px, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + last_px, box["y"] + 80, steps=3)
    page.mouse.up()


def test_begins_where_the_record_begins_with_the_events_drawn_by_their_labels(record, make_event):
    event = make_event("rockfall", event_id="shaking", **event_times())
    page = record()
    assert span(page) == [0, 3600]
    row = page.locator("#events li")
    expect(row).to_contain_text("Rockfall")
    assert row.get_by_role("link", name="shaking").get_attribute("href") == f"/events/{event.pk}/"
    expect(page.locator("#status")).to_contain_text("XX.AAA.00, as recorded")


def test_arrow_keys_move_and_zoom_and_the_address_follows(record):
    page = record("?time=2026-03-01T06:04:00Z&length_s=60")
    assert span(page) == [240, 300]
    for key, expected in (("ArrowRight", [294, 354]), ("ArrowLeft", [240, 300]), ("ArrowDown", [120, 420])):
        page.keyboard.press(key)
        page.wait_for_function("text => document.querySelector('#time').value === text", arg=clock(expected[0]))
        drawn(page)
        assert span(page) == expected
    assert "time=2026-03-01T06%3A02%3A00.000Z" in page.url
    page.reload()
    drawn(page)
    assert span(page) == [120, 420]


def clock(seconds):
    return f"2026-03-01T06:{int(seconds // 60):02}:{seconds % 60:06.3f}Z"


def test_an_events_page_leads_into_the_middle_of_the_record_around_it(open_page, make_event, expert, recorded):
    event = make_event("rockfall", **event_times())
    page = open_page(expert, f"/events/{event.pk}/")
    page.get_by_role("link", name="In the record").click()
    drawn(page)
    assert span(page) == [300 - 450, 300 + 450]


def test_where_nothing_was_recorded_it_says_where_the_record_goes_on(record):
    page = record("?time=2026-03-01T03:00:00Z", state="empty")
    expect(page.locator("#status")).to_contain_text("XX.AAA.00 has no record from 2026-03-01T03:00:00Z")
    expect(page.locator("#status")).to_contain_text("It goes on at 2026-03-01T06:00:00.000Z (End).")
    page.keyboard.press("End")
    drawn(page)
    assert span(page) == [0, 3600]


def test_another_station_and_another_time_are_chosen_by_the_form(record):
    page = record()
    page.locator("#station").select_option("XX.BBB.00")
    expect(page.locator("#status")).to_contain_text("component Z misses")
    drawn(page)
    page.get_by_label("From (UTC)").fill("2026-03-01T06:05:00Z")
    page.get_by_label("From (UTC)").press("Enter")
    page.wait_for_function("() => document.querySelector('#timeline .timeline').dataset.from === '1772345100000'")
    page.get_by_label("From (UTC)").fill("at noon")
    page.get_by_label("From (UTC)").press("Enter")
    expect(page.locator("#trouble")).to_contain_text("This is no time")


def test_a_time_without_an_offset_is_utc_wherever_the_browser_stands(record):
    page = record("?time=2026-03-01T06:04:00&length_s=60", timezone_id="Europe/Paris")
    assert span(page) == [240, 300]
    for text, second in (("2026-03-01 06:05", 300), ("2026-03-01T07:06:00+01:00", 360)):
        page.get_by_label("From (UTC)").fill(text)
        page.get_by_label("From (UTC)").press("Enter")
        page.wait_for_function("text => document.querySelector('#time').value === text", arg=clock(second))
    page.get_by_label("Start (UTC)").fill("2026-03-01T06:06:10")
    page.get_by_label("End (UTC)").fill("2026-03-01T06:06:20")
    page.get_by_role("button", name="Add the event").click()
    expect(page.locator("#saved")).to_contain_text("Added")
    assert Event.objects.get().starttime.isoformat() == "2026-03-01T06:06:10+00:00"


def test_a_missed_event_is_marked_by_dragging_and_saved_with_its_class_and_reason(record, expert):
    page = record("?time=2026-03-01T06:04:30Z&length_s=60")
    expect(page.get_by_role("button", name="Add the event")).to_be_disabled()
    drag(page, 500, 700)
    page.keyboard.press("3")
    expect(page.get_by_role("button", name="Rockfall")).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Reason").fill("clear on two stations")
    page.keyboard.press("Enter")
    expect(page.locator("#saved")).to_contain_text("as Rockfall.")
    event = Event.objects.get()
    assert (event.origin, event.label.code, event.station.seed_id) == ("expert", "rockfall", "XX.AAA.00")
    relabel = Relabel.objects.get()
    assert (relabel.expert, relabel.reason) == (expert, "clear on two stations")
    expect(page.locator("#events li")).to_contain_text("Rockfall")
    expect(page.locator("#start")).to_have_value("")


def test_keys_alone_mark_and_save_an_event_without_a_label(record):
    page = record("?time=2026-03-01T06:04:30Z&length_s=60")
    for key in ("]", ".", "[", ".", ".", ".", "]", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#saved")).to_contain_text("without a label")
    event = Event.objects.get()
    assert (event.endtime - event.starttime).total_seconds() == pytest.approx(3 * 60 / 400)
    assert event.label is None


def test_a_refusal_is_shown_and_loses_nothing(record, make_event):
    page = record("?time=2026-03-01T06:04:30Z&length_s=60")
    page.get_by_label("Start (UTC)").fill("2026-03-01T06:04:40Z")
    page.get_by_label("End (UTC)").fill("2026-03-01T06:04:50Z")
    page.get_by_label("Reason").fill("a rock")
    page.keyboard.press("Enter")
    expect(page.locator("#saved")).to_contain_text("Added")
    page.get_by_label("Start (UTC)").fill("2026-03-01T06:04:40Z")
    page.get_by_label("End (UTC)").fill("2026-03-01T06:04:55Z")
    page.get_by_label("Reason").fill("the same rock")
    page.keyboard.press("Enter")
    expect(page.locator("#trouble")).to_contain_text("already")
    expect(page.get_by_label("Reason")).to_have_value("the same rock")
    page.locator("h1").click()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Start (UTC)")).to_have_value("")
    assert Event.objects.count() == 1


def test_a_viewer_looks_and_adds_nothing(record, viewer):
    page = record(user=viewer)
    expect(page.get_by_role("button", name="Add the event")).to_have_count(0)
    page.keyboard.press("[")
    drag(page, 300, 400)
    expect(page.locator("#trouble")).to_be_hidden()


def test_a_site_without_recordings_says_what_to_do(open_page, site, viewer):
    page = open_page(viewer, f"/sites/{site.pk}/record/")
    expect(page.get_by_text("python manage.py ingest")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(record, make_event, scheme):
    make_event("rockfall", **event_times())
    page = record(color_scheme=scheme)
    found = Axe().run(page).response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []
