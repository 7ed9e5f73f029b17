"""Leases: of a part of the queue, to whom an item may go, how long they look, and what another holder begins anew."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event as Signal

import pytest
from django.db import connection, transaction
from django.utils import timezone

from labelapp.api.filters import QueueFilters
from labelapp.catalogue.errors import Conflict, Invalid
from labelapp.catalogue.models import Observation, Station
from labelapp.review import gold, services, worth
from labelapp.review.models import Relabel, ReviewItem, ReviewPolicy


def part(site, **wanted):
    return QueueFilters(wanted, site.review_items.all()).qs


def end_lease(item):
    ReviewItem.objects.filter(pk=item.pk).update(held_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "sure"),
        ({"reason": "doubt"}, "torn"),
        ({"label": "noise"}, "noise"),
        ({"judged": "earthquake"}, "torn"),
        ({"station": "XX.BBB.00"}, "noise"),
        ({"starttime_after": "2026-03-01T06:02:00Z"}, "noise"),
        ({"starttime_before": "2026-03-01T06:02:00", "reason": "doubt"}, "torn"),
        ({"probability_max": 0.35}, "torn"),
        ({"probability_min": 0.9, "label": "noise"}, None),
    ],
)
def test_next_leases_from_the_part_of_the_queue_that_is_asked_for(site, make_event, predict, expert, wanted, found):
    predictions = [
        predict(make_event("quake", event_id="sure"), "rockfall", 0.95),
        predict(make_event("earthquake", event_id="torn"), "earthquake", 0.33),
        predict(make_event("noise", event_id="noise"), "rockfall", 0.8),
    ]
    services.fill_queue(site=site, predictions=predictions)
    other = Station.objects.create(site=site, network="XX", code="BBB", location="00")
    event = predictions[2].event
    Observation.objects.create(event=event, station=other, starttime=event.starttime, endtime=event.endtime)
    item = services.next_item(site=site, expert=expert, among=part(site, **wanted))
    assert (item and item.event.event_id) == found


def test_who_turns_to_another_part_gives_back_what_they_held(site, ask, expert, manager):
    first, other = ask("quake"), ask("noise")
    assert services.next_item(site=site, expert=expert, among=part(site, label="quake")) == first
    assert services.next_item(site=site, expert=expert, among=part(site, label="quake")) == first
    assert services.next_item(site=site, expert=expert, among=part(site, label="noise")) == other
    assert services.next_item(site=site, expert=manager, among=part(site, label="quake")) == first


def test_looking_begins_when_the_item_is_first_given_and_goes_on_while_it_is_renewed(ask, expert):
    item = services.take_item(item=ask(), expert=expert)
    begun = item.taken_at
    assert timezone.now() - begun < timedelta(seconds=5)
    assert services.renew_lease(item=item, expert=expert).taken_at == begun


def test_another_holder_begins_anew(site, ask, expert, manager, classes):
    item = services.take_item(item=ask(), expert=expert)
    row = Relabel.objects.create(
        site=site, sequence=1, event=item.event, item=item, expert=expert, kind="blind", hash="0" * 64,
        to_class=classes["quake"], decided_at=timezone.now(),
    )  # fmt: skip
    long_ago = timezone.now() - timedelta(hours=1)
    ReviewItem.objects.filter(pk=item.pk).update(blind=row, taken_at=long_ago)
    end_lease(item)
    assert services.take_item(item=item, expert=expert).blind == row  # the same expert has seen the machine's opinion
    end_lease(item)
    theirs = services.take_item(item=item, expert=manager)
    assert theirs.blind is None
    assert theirs.taken_at > long_ago


def test_nobody_gives_a_second_opinion_on_their_own_decision(site, ask, decide, expert, manager):
    first = ask()
    row = decide(first, "rockfall")
    second = ReviewItem.objects.create(
        site=site, event=first.event, prediction=first.prediction, reason="second_opinion", about=row, priority=1.5
    )
    assert services.next_item(site=site, expert=expert) is None
    with pytest.raises(Conflict, match="must be somebody else's"):
        services.take_item(item=second, expert=expert)
    assert services.next_item(site=site, expert=manager) == second


def test_who_gave_one_of_two_opinions_may_decide_between_them(site, ask, decide, expert):
    first = ask()
    row = decide(first, "rockfall")
    item = ReviewItem.objects.create(site=site, event=first.event, reason="adjudication", about=row, priority=3)
    assert services.next_item(site=site, expert=expert) == item


def test_what_is_kept_for_one_expert_goes_to_no_other(site, make_event, expert, manager):
    item = ReviewItem.objects.create(site=site, event=make_event("quake"), reason="gold", reserved_for=manager)
    assert services.next_item(site=site, expert=expert) is None
    with pytest.raises(Conflict, match="kept for another expert"):
        services.take_item(item=item, expert=expert)
    assert services.next_item(site=site, expert=manager) == item


class TestGoldChecks:
    @pytest.fixture(autouse=True)
    def always(self, site, make_event, manager):
        ReviewPolicy.objects.create(site=site, gold_share=1.0)
        event = make_event("quake", event_id="golden")
        gold.set_gold(event=event, by=manager)

    def test_come_by_the_sites_share_before_what_waits(self, site, ask, expert):
        ask()
        item = services.next_item(site=site, expert=expert)
        assert (item.event.event_id, item.reason, item.holder) == ("golden", "gold", expert)

    def test_are_not_dealt_where_they_would_stand_out(self, site, ask, expert):
        item = ask("noise", "rockfall")
        assert services.next_item(site=site, expert=expert, among=part(site, reason="disagreement")) == item
        services.release(item=item, expert=expert)
        assert services.next_item(site=site, expert=expert, among=part(site, label="noise")) == item

    def test_are_dealt_from_the_part_that_they_are_in(self, site, ask, expert):
        ask("quake", "rockfall")
        assert services.next_item(site=site, expert=expert, among=part(site, label="quake")).reason == "gold"


def test_a_skip_lasts_as_long_as_the_expert_or_else_the_site_says(site, ask, expert):
    ReviewPolicy.objects.create(site=site, postpone_s=60, lease_s=20)
    for given, expected in ((None, 60), (7_200, 7_200)):
        item = services.take_item(item=ask(), expert=expert)
        assert timedelta(seconds=15) < item.held_until - timezone.now() <= timedelta(seconds=20)
        services.skip_item(item=item, expert=expert, postpone_s=given)
        item.refresh_from_db()
        assert abs((item.postponed_until - timezone.now()).total_seconds() - expected) < 5
    for wrong in (0, -1, 10**9):
        with pytest.raises(Invalid, match="cannot be put off"):
            services.skip_item(item=ask(), expert=expert, postpone_s=wrong)


def test_an_event_that_was_merged_into_another_is_looked_at_no_more(make_event, expert):
    first, second = make_event("quake"), make_event("quake")
    second.merged_into = first
    second.save()
    with pytest.raises(Conflict, match=f"merged into {first}"):
        services.ask_for_review(event=second, expert=expert)


def test_requests_come_before_what_the_machine_asks(site, ask, make_event, expert):
    ask()
    item = services.ask_for_review(event=make_event("quake"), expert=expert)
    assert item.priority == worth.REQUEST > 1


@pytest.mark.django_db(transaction=True)
def test_a_queue_that_is_just_being_filled_does_not_look_empty(site, ask, expert):
    """Whoever fills the queue locks all of its items; who asks meanwhile waits, instead of being sent home."""
    item = ask()
    filled, may_end = Signal(), Signal()

    def fill():
        try:
            with transaction.atomic():
                list(ReviewItem.objects.select_for_update())
                filled.set()
                may_end.wait(20)
        finally:
            connection.close()

    def take():
        try:
            return services.next_item(site=site, expert=expert)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        filling = pool.submit(fill)
        assert filled.wait(20)
        asking = pool.submit(take)
        with pytest.raises(TimeoutError):
            asking.result(timeout=0.5)
        may_end.set()
        filling.result(20)
        assert asking.result(20) == item
