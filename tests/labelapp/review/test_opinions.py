"""Doubt, second opinions and adjudication: who is asked, what they may know, what becomes the label."""

import hashlib

import pytest

from labelapp.catalogue.errors import Conflict, Invalid
from labelapp.review import ledger, opinions, services
from labelapp.review.models import Relabel, ReviewItem, ReviewPolicy
from labelapp.review.standing import DecidedMeanwhile


@pytest.fixture
def policy(site):
    return ReviewPolicy.objects.create(site=site, second_opinion_share=1)


@pytest.fixture
def third(django_user_model, expert):
    user = django_user_model.objects.create_user(username="a third")
    user.groups.set(expert.groups.all())
    return user


@pytest.fixture
def unsure(expert):
    def make(item, by=expert, **said):
        return services.decide(item=item, expert=by, event_class=None, prediction=item.prediction, said=said)

    return make


def open_item():
    return ReviewItem.objects.get(state="open")


def label_of(item):
    item.event.refresh_from_db()
    return item.event.label.code


def test_who_cannot_tell_leaves_the_label_and_somebody_else_is_asked(site, ask, unsure, decide, expert, manager):
    item = ask("quake", "rockfall")
    row = unsure(item, comment="too faint")
    assert (row.kind, row.from_code, row.to_class, row.details["comment"]) == ("unsure", "quake", None, "too faint")
    assert label_of(item) == "quake"
    asked = open_item()
    assert (asked.reason, asked.about, asked.prediction, asked.basis) == (
        "second_opinion",
        row,
        item.prediction,
        item.basis,
    )
    assert services.next_item(site=site, expert=expert) is None
    assert services.next_item(site=site, expert=manager) == asked
    answer = decide(asked, "rockfall", expert=manager)
    assert (answer.kind, answer.details["about"]) == ("correct", row.sequence)
    assert label_of(item) == "rockfall"
    assert ledger.verify(site) == []


def test_a_doubt_sent_twice_is_written_once(ask, unsure):
    item = ask()
    assert unsure(item) == unsure(item)
    assert ReviewItem.objects.filter(state="open").count() == 1


def test_two_who_cannot_tell_are_adjudicated_and_a_third_ends_it(site, ask, unsure, manager, third):
    item = ask("quake", "rockfall")
    first = unsure(item)
    second = unsure(open_item(), by=manager)
    weighed = open_item()
    assert (weighed.reason, weighed.about, weighed.against) == ("adjudication", first, second)
    unsure(weighed, by=third)
    assert not ReviewItem.objects.filter(state="open").exists()
    assert label_of(item) == "quake"
    assert ledger.verify(site) == []


def test_nobody_gives_a_second_opinion_on_themselves(site, policy, ask, decide, expert, manager):
    decide(ask(), "rockfall")
    second = open_item()
    assert services.next_item(site=site, expert=expert) is None
    for act in (services.take_item, services.renew_lease, services.skip_item):
        with pytest.raises(Conflict, match="the second opinion must be somebody else's"):
            act(item=second, expert=expert)
    with pytest.raises(Conflict, match="the second opinion must be somebody else's"):
        decide(second, "rockfall")
    assert services.next_item(site=site, expert=manager) == second


def test_two_who_agree_are_done(site, policy, ask, decide, manager):
    item = ask("quake", "rockfall")
    first = decide(item, "rockfall")
    row = decide(open_item(), "rockfall", expert=manager, reason="")
    assert (row.kind, row.from_code, row.to_code, row.details["about"]) == (
        "opinion",
        "rockfall",
        "rockfall",
        first.sequence,
    )
    assert not ReviewItem.objects.filter(state="open").exists()
    assert ledger.verify(site) == []


