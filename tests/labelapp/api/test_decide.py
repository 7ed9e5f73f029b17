"""POST /api/v1/review-items/{id}/decide/"""

import pytest

from labelapp.catalogue import services
from labelapp.catalogue.models import Event
from labelapp.catalogue.services import create_site
from labelapp.review import ledger
from labelapp.review.models import Relabel


@pytest.fixture
def item(ask):
    return ask("quake", "rockfall")


def decision(client, item, event_class="rockfall", reason="clear impacts", **facts):
    body = {"event_class": event_class, "reason": reason, "prediction": item.prediction_id, **facts}
    return client.post(f"/api/v1/review-items/{item.pk}/decide/", body)


def test_a_correction_changes_the_label_and_is_written_into_the_ledger(as_expert, item, site):
    answer = decision(as_expert, item)
    assert answer.status_code == 201
    row = answer.json()["relabel"]
    assert (row["from_class"], row["to_class"], row["kind"], row["item"]) == ("quake", "rockfall", "correct", item.pk)
    assert row["prediction"] == item.prediction_id
    assert answer.json()["counts"]["done"] == 1
    assert Event.objects.get(pk=item.event_id).label.code == "rockfall"
    assert Relabel.objects.get().hash == row["hash"]
    assert ledger.verify(site) == []


def test_a_confirmation_needs_no_reason(as_expert, item):
    row = decision(as_expert, item, "quake", "").json()["relabel"]
    assert (row["kind"], row["reason"]) == ("confirm", "")


def test_a_first_label_needs_no_reason(as_expert, ask):
    row = decision(as_expert, ask(None, "rockfall"), "noise", "").json()["relabel"]
    assert (row["kind"], row["from_class"]) == ("first", None)


def test_a_change_without_a_reason_is_refused_and_changes_nothing(as_expert, item, refused):
    assert "Give a reason" in refused(decision(as_expert, item, reason=" "), 400, "invalid")["detail"]
    assert Event.objects.get(pk=item.event_id).label.code == "quake"
    assert Relabel.objects.count() == 0


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"event_class": "avalanche"}, "Classes: earthquake, quake, rockfall, noise"),
        ({"event_class": ""}, "blank"),
        ({"event_class": None}, "null"),
        ({"event_class": 3}, "has no class '3'"),
        ({"event_class": ["rockfall"]}, "valid string"),
        ({"event_class": "rock\0fall"}, "Null characters"),
        ({"reason": "\0"}, "Null characters"),
        ({"reason": "\x07"}, "Remove them"),
        ({"reason": "x" * 2001}, "2000"),
        ({"reason": {}}, "valid string"),
        ({"prediction": None}, "Say which one was shown"),
        ({"prediction": 123456}, "not about"),
        ({"prediction": 10**30}, "less than or equal"),
        ({"prediction": "x"}, "valid integer"),
        ({"resaon": "typing error"}, "Known: event_class, unsure, blind, reason"),
    ],
)
def test_what_cannot_be_a_decision_is_refused(as_expert, item, refused, facts, words):
    assert words in refused(decision(as_expert, item, **facts), 400, "invalid")["detail"]
    assert Relabel.objects.count() == 0


def test_a_class_of_another_site_is_no_class_here(as_expert, item, refused):
    other = create_site(name="Other slope")
    other.classes.filter(code="noise").update(code="blast")
    assert "has no class 'blast'" in refused(decision(as_expert, item, "blast"), 400, "invalid")["detail"]


def test_what_another_expert_decided_is_not_decided_again(as_expert, as_second_expert, item, refused):
    decision(as_expert, item)
    said = refused(decision(as_second_expert, item, "noise"), 409, "conflict")
    assert "a expert labelled" in said["detail"]
    assert (said["theirs"]["expert"], said["theirs"]["to_class"]) == ("a expert", "rockfall")
    assert Relabel.objects.count() == 1


def test_a_decision_that_was_sent_twice_is_written_once(as_expert, item):
    first, second = decision(as_expert, item).json(), decision(as_expert, item).json()
    assert first["relabel"] == second["relabel"]


def test_what_somebody_else_holds_cannot_be_decided(as_expert, as_second_expert, item, refused):
    as_second_expert.post(f"/api/v1/review-items/{item.pk}/take/")
    assert "held by another expert" in refused(decision(as_expert, item), 409, "conflict")["detail"]


def test_the_ledger_records_the_panels_that_were_on_the_screen_and_refuses_others(as_expert, item, refused, station):
    strange = {station.seed_id: "0" * 64}
    assert "Load the item again" in refused(decision(as_expert, item, panels=strange), 400, "invalid")["detail"]
    shown = services.store_explanation(prediction=item.prediction, station=station, panel=b"first", summary={})
    services.store_explanation(prediction=item.prediction, station=station, panel=b"made anew meanwhile", summary={})
    row = decision(as_expert, item, panels={station.seed_id: shown.sha256}).json()["relabel"]
    assert row["shown"]["panels"] == {station.seed_id: shown.sha256}


def test_the_next_item_comes_with_the_answer_where_it_is_asked_for(as_expert, ask):
    first, second = ask("quake", event_id="first"), ask("quake", event_id="second")
    said = decision(as_expert, first, event_class="quake", next=True).json()
    assert (said["next"]["item"]["id"], said["next"]["item"]["held_by_me"]) == (second.pk, True)
    assert said["next"]["counts"] == said["next"]["item"]["counts"] == said["counts"]
    last = decision(as_expert, second, event_class="quake", next=True).json()
    assert (last["next"]["item"], last["counts"]["open"]) == (None, 0)


def test_no_item_is_leased_that_was_not_asked_for(as_expert, ask):
    first, second = ask("quake"), ask("quake")
    assert decision(as_expert, first, event_class="quake").json()["next"] is None
    second.refresh_from_db()
    assert second.holder is None


def test_a_decision_that_is_refused_leases_nothing(as_expert, ask, refused):
    first, second = ask("quake"), ask("quake")
    refused(decision(as_expert, first, event_class="noise", reason="", next=True), 400)
    second.refresh_from_db()
    assert second.holder is None
