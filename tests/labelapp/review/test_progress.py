"""What the progress page says is what somebody finds who goes through the ledger by hand."""

import random
from datetime import datetime, timedelta

import numpy as np
import pytest

from labelapp.review import progress
from labelapp.review.models import Relabel
from tests.labelapp.review.rows import MORNING, ledger_of, write

ANSWERS = {"confirm", "correct", "first", "opinion", "unsure"}


@pytest.fixture
def ledger(site, make_event, classes, expert, manager):
    """Rows of every kind, of two experts over some days."""
    events = [make_event(label) for label in ["quake", "rockfall", "noise", None, "quake", "earthquake"]]
    return ledger_of(events, [expert, manager], classes, random.Random(3), rows=90)


@pytest.fixture
def made(site, ledger):
    return progress.decisions(site)


def stands(row, ledger):
    return not any(other.kind == "withdraw" and other.details["withdraws"] == row.sequence for other in ledger)


def answers(ledger):
    return [row for row in ledger if row.kind in ANSWERS and stands(row, ledger)]


def test_changes_by_class_are_counted_without_those_taken_back(made, ledger):
    counted = {}
    for row in answers(ledger):
        if row.kind in {"confirm", "correct", "first"}:
            pair = (row.from_code, row.to_code)
            counted[pair] = counted.get(pair, 0) + 1
    assert dict(progress.changes(made)) == counted
    assert any(row.kind == "withdraw" for row in ledger)


def test_an_event_is_reviewed_once_however_often_it_was_decided(made, ledger):
    events = set()
    for row in answers(ledger):
        if row.kind in {"confirm", "correct", "first"}:
            events.add(row.event_id)
    assert progress.reviewed_events(made) == len(events)


def test_each_experts_tally_is_what_a_loop_counts(made, ledger):
    found = {tally.name: tally for tally in progress.by_expert(made)}
    for name in {row.expert_name for row in ledger}:
        own = [row for row in ledger if row.expert_name == name and row.kind in ANSWERS]
        for kind in ANSWERS:
            assert found[name].counts[kind] == sum(row.kind == kind and stands(row, ledger) for row in own)
        back = sum(not stands(row, ledger) for row in own)
        assert found[name].withdrawn == back
        assert found[name].withdrawn_share == pytest.approx(back / len(own))
        assert found[name].median_s == pytest.approx(np.median([float(row.details["seconds"]) for row in own]))


def test_each_day_in_utc_holds_its_decisions(made, ledger):
    found = dict(progress.by_day(made))
    assert len(found) > 1
    for day, tally in found.items():
        rows = [row for row in answers(ledger) if row.decided_at.strftime("%Y-%m-%d") == day.isoformat()]
        assert tally.decisions == len(rows)
    assert sum(tally.decisions for tally in found.values()) == len(answers(ledger)) == progress.tally(made).decisions


def test_a_question_counts_by_what_was_asked_and_how_often_the_label_changed(
    site, make_event, classes, expert, enqueued
):
    event, other = make_event("quake"), make_event("quake")
    write(event, expert, "correct", classes["rockfall"], item=enqueued(event, "doubt"))
    write(other, expert, "confirm", classes["quake"], item=enqueued(other, "doubt"))
    write(other, expert, "unsure", item=enqueued(other, "gold", state="done"), asked="label_error")
    write(event, expert, "confirm", classes["rockfall"])
    found = progress.by_question(progress.decisions(site))
    assert found == {"doubt": (2, 1), "label_error": (1, 0), "": (1, 0)}


@pytest.fixture
def enqueued(site):
    from labelapp.review.models import ReviewItem

    return lambda event, reason, **facts: ReviewItem.objects.create(site=site, event=event, reason=reason, **facts)


def test_reasons_are_counted_most_common_first(made, ledger):
    texts = [row.reason for row in answers(ledger) if row.reason]
    found = progress.common_reasons(made)
    assert dict(found) == {text: texts.count(text) for text in set(texts)}
    assert [n for _, n in found] == sorted((n for _, n in found), reverse=True)


class TestPace:
    @pytest.fixture
    def decide_at(self, make_event, classes, expert):
        """decide_at(0, 1, 2): decisions so many minutes after the morning began"""
        event = make_event("quake")

        def write_rows(*minutes, by=expert, **details):
            for minute in minutes:
                write(event, by, "confirm", classes["quake"], at=MORNING + timedelta(minutes=minute), **details)

        return write_rows

    def test_a_break_ends_a_sitting(self, site, decide_at):
        decide_at(0, 5, 20, 36, 40)
        found = progress.sittings(progress.decisions(site))
        assert [(s.begin - MORNING, s.end - MORNING, s.decisions) for s in found] == [
            (timedelta(), timedelta(minutes=20), 3),
            (timedelta(minutes=36), timedelta(minutes=40), 2),
        ]

    def test_the_pace_is_of_one_expert_while_they_sit(self, site, decide_at, manager):
        decide_at(0, 1, 2, 3, 100, 101)
        decide_at(0, 2, 4, by=manager)
        # 3 steps in 3 minutes, 1 in 1, 2 in 4.
        assert progress.pace_per_h(progress.sittings(progress.decisions(site))) == pytest.approx(60 * 6 / 8)

    def test_only_the_last_sittings_tell_the_pace(self, site, decide_at):
        decide_at(0, 1, 100, 102)
        assert progress.pace_per_h(progress.sittings(progress.decisions(site)), last=1) == pytest.approx(30)

    def test_many_relabelled_at_once_are_no_pace_and_no_looking_time(self, site, decide_at):
        decide_at(0, 0, 0, 1, batch="1b4e28ba", seconds="0.001")
        made = progress.decisions(site)
        assert progress.sittings(made) == []
        assert progress.tally(made).median_s is None
        assert progress.tally(made).decisions == 4

    def test_a_single_decision_tells_no_pace(self, site, decide_at):
        decide_at(0)
        assert progress.pace_per_h(progress.sittings(progress.decisions(site))) is None
        assert progress.pace_per_h([]) is None


def test_sittings_are_those_that_a_walk_through_the_rows_finds(made, ledger):
    expected = []
    for name in {row.expert_name for row in ledger}:
        last: datetime | None = None
        for row in ledger:
            if row.expert_name != name or row.kind not in ANSWERS:
                continue
            if last is None or row.decided_at - last > timedelta(minutes=15):
                expected.append([name, row.decided_at, row.decided_at, 0])
            expected[-1][2:] = [row.decided_at, expected[-1][3] + 1]
            last = row.decided_at
    found = [[s.expert, s.begin, s.end, s.decisions] for s in progress.sittings(made)]
    assert sorted(found) == sorted(expected)


def test_a_site_without_decisions_has_empty_figures(site):
    made = progress.decisions(site)
    assert (progress.by_expert(made), progress.by_day(made), progress.tally(made).withdrawn_share) == ([], [], None)


def test_the_whole_ledger_is_read_by_one_query(site, ledger, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert len(progress.decisions(site)) == sum(row.kind in ANSWERS for row in ledger)
    assert Relabel.objects.count() == 90
