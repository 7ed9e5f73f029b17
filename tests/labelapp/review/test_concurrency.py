"""Many experts at once, each with a connection of their own, on a database that really commits."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from labelapp.catalogue.errors import Conflict
from labelapp.review import ledger, services
from labelapp.review.models import Relabel, ReviewItem, ReviewPolicy

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


def test_of_undoing_and_answering_at_once_whoever_is_first_counts(site, ask, decide, experts):
    """The first expert takes back what others are just giving second opinions on: never both, and nothing half done."""
    ReviewPolicy.objects.create(site=site, second_opinion_share=1)
    first = experts[0]
    for _ in range(3):
        item = ask("quake", "rockfall")
        decide(item, "rockfall", expert=first)
        second = ReviewItem.objects.get(event=item.event, state="open")

        def act(expert, second=second):
            if expert == first:
                return services.undo(site=site, expert=first)
            return decide(second, "noise", expert=expert)

        undone, *answers = at_once(act, experts)
        written = [answer for answer in answers if isinstance(answer, Relabel)]
        assert len(written) == (1 if isinstance(undone, Conflict) else 0)
        item.event.refresh_from_db()
        assert item.event.label.code == ("rockfall" if written else "quake")
        ReviewItem.objects.filter(state="open").update(state="withdrawn", holder=None)
    assert ledger.verify(site) == []


def test_undoing_in_two_windows_at_once_takes_back_two_decisions_once_each(site, ask, decide, experts):
    first = experts[0]
    for _ in range(2):
        decide(ask("quake", "rockfall"), "rockfall", expert=first)
    outcomes = at_once(lambda _: services.undo(site=site, expert=first), range(3))
    assert Counter(type(outcome).__name__ for outcome in outcomes) == {"Undone": 2, "Conflict": 1}
    assert sorted(row.details["withdraws"] for row in Relabel.objects.filter(kind="withdraw")) == [1, 2]
    assert ledger.verify(site) == []