def test_two_who_differ_are_weighed_by_whoever_comes_and_that_is_the_label(site, policy, ask, decide, expert, manager):
    item = ask("quake", "rockfall")
    first = decide(item, "rockfall")
    second = decide(open_item(), "noise", expert=manager, reason="")
    assert label_of(item) == "rockfall"
    weighed = open_item()
    assert (weighed.reason, weighed.about, weighed.against) == ("adjudication", first, second)
    assert services.next_item(site=site, expert=expert) == weighed
    with pytest.raises(Invalid, match="Give a reason to change it to Noise"):
        decide(weighed, "noise", reason="")
    row = decide(weighed, "noise", reason="no onset")
    assert (row.kind, row.details["between"]) == ("correct", [first.sequence, second.sequence])
    assert label_of(item) == "noise"
    assert not ReviewItem.objects.filter(state="open").exists()
    assert ledger.verify(site) == []


def test_an_adjudication_is_given_to_a_third_while_there_is_one_and_taken_by_name_by_either(
    site, policy, ask, decide, expert, manager, third
):
    decide(ask("quake", "rockfall"), "rockfall")
    decide(open_item(), "noise", expert=manager, reason="")
    weighed = open_item()
    assert services.next_item(site=site, expert=expert) is None
    assert services.next_item(site=site, expert=manager) is None
    assert services.next_item(site=site, expert=third) == weighed
    services.release(item=weighed, expert=third)
    services.release(item=services.take_item(item=weighed, expert=expert), expert=expert)
    third.is_active = False
    third.save()
    assert services.next_item(site=site, expert=manager) == weighed


def test_a_second_who_cannot_tell_asks_for_adjudication(site, policy, ask, decide, unsure, manager):
    item = ask("quake", "rockfall")
    first = decide(item, "rockfall")
    row = unsure(open_item(), by=manager)
    assert (row.kind, row.details["about"]) == ("unsure", first.sequence)
    assert (open_item().reason, open_item().against) == ("adjudication", row)
    assert label_of(item) == "rockfall"


def test_classes_that_the_policy_names_always_get_a_second_opinion(site, ask, decide, classes):
    policy = ReviewPolicy.objects.create(site=site)
    policy.second_opinion_classes.set([classes["rockfall"]])
    decide(ask("quake", "rockfall"), "quake", reason="")
    assert not ReviewItem.objects.filter(state="open").exists()
    decide(ask("quake", "rockfall"), "rockfall")
    assert open_item().reason == "second_opinion"


def test_chance_is_the_row_s_own_hash(site):
    """Of hashes of anything, a share of 0.3 picks three in ten; the same hash always the same way."""
    policy = ReviewPolicy(site=site, second_opinion_share=0.3)
    rows = [Relabel(hash=hashlib.sha256(str(n).encode()).hexdigest()) for n in range(4000)]
    picked = [opinions.picks(policy, row) for row in rows]
    assert picked == [int(row.hash, 16) / 2**256 < 0.3 for row in rows]
    assert 0.27 < sum(picked) / len(picked) < 0.33
    for share, expected in ((0, False), (1, True)):
        policy.second_opinion_share = share
        assert all(opinions.picks(policy, row) == expected for row in rows)


def test_questions_that_experts_asked_each_other_outlive_a_new_model(site, policy, ask, decide, predict, make_model):
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    services.fill_queue(site=site, predictions=[predict(item.event, "rockfall", 0.99, model=make_model())])
    assert (open_item().reason, open_item().about_id is not None) == ("second_opinion", True)


def test_an_expert_whose_lease_ran_out_is_still_heard_if_they_are_first(site, ask, decide, expert, manager):
    item = services.take_item(item=ask("quake", "rockfall"), expert=expert)
    ReviewItem.objects.update(held_until=item.created_at)
    assert services.next_item(site=site, expert=manager) == item
    assert decide(item, "rockfall").expert == expert
    with pytest.raises(DecidedMeanwhile, match="a expert labelled event 0 rockfall") as refusal:
        decide(item, "noise", expert=manager)
    assert refusal.value.theirs.to_code == "rockfall"


