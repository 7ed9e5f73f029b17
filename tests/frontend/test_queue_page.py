"""The queue page in a real browser: fresh numbers, selections, and those kept under a name."""

import pytest
from playwright.sync_api import expect

from labelapp.review import services
from labelapp.review.models import ReviewItem, SavedFilter

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def queue(open_page, site, expert):
    def open_queue(query="", user=expert, **options):
        return open_page(user, f"/sites/{site.pk}/queue/{query}", **options)

    return open_queue


def number(page, name):
    return page.locator(f"section[data-counts] [data-count={name}]")


def test_numbers_follow_what_others_do_and_the_list_says_that_it_is_old(queue, enqueue, manager):
    first = enqueue("quake")
    enqueue("noise")
    page = queue()
    expect(number(page, "waiting")).to_have_text("2")
    services.take_item(item=first, expert=manager)
    expect(number(page, "held")).to_have_text("1")
    ReviewItem.objects.filter(pk=first.pk).update(state="withdrawn")
    expect(number(page, "open")).to_have_text("1")
    expect(page.get_by_role("link", name="All 1")).to_be_visible()
    page.get_by_role("link", name="Show it as it is now").click()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_hidden_page_asks_nothing(queue, enqueue):
    enqueue()
    page = queue()
    page.wait_for_load_state("networkidle")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    page.wait_for_timeout(6_000)
    assert [url for url in asked if "counts" in url] == []


def test_a_selection_is_shown_saved_found_again_and_forgotten(queue, enqueue, expert):
    enqueue("quake"), enqueue("noise")
    page = queue()
    page.get_by_label("Label").select_option(label="Noise")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator(".head")).to_contain_text("1 of 2 in this selection")
    page.get_by_label("Name for this selection").fill("only noise")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Forget the saved filter only noise")).to_be_visible()
    assert SavedFilter.objects.get(user=expert).query == {"label": "noise"}
    page = queue()
    page.get_by_role("link", name="only noise").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Forget the saved filter only noise").click()
    expect(page.locator("#saved-status")).to_have_text("Forgotten.")
    assert not SavedFilter.objects.exists()


def test_reviewing_a_selection_brings_only_its_events(queue, enqueue):
    enqueue("quake"), enqueue("noise")
    page = queue("?label=noise")
    page.get_by_role("link", name="Review this selection").click()
    page.wait_for_selector("[data-state=ready]")
    assert ReviewItem.objects.get(holder__isnull=False).event.label.code == "noise"


def test_a_reason_is_chosen_among_those_there_are_and_keeps_the_other_filters(queue, enqueue):
    enqueue("quake"), enqueue("noise"), enqueue(None)
    page = queue("?judged=&label=noise")
    page.get_by_role("link", name="The model disagrees with the label").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    assert "label=noise" in page.url
    assert "reason=disagreement" in page.url


def test_a_selection_in_which_nothing_waits_says_so(queue, enqueue):
    enqueue("quake")
    page = queue("?label=noise")
    expect(page.get_by_role("heading", name="Nothing in this selection waits")).to_be_visible()
    page.get_by_role("link", name="Show all 1 that wait").click()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_viewers_look_and_save_nothing(queue, enqueue, viewer):
    enqueue("quake")
    page = queue("?label=quake", user=viewer)
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("#saved")).to_have_count(0)


def test_where_nothing_waits_the_review_page_says_so_below_its_header(open_page, site, expert):
    page = open_page(expert, f"/sites/{site.pk}/review/")
    page.wait_for_selector("[data-state=empty]")
    header, words = page.locator("header.top"), page.locator("#rest .empty")
    foot = header.bounding_box()["y"] + header.bounding_box()["height"]
    assert words.bounding_box()["y"] - foot < 100
