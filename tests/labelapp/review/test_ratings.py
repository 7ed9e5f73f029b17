"""What the ledger holds for measures of agreement: independent answers only, nothing that was taken back."""

import pytest

from labelapp.review import ratings, services
from labelapp.review.agreement import Moved
from labelapp.review.models import ReviewItem, ReviewPolicy


@pytest.fixture
def second(site, manager, decide):
    """second("noise"): the manager's second opinion on what was decided last."""

    def make(code):
        item = ReviewItem.objects.filter(state="open", reason="second_opinion").latest("pk")
        return decide(item, code, expert=manager, reason="")

    return make


def test_a_decision_and_its_second_opinion_are_one_round(site, ask, decide, second):
    ReviewPolicy.objects.create(site=site, second_opinion_share=1)
    for first, other in (("rockfall", "rockfall"), ("quake", "noise")):
        decide(ask("quake", "rockfall"), first)
        second(other)
    found = ratings.rounds(site)
    assert found == [{"a expert": "rockfall", "a manager": "rockfall"}, {"a expert": "quake", "a manager": "noise"}]
    assert ratings.pairs(found) == {("a expert", "a manager"): [("rockfall", "rockfall"), ("quake", "noise")]}
    assert ratings.counted(found) == [{"rockfall": 2}, {"quake": 1, "noise": 1}]
    assert ratings.kappas(found)["a expert", "a manager"].n == 2


def test_who_saw_the_other_s_decision_or_took_theirs_back_is_no_rater(site, ask, decide, second, manager, expert):
    policy = ReviewPolicy.objects.create(site=site)
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    decide(services.ask_for_review(event=item.event, expert=manager), "rockfall", expert=manager)
    policy.second_opinion_share = 1
    policy.save()
    decide(ask("quake", "rockfall"), "rockfall")
    second("noise")
    decide(ReviewItem.objects.get(state="open", reason="adjudication"), "noise")
    assert len(ratings.rounds(site)) == 1
    services.undo(site=site, expert=expert)
    services.undo(site=site, expert=manager)
    assert ratings.rounds(site) == []


def test_who_could_not_tell_is_not_in_a_round(site, ask, decide, manager):
    ReviewPolicy.objects.create(site=site, second_opinion_share=1)
    decide(ask("quake", "rockfall"), "rockfall")
    item = ReviewItem.objects.get(state="open")
    services.decide(item=item, expert=manager, event_class=None, prediction=item.prediction)
    assert ratings.rounds(site) == []


def test_what_was_said_before_the_machine_was_heard_may_be_asked_for_alone(site, ask, decide, manager):
    ReviewPolicy.objects.create(site=site, second_opinion_share=1, blind=True)
    item = ask("quake", "rockfall")
    decide(item, "noise", blind=True, prediction=None)
    decide(item, "rockfall")
    other = ReviewItem.objects.get(state="open")
    decide(other, "quake", blind=True, prediction=None, expert=manager)
    assert ratings.rounds(site) == []
    decide(other, "rockfall", expert=manager)
    assert ratings.rounds(site) == [{"a expert": "rockfall", "a manager": "rockfall"}]
    assert ratings.rounds(site, before_machine=True) == [{"a expert": "noise", "a manager": "quake"}]
    assert ratings.moved(site) == [
        Moved("a expert", "noise", "rockfall", "rockfall"), Moved("a manager", "quake", "rockfall", "rockfall"),
    ]  # fmt: skip


def test_a_blind_decision_made_again_after_the_machine_was_heard_counts_no_more(site, ask, decide, expert):
    ReviewPolicy.objects.create(site=site, blind=True)
    item = ask("quake", "rockfall")
    decide(item, "noise", blind=True, prediction=None)
    decide(item, "rockfall")
    services.undo(site=site, expert=expert)
    decide(item, "noise")
    assert ratings.moved(site) == [Moved("a expert", "noise", "rockfall", "noise")]
    services.undo(site=site, expert=expert)
    services.undo(site=site, expert=expert)
    decide(item, "rockfall", blind=True, prediction=None)
    decide(item, "rockfall")
    assert ratings.moved(site) == []


def test_of_blind_decisions_made_twice_the_first_is_what_was_said_before_the_machine(
    site, ask, decide, expert, manager
):
    ReviewPolicy.objects.create(site=site, second_opinion_share=1, blind=True)
    item = ask("quake", "rockfall")
    decide(item, "noise", blind=True, prediction=None)
    services.undo(site=site, expert=expert)
    decide(item, "rockfall", blind=True, prediction=None)
    decide(item, "rockfall")
    other = ReviewItem.objects.get(state="open")
    decide(other, "quake", blind=True, prediction=None, expert=manager)
    decide(other, "rockfall", expert=manager)
    assert ratings.rounds(site, before_machine=True) == [{"a expert": "noise", "a manager": "quake"}]


def test_the_answers_of_all_experts_to_one_gold_check_are_one_round(
    site, make_event, predict, manager, expert, classes
):
    ReviewPolicy.objects.create(site=site, gold_share=1)
    event = make_event("quake")
    predict(event, "rockfall")
    services.set_gold(event=event, by=manager)
    event.gold.__class__.objects.update(set_by=None)
    for user, code in ((expert, "quake"), (manager, "noise")):
        item = services.next_item(site=site, expert=user)
        services.decide(item=item, expert=user, event_class=classes[code], prediction=item.prediction)
    assert ratings.rounds(site) == [{"a expert": "quake", "a manager": "noise"}]
