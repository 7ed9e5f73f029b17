"""What lies around an event, on the event page and beside the review page's panels: by keys alone, and by buttons."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from labelapp.catalogue.models import SimilarEvents
from labelapp.review.models import ReviewPolicy
from tests.recorded import event_times

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def event(recorded, make_event):
    return make_event("rockfall", event_id="shaking", **event_times())


@pytest.fixture
def event_page(open_page, expert, event):
    page = open_page(expert, f"/events/{event.pk}/")
    page.wait_for_function("() => document.querySelector('#panel-status').textContent.includes('No panel')")
    return page


def ready(page, name):
    part = page.locator(f"[data-part={name}] .part")
    expect(part).to_have_attribute("data-state", "ready")
    return part


def opened(page, key, name):
    """The part of the event page that a key opens, once it is drawn."""
    page.keyboard.press(key)
    return ready(page, name)


def status(part):
    return part.locator("[role=status]")


def pixels(part):
    """What the canvas shows, as text that differs where the picture does."""
    return part.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")


class TestBeforeAndAfter:
    def test_is_closed_until_a_key_opens_it_and_asks_for_nothing_before(self, event_page):
        asked = []
        event_page.on("request", lambda request: asked.append(request.url))
        expect(event_page.locator("[data-part=surroundings]")).not_to_have_attribute("open", "")
        part = opened(event_page, "w", "surroundings")
        assert any("/context/" in url for url in asked)
        expect(status(part)).to_contain_text("XX.AAA.00, as recorded, without its mean, 100 Hz")
        assert "XX.AAA.00 from 2026-03-01T06:04:00.000Z" in part.get_by_role("img").get_attribute("aria-label")

    def test_key_w_goes_on_to_five_and_fifteen_minutes_then_off_and_shift_w_back(self, event_page):
        part = opened(event_page, "w", "surroundings")
        for key, minutes in (("w", 5), ("w", 15), ("Shift+w", 5), ("Shift+w", 1)):
            event_page.keyboard.press(key)
            pressed = part.get_by_role("button", name=f"±{minutes} min")
            expect(pressed).to_have_attribute("aria-pressed", "true")
            ready(event_page, "surroundings")
        event_page.keyboard.press("Shift+w")
        expect(event_page.locator("[data-part=surroundings]")).not_to_have_attribute("open", "")

    def test_key_f_filters_and_shift_f_takes_the_next_band(self, event_page):
        part = opened(event_page, "w", "surroundings")
        raw = pixels(part)
        event_page.keyboard.press("f")
        expect(status(part)).to_contain_text("1–10 Hz")
        ready(event_page, "surroundings")
        assert pixels(part) != raw
        event_page.keyboard.press("Shift+f")
        expect(status(part)).to_contain_text("5–20 Hz")
        event_page.keyboard.press("f")
        expect(status(part)).to_contain_text("as recorded")
        ready(event_page, "surroundings")

    def test_free_corners_are_taken_and_wrong_ones_are_not_sent(self, event_page):
        part = opened(event_page, "w", "surroundings")
        part.get_by_label("Upper corner").fill("30")
        part.get_by_label("Upper corner").press("Enter")
        expect(status(part)).to_contain_text("1–30 Hz")
        asked = []
        event_page.on("request", lambda request: asked.append(request.url))
        part.get_by_label("Lower corner").fill("50")
        part.get_by_label("Lower corner").press("Enter")
        assert part.get_by_label("Lower corner").evaluate("input => !input.validity.valid")
        assert not [url for url in asked if "/context/" in url]

    def test_key_g_raises_the_gain_and_shift_g_lowers_it_without_asking_again(self, event_page):
        part = opened(event_page, "w", "surroundings")
        asked = []
        event_page.on("request", lambda request: asked.append(request.url))
        before = pixels(part)
        event_page.keyboard.press("g")
        expect(part.locator("output")).to_have_text("×2")
        assert pixels(part) != before
        event_page.keyboard.press("Shift+g")
        expect(part.locator("output")).to_have_text("×1")
        assert pixels(part) == before
        assert asked == []

    def test_key_v_changes_the_spectrogram(self, event_page):
        part = opened(event_page, "w", "surroundings")
        before = pixels(part)
        event_page.keyboard.press("v")
        expect(part.get_by_label("Length of a window")).to_have_value("0.5")
        expect(part.get_by_label("Overlap of windows")).to_have_value("0.9")
        event_page.wait_for_timeout(50)
        ready(event_page, "surroundings")
        for _ in range(100):
            if pixels(part) != before:
                break
            event_page.wait_for_timeout(50)
        assert pixels(part) != before

    def test_dragging_zooms_and_a_double_click_shows_all_again(self, event_page):
        part = opened(event_page, "w", "surroundings")
        timeline, canvas = part.locator(".timeline"), part.locator("canvas")
        whole = timeline.get_attribute("data-from")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        event_page.mouse.move(box["x"] + 400, box["y"] + 60)
        event_page.mouse.down()
        event_page.mouse.move(box["x"] + 600, box["y"] + 60, steps=3)
        event_page.mouse.up()
        assert float(timeline.get_attribute("data-from")) > float(whole)
        expect(part.locator(".timeline-readout")).to_contain_text("counts")
        canvas.dblclick()
        expect(timeline).to_have_attribute("data-from", whole)

    def test_a_record_that_is_gone_is_said(self, event_page, tmp_path):
        (tmp_path / "AAA.mseed").unlink()
        event_page.keyboard.press("w")
        part = event_page.locator("[data-part=surroundings] .part")
        expect(part).to_have_attribute("data-state", "failed")
        expect(status(part)).to_contain_text("cannot be found now")


class TestSection:
    def test_shows_the_stations_nearest_first_and_names_the_silent_ones(self, event_page):
        part = opened(event_page, "c", "section")
        expect(status(part)).to_contain_text("2 of 3 stations, by distance from XX.AAA.00")
        label = part.get_by_role("img").get_attribute("aria-label")
        assert label.index("XX.AAA.00") < label.index("XX.BBB.00 2.31 km")
        expect(part.locator("summary")).to_have_text("1 stations show nothing")
        event_page.keyboard.press("c")
        expect(event_page.locator("[data-part=section]")).not_to_have_attribute("open", "")

    def test_follows_the_filter_keys_where_it_alone_is_open(self, event_page):
        part = opened(event_page, "c", "section")
        event_page.keyboard.press("Shift+f")
        expect(status(part)).to_contain_text("Hz")
        expect(event_page.locator("[data-part=surroundings]")).not_to_have_attribute("open", "")

    def test_amplitudes_can_be_true(self, event_page):
        part = opened(event_page, "c", "section")
        part.get_by_role("button", name="True").click()
        expect(status(part)).to_contain_text("one scale for all")
        part.get_by_role("button", name="N", exact=True).click()
        expect(status(part)).to_contain_text("1 of 3 stations")


class TestListening:
    def test_space_plays_and_stops_and_shift_space_changes_the_speed(self, event_page):
        event_page.keyboard.press("w")
        ready(event_page, "surroundings")
        event_page.keyboard.press("Space")
        part = event_page.locator("[data-part=listen] .part")
        expect(part).to_have_attribute("data-state", "playing")
        expect(status(part)).to_contain_text("XX.AAA.00 Z, as recorded, without its mean: 126 s in 6.3 s")
        expect(event_page.locator("[data-part=surroundings] .sounding")).to_be_visible()
        event_page.keyboard.press("Shift+Space")
        expect(status(part)).to_contain_text("126 s in 2.5 s")
        event_page.keyboard.press("Space")
        expect(part).to_have_attribute("data-state", "silent")
        expect(event_page.locator("[data-part=surroundings] .sounding")).to_be_hidden()

    def test_a_sound_that_is_over_stops_by_itself(self, event_page):
        event_page.keyboard.press("Space")
        part = event_page.locator("[data-part=listen] .part")
        expect(part).to_have_attribute("data-state", "playing")
        part.get_by_label("Speed").select_option("400")
        expect(part).to_have_attribute("data-state", "silent")


class TestSimilarEvents:
    def test_are_named_with_label_and_likeness_and_lead_to_their_pages(
        self, event, make_event, make_prediction, open_page, expert
    ):
        start = event.starttime.replace(minute=2)
        other = make_event("quake", event_id="<b>its twin</b>", starttime=start)
        prediction = make_prediction(event, "rockfall")
        SimilarEvents.objects.create(prediction=prediction, neighbours=[[other.pk, 0.87]])
        page = open_page(expert, f"/events/{event.pk}/")
        part = opened(page, "k", "similar")
        row = part.get_by_role("listitem")
        expect(row).to_contain_text("87 %")
        expect(row).to_contain_text("2026-03-01T06:02:00.000Z")
        expect(row.locator(".chip")).to_have_text("Quake")
        link = row.get_by_role("link", name="<b>its twin</b>")
        assert link.get_attribute("href") == f"/events/{other.pk}/"

    def test_where_there_are_none_it_is_said_what_finds_them(self, event_page):
        part = opened(event_page, "k", "similar")
        expect(status(part)).to_contain_text("No model has looked at this event yet")


class TestWhatAKeyOpens:
    """It is scrolled to, whatever is open already, when it is as high as it is going to be."""

    @pytest.fixture
    def item(self, recorded, enqueue, make_event):
        item = enqueue("quake", "rockfall", **event_times())
        alike = [[make_event("quake").pk, 0.5 + number / 10] for number in range(4)]
        SimilarEvents.objects.create(prediction=item.prediction, neighbours=alike)
        return item

    def test_is_in_sight_beside_the_panels_and_the_same_keys_put_it_away(self, item, review):
        page = review(viewport={"width": 1024, "height": 768})
        for key, name in KEYS.items():
            page.keyboard.press(key)
            expect(page.locator(f"#{name}")).to_have_attribute("data-state", "ready")
            page.wait_for_function(IS_IN_SIGHT, arg=[f"#{name}", "#around"])
        for state in ("playing", "silent"):
            page.keyboard.press("Space")
            expect(page.locator("#listen")).to_have_attribute("data-state", state)
        page.keyboard.press("k")
        expect(page.locator("#similar")).to_be_hidden()

    def test_is_in_sight_on_the_event_page(self, item, open_page, expert):
        page = open_page(expert, f"/events/{item.event_id}/", viewport={"width": 1024, "height": 768})
        for key, name in KEYS.items():
            opened(page, key, name)
            page.wait_for_function(IS_IN_SIGHT, arg=[f"[data-part={name}]", "html"])


KEYS = {"w": "surroundings", "c": "section", "k": "similar"}
# From its upper end on, as much of it as there is room for; a browser scrolls by whole pixels.
IS_IN_SIGHT = """([name, frame]) => {
    const { top, height } = document.querySelector(name).getBoundingClientRect();
    const around = document.querySelector(frame).getBoundingClientRect();
    const [first, last] = [Math.max(0, around.top), Math.min(innerHeight, around.bottom)];
    return top > first - 1 && Math.min(top + height, last) - top > Math.min(height, 0.9 * (last - first)) - 1;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_what_is_open(event_page, scheme):
    event_page.emulate_media(color_scheme=scheme)
    for key, name in (("w", "surroundings"), ("c", "section"), ("k", "similar")):
        opened(event_page, key, name)
    event_page.locator("[data-part=listen] summary").click()
    found = Axe().run(event_page).response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []


def test_before_a_blind_decision_nothing_is_said_of_similar_events(recorded, site, enqueue, review):
    ReviewPolicy.objects.create(site=site, blind=True)
    enqueue("quake", "rockfall", **event_times())
    page = review()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.keyboard.press("k")
    expect(page.locator("#similar [role=status]")).to_contain_text("once you have decided")
    assert not [url for url in asked if "/neighbours/" in url]


def test_a_question_taken_back_does_not_answer_who_asks_again_at_once_and_an_answer_is_kept(
    open_page, expert, site, recorded
):
    page = open_page(expert, "/")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/record/" in request.url else None)
    span = "station=XX.AAA.00&starttime=2026-03-01T06:05:00Z&endtime=2026-03-01T06:05:10Z"
    found = page.evaluate(
        """async (url) => {
            const { fetchWaves } = await import("/static/js/waves.js");
            const first = new AbortController(), second = new AbortController();
            const before = fetchWaves(url, first).catch((error) => error.name);
            first.abort();
            const after = await fetchWaves(url, second);
            second.abort();
            const again = await fetchWaves(url);
            return [await before, after.stations[0].station, again === after];
        }""",
        f"/api/v1/sites/{site.pk}/record/?{span}",
    )
    assert found == ["AbortError", "XX.AAA.00", True]
    assert len(asked) == 2
