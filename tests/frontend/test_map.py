"""The pool map: coloured, looked at, gathered with lasso and keys, and sent to the review queue."""

import re
from datetime import timedelta

import numpy as np
import pytest
from playwright.sync_api import expect

from labelapp.catalogue.models import Event
from labelapp.learning.maps import microseconds_of, store_map
from labelapp.learning.models import PoolMap, Run
from labelapp.review.models import ReviewItem, ReviewPolicy
from tests.conftest import MORNING
from tests.frontend.test_browsing import SCHEMES, assert_accessible
from tests.frontend.test_pages import HOSTILE
from tests.labelapp.learning.maps import cloud, make_map
from tests.recorded import event_times

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MARGIN_PX = 24
# Where points lie: three events, then windows; corners first, so that the map spans ±1.
PLACES = [(-0.5, 0.5), (0.5, 0.5), (0, 0), (-1, -1), (1, 1), (0.5, -0.5), (0.6, -0.5)]
EVENT, ROCKFALL, UNLABELLED, CORNER, OTHER_CORNER, WINDOW, NEIGHBOUR = range(len(PLACES))
ORANGE, VERMILION, WHITE = [230, 159, 0], [213, 94, 0], [255, 255, 255]


@pytest.fixture
def pool_map(site, recorded, make_event, make_model, make_prediction):
    """Seven points: a quake that the model takes for a rockfall, a rockfall, an event without a label, four windows."""
    model = make_model()
    starts = [event_times()["starttime"], MORNING + timedelta(seconds=20), MORNING + timedelta(seconds=40)]
    events = [
        make_event(label, starttime=start, endtime=start + timedelta(seconds=6))
        for label, start in zip(["quake", "rockfall", None], starts, strict=True)
    ]
    for event in events:
        make_prediction(event, "rockfall", model=model)
    windows = [MORNING + timedelta(seconds=100 + 20 * number) for number in range(len(PLACES) - 3)]
    tensors = {
        "places": np.array(PLACES, dtype=np.float32),
        "cluster": np.array([0, 1, 1, 0, 1, 1, 1], dtype=np.int16),
        "event": np.array([event.pk for event in events] + [-1] * len(windows)),
        "station": np.zeros(len(PLACES), dtype=np.int16),
        "starttime": np.array([microseconds_of(time) for time in [e.starttime for e in events] + windows]),
    }
    return store_map(site=site, model=model, tensors=tensors, stations=["XX.AAA.00"], window_s=4.0, method="tsne")


@pytest.fixture
def open_map(open_page, expert, pool_map):
    def opened(query="", user=expert, **options):
        page = open_page(user, f"/maps/{pool_map.pk}/{query}", **options)
        page.wait_for_selector("#map[data-state=ready]")
        return page

    return opened


def place(page, row):
    """Where a point lies in the window, in px."""
    box = page.locator("#map-frame canvas").first.bounding_box()
    scale = (min(box["width"], box["height"]) - 2 * MARGIN_PX) / 2
    x, y = PLACES[row]
    return box["x"] + box["width"] / 2 + x * scale, box["y"] + box["height"] / 2 - y * scale


def colour_at(page, row):
    """What is drawn at a point once the next picture is there."""
    box = page.locator("#map-frame canvas").first.bounding_box()
    x, y = place(page, row)
    return page.evaluate(
        """async ([x, y]) => {
            await new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));
            const pen = new OffscreenCanvas(1, 1).getContext("2d");
            pen.drawImage(document.querySelector("#map-frame canvas"), -x, -y);
            return [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)];
        }""",
        [round(x - box["x"]), round(y - box["y"])],
    )


def lasso(page, *corners, alt=False):
    for key in ["Shift", *(["Alt"] if alt else [])]:
        page.keyboard.down(key)
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=3)
    page.mouse.up()
    for key in ["Shift", *(["Alt"] if alt else [])]:
        page.keyboard.up(key)


def around(page, row, px=20):
    x, y = place(page, row)
    return [(x - px, y - px), (x + px, y - px), (x + px, y + px), (x - px, y + px)]


def groups(page):
    return [text.replace("\n", " ") for text in page.locator("#legend .map-group").all_inner_texts()]


