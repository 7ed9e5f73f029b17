"""POST /api/v1/review-items/undo/"""

from labelapp.catalogue.models import Event
from labelapp.review import ledger
from labelapp.review.models import ReviewItem


def undo(client, site):
    return client.post("/api/v1/review-items/undo/", {"site": site.pk})


def test_the_item_comes_back_leased_as_it_was_with_the_withdrawal(as_expert, site, ask, decide):
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    answer = undo(as_expert, site)
    assert answer.status_code == 200
    said = answer.json()
    row = said["relabel"]
    assert (row["kind"], row["from_class"], row["to_class"], row["details"]) == (
        "withdraw", "rockfall", "quake", {"withdraws": 1},
    )  # fmt: skip
    assert (said["item"]["id"], said["item"]["held_by_me"], said["item"]["event"]["label"]) == (item.pk, True, "quake")
    assert [entry["kind"] for entry in said["item"]["event"]["history"]] == ["correct", "withdraw"]
    assert (said["counts"]["open"], said["counts"]["done"]) == (1, 0)
    assert Event.objects.get(pk=item.event_id).label.code == "quake"
    assert ledger.verify(site) == []


def test_an_event_may_be_without_a_label_again(as_expert, site, ask, decide):
    decide(ask(None, "rockfall"), "rockfall")
    assert undo(as_expert, site).json()["relabel"]["to_class"] is None


def test_where_nothing_is_left_the_refusal_says_so(as_expert, as_second_expert, site, ask, decide, refused):
    decide(ask(), "rockfall")
    assert "You have no decision" in refused(undo(as_second_expert, site), 409, "conflict")["detail"]
    undo(as_expert, site)
    assert "You have no decision" in refused(undo(as_expert, site), 409, "conflict")["detail"]


def test_who_was_overtaken_is_shown_the_other_s_decision(as_expert, site, ask, decide, second_expert, refused):
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    ReviewItem.objects.filter(pk=item.pk).update(state="open")
    decide(item, "noise", by=second_expert)
    said = refused(undo(as_expert, site), 409, "conflict")
    assert "another expert labelled event 0 noise" in said["detail"]
    assert (said["theirs"]["expert"], said["theirs"]["to_class"]) == ("another expert", "noise")


def test_the_answer_names_what_was_passed_over(as_expert, site, ask, decide, second_expert):
    older, newer = ask("quake", "rockfall"), ask("quake", "rockfall")
    decide(older, "rockfall")
    decide(newer, "rockfall")
    ReviewItem.objects.filter(pk=newer.pk).update(state="open")
    theirs = decide(newer, "noise", by=second_expert)
    said = undo(as_expert, site).json()
    assert said["item"]["id"] == older.pk
    (passed,) = said["passed_over"]
    assert (passed["event_id"], passed["by"]) == ("event 1", "another expert")
    assert passed["decided_at"][:19] == theirs.decided_at.isoformat()[:19]


def test_what_names_no_site_is_refused(as_expert, refused, db):
    for body in ({}, {"site": "nowhere"}, {"site": 3, "item": 4}):
        refused(as_expert.post("/api/v1/review-items/undo/", body), 400, "invalid")


def test_an_event_whose_decision_was_taken_back_does_not_count_as_reviewed(as_expert, site, ask, decide):
    decide(ask(), "rockfall")
    reviewed = "/api/v1/events/?status=reviewed"
    assert as_expert.get(reviewed).json()["count"] == 1
    undo(as_expert, site)
    assert as_expert.get(reviewed).json()["count"] == 0
