"""Many experts at once, each with a connection of their own, on a database that really commits."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from labelapp.catalogue.errors import Conflict
from labelapp.review import ledger, services
from labelapp.review.models import Relabel, ReviewItem

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def experts(django_user_model, db):
    group = Group.objects.get(name="expert")
    users = [django_user_model.objects.create_user(username=f"expert {number}") for number in range(6)]
    group.user_set.add(*users)
    return users


def at_once(work, arguments):
    """work(argument) for each argument, all in threads that start together; what they return or refuse."""
    barrier = Barrier(len(arguments))

    def start(argument):
        try:
            barrier.wait(timeout=20)
            return work(argument)
        except Conflict as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(start, arguments))


def test_no_two_experts_are_given_the_same_item(site, ask, experts):
    for _ in range(4):
        ask()
    given = at_once(lambda expert: services.next_item(site=site, expert=expert), experts)
    items = [item.pk for item in given if item]
    assert len(items) == len(set(items)) == 4
    assert {item.pk: item.holder_id for item in given if item} == dict(
        ReviewItem.objects.values_list("pk", "holder_id")
    )


def test_of_many_decisions_on_one_item_one_counts(ask, decide, experts):
    item = ask("quake", "rockfall")
    outcomes = at_once(lambda expert: decide(item, "rockfall", expert=expert), experts)
    kinds = Counter(type(outcome).__name__ for outcome in outcomes)
    assert kinds == {"Relabel": 1, "DecidedMeanwhile": len(experts) - 1}
    assert Relabel.objects.count() == 1


def test_a_double_click_writes_one_row(ask, decide, experts):
    item = ask()
    rows = at_once(lambda _: decide(item, "rockfall", expert=experts[0]), range(4))
    assert {row.pk for row in rows} == {Relabel.objects.get().pk}


def test_experts_who_work_through_the_queue_together_leave_one_unbroken_chain(site, ask, decide, experts):
    for _ in range(12):
        ask("quake", "rockfall")

    def work(expert):
        done = 0
        while item := services.next_item(site=site, expert=expert):
            decide(item, "rockfall", expert=expert)
            done += 1
        return done

    assert sum(at_once(work, experts)) == 12
    assert list(Relabel.objects.values_list("sequence", flat=True)) == list(range(1, 13))
    assert ledger.verify(site) == []


def test_the_queue_can_be_filled_while_experts_decide(site, ask, decide, experts, predict):
    predictions = [ask("quake", "rockfall").prediction for _ in range(10)]

    def work(expert):
        if expert is experts[0]:
            return [services.fill_queue(site=site, predictions=predictions) for _ in range(5)]
        item = services.next_item(site=site, expert=expert)
        return decide(item, "rockfall", expert=expert)

    outcomes = at_once(work, experts)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert Relabel.objects.count() == len(experts) - 1
    assert ReviewItem.objects.filter(state="open").count() == 10 - Relabel.objects.count()
