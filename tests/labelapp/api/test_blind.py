"""Blind review over the API: nothing that is sent says what the machine thinks, until the expert has decided."""

import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.panels import without_relevance
from labelapp.review import services
from labelapp.review.models import ReviewItem, ReviewPolicy

ITEMS = "/api/v1/review-items/"
# Their digits may be any.
CLOCKS = ("created_at", "held_until")
# A number that stands in the relevance alone: its bytes must not come through.
TELLTALE = np.float32(0.123456789)


def a_panel(**facts):
    tensors = {
        "waveform": np.arange(30, dtype=np.float32).reshape(3, 10),
        "stft": np.linspace(0, 1, 3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5),
        "relevance": np.full((2, 3, 4, 5), TELLTALE),
        "mask": np.ones((3, 10), dtype=np.uint8),
        "frequencies_hz": np.linspace(0, 50, 4),
        "times_s": np.arange(5.0),
    }
    known = {
        "station": "XX.AAA.00", "components": ["Z", "N", "E"], "starttime": "2026-03-01T06:00:00Z", "problems": ["gap"],
        "classes": ["quake", "rockfall"], "probabilities": {"quake": 0.0625, "rockfall": 0.9375},
        "targets": ["rockfall", "quake"], "explanations": [{"target": "rockfall", "logit": 3.5}],
        "difference": {"target": "rockfall", "against": "quake"}, "model_sha256": "ab" * 32,
    }  # fmt: skip
    return tensors, save(tensors, {"panel": json.dumps({**known, **facts})})


@pytest.fixture
def policy(site):
    return ReviewPolicy.objects.create(site=site, blind=True)


@pytest.fixture
def item(policy, ask, explain):
    item = ask("quake", "rockfall")
    item.prediction.explanations.all().delete()
    explain(item.prediction, a_panel()[1])
    return item


@pytest.fixture
def given(as_expert, item, site):
    return as_expert.post(f"{ITEMS}next/", {"site": site.pk}).json()["item"]


def decide(client, given, event_class, **facts):
    return client.post(f"{ITEMS}{given['id']}/decide/", {"event_class": event_class, "reason": "so", **facts})


def test_the_item_says_nothing_of_the_machine(given):
    assert given["blind"] is True
    assert (given["reason"], given["prediction"], given["judged"], given["judged_probability"]) == (
        "question", None, None, None,
    )  # fmt: skip
    assert (given["standing"], given["basis"], given["suspicion"], given["out_of_fold"]) == ("", "", None, None)
    assert given["event"]["label"] == "quake"
    text = json.dumps({name: value for name, value in given.items() if name not in {"classes", "counts", *CLOCKS}})
    assert "rockfall" not in text.lower()
    assert "0.9" not in text


def test_the_panel_s_bytes_hold_waveform_and_stft_and_no_relevance(as_expert, given):
    (panel,) = given["panels"]
    assert (panel["targets"], panel["summary"]) == ([], {})
    assert panel["url"].endswith("/waveform-and-stft/")
    answer = as_expert.get(panel["url"])
    tensors = load(answer.content)
    original, stored = a_panel()
    assert set(tensors) == {"waveform", "stft", "mask", "frequencies_hz", "times_s"}
    assert all(np.array_equal(tensors[name], original[name]) for name in tensors)
    assert TELLTALE.tobytes() in stored
    assert TELLTALE.tobytes() not in answer.content
    for telling in (b"rockfall", b"logit", b"probabilit", b"0.9375", b"relevance", b"model_sha256", b"ab" * 32):
        assert telling in stored
        assert telling not in answer.content
    length = int.from_bytes(answer.content[:8], "little")
    facts = json.loads(json.loads(answer.content[8 : 8 + length])["__metadata__"]["panel"])
    assert (facts["problems"], facts["explanations"], facts["difference"]) == (["gap"], [], None)


def test_the_panel_without_relevance_is_kept_by_the_browser_and_small(as_expert, given):
    url = given["panels"][0]["url"]
    answer = as_expert.get(url, HTTP_ACCEPT_ENCODING="gzip")
    assert answer["Content-Encoding"] == "gzip"
    assert "immutable" in answer["Cache-Control"]
    assert given["panels"][0]["sha256"] in answer["ETag"]
    assert answer["ETag"] != as_expert.get(url.replace("waveform-and-stft", "panel"))["ETag"]
    assert as_expert.get(url, HTTP_IF_NONE_MATCH=answer["ETag"].removeprefix("W/")).status_code == 304


