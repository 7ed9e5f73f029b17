"""Long work shows how far it is: on its own page, in the list, and in the header of every other page."""

import itertools

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from labelapp.learning.models import Run
from labelapp.learning.selectors import run_explaining, under_way
from labelapp.pages.drawing import curves
from labelapp.pages.running import curves_in
from tests.frontend.test_pages import addresses, furnished  # noqa: F401

LOG = """2026-03-01T06:00:00Z  attempt 1
2026-03-01T06:00:01Z  720 windows of 240 events
2026-03-01T06:00:02Z  fold 1 of 2: epoch 1 of 3: loss 1.394, validation loss 1.402, validation accuracy 0.250
2026-03-01T06:00:03Z  fold 1 of 2: epoch 2 of 3: loss 1.1, validation loss 1.2, validation accuracy 0.5
2026-03-01T06:00:04Z  fold 2 of 2: epoch 1 of 3: loss 1.5, validation loss 1.6, validation accuracy 0.3
2026-03-01T06:00:05Z  resumed after epoch 0
2026-03-01T06:00:06Z  fold 2 of 2: epoch 1 of 3: loss 1.45, validation loss 1.6; no better for long enough, stopped
"""


def test_the_curves_in_a_log_are_its_figures_epoch_by_epoch():
    found = {(row["name"], row["of"]): (row["x"], row["y"], row["is_loss"]) for row in curves_in(LOG)}
    assert found == {
        ("loss", "fold 1 of 2"): ([1, 2], [1.394, 1.1], True),
        ("validation loss", "fold 1 of 2"): ([1, 2], [1.402, 1.2], True),
        ("validation accuracy", "fold 1 of 2"): ([1, 2], [0.25, 0.5], False),
        ("loss", "fold 2 of 2"): ([1], [1.45], True),
        ("validation loss", "fold 2 of 2"): ([1], [1.6], True),
        ("validation accuracy", "fold 2 of 2"): ([1], [0.3], False),
    }


def test_a_log_without_epochs_has_no_curves():
    assert curves_in("2026-03-01T06:00:00Z  240 events classified\n") == []


def test_lines_keep_their_places_between_the_ends_of_the_axes():
    rows = [{"name": "loss", "of": "", "x": [1, 3], "y": [4.0, 2.0]}, {"name": "loss", "of": "b", "x": [2], "y": [3.0]}]
    chart = curves(rows, first_hue=1)
    assert [curve.points for curve in chart.curves] == ["0.00,0.00 100.00,100.00", "50.00,50.00"]
    assert (chart.low, chart.high, chart.first, chart.last, chart.names) == (2.0, 4.0, 1, 3, ["loss"])
    assert {curve.hue for curve in chart.curves} == {1}


@pytest.fixture
def running(site):
    return Run.objects.create(site=site, kind="classify", state="running", stage="reading", progress=0.436)


def test_every_page_of_the_site_says_what_runs(client, manager, site, furnished):  # noqa: F811
    furnished["run"].delete()
    client.force_login(manager)
    pages = [
        address for address in addresses(site, {**furnished, "run": furnished["model"]}) if "/runs/" not in address
    ]
    for address in pages[1:]:
        assert 'id="running"' in client.get(address).text, address
        assert client.get(address).context["running"] is None, address
    run = Run.objects.create(site=site, kind="classify", state="running", progress=0.436)
    Run.objects.create(site=site, kind="train", state="queued")
    for address in pages[1:]:
        said = client.get(address).context["running"]
        assert (said["what"], said["how"]) == ("2 runs: classification ", "43 %"), address
        assert said["address"] == reverse("run", args=[run.pk])


def test_what_runs_comes_before_what_waits_and_other_sites_say_nothing(site, running):
    from labelapp.catalogue.services import create_site

    waits = Run.objects.create(site=site, kind="train", state="queued")
    Run.objects.create(site=create_site(name="Elsewhere"), kind="train", state="running")
    Run.objects.create(site=site, kind="train", state="done")
    assert under_way(site) == [running, waits]