def test_who_never_held_an_item_does_not_overtake_its_holder(site, ask, decide, expert, manager, third):
    item = services.take_item(item=ask("quake", "rockfall"), expert=expert)
    services.release(item=item, expert=expert)
    services.take_item(item=item, expert=manager)
    for stranger in (expert, third):
        with pytest.raises(Conflict, match="is held by a manager"):
            decide(item, "rockfall", expert=stranger)


def test_a_blind_site_asks_first_without_and_then_with_the_machine(site, ask, decide, expert):
    ReviewPolicy.objects.create(site=site, blind=True)
    item = services.take_item(item=ask("quake", "rockfall"), expert=expert)
    with pytest.raises(Invalid, match="say first what you see without the machine's opinion"):
        decide(item, "rockfall")
    blind = decide(item, "noise", blind=True, prediction=None, reason="")
    assert decide(item, "noise", blind=True, prediction=None) == blind
    assert (blind.kind, blind.from_code, blind.to_code, blind.prediction) == ("blind", "quake", "noise", None)
    panel = item.prediction.explanations.get()
    assert blind.shown == {"waveform_and_stft": {panel.station.seed_id: panel.sha256}}
    item.refresh_from_db()
    assert (item.state, item.holder, item.blind, label_of(item)) == ("open", expert, blind, "quake")
    with pytest.raises(Conflict, match="You have seen what the machine says"):
        decide(item, "quake", blind=True, prediction=None)
    row = decide(item, "rockfall")
    assert (row.kind, row.details["blind"], row.prediction) == ("correct", blind.sequence, item.prediction)
    assert ledger.verify(site) == []


def test_whoever_takes_a_blind_item_over_begins_blindly(site, ask, decide, expert, manager):
    policy = ReviewPolicy.objects.create(site=site, blind=True)
    item = ask("quake", "rockfall")
    decide(item, "noise", blind=True, prediction=None)
    services.release(item=item, expert=expert)
    item = services.next_item(site=site, expert=manager)
    assert opinions.is_blind(item, manager, policy)
    decide(item, "quake", blind=True, prediction=None, expert=manager)
    services.release(item=item, expert=manager)
    row = decide(item, "rockfall")
    assert row.details["blind"] == 1
    assert ledger.verify(site) == []


def test_a_blind_decision_takes_no_item_from_whoever_was_given_it_since(site, ask, decide, expert, manager):
    ReviewPolicy.objects.create(site=site, blind=True)
    item = services.take_item(item=ask("quake", "rockfall"), expert=expert)
    ReviewItem.objects.update(held_until=item.created_at)
    services.next_item(site=site, expert=manager)
    with pytest.raises(Conflict, match="is held by a manager until"):
        decide(item, "noise", blind=True, prediction=None)
    item.refresh_from_db()
    assert (item.holder, item.blind, Relabel.objects.count()) == (manager, None, 0)


def test_where_nobody_asked_for_blindness_nobody_decides_blindly(ask, decide):
    with pytest.raises(Conflict, match="You have seen what the machine says"):
        decide(ask(), "noise", blind=True, prediction=None)


def test_a_panel_that_a_blind_expert_saw_is_missed_when_it_is_gone(site, ask, decide):
    ReviewPolicy.objects.create(site=site, blind=True)
    item = ask("quake", "rockfall")
    decide(item, "noise", blind=True, prediction=None)
    item.prediction.explanations.all().delete()
    assert "row 1: the panel of XX.AAA.00 that the expert saw is gone." in map(str, ledger.verify(site))


def test_what_was_withdrawn_does_not_keep_the_machine_from_asking_again(site, ask, decide, predict, expert, make_model):
    item = ask("quake", "rockfall")
    decide(item, "quake", reason="")
    services.fill_queue(site=site, predictions=[item.prediction])
    assert not ReviewItem.objects.filter(state="open").exists()
    services.undo(site=site, expert=expert)
    ReviewItem.objects.update(state="withdrawn", holder=None)
    services.fill_queue(site=site, predictions=[predict(item.event, "rockfall", model=make_model())])
    assert open_item().reason == "disagreement"