@pytest.mark.parametrize(
    "content", [b"", b"panel of event 0", b"\xff" * 64, save({"stft": np.zeros(2)}), a_panel()[1][:900]]
)
def test_what_is_no_panel_is_refused_and_not_passed_on(content):
    with pytest.raises(Refused, match="This is no panel"):
        without_relevance(content)


def test_the_blind_decision_unblinds_and_the_next_one_counts(as_expert, given, refused):
    first = decide(as_expert, given, "noise", blind=True, next=True)
    assert first.status_code == 201
    said = first.json()
    assert (said["relabel"]["kind"], said["relabel"]["to_class"], said["next"]) == ("blind", "noise", None)
    seen = said["item"]
    assert (seen["id"], seen["blind"], seen["held_by_me"]) == (given["id"], False, True)
    assert seen["prediction"]["event_class"] == "rockfall"
    assert seen["mine"]["to_class"] == "noise"
    assert seen["panels"][0]["url"].endswith("/panel/")
    assert (seen["reason"], seen["event"]["label"]) == ("disagreement", "quake")
    row = decide(as_expert, given, "rockfall", prediction=seen["prediction"]["id"]).json()["relabel"]
    assert (row["kind"], row["details"]["blind"]) == ("correct", said["relabel"]["sequence"])


def test_a_decision_out_of_turn_is_refused(as_expert, given, refused, item):
    said = refused(decide(as_expert, given, "noise", prediction=item.prediction_id), 400, "invalid")
    assert "say first what you see" in said["detail"]
    decide(as_expert, given, "noise", blind=True)
    refused(decide(as_expert, given, "quake", blind=True), 409, "conflict")


def test_others_stay_blind_whatever_one_has_decided(as_expert, as_second_expert, given):
    decide(as_expert, given, "noise", blind=True)
    as_expert.post(f"{ITEMS}{given['id']}/release/")
    other = as_second_expert.post(f"{ITEMS}{given['id']}/take/").json()
    assert (other["blind"], other["mine"], other["prediction"]) == (True, None, None)
    assert other["event"]["history"] == []


def test_earlier_decisions_are_shown_without_what_the_machine_said_then(as_expert, site, policy, ask, decide, manager):
    policy.delete()
    item = ask("quake", "rockfall")
    decide(item, "noise", by=manager)
    ReviewPolicy.objects.create(site=site, blind=True)
    ReviewItem.objects.filter(pk=item.pk).update(state="open")
    given = as_expert.post(f"{ITEMS}{item.pk}/take/").json()
    (row,) = given["event"]["history"]
    assert (row["expert"], row["to_class"], row["shown"], row["prediction"]) == ("a manager", "noise", {}, None)
    assert "rockfall" not in json.dumps(given["event"])


def test_the_list_says_nothing_of_the_machine_either(as_expert, item):
    (row,) = as_expert.get(ITEMS).json()["results"]
    assert (row["label"], row["predicted"], row["probability"], row["judged"]) == ("quake", None, None, None)
    assert (row["standing"], row["suspicion"], row["reason"]) == ("", None, "question")


def test_what_an_expert_asked_for_or_must_weigh_is_not_blind(as_expert, policy, make_event, make_prediction, model):
    event = make_event("quake")
    make_prediction(event, "rockfall", model=model)
    asked = as_expert.post(f"/api/v1/events/{event.pk}/review/").json()
    assert (asked["blind"], asked["prediction"]["event_class"]) == (False, "rockfall")


def test_an_adjudication_shows_both_opinions_side_by_side(as_expert, as_second_expert, site, ask, second_expert):
    ReviewPolicy.objects.create(site=site, second_opinion_share=1)
    item = ask("quake", "rockfall")
    seen = {"prediction": item.prediction_id}
    said = {"confidence": "guess", "comment": "no onset", "verdict": "wrong_reason", "seconds": 12.5, **seen}
    decide(as_expert, {"id": item.pk}, "rockfall", **said)
    second = as_second_expert.post(f"{ITEMS}next/", {"site": site.pk}).json()["item"]
    assert (second["independent"], second["opinions"], second["reason"]) == (True, [], "question")
    assert "a expert" not in json.dumps(second)
    decide(as_second_expert, second, "noise", **seen)
    weighed = as_expert.post(f"{ITEMS}next/", {"site": site.pk}).json()["item"]
    assert weighed["reason"] == "adjudication"
    first, other = weighed["opinions"]
    assert (first["expert"], first["to_class"], first["details"]["confidence"]) == ("a expert", "rockfall", "guess")
    assert (first["details"]["comment"], first["details"]["seconds"]) == ("no onset", "12.5")
    assert (other["expert"], other["to_class"], other["kind_text"]) == (
        "another expert",
        "noise",
        "gave a second opinion",
    )
    assert weighed["event"]["label"] == "rockfall"
    assert [row["sequence"] for row in weighed["event"]["history"]] == [1, 2]
    row = decide(as_second_expert, weighed, "noise", **seen)
    assert row.status_code == 409  # the first expert holds it
    row = decide(as_expert, weighed, "noise", **seen).json()["relabel"]
    assert row["details"]["between"] == [1, 2]