def test_the_run_that_makes_an_events_maps_is_found_while_it_is_under_way(site, make_event):
    event, other = make_event(), make_event()
    run = Run.objects.create(site=site, kind="classify", parameters={"events": [event.pk], "explain_all": True})
    assert run_explaining(event) == run
    assert run_explaining(other) is None
    Run.objects.filter(pk=run.pk).update(state="done")
    assert run_explaining(event) is None


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
class TestInABrowser:
    def test_the_header_follows_a_run_and_falls_silent_when_it_ends(self, open_page, site, viewer, running):
        page = open_page(viewer, f"/sites/{site.pk}/progress/")
        sign = page.locator("#running")
        expect(sign).to_contain_text("classification 43 %")
        Run.objects.filter(pk=running.pk).update(progress=0.61)
        expect(sign).to_contain_text("classification 61 %", timeout=15_000)
        Run.objects.filter(pk=running.pk).update(state="done", progress=1)
        expect(sign).to_be_hidden(timeout=15_000)

    def test_the_header_leads_to_the_run_and_stays_one_line(self, open_page, site, manager, running):
        Run.objects.filter(pk=running.pk).update(state="queued")
        page = open_page(manager, f"/sites/{site.pk}/queue/", viewport={"width": 1024, "height": 768})
        boxes = [each.bounding_box() for each in page.locator(".top a, .top button").all() if each.is_visible()]
        assert len(boxes) > 12
        middles = [box["y"] + box["height"] / 2 for box in boxes]
        assert max(middles) - min(middles) < 3
        assert all(left["x"] + left["width"] <= right["x"] for left, right in itertools.pairwise(boxes[1:]))
        expect(page.get_by_role("link", name="classification waiting")).to_be_in_viewport()
        page.locator("#running").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Classification {running.pk}")

    def test_a_paused_log_stands_still_while_the_progress_goes_on(self, open_page, viewer, running):
        Run.objects.filter(pk=running.pk).update(log="first line\n")
        page = open_page(viewer, f"/runs/{running.pk}/")
        page.get_by_role("button", name="Pause").click()
        Run.objects.filter(pk=running.pk).update(log="first line\nsecond line\n", stage="classifying", progress=0.8)
        expect(page.locator("#run-state")).to_contain_text("classifying")
        expect(page.locator("#run-log")).not_to_contain_text("second line")
        page.get_by_role("button", name="Follow again").click()
        expect(page.locator("#run-log")).to_contain_text("second line")

    def test_a_training_draws_its_curves_while_it_learns(self, open_page, site, viewer):
        run = Run.objects.create(site=site, kind="train", state="running", progress=0.5)
        page = open_page(viewer, f"/runs/{run.pk}/")
        expect(page.locator("polyline")).to_have_count(0)
        Run.objects.filter(pk=run.pk).update(log=LOG)
        expect(page.locator("polyline")).to_have_count(6)
        expect(page.get_by_role("img", name="Losses by epoch, from 1 to 2")).to_be_visible()

    def test_the_list_shows_a_run_that_somebody_else_starts(self, open_page, site, viewer):
        page = open_page(viewer, f"/sites/{site.pk}/runs/")
        expect(page.locator("#runs")).to_contain_text("No run yet")
        Run.objects.create(site=site, kind="train", state="running", stage="epoch 1 of 9", progress=0.1)
        expect(page.locator("#runs")).to_contain_text("epoch 1 of 9", timeout=20_000)

    def test_a_manager_resumes_an_interrupted_run(self, open_page, site, manager):
        run = Run.objects.create(site=site, kind="train", state="interrupted", error="Its worker was lost.")
        page = open_page(manager, f"/runs/{run.pk}/")
        expect(page.locator("#run")).to_contain_text("Its worker was lost.")
        page.get_by_role("button", name="Resume the run").click()
        expect(page.locator("#run")).to_contain_text("queued")
