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
        "disagreement": 1, "doubt": 0, "detection": 0, "request": 0, "reasons": None,
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
    with django_assert_max_num_queries(12):
        fill(site, *many[:30])
    with django_assert_max_num_queries(12):
        fill(site, *many)
    with django_assert_max_num_queries(12):
        fill(site, *many)


def test_next_item_takes_as_many_queries_from_a_long_queue_as_from_a_short_one(
    site, ask, expert, django_assert_max_num_queries
):
    for _ in range(20):
        ask()
    with django_assert_max_num_queries(5):
        services.next_item(site=site, expert=expert)


def test_the_queue_can_be_listed_for_one_expert(site, ask, expert, manager):
    mine, theirs, free = (ask() for _ in range(3))
    services.take_item(item=mine, expert=expert)
    services.take_item(item=theirs, expert=manager)
    assert set(selectors.queue_items(site, expert)) == {mine, free}
    assert selectors.queue_counts(site)["held"] == 2