def test_an_item_of_a_blind_site_costs_a_bounded_number_of_queries(as_expert, given, django_assert_max_num_queries):
    with django_assert_max_num_queries(13):
        assert as_expert.get(f"{ITEMS}{given['id']}/").status_code == 200


def test_a_blind_queue_answers_no_filter_that_would_tell_but_to_managers(as_expert, as_manager, item, site):
    item.refresh_from_db()
    telling = {"reason": item.reason, "judged": item.judged_class.code, "probability_min": 0, "predicted": "rockfall"}
    for name, value in telling.items():
        asked = {"site": site.pk, name: value}
        assert as_expert.get(ITEMS, asked).json()["count"] == 0, name
        assert as_manager.get(ITEMS, asked).json()["count"] == 1, name
    assert as_expert.get(ITEMS, {"site": site.pk, "label": "quake"}).json()["count"] == 1
    ReviewItem.objects.update(reason="request")
    assert as_expert.get(ITEMS, {"site": site.pk, "judged": "rockfall"}).json()["count"] == 1


def test_the_counts_of_a_part_of_a_blind_queue_do_not_tell_the_reason_of_its_only_item(as_expert, item, site):
    by_reason = as_expert.get(f"{ITEMS}counts/", {"site": site.pk, "label": "quake"}).json()["by_reason"]
    assert by_reason == {"request": 0, "adjudication": 0, "question": 1}


def test_no_answer_counts_the_reasons_that_are_kept_back(as_expert, as_manager, item, ask, site):
    others = [ask("noise", "rockfall"), ask("quake", "noise")]
    keys = {"request", "adjudication", "question"}
    leased = as_expert.post(f"{ITEMS}next/", {"site": site.pk}).json()
    first, shown = leased["item"], item.prediction_id
    said = [
        leased,
        first,
        as_expert.post(f"{ITEMS}{first['id']}/take/").json(),
        as_expert.get(f"{ITEMS}{others[0].pk}/").json(),
        (blind := decide(as_expert, first, "noise", blind=True).json()),
        blind["item"],
        (final := decide(as_expert, blind["item"], "noise", prediction=shown, next=True).json()),
        final["next"],
        final["next"]["item"],
        as_expert.post(f"{ITEMS}{final['next']['item']['id']}/skip/").json(),
        (undone := as_expert.post(f"{ITEMS}undo/", {"site": site.pk}).json()),
        undone["item"],
    ]
    for number, answer in enumerate(said):
        assert set(answer["counts"]["by_reason"]) == keys, number
    assert said[0]["counts"]["by_reason"]["question"] == 3
    told = as_manager.get(f"{ITEMS}{item.pk}/").json()["counts"]["by_reason"]
    assert told["disagreement"] == 3


def test_the_queue_page_keeps_back_what_the_list_keeps_back(client, expert, item, site):
    client.force_login(expert)
    shown = client.get(f"/sites/{site.pk}/queue/").content.decode()
    assert item.event.event_id in shown
    assert shown.count("kept back") == 1
    assert "A question" in shown
    for telling in (item.get_reason_display(), 'name="judged"', 'name="probability_min"'):
        assert telling not in shown
    assert item.event.event_id not in client.get(f"/sites/{site.pk}/queue/?reason={item.reason}").content.decode()


def test_the_queue_page_keeps_the_label_back_where_a_second_opinion_is_asked(client, expert, item, site, decide):
    ReviewPolicy.objects.update(blind=False, second_opinion_share=1)
    item = ReviewItem.objects.get(pk=item.pk)
    services.take_item(item=item, expert=expert)
    decide(item, "rockfall")
    client.force_login(expert)
    rows = client.get(f"/sites/{site.pk}/queue/").content.decode().partition("<tbody>")[2]
    assert "kept back" in rows
