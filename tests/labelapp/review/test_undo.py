"""Taking decisions back: a further row gives back the label from before; nothing is ever removed."""

import pytest

from labelapp.catalogue.errors import Conflict, NotAllowed
from labelapp.review import ledger, services
from labelapp.review.models import Relabel, ReviewItem, ReviewPolicy
from labelapp.review.standing import DecidedMeanwhile, standing
from tests.labelapp.review.tampering import execute, unguarded


@pytest.fixture
def undo(site, expert):
    def make(by=expert):
        return services.undo(site=site, expert=by)[:2]

    return make


def label_of(item):
    item.event.refresh_from_db()
    return item.event.label and item.event.label.code


def test_the_label_from_before_holds_again_and_the_item_is_the_expert_s(site, ask, decide, undo, expert):
    item = ask("quake", "rockfall")
    row = decide(item, "rockfall")
    withdrawal, again = undo()
    assert label_of(item) == "quake"
    assert (withdrawal.kind, withdrawal.from_code, withdrawal.to_code) == ("withdraw", "rockfall", "quake")
    assert withdrawal.details == {"withdraws": row.sequence}
    assert (again.pk, again.state, again.holder, again.closed_at) == (item.pk, "open", expert, None)
    assert Relabel.objects.count() == 2
    assert list(standing(Relabel.objects.all())) == []
    assert ledger.verify(site) == []


def test_what_had_no_label_has_none_again(site, ask, decide, undo):
    item = ask(None, "rockfall")
    decide(item, "rockfall", reason="")
    withdrawal, _ = undo()
    assert label_of(item) is None
    assert (withdrawal.to_class, withdrawal.to_code) == (None, "")
    assert ledger.replay(site) == {}
    assert ledger.verify(site) == []


def test_undone_twice_the_one_before_is_taken_back_too(site, ask, decide, undo):
    first, second = ask("quake"), ask("quake")
    decide(first, "rockfall")
    decide(second, "noise")
    assert [undo()[1].pk, undo()[1].pk] == [second.pk, first.pk]
    assert [label_of(first), label_of(second)] == ["quake", "quake"]
    with pytest.raises(Conflict, match="no decision at Test slope that could be taken back"):
        undo()
    assert ledger.verify(site) == []


def test_an_event_decided_twice_goes_back_step_by_step(site, ask, decide, undo, expert):
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    again = services.ask_for_review(event=item.event, expert=expert)
    decide(again, "noise")
    undo()
    assert label_of(item) == "rockfall"
    undo()
    assert label_of(item) == "quake"
    assert ledger.verify(site) == []


def test_what_was_taken_back_is_decided_anew(site, ask, decide, undo):
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    _, again = undo()
    assert decide(again, "noise").sequence == 3
    assert label_of(item) == "noise"
    assert ledger.verify(site) == []


def test_what_somebody_decided_since_is_not_pulled_from_under_them(site, ask, decide, undo, expert, manager):
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    decide(services.ask_for_review(event=item.event, expert=manager), "noise", expert=manager)
    with pytest.raises(DecidedMeanwhile, match="a manager labelled event 0 noise at 20") as refusal:
        undo()
    assert refusal.value.theirs.expert == manager
    assert label_of(item) == "noise"
    undo(by=manager)
    undo()
    assert label_of(item) == "quake"
    assert ledger.verify(site) == []


def test_what_somebody_decided_since_is_passed_over_for_what_is_older(site, ask, decide, expert, manager):
    older, newer = ask("quake", "rockfall"), ask("quake", "rockfall")
    decide(older, "rockfall")
    decide(newer, "rockfall")
    theirs = decide(services.ask_for_review(event=newer.event, expert=manager), "noise", expert=manager)
    done = services.undo(site=site, expert=expert)
    assert (done.relabel.details, done.item.pk, done.passed_over) == ({"withdraws": 1}, older.pk, [theirs])
    assert (label_of(older), label_of(newer)) == ("quake", "noise")
    with pytest.raises(DecidedMeanwhile, match="a manager labelled event 1 noise"):
        services.undo(site=site, expert=expert)
    assert ledger.verify(site) == []


def test_bulk_relabels_splits_and_merged_events_do_not_keep_older_decisions_from_being_taken_back(
    site, ask, decide, make_event, expert, classes
):
    first, second, third = ask("quake"), ask("quake"), make_event("quake")
    decide(first, "rockfall")
    decide(second, "rockfall")
    services.relabel_events(
        site=site, events=[third.pk], expert=expert, event_class=classes["noise"], reason="all of them"
    )
    middle = third.starttime + (third.endtime - third.starttime) / 2
    services.split_event(event=third, expert=expert, at=middle)
    services.merge_events(events=[third, second.event], expert=expert)
    done = services.undo(site=site, expert=expert)
    merged_away = type(third).objects.get(merged_into__isnull=False)
    expected = first if merged_away == second.event else second
    assert (done.item.pk, done.passed_over) == (expected.pk, [])
    assert ledger.verify(site) == []


def test_whoever_holds_a_second_opinion_is_told_that_the_first_was_taken_back(site, ask, decide, undo, manager):
    ReviewPolicy.objects.create(site=site, second_opinion_share=1)
    decide(ask("quake", "rockfall"), "rockfall")
    second = services.next_item(site=site, expert=manager)
    undo()
    with pytest.raises(Conflict, match="a expert took back the decision that it was about, at 20"):
        decide(second, "noise", expert=manager)


