"""GET and PATCH /api/v1/sites/{id}/policy/, POST and DELETE /api/v1/events/{id}/gold/"""

import csv

import pytest

from labelapp.review import gold
from labelapp.review.models import GoldEvent, ReviewItem, ReviewPolicy


def change(client, site, **facts):
    return client.patch(f"/api/v1/sites/{site.pk}/policy/", facts, format="json")


def test_a_site_that_nobody_changed_is_reviewed_by_the_defaults(as_viewer, site):
    policy = as_viewer.get(f"/api/v1/sites/{site.pk}/policy/").json()
    assert policy["reasons"][0] == {"key": "w", "text": "waveform shape"}
    assert policy["filter_presets"][0] == {"low_hz": 1.0, "high_hz": 10.0}
    assert (policy["blind"], policy["second_opinion_share"], policy["second_opinion_classes"]) == (False, 0.0, [])
    assert (policy["gold_share"], policy["lease_s"], policy["postpone_s"]) == (0.0, None, 3600)
    assert not ReviewPolicy.objects.exists()


def test_what_is_named_changes_and_the_rest_stays(as_manager, site):
    change(as_manager, site, blind=True, second_opinion_classes=["rockfall", "quake"])
    answer = change(as_manager, site, second_opinion_share=0.25, reasons=[{"key": "S", "text": " shape "}], lease_s=60)
    assert answer.status_code == 200
    policy = answer.json()
    assert policy == as_manager.get(f"/api/v1/sites/{site.pk}/policy/").json()
    assert (policy["blind"], policy["second_opinion_share"], policy["lease_s"]) == (True, 0.25, 60)
    assert policy["reasons"] == [{"key": "s", "text": "shape"}]
    assert set(policy["second_opinion_classes"]) == {"rockfall", "quake"}
    assert change(as_manager, site, second_opinion_classes=[], lease_s=None).json()["second_opinion_classes"] == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"reasons": []}, "at least one"),
        ({"reasons": [{"key": "w", "text": "a"}, {"key": "W", "text": "b"}]}, "the key 'w' stands more than once"),
        ({"reasons": [{"key": "w", "text": "a"}, {"key": "x", "text": "a"}]}, "the text 'a' stands more than once"),
        ({"reasons": [{"key": "ww", "text": "a"}]}, "Use one letter"),
        ({"reasons": [{"key": "1", "text": "a"}]}, "Use one letter"),
        ({"reasons": [{"key": "ß", "text": "a"}]}, "Use one letter"),
        ({"reasons": [{"key": "w", "text": " "}]}, "the text of w is missing"),
        ({"reasons": [{"key": "w"}]}, "Write a key and a text"),
        ({"reasons": [{"key": "w", "text": 3}]}, "Write a key and a text"),
        ({"reasons": [{"key": "w", "text": "bell \x07"}]}, "control characters"),
        ({"reasons": [{"key": "w", "text": "x" * 201}]}, "At most 200"),
        ({"reasons": "none"}, "list"),
        ({"filter_presets": [{"low_hz": 10, "high_hz": 1}]}, "The low end comes first"),
        ({"filter_presets": [{"low_hz": 0, "high_hz": 1}]}, "above 0"),
        ({"filter_presets": [{"low_hz": "1", "high_hz": 2}]}, "give numbers"),
        ({"filter_presets": [{"low_hz": 1, "high_hz": 10**400}]}, "is no pass band"),
        ({"filter_presets": [{"low_hz": 1}]}, "Give low_hz and high_hz"),
        ({"filter_presets": [{"low_hz": 1, "high_hz": 2}] * 10}, "at most 9"),
        ({"second_opinion_share": 1.5}, "less than or equal to 1"),
        ({"gold_share": -0.1}, "greater than or equal to 0"),
        ({"lease_s": 3}, "greater than or equal to 10"),
        ({"postpone_s": 10**12}, "less than or equal"),
        ({"second_opinion_classes": ["avalanche"]}, "Classes: earthquake, quake, rockfall, noise"),
        ({"blnd": True}, "Known: reasons"),
    ],
)
def test_what_cannot_be_a_policy_is_refused_and_changes_nothing(as_manager, site, refused, facts, words):
    assert words in refused(change(as_manager, site, **facts), 400, "invalid")["detail"]
    assert not ReviewPolicy.objects.exists()


def mark(client, event, **facts):
    return client.post(f"/api/v1/events/{event.pk}/gold/", facts)


