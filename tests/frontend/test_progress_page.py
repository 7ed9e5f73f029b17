"""The progress page: figures that agree with the ledger, for whoever may see them, in few queries."""

import random
import re
from datetime import timedelta

import pytest
from django.urls import reverse

from labelapp.catalogue.models import Event
from labelapp.pages.drawing import Series, nice_top, rose, stacked
from labelapp.review.models import ReviewItem, ReviewPolicy
from tests.labelapp.review.rows import MORNING, ledger_of, write


@pytest.fixture
def show(client, viewer, site):
    """show() → the answer of the progress page"""
    client.force_login(viewer)
    return lambda: client.get(reverse("progress", args=[site.pk]))


@pytest.fixture
def events(make_event):
    return [make_event(label) for label in ["quake", "rockfall", "noise", None, "quake", "earthquake"]]


def test_the_matrix_counts_every_standing_decision(show, events, classes, expert, manager):
    rows = ledger_of(events, [expert, manager], classes, random.Random(7), rows=80)
    taken_back = {row.details["withdraws"] for row in rows if row.kind == "withdraw"}
    found = show().context["changes"]
    codes = [each.code for each in found["classes"]]
    for line in found["rows"]:
        before = line["event_class"].code if line["event_class"] else ""
        for code, cell in zip(codes, line["cells"], strict=True):
            assert cell["count"] == sum(
                row.kind in {"confirm", "correct", "first"} and (row.from_code, row.to_code) == (before, code)
                for row in rows if row.sequence not in taken_back
            )  # fmt: skip


def test_what_is_left_takes_as_long_as_the_last_sittings_say(show, site, events, classes, expert):
    for minute in (0, 1, 2, 3):
        write(events[0], expert, "confirm", classes["quake"], at=MORNING + timedelta(minutes=minute), seconds="12.5")
    for event in events[:5]:
        ReviewItem.objects.create(site=site, event=event, reason="doubt")
    answer = show()
    assert answer.context["pace"] == pytest.approx(60)
    assert answer.context["time_left_s"] == pytest.approx(300)
    assert "5 min 0 s" in answer.text
    assert "12.5" in answer.text


def test_days_without_a_decision_are_there_and_empty(show, events, classes, expert):
    for day in (0, 3):
        write(events[0], expert, "confirm", classes["quake"], at=MORNING + timedelta(days=day))
    chart = show().context["days"]
    assert [(column.name, column.total) for column in chart.columns] == [
        ("2026-03-02", 1), ("2026-03-03", 0), ("2026-03-04", 0), ("2026-03-05", 1),
    ]  # fmt: skip


def test_every_drawn_number_is_text_too(show, events, classes, expert):
    ledger_of(events, [expert], classes, random.Random(9), rows=40)
    answer = show()
    table = re.search(r'<details class="as-table">.*?</details>', answer.text, re.S)[0]
    for column in answer.context["days"].columns:
        cells = "".join(f'<td class="right">{n}</td>' for n in [*column.counts, column.total])
        assert f'<th scope="row">{column.name}</th>{cells}' in table


def test_without_decisions_the_page_says_what_to_do(client, expert, show, site, make_event):
    assert "import_catalogue" in show().text
    event = make_event("quake")
    assert "Nothing waits in the queue" in show().text
    ReviewItem.objects.create(site=site, event=event, reason="doubt")
    assert "To the queue" in show().text
    client.force_login(expert)
    assert "Start reviewing" in show().text


def test_ten_times_the_ledger_takes_no_more_queries(
    show, events, classes, expert, django_assert_max_num_queries, django_assert_num_queries
):
    ledger_of(events, [expert], classes, random.Random(1), rows=8)
    with django_assert_max_num_queries(20) as first:
        show()
    ledger_of(events, [expert], classes, random.Random(2), rows=80)
    with django_assert_num_queries(len(first)):
        show()


def test_merged_events_are_none_of_the_site(show, events):
    Event.objects.filter(pk=events[0].pk).update(merged_into=events[1])
    assert show().context["events"] == 5


class TestGeometry:
    @pytest.mark.parametrize("most", range(0, 2000, 13))
    def test_the_axis_holds_the_tallest_column_and_wastes_less_than_half(self, most):
        assert most <= nice_top(most) <= max(2 * most, 1)

    def test_columns_are_as_tall_as_their_counts(self):
        rows = [("a", {"x": 3, "y": 1}), ("b", {}), ("c", {"x": 8})]
        chart = stacked(rows, [Series("x", "X"), Series("y", "Y"), Series("z", "Z")])
        assert [each.key for each in chart.series] == ["x", "y"]
        assert [column.share * chart.top for column in chart.columns] == pytest.approx([4, 0, 8])
        assert [[part.count for part in column.parts] for column in chart.columns] == [[3, 1], [], [8]]

    def test_the_areas_of_a_rose_are_as_its_counts(self):
        sectors = rose([4, 1, 0, 2], ["N", "E", "S", "W"])
        radii = [float(each.path.split("A")[1].split()[0]) if each.path else 0.0 for each in sectors]
        assert [radius**2 * 4 for radius in radii] == pytest.approx([4, 1, 0, 2], abs=1e-3)
        assert sectors[0].x > 0
        assert sectors[0].y < 0, "the first sector begins at the top and goes clockwise"


def test_only_managers_are_told_of_gold_checks(client, manager, show, site, events, classes, expert):
    write(events[0], expert, "opinion", classes["quake"], asked="gold")
    write(events[1], expert, "confirm", classes["rockfall"], asked="doubt")
    assert [row["words"] for row in show().context["questions"]] == ["the model doubts itself"]
    client.force_login(manager)
    told = client.get(reverse("progress", args=[site.pk])).context["questions"]
    assert [row["words"] for row in told] == ["the model doubts itself", "gold check"]


def test_a_blind_site_says_to_managers_alone_why_events_wait(show, client, events, classes, expert, manager, site):
    write(events[0], expert, "confirm", classes["quake"], asked="disagreement")
    ReviewPolicy.objects.create(site=site, blind=True)
    ReviewItem.objects.create(site=site, event=events[1], reason="disagreement")
    ReviewItem.objects.create(site=site, event=events[2], reason="request")

    def left():
        return {row["words"]: row["left"] for row in show().context["questions"]}

    assert left() == {"the model disagrees with the label": None, "asked for by an expert": 1}
    assert "kept back" in show().content.decode()
    client.force_login(manager)
    assert left() == {"the model disagrees with the label": 1, "asked for by an expert": 1}
