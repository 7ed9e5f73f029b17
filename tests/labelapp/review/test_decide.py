"""One service makes an expert's decision the label, and says no where it must."""

import pytest
from django.utils import timezone

from labelapp.catalogue import services as catalogue
from labelapp.catalogue.errors import Conflict, Invalid, NotAllowed
from labelapp.review import selectors, services
from labelapp.review.models import Relabel, ReviewItem


def test_a_correction_changes_the_label_closes_the_item_and_keeps_what_was_imported(ask, decide, expert):
    item = ask("quake", "rockfall")
    row = decide(item, "rockfall", reason="  two impacts  ")
    item.refresh_from_db()
    assert (item.event.label.code, item.event.catalogue_label.code) == ("rockfall", "quake")
    assert (item.state, item.closed_at, item.holder) == ("done", row.decided_at, None)
    assert (row.kind, row.from_code, row.to_code, row.reason) == ("correct", "quake", "rockfall", "two impacts")
    assert (row.expert_name, row.event_name, row.sequence) == (expert.username, item.event.event_id, 1)


def test_a_confirmation_and_a_first_label_need_no_reason(ask, decide):
    assert decide(ask("quake"), "quake", reason="").kind == "confirm"
    first = decide(ask(None), "rockfall", reason="")
    assert (first.kind, first.from_class, first.from_code) == ("first", None, "")


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_a_change_without_a_reason_is_refused(ask, decide, reason):
    item = ask("quake")
    with pytest.raises(Invalid, match=r"is labelled Quake. Give a reason to change it to Rockfall"):
        decide(item, "rockfall", reason=reason)
    assert not Relabel.objects.exists()


@pytest.mark.parametrize("reason", ["a" * 2001, "null \x00", "esc \x1b[31m", "turned \u202e round", "half \ud800"])
def test_reasons_that_are_too_long_or_cannot_be_printed_are_refused(ask, decide, reason):
    with pytest.raises(Invalid, match="reason"):
        decide(ask("quake"), "rockfall", reason=reason)


@pytest.mark.parametrize(
    "reason", ["=cmd()", "<script>alert(1)</script>", "'; DROP TABLE review_relabel; --", "落石 🪨"]
)
def test_odd_reasons_are_kept_as_they_are(ask, decide, reason):
    row = decide(ask("quake"), "rockfall", reason=reason)
    assert Relabel.objects.get(pk=row.pk).reason == reason


def test_viewers_decide_nothing(ask, decide, viewer):
    with pytest.raises(NotAllowed, match="is not an expert"):
        decide(ask(), "rockfall", expert=viewer)


def test_inactive_experts_decide_nothing(ask, decide, expert):
    expert.is_active = False
    with pytest.raises(NotAllowed):
        decide(ask(), "rockfall")


def test_the_same_decision_sent_twice_gives_the_same_row(ask, decide):
    item = ask()
    assert decide(item, "rockfall") == decide(item, "rockfall", reason="sent again")
    assert Relabel.objects.count() == 1


def test_another_decision_on_a_closed_item_is_refused_naming_who_decided(ask, decide, expert, manager):
    item = ask()
    decide(item, "rockfall")
    for other in ({"expert": manager, "code": "rockfall"}, {"expert": expert, "code": "noise"}):
        with pytest.raises(Conflict, match=f"{expert.username} labelled event 0 rockfall at 20"):
            decide(item, **other)
    assert Relabel.objects.count() == 1


def test_an_item_held_by_somebody_else_is_refused(ask, decide, expert, manager):
    item = services.take_item(item=ask(), expert=manager)
    with pytest.raises(Conflict, match=f"held by {manager} until"):
        decide(item, "rockfall")


def test_a_decision_after_the_lease_ran_out_counts_if_nobody_else_took_the_item(ask, decide, expert, manager):
    item = services.take_item(item=ask(), expert=expert)
    ReviewItem.objects.update(held_until=timezone.now())
    assert decide(item, "rockfall").expert == expert


def test_a_decision_after_the_lease_ran_out_also_counts_while_a_former_holder_idles(ask, decide, expert, manager):
    item = services.take_item(item=ask(), expert=manager)
    ReviewItem.objects.update(held_until=timezone.now())
    assert decide(item, "rockfall").expert == expert


def test_the_ledger_keeps_the_prediction_that_was_shown_not_the_newest(site, ask, decide, predict, make_model):
    item = ask("quake", "rockfall")
    shown = item.prediction
    services.fill_queue(site=site, predictions=[predict(item.event, "noise", model=make_model())])
    item.refresh_from_db()
    row = decide(item, "rockfall", prediction=shown.pk)
    assert row.prediction == shown
    assert row.shown["prediction"]["id"] == shown.pk


def test_a_prediction_of_another_event_or_none_is_refused(ask, decide):
    item, other = ask(), ask()
    for wrong in (other.prediction, other.prediction.pk, 10**12):
        with pytest.raises(Invalid, match="is not about event 0"):
            decide(item, "rockfall", prediction=wrong)
    with pytest.raises(Invalid, match="Say which one was shown"):
        decide(item, "rockfall", prediction=None)


def test_the_panels_on_the_page_are_kept_even_if_newer_ones_came(ask, decide, station):
    item = ask()
    old = item.prediction.explanations.get()
    catalogue.store_explanation(prediction=item.prediction, station=station, panel=b"newer", summary={})
    row = decide(item, "rockfall", panels={station.seed_id: old.sha256})
    assert row.shown["panels"] == {station.seed_id: old.sha256}


def test_panels_that_were_never_stored_are_refused(ask, decide, station):
    with pytest.raises(Invalid, match=r"XX.AAA.00 are not those stored"):
        decide(ask(), "rockfall", panels={station.seed_id: "0" * 64})


def test_a_class_of_another_site_is_refused(ask, decide, expert):
    other = catalogue.create_site(name="Another slope").classes.get(code="rockfall")
    item = ask()
    with pytest.raises(Invalid, match="is no class of"):
        services.decide(item=item, expert=expert, event_class=other, reason="x", prediction=item.prediction)


def test_the_history_of_an_event_has_every_decision_oldest_first(ask, decide, expert, manager):
    item = ask("quake")
    decide(item, "rockfall")
    again = services.ask_for_review(event=item.event, expert=manager)
    services.decide(
        item=again, expert=manager, event_class=item.event.label, reason="on second thought", prediction=item.prediction
    )
    history = selectors.history(item.event)
    assert [(row.from_code, row.to_code, row.expert) for row in history] == [
        ("quake", "rockfall", expert),
        ("rockfall", "quake", manager),
    ]