def test_an_event_s_class_is_declared_beyond_doubt_and_its_label_stays(as_manager, manager, make_event):
    event = make_event("quake")
    said = mark(as_manager, event, note=" seen by two guides ").json()
    assert (said["event_class"], said["note"], said["set_by"]) == ("quake", "seen by two guides", manager.username)
    assert mark(as_manager, event, event_class="rockfall").json()["event_class"] == "rockfall"
    event.refresh_from_db()
    assert event.label.code == "quake"
    assert GoldEvent.objects.get().event_class.code == "rockfall"


def test_an_event_without_a_label_needs_a_class_and_a_class_must_be_the_site_s(as_manager, make_event, refused):
    event = make_event(None)
    assert "Say which class" in refused(mark(as_manager, event), 400, "invalid")["detail"]
    assert "has no class 'blast'" in refused(mark(as_manager, event, event_class="blast"), 400, "invalid")["detail"]


def test_a_check_that_is_taken_away_is_asked_no_more(as_manager, as_expert, expert, site, make_event, refused):
    event = make_event("quake")
    mark(as_manager, event)
    ReviewPolicy.objects.create(site=site, gold_share=1)
    item = gold.next_gold(site=site, expert=expert)
    url = f"/api/v1/events/{event.pk}/gold/"
    assert as_manager.delete(url).status_code == 204
    item.refresh_from_db()
    assert item.state == ReviewItem.State.WITHDRAWN
    answer = as_expert.post(f"/api/v1/review-items/{item.pk}/decide/", {"event_class": "quake"})
    assert "was withdrawn" in refused(answer, 409, "conflict")["detail"]
    assert "is no gold event" in refused(as_manager.delete(url), 409, "conflict")["detail"]


def test_nothing_that_an_expert_is_sent_tells_a_gold_check_from_a_second_opinion(
    as_manager, as_expert, ask, decide, site, manager
):
    ReviewPolicy.objects.create(site=site, gold_share=1, second_opinion_share=1)
    decide(ask("quake", "rockfall"), "rockfall", by=manager)
    second = as_expert.post("/api/v1/review-items/next/", {"site": site.pk}).json()["item"]
    as_expert.post(f"/api/v1/review-items/{second['id']}/release/")
    golden = ask("noise", "quake")
    mark(as_manager, golden.event)
    check = as_expert.post("/api/v1/review-items/next/", {"site": site.pk}).json()["item"]
    assert ReviewItem.objects.get(pk=check["id"]).reason == "gold"
    assert ReviewItem.objects.get(pk=second["id"]).reason == "second_opinion"
    same = ("reason", "reason_text", "independent", "opinions", "mine", "state", "blind", "postponed_until")
    assert {name: check[name] for name in same} == {name: second[name] for name in same}
    for item in (second, check):
        assert (item["event"]["label"], item["event"]["catalogue_label"], item["event"]["history"]) == (None, None, [])
    assert check["counts"]["by_reason"]["gold"] == 0
    body = {"event_class": "noise", "prediction": check["prediction"]["id"]}
    row = as_expert.post(f"/api/v1/review-items/{check['id']}/decide/", body).json()["relabel"]
    assert (row["kind"], row["to_class"], row["details"].keys()) == ("opinion", "noise", {"held_s"})


def test_a_gold_check_is_told_to_managers_alone_also_when_it_is_answered(as_manager, as_expert, ask, site, refused):
    ReviewPolicy.objects.create(site=site, gold_share=1)
    mark(as_manager, ask("noise", "quake").event)
    check = as_expert.post("/api/v1/review-items/next/", {"site": site.pk}).json()["item"]
    url = f"/api/v1/review-items/{check['id']}/"
    as_expert.post(f"{url}decide/", {"event_class": "noise", "prediction": check["prediction"]["id"]})
    assert [client.get(url).json()["reason"] for client in (as_expert, as_manager)] == ["question", "gold"]
    assert "old" not in as_expert.get(url).json()["reason_text"]
    asked = {"site": site.pk}
    for client, told in ((as_expert, ["", ""]), (as_manager, ["gold", '{"expected": "noise"}'])):
        lines = b"".join(client.get("/api/v1/relabels.csv", asked).streaming_content).decode().splitlines()
        (row,) = csv.DictReader(lines)
        assert [row["asked"], row["gold"]] == told
        figures = b"".join(client.get("/api/v1/agreement.csv", asked).streaming_content).decode()
        assert ("right_on_gold" in figures) == bool(told[0])
    assert "it needs a manager" in refused(as_expert.get("/api/v1/relabels.jsonl", asked), 403)["detail"]
    assert as_manager.get("/api/v1/relabels.jsonl", asked).status_code == 200
