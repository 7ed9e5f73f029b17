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
        ({"unsure": True}, "both a class and unsure"),
        ({"confidence": "sure"}, "not a valid choice"),
        ({"verdict": "maybe"}, "not a valid choice"),
        ({"comment": "x" * 2001}, "2000"),
        ({"comment": "bell \x07"}, "Remove them"),
        ({"seconds": -1}, "greater than or equal to 0"),
        ({"seconds": "long"}, "valid number"),
        ({"box": {"station": "XX.AAA.00"}}, "box.component: This field is required"),
        ({"box": "everything"}, "Expected a dictionary"),
        ({"filter": {"reason": "boredom"}}, "filter.reason"),
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


def test_what_else_is_said_is_written_down_with_the_decision(as_expert, item, site):
    box = {
        "station": "XX.AAA.00",
        "component": "Z",
        "map": "predicted",
        "from_s": 1,
        "to_s": 2.5,
        "low_hz": 5,
        "high_hz": 8,
    }
    said = {"confidence": "likely", "comment": " two impacts ", "verdict": "wrong_reason", "box": box, "seconds": 6.25}
    row = decision(as_expert, item, **said).json()["relabel"]
    assert row["kind_text"] == "changed the label"
    assert row["details"] == {
        "confidence": "likely", "comment": "two impacts", "verdict": "wrong_reason", "seconds": "6.25",
        "box": {**box, "from_s": "1.0", "to_s": "2.5", "low_hz": "5.0", "high_hz": "8.0"},
    }  # fmt: skip
    assert Relabel.objects.get().details["asked"] == "disagreement"
    assert ledger.verify(site) == []


def test_a_box_without_extent_is_refused(as_expert, item, refused):
    box = {"station": "X", "component": "Z", "map": "x", "from_s": 2, "to_s": 2, "low_hz": 5, "high_hz": 8}
    assert "Draw it larger" in refused(decision(as_expert, item, box=box), 400, "invalid")["detail"]


def test_who_cannot_tell_says_so_and_the_event_waits_for_somebody_else(as_expert, as_second_expert, item, site):
    said = decision(as_expert, item, event_class=None, unsure=True, reason="", comment="noisy", next=True).json()
    assert (said["relabel"]["kind"], said["relabel"]["from_class"], said["relabel"]["to_class"]) == (
        "unsure",
        "quake",
        None,
    )
    assert (said["next"]["item"], said["counts"]["by_reason"]["second_opinion"]) == (None, 1)
    other = as_second_expert.post("/api/v1/review-items/next/", {"site": site.pk}).json()["item"]
    assert (other["reason"], other["independent"], other["event"]["label"]) == ("second_opinion", False, "quake")
    assert other["reason_text"].endswith("; somebody could not tell what it is.")
    assert other["event"]["history"][0]["details"]["comment"] == "noisy"
    row = decision(as_second_expert, item, event_class="rockfall").json()
    assert row["code"] == "conflict"
    assert "a expert could not tell what event 0 is" in row["detail"]
    answered = as_second_expert.post(
        f"/api/v1/review-items/{other['id']}/decide/",
        {"event_class": "rockfall", "reason": "impacts", "prediction": item.prediction_id},
    )
    assert answered.json()["relabel"]["kind"] == "correct"


def test_the_next_item_comes_from_the_part_of_the_queue_that_is_asked_for(as_expert, ask):
    first, second = ask("quake", "rockfall"), ask("noise", "rockfall")
    ask("quake", "rockfall")
    said = decision(as_expert, first, next=True, filter={"label": "noise"}).json()
    assert said["next"]["item"]["id"] == second.pk


def test_the_item_says_how_the_site_is_reviewed(as_expert, item, settings):
    policy = as_expert.post(f"/api/v1/review-items/{item.pk}/take/").json()["policy"]
    assert policy["reasons"][0] == {"key": "w", "text": "waveform shape"}
    assert policy["filter_presets"][0] == {"low_hz": 1.0, "high_hz": 10.0}
    assert (policy["lease_s"], policy["postpone_s"]) == (settings.LEASE_S, 3600)