def test_points_are_coloured_by_label_prediction_and_cluster_and_groups_are_hidden(open_map):
    page = open_map()
    assert groups(page) == ["Quake 1", "Rockfall 1", "Events without a label 1", "Unlabelled windows 4"]
    assert colour_at(page, EVENT) == ORANGE
    page.locator("#legend").get_by_role("button", name="Quake").click()
    assert colour_at(page, EVENT) == WHITE
    assert colour_at(page, ROCKFALL) == VERMILION
    page.get_by_role("button", name="All", exact=True).click()
    assert colour_at(page, EVENT) == ORANGE
    page.get_by_role("button", name="Prediction").click()
    assert colour_at(page, EVENT) == VERMILION
    assert groups(page) == ["Rockfall 3", "Unlabelled windows 4"]
    page.locator("#map-frame canvas").first.focus()
    page.keyboard.press("c")
    assert groups(page) == ["Cluster 0 2", "Cluster 1 5"]
    assert "colour=cluster" in page.url
    page.reload()
    page.wait_for_selector("#map[data-state=ready]")
    assert groups(page) == ["Cluster 0 2", "Cluster 1 5"]


def test_what_the_pointer_rests_on_is_shown_with_its_waveform_and_what_it_left_is_not_asked(open_map):
    page = open_map()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/record/" in request.url else None)
    page.mouse.move(*place(page, ROCKFALL))
    page.mouse.move(*place(page, EVENT))
    expect(page.locator(".map-tag")).to_have_text("Quake, event 2026-03-01 06:05:00")
    card = page.locator("#card")
    expect(card).to_have_attribute("data-state", "ready")
    expect(card).to_contain_text("labelled Quake")
    expect(card).to_contain_text("predicted Rockfall")
    expect(page.locator("#open-event")).to_have_attribute(
        "href", f"/events/{Event.objects.get(label__code='quake').pk}/"
    )
    assert len(asked) == 1
    assert "starttime=2026-03-01T06%3A04%3A57" in asked[0]
    expect(card.locator("canvas")).to_have_attribute("aria-label", lasting("XX.AAA.00", "06:04:57", "06:05:09"))
    page.mouse.move(*place(page, WINDOW))
    expect(page.locator("#card-status")).to_contain_text("XX.AAA.00, 4.0 s")
    expect(card).to_contain_text("Unlabelled window")


def lasting(station, start, end):
    return re.compile(f"^{station} from 2026-03-01T{start}.000Z to 2026-03-01T{end}.000Z: Z ±")


def test_a_lasso_and_clicks_choose_and_what_is_sent_waits_in_the_queue(open_map, expert):
    page = open_map()
    expect(page.locator("#send")).to_be_disabled()
    (left, top), (right, _), (_, bottom), _ = around(page, WINDOW)
    lasso(page, (left, top), (right + 60, top), (right + 60, bottom), (left, bottom))
    expect(page.locator("#chosen-count")).to_have_text("2")
    lasso(page, *around(page, NEIGHBOUR, 8), alt=True)
    expect(page.locator("#chosen-count")).to_have_text("1")
    page.mouse.click(*place(page, EVENT))
    page.mouse.click(*place(page, ROCKFALL))
    page.mouse.click(*place(page, ROCKFALL))
    assert page.locator("#choice-counts li").all_inner_texts() == ["Quake 1", "Unlabelled windows 1"]
    page.get_by_role("button", name="Send to the review queue").click()
    expect(page.locator("#result")).to_contain_text("1 in the queue now, 1 made new events, for review.")
    expect(page.locator("#chosen-count")).to_have_text("none")
    items = ReviewItem.objects.filter(reason="request", state="open").order_by("event__starttime")
    new, old = [item.event for item in items]
    assert (new.starttime, new.endtime, new.label) == (
        MORNING + timedelta(seconds=140),
        MORNING + timedelta(seconds=144),
        None,
    )
    assert old.label.code == "quake"
    page.mouse.click(*place(page, EVENT))
    expect(page.locator("#choice-list")).to_contain_text("sent")
    expect(page.locator("#send")).to_be_disabled()
    page.get_by_role("link", name="See them in the queue").click()
    expect(page.locator("main")).to_contain_text(old.event_id)