def test_an_expert_takes_back_nothing_of_others(ask, decide, undo, manager):
    decide(ask(), "rockfall")
    with pytest.raises(Conflict, match="You have no decision"):
        undo(by=manager)


def test_viewers_take_nothing_back(undo, viewer):
    with pytest.raises(NotAllowed):
        undo(by=viewer)


def test_a_label_that_was_given_without_an_item_is_taken_back_and_asked_about(site, make_event, classes, undo, expert):
    event = make_event("quake")
    ledger.append_to_ledger(
        site=site, event=event, expert=expert, item=None, to_class=classes["noise"], reason="seen on the list",
    )  # fmt: skip
    type(event).objects.filter(pk=event.pk).update(label=classes["noise"])
    withdrawal, item = undo()
    event.refresh_from_db()
    assert event.label.code == "quake"
    assert withdrawal.item is None
    assert (item.reason, item.holder, item.event) == ("request", expert, event)
    assert ledger.verify(site) == []


def test_a_newer_question_about_the_event_goes_before_the_old_item(
    site, ask, decide, predict, undo, expert, make_model
):
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    services.fill_queue(site=site, predictions=[predict(item.event, "noise", model=make_model())])
    newer = ReviewItem.objects.get(state="open")
    assert undo()[1] == newer
    item.refresh_from_db()
    assert item.state == "withdrawn"
    assert ledger.verify(site, files=False) == []


def test_a_newer_question_that_somebody_holds_stays_theirs(site, ask, decide, predict, undo, manager, make_model):
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    services.fill_queue(site=site, predictions=[predict(item.event, "noise", model=make_model())])
    services.next_item(site=site, expert=manager)
    assert undo()[1] is None
    assert label_of(item) == "quake"
    assert ReviewItem.objects.get(state="open").holder == manager


def test_the_second_opinion_that_was_asked_is_asked_no_more(site, ask, decide, undo):
    ReviewPolicy.objects.create(site=site, second_opinion_share=1)
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    assert ReviewItem.objects.get(state="open").reason == "second_opinion"
    _, again = undo()
    assert again.pk == item.pk
    assert ReviewItem.objects.get(reason="second_opinion").state == "withdrawn"
    assert ledger.verify(site) == []


def test_a_second_opinion_that_differed_is_taken_back_with_its_adjudication(site, ask, decide, undo, manager):
    ReviewPolicy.objects.create(site=site, second_opinion_share=1)
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    second = services.next_item(site=site, expert=manager)
    decide(second, "noise", expert=manager)
    with pytest.raises(DecidedMeanwhile, match="a manager in a second opinion called event 0 noise"):
        undo()
    withdrawal, again = undo(by=manager)
    assert (withdrawal.from_code, withdrawal.to_code) == ("rockfall", "rockfall")
    assert (again.pk, again.holder) == (second.pk, manager)
    assert not ReviewItem.objects.filter(reason="adjudication", state="open").exists()
    assert label_of(item) == "rockfall"
    assert ledger.verify(site) == []


def test_a_doubt_is_taken_back_and_the_label_stays(site, ask, undo, expert):
    item = ask("quake", "rockfall")
    services.decide(item=item, expert=expert, event_class=None, prediction=item.prediction)
    assert undo()[1].pk == item.pk
    assert label_of(item) == "quake"
    assert ReviewItem.objects.filter(state="open").count() == 1
    assert ledger.verify(site) == []


def test_of_a_blind_review_first_the_last_word_is_taken_back_then_the_blind_one(site, ask, decide, undo):
    ReviewPolicy.objects.create(site=site, blind=True)
    item = ask("quake", "rockfall")
    blind = decide(item, "noise", blind=True, prediction=None)
    decide(item, "rockfall")
    _, again = undo()
    assert again.blind == blind
    assert label_of(item) == "quake"
    _, again = undo()
    assert again.blind is None
    assert label_of(item) == "quake"
    assert [row.details.get("withdraws") for row in Relabel.objects.order_by("sequence")] == [None, None, 2, 1]
    assert ledger.verify(site) == []


def test_verification_finds_a_withdrawal_that_gives_back_another_label(site, ask, decide, undo, classes):
    decide(ask("quake", "rockfall"), "rockfall")
    row, _ = undo()
    with unguarded():
        execute(
            "UPDATE review_relabel SET to_class_id = %s, to_code = 'noise' WHERE id = %s", classes["noise"].pk, row.pk
        )
    said = " ".join(map(str, ledger.verify(site)))
    assert "row 2: it withdraws row 1, but does not give back the label from before that" in said


def test_verification_finds_a_withdrawal_of_nothing(site, ask, decide, undo, expert):
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    undo()
    item.event.refresh_from_db()
    for number in (1, 3, 99):
        ledger.append_to_ledger(
            site=site, event=item.event, expert=expert, item=None, to_class=item.event.label, reason="",
            kind="withdraw", details={"withdraws": number},
        )  # fmt: skip
    assert [problem.sequence for problem in ledger.verify(site)] == [3, 4, 5]
