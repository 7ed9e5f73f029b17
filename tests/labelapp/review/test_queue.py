"""What is asked, in which order, and of whom: no two experts hold the same item."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labelapp.catalogue.errors import Conflict, Invalid, NotAllowed
from labelapp.review import selectors, services
from labelapp.review.models import ReviewItem


def fill(site, *predictions):
    return services.fill_queue(site=site, predictions=predictions)


def end_lease(item):
    ReviewItem.objects.filter(pk=item.pk).update(held_until=timezone.now() - timedelta(seconds=1))


def questions(site):
    return {item.event.event_id: item.reason for item in selectors.queue_items(site)}


def test_a_prediction_asks_where_it_disagrees_doubts_or_finds_no_label(site, make_event, predict):
    counts = fill(
        site,
        predict(make_event("quake", event_id="wrong"), "rockfall", 0.9),
        predict(make_event("quake", event_id="unsure"), "quake", 0.4),  # 0.4 against 0.2: margin 0.2 is no doubt
        predict(make_event("quake", event_id="torn"), "quake", 0.35),
        predict(make_event(None, event_id="new"), "quake", 0.9),
        predict(make_event("quake", event_id="fine"), "quake", 0.9),
    )
    assert questions(site) == {"wrong": "disagreement", "torn": "doubt", "new": "detection"}
    assert counts == {"disagreement": 1, "doubt": 1, "detection": 1}


def test_confident_disagreement_comes_first_then_doubt_and_detections(site, make_event, predict):
    fill(
        site,
        predict(make_event(None, event_id="new"), "quake", 0.7),
        predict(make_event("quake", event_id="torn"), "quake", 0.3),
        predict(make_event("quake", event_id="perhaps wrong"), "rockfall", 0.5),
        predict(make_event("quake", event_id="surely wrong"), "rockfall", 0.99),
    )
    order = [item.event.event_id for item in selectors.queue_items(site)]
    assert order == ["surely wrong", "perhaps wrong", "torn", "new"]


def test_filling_again_with_the_same_predictions_changes_nothing(site, make_event, predict):
    prediction = predict(make_event("quake"), "rockfall")
    assert fill(site, prediction) == fill(site, prediction) == {"disagreement": 1}
    assert ReviewItem.objects.count() == 1


def test_a_newer_prediction_brings_the_open_item_up_to_date(site, ask, predict, make_model):
    item = ask("quake", "rockfall")
    newer = predict(item.event, "noise", 0.6, model=make_model())
    fill(site, newer)
    item.refresh_from_db()
    assert (item.prediction, item.reason, item.state) == (newer, "disagreement", "open")


def test_an_item_is_withdrawn_when_a_newer_prediction_agrees(site, ask, predict, make_model, expert):
    item = ask("quake", "rockfall")
    assert fill(site, predict(item.event, "quake", model=make_model())) == {"withdrawn": 1}
    item.refresh_from_db()
    assert item.state == "withdrawn"
    with pytest.raises(Conflict, match="withdrawn"):
        services.take_item(item=item, expert=expert)


def test_an_item_that_an_expert_holds_stays_as_they_see_it(site, ask, predict, make_model, expert):
    item = services.take_item(item=ask("quake", "rockfall"), expert=expert)
    assert fill(site, predict(item.event, "quake", model=make_model())) == {"held": 1}
    before = item.prediction
    item.refresh_from_db()
    assert (item.state, item.prediction, item.holder) == ("open", before, expert)


def test_what_an_expert_confirmed_against_the_model_is_not_asked_again(site, ask, decide, predict, make_model):
    item = ask("quake", "rockfall")
    decide(item, "quake")
    assert fill(site, predict(item.event, "rockfall", model=make_model())) == {}
    assert fill(site, predict(item.event, "quake", 0.3, model=make_model())) == {}
    assert fill(site, predict(item.event, "noise", model=make_model())) == {"disagreement": 1}


def test_predictions_about_another_site_are_refused(site, make_event, predict):
    from labelapp.catalogue.services import create_site

    with pytest.raises(Invalid, match="another site"):
        fill(create_site(name="Another slope"), predict(make_event("quake"), "rockfall"))


def test_next_leases_the_most_valuable_item_and_gives_it_again(site, ask, expert, settings):
    settings.LEASE_S = 600
    ask("quake"), ask("noise")
    first = services.next_item(site=site, expert=expert)
    assert first == selectors.queue_items(site).first()
    assert first.holder == expert
    assert timedelta(seconds=590) < first.held_until - timezone.now() <= timedelta(seconds=600)
    assert services.next_item(site=site, expert=expert) == first


def test_two_experts_get_different_items_and_then_none(site, ask, expert, manager, viewer):
    ask("quake"), ask("noise")
    assert services.next_item(site=site, expert=expert) != services.next_item(site=site, expert=manager)
    viewer.groups.set(expert.groups.all())
    assert services.next_item(site=site, expert=viewer) is None


def test_a_lease_that_ran_out_frees_the_item(site, ask, expert, manager):
    item = services.next_item(site=site, expert=expert) if ask() else None
    assert services.next_item(site=site, expert=manager) is None
    end_lease(item)
    assert services.next_item(site=site, expert=manager) == item


def test_a_lease_is_renewed_by_its_holder_also_when_it_has_just_run_out(site, ask, expert, manager):
    item = services.take_item(item=ask(), expert=expert)
    end_lease(item)
    assert services.renew_lease(item=item, expert=expert).held_until > timezone.now()
    with pytest.raises(Conflict, match=f"held by {expert} until"):
        services.renew_lease(item=item, expert=manager)


def test_a_lease_lost_to_somebody_else_cannot_be_renewed(site, ask, expert, manager):
    item = services.take_item(item=ask(), expert=expert)
    end_lease(item)
    services.take_item(item=item, expert=manager)
    with pytest.raises(Conflict, match=f"held by {manager}"):
        services.renew_lease(item=item, expert=expert)


def test_an_item_given_back_goes_to_the_next_expert(site, ask, expert, manager):
    item = services.take_item(item=ask(), expert=expert)
    services.release(item=item, expert=manager)  # not theirs: nothing happens
    assert services.next_item(site=site, expert=manager) is None
    services.release(item=item, expert=expert)
    assert services.next_item(site=site, expert=manager) == item


def test_a_skipped_item_comes_back_after_its_time(site, ask, expert):
    item = services.take_item(item=ask(), expert=expert)
    services.skip_item(item=item, expert=expert)
    assert services.next_item(site=site, expert=expert) is None
    assert selectors.queue_counts(site) | {"reasons": None} == {
        "open": 1, "waiting": 0, "held": 0, "postponed": 1, "done": 0,
        **dict.fromkeys(ReviewItem.Reason.values, 0), "disagreement": 1, "reasons": None,
    }  # fmt: skip
    ReviewItem.objects.update(postponed_until=timezone.now())
    assert services.next_item(site=site, expert=expert) == item


def test_nobody_skips_what_somebody_else_holds(ask, expert, manager):
    item = services.take_item(item=ask(), expert=expert)
    with pytest.raises(Conflict, match="held by"):
        services.skip_item(item=item, expert=manager)


def test_viewers_get_no_items(site, ask, viewer):
    item = ask()
    for refused in (
        lambda: services.next_item(site=site, expert=viewer),
        lambda: services.take_item(item=item, expert=viewer),
        lambda: services.skip_item(item=item, expert=viewer),
        lambda: services.ask_for_review(event=item.event, expert=viewer),
    ):
        with pytest.raises(NotAllowed, match="not an expert"):
            refused()


def test_an_expert_may_ask_for_another_look_and_the_wish_outlives_newer_predictions(
    site, ask, decide, expert, predict, make_model
):
    item = ask("quake", "rockfall")
    decide(item, "quake")
    again = services.ask_for_review(event=item.event, expert=expert)
    assert (again.reason, again.holder) == ("request", expert)
    assert services.ask_for_review(event=item.event, expert=expert) == again
    services.release(item=again, expert=expert)
    fill(site, predict(item.event, "quake", model=make_model()))
    again.refresh_from_db()
    assert (again.state, again.reason) == ("open", "request")


def test_ten_thousand_predictions_take_a_number_of_queries_that_does_not_grow_with_them(
    site, make_event, make_prediction, make_model, django_assert_max_num_queries
):
    model = make_model()
    many = [make_prediction(make_event("quake"), "rockfall", model=model) for _ in range(60)]
    with django_assert_max_num_queries(13):
        fill(site, *many[:30])
    with django_assert_max_num_queries(13):
        fill(site, *many)
    with django_assert_max_num_queries(13):
        fill(site, *many)


def test_next_item_takes_as_many_queries_from_a_long_queue_as_from_a_short_one(
    site, ask, expert, django_assert_max_num_queries
):
    for _ in range(20):
        ask()
    with django_assert_max_num_queries(9):  # two of them begin and end a savepoint
        services.next_item(site=site, expert=expert)


def test_the_queue_can_be_listed_for_one_expert(site, ask, expert, manager):
    mine, theirs, free = (ask() for _ in range(3))
    services.take_item(item=mine, expert=expert)
    services.take_item(item=theirs, expert=manager)
    assert set(selectors.queue_items(site, expert)) == {mine, free}
    assert selectors.queue_counts(site)["held"] == 2


class TestEventsTheModelLearnedFrom:
    """The network remembers them, so only its folds that never saw an event may be held against its label."""

    @pytest.fixture
    def learned(self, site, classes, make_event, predict, model):
        """learned("quake", "rockfall", 0.9, suspicion=0.97): its prediction says the label, its folds say otherwise."""

        def make(label, out_of_fold, probability=0.9, suspicion=None, said=None, split="train", **facts):
            event = make_event(label, **facts)
            rest = (1 - probability) / (len(classes) - 1)
            judged = {code: probability if code == out_of_fold else rest for code in classes} if out_of_fold else None
            model.examples.create(
                event=event, event_class=event.label, split=split, out_of_fold=judged, suspicion=suspicion
            )
            return predict(event, said or label, 0.99)

        return make

    def test_are_asked_where_the_folds_disagree_though_the_network_repeats_the_label(self, site, learned):
        fill(site, learned("quake", "rockfall", 0.91, 0.97), learned("noise", "noise", 0.9, 0.01, said="quake"))
        (item,) = selectors.queue_items(site)
        assert (item.reason, item.judged_class.code, item.basis) == ("disagreement", "rockfall", "out_of_fold")
        assert item.standing == "out-of-fold: rockfall 0.91, suspicion 0.97"

    def test_come_in_the_order_of_their_suspicion(self, site, learned):
        rows = [("third", 0.99, 0.5), ("first", 0.4, 0.99), ("last", 0.7, 0.1), ("second", 0.5, 0.8)]
        fill(site, *(learned("quake", "rockfall", p, s, event_id=name) for name, p, s in rows))
        order = [item.event.event_id for item in selectors.queue_items(site)]
        assert order == ["first", "second", "third", "last"]

    def test_stand_by_the_disagreement_alone_once_the_label_has_changed(self, site, classes, learned):
        prediction = learned("quake", "rockfall", 0.9, suspicion=0.01)
        type(prediction.event).objects.filter(pk=prediction.event_id).update(label=classes["noise"])
        fill(site, prediction)
        (item,) = selectors.queue_items(site)
        assert item.suspicion is None
        assert item.priority == pytest.approx(1 - 0.1 / 3)  # of the judge's probability for the label, the rest
        assert item.standing == "out-of-fold: rockfall 0.90"

    def test_are_not_asked_again_after_a_decision_against_the_same_folds(self, site, learned, decide):
        prediction = learned("quake", "rockfall", 0.9, 0.97)
        fill(site, prediction)
        row = decide(prediction.event.review_items.get(), "quake")
        assert fill(site, prediction) == {}
        assert row.shown["judgement"] == {
            "class": "rockfall", "probability": "0.9", "basis": "out_of_fold", "suspicion": "0.97",
        }  # fmt: skip

    def test_are_not_asked_again_after_an_expert_asked_and_confirmed(self, site, learned, decide, expert):
        prediction = learned("quake", "rockfall", 0.9, 0.97)
        item = services.ask_for_review(event=prediction.event, expert=expert)
        assert item.standing == "out-of-fold: rockfall 0.90, suspicion 0.97"
        decide(item, "quake")
        assert fill(site, prediction) == {}

    def test_doubt_is_that_of_the_folds(self, site, learned):
        fill(site, learned("quake", "quake", 0.35, 0.3))
        (item,) = selectors.queue_items(site)
        assert (item.reason, item.priority) == ("doubt", 0.3)

    def test_are_likely_label_errors_where_the_label_is_more_likely_wrong_than_right_though_the_folds_name_it_first(
        self, site, learned
    ):
        rows = [("likely wrong", 0.5), ("likely right", 0.49)]
        fill(site, *(learned("quake", "quake", 0.9, suspicion, event_id=name) for name, suspicion in rows))
        (item,) = selectors.queue_items(site)
        assert (item.event.event_id, item.reason, item.priority) == ("likely wrong", "label_error", 0.5)

    def test_of_a_model_without_folds_are_asked_as_before_and_say_so(self, site, learned):
        fill(site, learned("quake", None, said="rockfall"))
        (item,) = selectors.queue_items(site)
        assert item.standing == "learned from: rockfall 0.99"

    def test_while_test_events_are_judged_by_the_network(self, site, learned, predict, make_event):
        fill(site, learned("quake", None, said="rockfall", split="test"), predict(make_event("noise"), "rockfall"))
        assert [item.standing for item in selectors.queue_items(site)] == [
            "held out: rockfall 0.99",
            "not in training: rockfall 0.90",
        ]

    def test_of_another_model_count_for_nothing(self, site, learned, predict, make_model):
        event = learned("quake", "rockfall", 0.9, 0.97).event
        assert fill(site, predict(event, "quake", 0.9, model=make_model())) == {}
