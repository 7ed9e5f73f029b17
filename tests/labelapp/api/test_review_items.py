"""GET /api/v1/review-items/, next/, and {id}/take/, renew/, release/, skip/."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labelapp.review.models import ReviewItem

ITEMS = "/api/v1/review-items/"


def shift_lease(item, seconds):
    ReviewItem.objects.filter(pk=item["id"]).update(held_until=timezone.now() + timedelta(seconds=seconds))


@pytest.fixture
def next_of(site):
    """next_of(client) → the item that `next/` leases."""

    def ask(client, **body):
        answer = client.post(f"{ITEMS}next/", {"site": site.pk, **body})
        assert answer.status_code == 200, answer.content
        return answer.json()["item"]

    return ask


def test_next_gives_all_that_the_page_shows(as_expert, ask, next_of):
    ask("quake", "rockfall", event_id="a")
    item = next_of(as_expert)
    assert item["reason_text"] == "Model 1 says Rockfall (90%), the label says Quake."
    assert (item["state"], item["reason"], item["holder"], item["held_by_me"]) == (
        "open",
        "disagreement",
        "a expert",
        True,
    )
    assert (item["event"]["event_id"], item["event"]["label"], item["event"]["history"]) == ("a", "quake", [])
    assert [o["station"] for o in item["event"]["observations"]] == ["XX.AAA.00"]
    assert (item["prediction"]["event_class"], item["prediction"]["probability"]) == ("rockfall", 0.9)
    assert [(p["station"], p["prediction"]) for p in item["panels"]] == [("XX.AAA.00", item["prediction"]["id"])]
    assert [c["key"] for c in item["classes"]] == ["1", "2", "3", "4"]
    assert item["site"] == {"id": item["site"]["id"], "name": "Test slope", "synthetic": False}
    assert item["counts"] == {
        "open": 1,
        "waiting": 0,
        "held": 1,
        "postponed": 0,
        "done": 0,
        "by_reason": {**dict.fromkeys(ReviewItem.Reason.values, 0), "disagreement": 1},
    }


def test_next_takes_the_site_by_name_as_well(as_expert, ask, next_of):
    ask()
    assert next_of(as_expert, site="Test slope")["held_by_me"]


def test_next_gives_two_experts_different_items_and_each_their_own_again(as_expert, as_second_expert, ask, next_of):
    ask(), ask()
    mine, theirs = next_of(as_expert), next_of(as_second_expert)
    assert mine["id"] != theirs["id"]
    assert next_of(as_expert)["id"] == mine["id"]


def test_an_empty_queue_has_no_next_item_but_counts(as_expert, site):
    answer = as_expert.post(f"{ITEMS}next/", {"site": site.pk}).json()
    assert answer["item"] is None
    assert answer["counts"]["open"] == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "required"),
        ({"site": 12345}, "Sites: Test slope"),
        ({"site": "Nowhere"}, "Sites: Test slope"),
        ({"site": 10**30}, "There is no site"),
        ({"site": -1}, "There is no site"),
        ({"site": True}, "id or name"),
        ({"site": None}, "null"),
        ({"site": [1]}, "id or name"),
        ({"site": "a\0"}, "Null characters"),
        ({"site": "x" * 100}, "80 characters"),
        ({"side": 1}, "Known: site"),
        ([1], "dictionary"),
        ("x", "dictionary"),
    ],
)
def test_a_queue_that_does_not_exist_is_refused(as_expert, site, refused, body, words):
    assert words in refused(as_expert.post(f"{ITEMS}next/", body), 400, "invalid")["detail"]


def test_a_viewer_reads_an_item_without_leasing_it(as_viewer, ask):
    item = as_viewer.get(f"{ITEMS}{ask().pk}/").json()
    assert (item["holder"], item["held_by_me"], item["held_until"]) == (None, False, None)


def test_an_item_without_a_prediction_says_why_it_is_there(as_viewer, site, make_event):
    item = ReviewItem.objects.create(site=site, event=make_event(), reason=ReviewItem.Reason.REQUEST)
    said = as_viewer.get(f"{ITEMS}{item.pk}/").json()
    assert said["reason_text"] == "In the queue: asked for by an expert."
    assert (said["prediction"], said["panels"]) == (None, [])


def test_a_detection_has_no_label_to_disagree_with(as_viewer, ask):
    said = as_viewer.get(f"{ITEMS}{ask(None, 'rockfall').pk}/").json()
    assert said["event"]["label"] is said["event"]["catalogue_label"] is None
    assert said["reason_text"] == "Model 1 says Rockfall (90%); the event was detected and has no label yet."


def test_an_item_is_taken_by_one_expert_only(as_expert, as_second_expert, ask, refused):
    url = f"{ITEMS}{ask().pk}/take/"
    assert as_expert.post(url).json()["held_by_me"]
    assert "held by a expert until" in refused(as_second_expert.post(url), 409, "conflict")["detail"]


def test_a_lease_is_renewed_until_somebody_else_takes_over(as_expert, as_second_expert, ask, next_of, refused):
    ask()
    item = next_of(as_expert)
    shift_lease(item, seconds=5)
    renewed = as_expert.post(f"{item['url']}renew/").json()
    assert renewed["id"] == item["id"]
    assert renewed["held_until"] > timezone.now().isoformat()
    shift_lease(item, seconds=-1)
    assert as_expert.get(item["url"]).json()["holder"] is None
    assert next_of(as_second_expert)["id"] == item["id"]
    refused(as_expert.post(f"{item['url']}renew/"), 409, "conflict")


def test_a_released_item_goes_to_the_next_expert(as_expert, as_second_expert, ask, next_of):
    ask()
    item = next_of(as_expert)
    assert as_expert.post(f"{item['url']}release/").json() == {"id": item["id"], "held_until": None}
    assert next_of(as_second_expert)["id"] == item["id"]


def test_nobody_releases_what_somebody_else_holds(as_expert, as_second_expert, ask, next_of):
    ask()
    item = next_of(as_expert)
    as_second_expert.post(f"{item['url']}release/")
    assert as_expert.get(item["url"]).json()["held_by_me"]


def test_a_skipped_item_waits(as_expert, ask, next_of):
    ask()
    item = next_of(as_expert)
    skipped = as_expert.post(f"{item['url']}skip/").json()
    assert skipped["postponed_until"] > timezone.now().isoformat()
    assert skipped["counts"]["postponed"] == 1
    assert next_of(as_expert) is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "abc"),
        ({"state": "open"}, "bc"),
        ({"state": "done"}, "a"),
        ({"reason": "detection"}, "c"),
        ({"label": "quake"}, "b"),
        ({"predicted": "noise"}, "c"),
        ({"station": "AAA"}, "abc"),
        ({"starttime_after": "2026-03-01T06:01:00"}, "bc"),
        ({"ordering": "-starttime"}, "cba"),
        ({"site": "Test slope", "state": "open", "reason": "disagreement"}, "b"),
        ({"holder": "nobody"}, ""),
    ],
)
def test_filters_leave_the_items_that_fit(as_viewer, ask, decide, filters, expected):
    decide(ask("quake", "rockfall", event_id="a"), "rockfall")
    ask("quake", "rockfall", event_id="b")
    ask(None, "noise", event_id="c")
    rows = as_viewer.get(ITEMS, filters).json()["results"]
    ids = "".join(row["event_id"] for row in rows)
    assert (ids if "ordering" in filters else "".join(sorted(ids))) == expected


def test_items_are_listed_with_what_tells_them_apart(as_viewer, ask, site):
    item = ask("quake", "rockfall", event_id="a")
    (row,) = as_viewer.get(ITEMS, {"event": item.event_id}).json()["results"]
    expected = {
        "event_id": "a",
        "station": "XX.AAA.00",
        "label": "quake",
        "catalogue_label": "quake",
        "predicted": "rockfall",
        "probability": 0.9,
        "holder": None,
        "held_until": None,
    }
    assert {name: row[name] for name in expected} == expected


def test_a_list_of_items_costs_the_same_few_queries(as_viewer, site, ask, make_event, django_assert_max_num_queries):
    for _ in range(8):
        ask()
    ReviewItem.objects.create(site=site, event=make_event(None), reason=ReviewItem.Reason.REQUEST)
    with django_assert_max_num_queries(5):
        assert as_viewer.get(ITEMS).json()["count"] == 9


def test_an_item_costs_the_same_few_queries(as_viewer, ask, django_assert_max_num_queries):
    item = ask()
    with django_assert_max_num_queries(11):
        assert as_viewer.get(f"{ITEMS}{item.pk}/").status_code == 200
