"""The catalogue's time line and roses: what a walk through the events counts, for whatever the filters leave."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from playwright.sync_api import expect

from labelapp.catalogue.models import Event
from labelapp.pages.times import MOST_COLUMNS, STEPS, step_for
from tests.conftest import MORNING

LABELS = ["quake", "rockfall", "noise", None]


@pytest.fixture
def scatter(make_event):
    """scatter(days=3) → sixty events, at random within so long a time"""

    def make(seed=0, **span):
        generator, length = random.Random(seed), timedelta(**span)
        return [
            make_event(generator.choice(LABELS), starttime=MORNING + generator.random() * length) for _ in range(60)
        ]

    return make


@pytest.fixture
def show(client, viewer, site):
    """show("label=quake") → the answer of the catalogue"""
    client.force_login(viewer)
    return lambda query="": client.get(reverse("events", args=[site.pk]) + "?" + query.removeprefix("?"))


def test_columns_hold_the_events_of_their_time_by_label(show, scatter):
    events = scatter(days=3)
    chart = show().context["times"]["line"]
    expected = Counter((f"{e.starttime:%Y-%m-%dT%H}", e.label.code if e.label else "") for e in events)
    found = {
        (column.name, part.series.key): part.count for column in chart.columns for part in column.parts if part.count
    }
    assert found == expected
    hours = (max(e.starttime for e in events) - min(e.starttime for e in events)) / timedelta(hours=1)
    assert len(chart.columns) in (int(hours) + 1, int(hours) + 2), "hours without an event are there too"


def test_roses_count_hours_and_weekdays_in_utc(show, scatter):
    events = scatter(days=20)
    times = show().context["times"]
    for number, sector in enumerate(times["hours"]):
        assert sector.count == sum(e.starttime.astimezone(UTC).hour == number for e in events)
    names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert [s.name for s in times["weekdays"]] == names
    for sector in times["weekdays"]:
        assert sector.count == sum(e.starttime.strftime("%a") == sector.name for e in events)


@pytest.mark.parametrize(
    ("span", "step"),
    [
        ({"minutes": 50}, "minute"),
        ({"days": 3}, "hour"),
        ({"days": 80}, "day"),
        ({"days": 600}, "week"),
        ({"days": 3000}, "month"),
        ({"days": 9000}, "year"),
    ],
)
def test_a_longer_time_has_longer_columns_but_never_too_many(show, scatter, span, step):
    scatter(**span)
    times = show().context["times"]
    assert times["step"] == step
    assert len(times["line"].columns) <= MOST_COLUMNS
    assert times["line"].total == times["total"] == 60
    assert sum(sector.count for sector in times["hours"]) == 60


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_each_column_begins_where_the_one_before_ends(step):
    time = step.begin(datetime(2023, 12, 30, 23, 59, 30, 7, tzinfo=UTC))
    for _ in range(500):
        assert step.begin(time) == time
        assert step.begin(step.next(time) - timedelta(microseconds=1)) == time
        time = step.next(time)


def test_one_event_is_one_column():
    assert step_for(MORNING, MORNING).name == "minute"


@pytest.mark.parametrize(
    "query", ["label=quake", "starttime_before=2026-03-02", "status=unlabelled", "predicted=noise"]
)
def test_the_figures_follow_the_filters(show, scatter, make_prediction, make_model, query):
    model = make_model()
    for number, event in enumerate(scatter(days=3)):
        make_prediction(event, ["noise", "quake"][number % 2], model=model)
    answer = show(query)
    assert 0 < answer.context["times"]["total"] == answer.context["page"].paginator.count < 60


def test_the_address_of_a_column_selects_its_events_and_keeps_the_filters(show, scatter):
    scatter(days=30)
    for column in show("label=quake&page=1").context["times"]["line"].columns[:12]:
        assert parse_qs(column.address.removeprefix("?"))["label"] == ["quake"]
        assert show(column.address).context["page"].paginator.count == column.total


def test_a_column_at_the_edge_of_the_selection_never_reaches_beyond_it(show, scatter):
    scatter(days=3)
    query = "starttime_after=2026-03-01T20:17:03&starttime_before=2026-03-02T09:41"
    answer = show(query)
    columns = answer.context["times"]["line"].columns
    for column in (columns[0], columns[-1]):
        assert show(column.address).context["page"].paginator.count == column.total


def test_merged_events_are_not_counted(show, scatter):
    events = scatter(days=3)
    Event.objects.filter(pk=events[0].pk).update(merged_into=events[1])
    assert show().context["times"]["total"] == 59


def test_an_empty_selection_has_no_figures(show, scatter):
    assert show().context["times"] is None
    scatter(days=1)
    answer = show("starttime_after=2030-01-01")
    assert answer.context["times"] is None
    assert "No event fits" in answer.text


def test_the_figures_take_two_queries_however_many_events_there_are(show, scatter):
    scatter(days=3)
    with CaptureQueriesContext(connection) as few:
        show()
    scatter(seed=1, days=3)
    with CaptureQueriesContext(connection) as more:
        show()
    assert len(more) == len(few)
    assert sum("MIN(" in q["sql"] for q in more.captured_queries) == 1


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
class TestInABrowser:
    def test_a_click_on_a_column_narrows_the_list(self, open_page, viewer, site, scatter):
        scatter(days=3)
        page = open_page(viewer, f"/sites/{site.pk}/events/")
        column = page.locator("a.pillar:has(i)").nth(4)
        events = int(column.get_attribute("title").split(": ")[1].split(" ")[0])
        column.click()
        expect(page.locator("section[aria-label=Events] tbody tr")).to_have_count(events)
        page.get_by_role("link", name="The whole time again").click()
        expect(page.locator("section[aria-label=Events] tbody tr")).to_have_count(60)

    def test_closed_it_stays_closed_and_its_table_works_by_keyboard(self, open_page, viewer, site, scatter):
        scatter(days=3)
        page = open_page(viewer, f"/sites/{site.pk}/events/")
        page.get_by_text("As a table").click()
        page.locator(".as-table a").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**starttime_after**")
        page.locator("#times > summary").click()
        page.reload()
        expect(page.locator("#times .chart")).to_be_hidden()
        expect(page.locator("#times > summary")).to_be_visible()
