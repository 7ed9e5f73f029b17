"""Parts of the queue over the API: leased from, counted, saved under a name."""

import pytest

from labelapp.review.models import ReviewItem, SavedFilter


@pytest.fixture
def next_item(as_expert, site):
    def ask(**body):
        return as_expert.post("/api/v1/review-items/next/", {"site": site.pk, **body}, format="json")

    return ask


def test_next_takes_the_same_names_as_the_list(next_item, as_expert, ask, site):
    ask("quake"), ask("noise")
    wanted = {"label": "noise", "judged": "rockfall", "station": "XX.AAA.00", "probability_min": 0.5, "reason": ""}
    item = next_item(filter=wanted).json()["item"]
    assert item["event"]["label"] == "noise"
    listed = as_expert.get("/api/v1/review-items/", {"site": site.pk, **wanted}).json()["results"]
    assert [row["id"] for row in listed] == [item["id"]]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"reason": "gold"}, "is not one of"),
        ({"label": "avalanche"}, "There is no class"),
        ({"station": "nowhere"}, "There is no station"),
        ({"starttime_after": "yesterday"}, "is no time"),
        ({"probability_min": 2}, "less than or equal to 1"),
        ({"sequence": 3}, "Unknown"),
    ],
)
def test_a_filter_that_nothing_understands_is_refused(next_item, refused, wrong, says):
    said = refused(next_item(filter=wrong), 400, "invalid")
    assert list(said["fields"]) == [f"filter.{name}" for name in wrong]
    assert says in said["detail"]


def test_counts_are_those_of_the_part_that_is_asked_for(as_viewer, ask, site):
    ask("quake"), ask("quake"), ask("noise")
    everything = as_viewer.get("/api/v1/review-items/counts/", {"site": site.name}).json()
    assert (everything["open"], everything["by_reason"]["disagreement"]) == (3, 3)
    part = as_viewer.get("/api/v1/review-items/counts/", {"site": site.pk, "label": "noise"}).json()
    assert (part["open"], part["waiting"], part["by_reason"]["disagreement"]) == (1, 1, 1)


def test_counts_need_a_site_and_take_nothing_that_they_do_not_know(as_viewer, site, refused):
    refused(as_viewer.get("/api/v1/review-items/counts/"), 400, "invalid")
    refused(as_viewer.get("/api/v1/review-items/counts/", {"site": site.pk, "holder": "me"}), 400, "unknown_parameter")


def test_nobody_learns_from_lists_and_counts_which_items_are_gold_checks(as_expert, expert, ask, site):
    item = ask()
    ReviewItem.objects.create(site=site, event=item.event, reason="gold", reserved_for=expert)
    assert as_expert.get("/api/v1/review-items/counts/", {"site": site.pk}).json()["open"] == 1
    assert as_expert.get("/api/v1/review-items/", {"site": site.pk}).json()["count"] == 1


def test_waiting_is_what_the_asker_could_be_given_now(as_expert, as_second_expert, ask, site):
    free, held, postponed = ask(), ask(), ask()
    as_second_expert.post(f"/api/v1/review-items/{held.pk}/take/")
    as_second_expert.post(f"/api/v1/review-items/{postponed.pk}/skip/", {"postpone_s": 600}, format="json")

    def listed(**query):
        return {
            row["id"] for row in as_expert.get("/api/v1/review-items/", {"site": site.pk, **query}).json()["results"]
        }

    assert listed(waiting="true") == {free.pk}
    assert listed(waiting="false") == {held.pk, postponed.pk}


def test_a_skip_may_say_for_how_long(as_expert, ask, refused):
    item = ask()
    assert as_expert.post(f"/api/v1/review-items/{item.pk}/skip/", {"postpone_s": 60}, format="json").status_code == 200
    refused(as_expert.post(f"/api/v1/review-items/{item.pk}/skip/", {"postpone_s": 0}, format="json"), 400, "invalid")


class TestSavedFilters:
    @pytest.fixture
    def save(self, as_expert, site):
        def keep(name="doubts", **query):
            body = {"site": site.pk, "name": name, "query": query}
            return as_expert.post("/api/v1/saved-filters/", body, format="json")

        return keep

    def test_are_kept_listed_replaced_and_forgotten(self, save, as_expert, site):
        first = save(reason="doubt", station="")
        assert (first.status_code, first.json()["query"]) == (201, {"reason": "doubt"})
        again = save(reason="detection").json()
        assert again == {"id": first.json()["id"], "site": site.pk, "name": "doubts", "query": {"reason": "detection"}}
        assert as_expert.get("/api/v1/saved-filters/", {"site": site.pk}).json()["results"] == [again]
        assert as_expert.delete(f"/api/v1/saved-filters/{again['id']}/").status_code == 204
        assert not SavedFilter.objects.exists()

    def test_are_their_owners_alone(self, save, as_second_expert, refused):
        saved = save(reason="doubt").json()
        assert as_second_expert.get("/api/v1/saved-filters/").json()["count"] == 0
        refused(as_second_expert.delete(f"/api/v1/saved-filters/{saved['id']}/"), 404)

    def test_hold_nothing_that_could_not_be_asked_for(self, save, refused):
        refused(save(reason="because"), 400, "invalid")
        refused(save(name=""), 400, "invalid")

    def test_are_for_those_who_review(self, as_viewer, site, refused):
        refused(as_viewer.post("/api/v1/saved-filters/", {"site": site.pk, "name": "x"}, format="json"), 403)
