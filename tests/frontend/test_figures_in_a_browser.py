"""The pages of figures, filled, in a real browser: accessible, no wider than the window, and each number leads on."""

import random
import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from labelapp.catalogue.models import Event
from labelapp.review.models import ReviewItem
from tests.frontend.test_browsing import assert_accessible
from tests.labelapp.review.rows import MORNING, ledger_of, write

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def filled(site, make_event, classes, expert, manager, make_model, make_prediction):
    """Events over three days, a ledger of two experts with second opinions and gold checks, a model, a dispute."""
    generator, model = random.Random(2), make_model()
    starts = [MORNING - timedelta(hours=generator.uniform(2, 70)) for _ in range(30)]
    events = [make_event(generator.choice(["quake", "rockfall", "noise"]), starttime=start) for start in starts]
    Event.objects.update(created_at=MORNING - timedelta(days=1))
    for event in events:
        make_prediction(event, generator.choice(list(classes)), model=model)
    ledger_of(events[:12], [expert, manager], classes, generator, rows=40)
    for event in events[12:24]:
        first = write(event, expert, "confirm", event.label)
        second = write(event, manager, "opinion", classes[generator.choice(["quake", "noise"])], about=first.sequence)
        write(event, manager, "opinion", classes["quake"], gold={"expected": "quake"})
    ReviewItem.objects.create(site=site, event=events[23], reason="adjudication", about=first, against=second)
    return events


PAGES = ["progress/", "agreement/", "matrices/?against=model-1&of=both&row=quake&column=quake", "events/?label=quake"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 1024)])
def test_filled_pages_are_accessible_and_fit(open_page, site, manager, filled, scheme, width):
    for address in PAGES:
        page = open_page(
            manager, f"/sites/{site.pk}/{address}", color_scheme=scheme, viewport={"width": width, "height": 768}
        )
        assert_accessible(page, address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


def test_the_menu_fits_on_one_line_at_1024(open_page, site, manager, filled):
    page = open_page(manager, f"/sites/{site.pk}/progress/", viewport={"width": 1024, "height": 768})
    tops = page.locator("header.top nav a").evaluate_all(
        "links => links.map((link) => link.getBoundingClientRect().top)"
    )
    assert len(tops) >= 8
    assert max(tops) - min(tops) < 5


def test_a_cell_of_a_matrix_leads_to_its_events(open_page, site, viewer, filled):
    page = open_page(viewer, f"/sites/{site.pk}/matrices/")
    cell = page.locator("section[aria-labelledby=both] td:not(.diagonal) a").first
    number = int(cell.inner_text())
    cell.click()
    expect(page.locator("#events tbody tr")).to_have_count(number)
    page.locator("#events tbody a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Event")


def test_a_time_is_asked_for_only_where_it_counts(open_page, site, viewer, filled):
    page = open_page(viewer, f"/sites/{site.pk}/matrices/")
    expect(page.get_by_label("Before: time (UTC)")).to_be_hidden()
    page.get_by_label("Before", exact=True).select_option("catalogue at the time")
    page.get_by_label("Before: time (UTC)").fill("2026-03-02T08:10")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#both")).to_have_text("Catalogue at 2026-03-02T08:10:00Z → catalogue now")


def test_files_are_what_their_buttons_say(open_page, site, viewer, filled):
    for address, name in (("progress/", "By day"), ("agreement/", "Download"), ("matrices/", "Download")):
        page = open_page(viewer, f"/sites/{site.pk}/{address}")
        with page.expect_download() as download:
            page.get_by_role("link", name=re.compile(name)).click()
        assert download.value.suggested_filename.endswith(".csv")


def test_a_disagreement_opens_for_its_decision(open_page, site, expert, filled):
    page = open_page(expert, f"/sites/{site.pk}/agreement/")
    page.get_by_role("link", name=re.compile("decide")).click()
    page.wait_for_url("**/review/?item=*")
