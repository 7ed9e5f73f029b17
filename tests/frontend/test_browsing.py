"""The other pages in a real browser: login, live runs, colours, accessibility."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from labelapp.learning.models import Run
from tests.frontend.test_pages import addresses, furnished  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


def test_an_expert_logs_in_by_the_form_and_finds_the_queue(open_page, enqueue, site, expert):
    enqueue()
    expert.set_password("correct horse battery staple")
    expert.save()
    page = open_page(None, "/")
    page.get_by_label("Username").fill(expert.username)
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Username").fill(expert.username)
    page.get_by_label("Password").fill("correct horse battery staple")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=site.name).first.click()
    page.get_by_role("link", name="Start reviewing").click()
    page.wait_for_selector("[data-state=ready]")


def test_a_runs_page_follows_the_run_without_being_asked(open_page, site, viewer):
    run = Run.objects.create(site=site, kind="train", state="running", stage="epoch 1 of 9", progress=0.1)
    page = open_page(viewer, f"/runs/{run.pk}/")
    expect(page.locator("#run")).to_contain_text("epoch 1 of 9")
    Run.objects.filter(pk=run.pk).update(stage="epoch 2 of 9", log="loss 0.9\n", progress=0.2)
    expect(page.locator("#run")).to_contain_text("epoch 2 of 9")
    expect(page.locator("#run")).to_contain_text("loss 0.9")
    Run.objects.filter(pk=run.pk).update(state="done", progress=1)
    expect(page.locator("#run")).to_contain_text("done")
    expect(page.locator("[data-live=on]")).to_have_count(0)


def test_a_manager_cancels_a_run_on_its_page(open_page, site, manager):
    run = Run.objects.create(site=site, kind="train", state="running", stage="epoch 1 of 9")
    page = open_page(manager, f"/runs/{run.pk}/")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#run")).to_contain_text("cancel")
    expect(page.get_by_role("button", name="Cancel the run")).to_have_count(0)
    run.refresh_from_db()
    assert run.cancel_requested


def test_a_refusal_of_the_api_is_shown_beside_the_button(open_page, site, manager):
    page = open_page(manager, f"/sites/{site.pk}/runs/")
    page.get_by_role("button", name="Classify").click()
    expect(page.locator("form[data-body*=classify] [role=status]")).to_contain_text("model")
    assert not Run.objects.exists()


def test_the_event_page_draws_what_the_model_saw(open_page, enqueue, viewer):
    item = enqueue("quake", "rockfall")
    page = open_page(viewer, f"/events/{item.event.pk}/")
    page.wait_for_selector("[data-state=ready]")
    page.get_by_role("button", name="Quake", exact=True).click()
    expect(page.locator("#words")).to_contain_text("Why Quake")
    assert page.evaluate("document.getElementById('plot').data.filter((trace) => trace.name).length") == 9


@SCHEMES
def test_the_system_chooses_the_colours_until_the_reader_does(open_page, viewer, site, scheme):
    page = open_page(viewer, "/", color_scheme=scheme)
    ground = "getComputedStyle(document.body).backgroundColor"
    is_dark = "getComputedStyle(document.documentElement).colorScheme === 'dark'"
    assert page.evaluate(is_dark) == (scheme == "dark")
    before = page.evaluate(ground)
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(ground) != before
    page.reload()
    assert page.evaluate(is_dark) == (scheme != "dark")


def test_axe_finds_nothing_serious_on_any_page(open_page, furnished, site, manager):  # noqa: F811
    site.synthetic = True
    site.save()
    for address in [*addresses(site, furnished), "/nowhere/"]:
        assert_accessible_light_and_dark(open_page(manager, address), address)
    assert_accessible_light_and_dark(open_page(None, "/login/"), "login")


@pytest.mark.parametrize("width", [1024, 1440])
def test_axe_finds_nothing_serious_while_reviewing(review, enqueue, width):
    enqueue(problems={"missing": (2,)})
    page = review(viewport={"width": width, "height": 768})
    assert_accessible_light_and_dark(page, "review")
    page.keyboard.press("3")
    page.wait_for_selector("[data-state=reason]")
    assert_accessible_light_and_dark(page, "reason")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert_accessible_light_and_dark(page, "keys")


def test_no_page_is_wider_than_the_window(open_page, furnished, site, manager):  # noqa: F811
    for address in addresses(site, furnished):
        page = open_page(manager, address)
        for width in (2560, 1440, 1024):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (address, width)
        page.close()


def test_nothing_is_fetched_from_elsewhere(review, enqueue, live_server):
    enqueue()
    page = review()
    fetched = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert fetched
    assert [name for name in fetched if not name.startswith((live_server.url, "data:", "blob:"))] == []


def assert_accessible(page, where, **options):
    found = Axe().run(page, options=options).response["violations"]
    serious = [
        (v["id"], [node["html"][:120] for node in v["nodes"]]) for v in found if v["impact"] in {"serious", "critical"}
    ]
    assert serious == [], where


def assert_accessible_light_and_dark(page, where):
    """What was fine in light can only lack contrast in dark."""
    assert_accessible(page, where)
    page.emulate_media(color_scheme="dark")
    assert_accessible(page, f"{where}, dark", runOnly=["color-contrast"])
    page.emulate_media(color_scheme="light")