def test_keys_alone_go_from_point_to_point_choose_and_send(open_map):
    page = open_map()
    said, chosen = page.locator("#said"), page.locator("#chosen-count")
    page.keyboard.press("p")
    expect(said).to_have_text("Event: no label, predicted Rockfall, Cluster 1; XX.AAA.00, 2026-03-01 06:00:40 UTC.")
    expect(page.locator("#map-frame canvas").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(said).to_have_text("Window: Cluster 1; XX.AAA.00, 2026-03-01 06:02:20 UTC.")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(said).to_have_text("Window: Cluster 1; XX.AAA.00, 2026-03-01 06:02:40 UTC, chosen.")
    page.keyboard.press("a")
    expect(chosen).to_have_text("7")
    page.keyboard.press("Delete")
    expect(chosen).to_have_text("none")
    page.keyboard.press("Enter")
    page.keyboard.press("q")
    expect(page.locator("#result")).to_contain_text("1 made new events, for review.")
    assert ReviewItem.objects.get(reason="request").event.starttime == MORNING + timedelta(seconds=160)


def test_wheel_buttons_and_drag_move_the_map_under_the_pointer(open_map):
    page = open_map()
    page.mouse.move(*place(page, ROCKFALL))
    page.mouse.wheel(0, -600)
    assert colour_at(page, ROCKFALL) == VERMILION  # what is under the pointer stays there
    assert colour_at(page, EVENT) == WHITE
    page.get_by_role("button", name="Whole").click()
    assert colour_at(page, EVENT) == ORANGE
    x, y = place(page, EVENT)
    page.mouse.move(x + 100, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 30, steps=3)
    page.mouse.up()
    assert colour_at(page, EVENT) == WHITE
    expect(page.locator("#chosen-count")).to_have_text("none")


def test_a_viewer_looks_and_chooses_but_sends_nothing(open_map, viewer):
    page = open_map(user=viewer)
    page.mouse.click(*place(page, EVENT))
    expect(page.locator("#chosen-count")).to_have_text("1")
    expect(page.get_by_role("button", name="Send to the review queue")).to_have_count(0)
    page.keyboard.press("q")
    expect(page.locator("#result")).to_be_empty()
    assert not ReviewItem.objects.exists()


def test_a_blind_site_keeps_predictions_back_and_says_so(open_map, site):
    ReviewPolicy.objects.create(site=site, blind=True)
    site.models.update(kind="encoder")
    page = open_map("?colour=prediction")
    button = page.get_by_role("button", name="Prediction")
    expect(button).to_be_disabled()
    expect(button).to_have_attribute(
        "title", "This site is reviewed blind: what the machine says is shown after each decision"
    )
    assert "Quake 1" in groups(page)
    page.mouse.move(*place(page, EVENT))
    expect(page.locator("#card")).to_have_attribute("data-state", "ready")
    expect(page.locator("#card")).not_to_contain_text("redict")


def test_names_of_classes_stay_text(open_page, site, classes, make_event, model_row, viewer):
    classes["quake"].name = HOSTILE[:80]
    classes["quake"].save()
    made = make_map(site, model_row, points=20, events=[make_event("quake")])
    page = open_page(viewer, f"/maps/{made.pk}/")
    expect(page.locator("#legend .map-group").first).to_contain_text("<script>alert('x')</script>")


@SCHEMES
def test_axe_finds_nothing_serious_on_a_map_with_a_choice(open_map, scheme):
    page = open_map(color_scheme=scheme, viewport={"width": 1024, "height": 768})
    page.keyboard.press("a")
    page.keyboard.press("p")
    expect(page.locator("#card")).to_have_attribute("data-state", "ready")
    assert_accessible(page, "map")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1024
    page.keyboard.press("q")
    expect(page.locator("#result")).to_contain_text("in the queue")
    assert_accessible(page, "sent")


@pytest.fixture
def model_row(make_model):
    return make_model()


def test_without_a_map_the_page_says_what_to_do_and_shows_the_run_that_makes_one(open_page, site, manager, make_model):
    address = f"/sites/{site.pk}/map/"
    page = open_page(manager, address)
    expect(page.locator("#no-map")).to_contain_text(f'python manage.py pretrain "{site.name}"')
    model = make_model(kind="encoder")
    page.reload()
    assert_accessible(page, "no map")
    page.get_by_label("Unlabelled windows").fill("300")
    page.get_by_role("button", name="Make a map").click()
    expect(page.locator("#making")).to_contain_text("makes a map")
    run = Run.objects.get(kind="map")
    assert run.parameters["windows"] == 300
    Run.objects.filter(pk=run.pk).update(state="running", stage="windows 50 of 300", progress=0.2)
    expect(page.locator("#making")).to_contain_text("windows 50 of 300")
    make_map(site, model, points=20)
    Run.objects.filter(pk=run.pk).update(state="done", progress=1)
    page.wait_for_selector("#map[data-state=ready]")


def test_a_new_map_is_asked_for_without_losing_what_was_chosen(open_map, manager, pool_map):
    page = open_map(user=manager, query="?colour=cluster")
    page.locator("#map").press("a")
    page.locator("#new-map summary").click()
    page.get_by_label("As seen by").select_option(label=f"model {pool_map.model.number}")
    page.get_by_label("Unlabelled windows").fill("60")
    for said in ("Started: run", "queued already"):  # the second time it is refused
        page.get_by_role("button", name="Make a map").click()
        expect(page.locator("#new-map [role=status]")).to_contain_text(said)
        expect(page.get_by_label("Unlabelled windows")).to_have_value("60")
        expect(page.locator("#chosen-count")).to_have_text(str(len(PLACES)))
    run = Run.objects.get()
    assert run.parameters == {"windows": 60, "model": pool_map.model_id}
    page.keyboard.press("Escape")
    expect(page.locator("#new-map")).not_to_have_attribute("open", "")
    page.locator("#making").get_by_role("link", name=f"Run {run.pk}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Pool map {run.pk}")
    page.go_back()
    expect(page).to_have_url(re.compile(f"/maps/{pool_map.pk}/.colour=cluster"))
    expect(page.locator("#chosen-count")).to_have_text(str(len(PLACES)))


def test_of_several_maps_one_is_chosen_and_a_newer_one_is_named(open_page, site, viewer, model_row):
    older, newer = make_map(site, model_row, points=30), make_map(site, model_row, points=20)
    page = open_page(viewer, f"/maps/{older.pk}/")
    page.wait_for_selector("#map[data-state=ready]")
    page.get_by_role("link", name="Newer map").click()
    expect(page).to_have_url(re.compile(f"/maps/{newer.pk}/"))
    page.get_by_label("Map shown").select_option(f"/maps/{older.pk}/")
    page.wait_for_selector("#map[data-state=ready]")
    assert groups(page) == ["Unlabelled windows 30"]
    PoolMap.objects.filter(pk=older.pk).update(file=f"maps/{site.pk}/gone.safetensors")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("Make a new map")


def test_the_point_under_the_pointer_and_those_in_a_lasso_are_those_that_a_slow_search_finds(open_page, viewer):
    page = open_page(viewer, "/")
    places, _ = cloud(500)
    polygon = [[-0.8, -0.2], [0.1, 0.7], [0.8, 0.6], [0.0, 0.1], [0.5, -0.7]]
    probes = np.random.default_rng(1).uniform(-1, 1, (50, 2))
    found = page.evaluate(
        """async ([x, y, polygon, probes]) => {
            const { gridOf, inside, nearest } = await import("/static/js/mapgrid.js");
            const points = { count: x.length, x: Float32Array.from(x), y: Float32Array.from(y) };
            const grid = gridOf(points);
            const near = ([x, y]) => nearest(points, grid, x, y, 0.2, () => 0);
            return { inside: inside(points, polygon, () => true), nearest: probes.map(near) };
        }""",
        [places[:, 0].tolist(), places[:, 1].tolist(), polygon, probes.tolist()],
    )
    distances = np.hypot(*(probes[:, None, :] - places[None]).transpose(2, 0, 1))
    assert found["nearest"] == [int(row.argmin()) if row.min() < 0.2 else -1 for row in distances]
    assert found["inside"] == [row for row, point in enumerate(places.tolist()) if winds(point, polygon)]


def winds(point, polygon):
    """Whether the angles under which a point sees a polygon's sides add up to a full turn."""
    corners = [complex(x - point[0], y - point[1]) for x, y in polygon]
    turns = [np.angle(after / before) for before, after in zip(corners, [*corners[1:], corners[0]], strict=True)]
    return abs(sum(turns)) > np.pi


def test_a_run_that_failed_says_why_until_a_map_is_there(client, site, viewer, model_row):
    client.force_login(viewer)
    run = Run.objects.create(site=site, kind="map", state="failed", error="No window could be read.")
    text = client.get(f"/sites/{site.pk}/map/").text
    assert f"Run {run.pk}" in text
    assert "No window could be read." in text
    make_map(site, model_row, points=20)
    assert "No window could be read." not in client.get(f"/sites/{site.pk}/map/").text


def test_who_reviews_blind_is_told_why_a_classifiers_map_is_not_shown(client, site, viewer, model_row):
    make_map(site, model_row, points=20)
    ReviewPolicy.objects.create(site=site, blind=True)
    client.force_login(viewer)
    assert "only maps of encoders, which know no classes, are shown to you" in client.get(f"/sites/{site.pk}/map/").text


def test_a_run_leads_to_its_own_map_and_to_the_newest_where_that_is_gone_or_not_shown(client, site, viewer, model_row):
    first = make_map(site, model_row, points=20)
    make_map(site, model_row, points=20, seed=1)
    run = Run.objects.create(site=site, kind="map", state="done", figures={"map": first.pk})
    client.force_login(viewer)
    text = client.get(f"/runs/{run.pk}/").text
    assert f'href="/maps/{first.pk}/"' in text
    assert "kept no more" not in text
    policy = ReviewPolicy.objects.create(site=site, blind=True)
    assert f'href="/maps/{first.pk}/"' not in client.get(f"/runs/{run.pk}/").text
    policy.delete()
    first.delete()
    text = client.get(f"/runs/{run.pk}/").text
    assert "Its map is kept no more" in text
    assert f'href="/sites/{site.pk}/map/">The newest map' in text
