"""Gold checks: dealt by chance that nobody steers, each event once until all were seen, the label untouched."""

import pytest

from labelapp.catalogue.errors import Conflict, Invalid, NotAllowed
from labelapp.review import gold, ledger, ratings, services
from labelapp.review.models import GoldEvent, ReviewItem, ReviewPolicy


@pytest.fixture
def golden(site, make_event, predict, manager):
    """golden(3): gold events of the manager's, each a quake that a model takes for a rockfall."""
    ReviewPolicy.objects.create(site=site, gold_share=1)

    def make(count=1):
        events = [make_event("quake") for _ in range(count)]
        for event in events:
            predict(event, "rockfall")
            services.set_gold(event=event, by=manager)
        return events

    return make


def answer(item, expert, event_class):
    return services.decide(item=item, expert=expert, event_class=event_class, prediction=item.prediction)


def test_a_check_is_given_before_all_else_and_leaves_the_label(site, golden, ask, classes, expert):
    (event,) = golden()
    ask()
    item = services.next_item(site=site, expert=expert)
    assert (item.event, item.reason, item.reserved_for, item.holder) == (event, "gold", expert, expert)
    row = answer(item, expert, classes["rockfall"])
    assert (row.kind, row.from_code, row.to_code) == ("opinion", "quake", "rockfall")
    assert row.details["gold"] == {"expected": "quake"}
    event.refresh_from_db()
    assert event.label.code == "quake"
    assert ledger.verify(site) == []


def test_who_cannot_tell_a_check_has_answered_it_and_nobody_else_is_asked(site, golden, expert):
    golden()
    row = answer(services.next_item(site=site, expert=expert), expert, None)
    assert (row.kind, row.details["gold"]) == ("unsure", {"expected": "quake"})
    assert not ReviewItem.objects.filter(state="open").exists()


def test_each_is_asked_once_until_all_were_seen_and_then_again(site, golden, classes, expert):
    events = golden(3)
    seen = []
    for _ in range(6):
        item = services.next_item(site=site, expert=expert)
        seen.append(item.event_id)
        answer(item, expert, classes["quake"])
    assert sorted(seen[:3]) == sorted(seen[3:]) == [event.pk for event in events]


def test_every_expert_is_asked_but_whoever_knows_the_answer(site, golden, expert, manager):
    golden()
    assert services.next_item(site=site, expert=manager) is None
    assert services.next_item(site=site, expert=expert).reason == "gold"


def test_a_check_is_nobody_else_s(site, golden, expert, manager):
    golden()
    item = services.next_item(site=site, expert=expert)
    services.release(item=item, expert=expert)
    with pytest.raises(Conflict, match="kept for another expert"):
        services.take_item(item=item, expert=manager)
    asked = services.ask_for_review(event=item.event, expert=manager)
    assert (asked.pk != item.pk, asked.reason) == (True, "request")


def test_chance_is_drawn_once_for_each_decision_however_often_somebody_asks(site, golden, ask, decide, expert):
    golden(50)
    ReviewPolicy.objects.update(gold_share=0.5)
    drawn = []
    for _ in range(40):
        ask()
        kinds = set()
        for _ in range(2):
            item = services.next_item(site=site, expert=expert)
            kinds.add(item.reason == "gold")
            services.release(item=item, expert=expert)
        assert len(kinds) == 1
        drawn.append(kinds.pop())
        if item.reason == "gold":
            answer(item, expert, item.event.label)
        else:
            decide(item, "quake", reason="")
    assert 8 <= sum(drawn) <= 32  # a fair coin leaves these once in ten thousand times


def test_a_check_that_is_put_off_is_not_drawn_again(site, golden, ask, expert):
    golden(2)
    ordinary = ask()
    services.skip_item(item=services.next_item(site=site, expert=expert), expert=expert)
    assert services.next_item(site=site, expert=expert) == ordinary
    assert ReviewItem.objects.filter(reason="gold").count() == 1


def test_no_share_no_check(site, golden, expert):
    golden()
    ReviewPolicy.objects.update(gold_share=0)
    assert gold.next_gold(site=site, expert=expert) is None


def test_only_managers_say_what_is_gold(make_event, expert):
    event = make_event("quake")
    for act in (services.set_gold, services.unset_gold):
        with pytest.raises(NotAllowed, match="is not a manager"):
            act(event=event, by=expert)


def test_a_class_of_another_site_or_a_merged_event_is_not_gold(make_event, manager):
    from labelapp.catalogue.services import create_site

    event, other = make_event("quake"), create_site(name="Another slope").classes.first()
    with pytest.raises(Invalid, match="is no class of Test slope"):
        services.set_gold(event=event, by=manager, event_class=other)
    event.merged_into = make_event("quake")
    with pytest.raises(Conflict, match="was merged into"):
        services.set_gold(event=event, by=manager)
    assert not GoldEvent.objects.exists()


def test_how_often_experts_are_right_is_read_from_the_ledger(site, golden, classes, expert):
    golden(3)
    for said in (classes["quake"], classes["noise"], None):
        answer(services.next_item(site=site, expert=expert), expert, said)
    services.undo(site=site, expert=expert)
    assert [(row.expert, row.expected, row.said) for row in ratings.gold(site)] == [
        ("a expert", "quake", "quake"), ("a expert", "quake", "noise"),
    ]  # fmt: skip
