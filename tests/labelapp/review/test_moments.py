"""The labels at a moment are what the ledger, read row by row up to then, makes of the imported catalogue."""

import random
from datetime import timedelta

import pytest

from labelapp.catalogue.models import Event
from labelapp.review.moments import labels_at, labels_imported, labels_now
from tests.labelapp.review.rows import MORNING, ledger_of, write


@pytest.fixture
def events(make_event):
    """Ten, two without a label, that were imported the day before."""
    made = [make_event(label) for label in [*["quake", "rockfall", "noise", "earthquake"] * 2, None, None]]
    Event.objects.update(created_at=MORNING - timedelta(days=1))
    return made


def slow_replay(site, time):
    """Row by row, class by class, as a clerk would."""
    labels = {}
    for event in site.events.all():
        labels[event.pk] = event.catalogue_label.code if event.catalogue_label else None
    for row in sorted(site.relabels.all(), key=lambda row: row.sequence):
        if row.decided_at <= time and row.kind in {"confirm", "correct", "first", "withdraw"}:
            labels[row.event_id] = row.to_class.code if row.to_class else None
    return labels


@pytest.mark.parametrize("seed", range(3))
def test_labels_at_any_moment_equal_a_replay_row_by_row(site, events, classes, expert, manager, seed):
    rows = ledger_of(events, [expert, manager], classes, random.Random(seed))
    moments = [MORNING - timedelta(hours=1), *(row.decided_at for row in rows[::7]), rows[-1].decided_at]
    for time in moments:
        assert labels_at(site, time) == slow_replay(site, time)


def test_before_the_first_and_after_the_last_decision_they_are_the_imported_and_the_current_ones(
    site, events, classes, expert
):
    rows = ledger_of(events, [expert], classes, random.Random(5))
    assert labels_at(site, MORNING - timedelta(seconds=1)) == labels_imported(site)
    assert labels_at(site, rows[-1].decided_at) == labels_now(site)


def test_an_event_is_not_in_the_catalogue_before_it_was_added(site, events):
    Event.objects.filter(pk=events[0].pk).update(created_at=MORNING)
    assert events[0].pk not in labels_at(site, MORNING - timedelta(seconds=1))
    assert events[0].pk in labels_at(site, MORNING)


def test_a_merged_event_leaves_the_catalogue_when_it_was_merged(site, events, classes, expert):
    gone, kept = events[:2]
    write(gone, expert, "merge", gone.label, at=MORNING, into=kept.event_id)
    Event.objects.filter(pk=gone.pk).update(merged_into=kept)
    assert gone.pk in labels_at(site, MORNING - timedelta(seconds=1))
    assert gone.pk not in labels_at(site, MORNING)
    assert gone.pk not in labels_now(site)


def test_asking_takes_three_queries_however_long_the_ledger_is(
    site, events, classes, expert, django_assert_max_num_queries
):
    ledger_of(events, [expert], classes, random.Random(1))
    with django_assert_max_num_queries(3):
        labels_at(site, MORNING)
