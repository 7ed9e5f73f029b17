"""Events relabelled in bulk, moved, added, split and merged over the API."""

import pytest

from labelapp.catalogue.models import Event
from labelapp.learning.models import Run
from labelapp.review import ledger
from labelapp.review import services as review
from labelapp.review.models import Relabel


@pytest.fixture
def post(as_expert):
    def send(address, **body):
        return as_expert.post(f"/api/v1/events/{address}", body, format="json")

    return send


class TestBulk:
    @pytest.fixture
    def relabel(self, post, site):
        def send(**body):
            return post("relabel/", **{"site": site.pk, "event_class": "rockfall", "reason": "same swarm", **body})

        return send

    def test_is_previewed_done_and_undone(self, relabel, post, make_event, site):
        events = [make_event("quake"), make_event("quake"), make_event("rockfall"), make_event("noise")]
        seen = relabel(filter={"label": "quake"}, preview=True, reason="").json()
        assert (seen["count"], seen["changed"], seen["by_class"], seen["held_count"]) == (2, 2, {"quake": 2}, 0)
        assert [row["event_id"] for row in seen["sample"]] == [event.event_id for event in events[:2]]
        assert not Relabel.objects.exists()
        done = relabel(filter={"label": "quake"})
        assert (done.status_code, done.json()["written"], done.json()["skipped"]) == (201, 2, [])
        undone = post(f"relabel/{done.json()['batch']}/undo/").json()
        assert undone == {"withdrawn": 2, "left": [], "left_count": 0}
        assert ledger.verify(site) == []

    def test_of_a_selection_that_has_grown_since_the_preview_is_refused(self, relabel, make_event, refused):
        make_event("quake")
        seen = relabel(filter={"label": "quake"}, preview=True).json()
        make_event("quake")
        said = refused(relabel(filter={"label": "quake"}, expected=seen["count"]), 409, "conflict")
        assert said["detail"].startswith("The selection has 2 events now; 1 when you previewed it.")
        assert not Relabel.objects.exists()
        assert relabel(filter={"label": "quake"}, expected=2).json()["written"] == 2

    def test_of_a_selection_of_as_many_but_others_is_refused(self, relabel, make_event, classes, refused):
        left, _ = make_event("quake"), make_event("quake")
        seen = relabel(filter={"label": "quake"}, preview=True).json()
        Event.objects.filter(pk=left.pk).update(label=classes["noise"])
        back = {"expected": seen["count"], "selection": seen["selection"]}
        make_event("quake")
        said = refused(relabel(filter={"label": "quake"}, **back), 409, "conflict")
        assert said["detail"].startswith("The selection has 2 events now, but not those that you previewed")
        assert not Relabel.objects.exists()
        again = relabel(filter={"label": "quake"}, preview=True).json()["selection"]
        assert relabel(filter={"label": "quake"}, selection=again).json()["written"] == 2

    def test_tells_selections_apart_by_their_events_and_not_by_their_order(self, relabel, make_event):
        one, other = make_event("quake"), make_event("noise")

        def selection(*events):
            return relabel(events=[event.pk for event in events], preview=True).json()["selection"]

        assert selection(one, other) == selection(other, one) != selection(one)

    def test_takes_events_by_hand(self, relabel, make_event):
        _, second = make_event("quake"), make_event("quake")
        assert relabel(events=[second.pk]).json()["written"] == 1
        assert list(Event.objects.order_by("pk").values_list("label__code", flat=True)) == ["quake", "rockfall"]

    def test_says_which_events_others_hold(self, relabel, ask, manager):
        item = review.take_item(item=ask("quake"), expert=manager)
        done = relabel(events=[item.event.pk]).json()
        assert (done["written"], done["skipped_count"]) == (0, 1)
        assert done["skipped"][0]["id"] == item.event.pk

    @pytest.mark.parametrize(
        "wrong",
        [
            {},
            {"events": [1], "filter": {}},
            {"filter": {"colour": "red"}},
            {"filter": {"label": "avalanche"}},
            {"filter": {}, "event_class": "avalanche"},
            {"filter": {}, "reason": ""},
            {"events": [0]},
            {"events": [10**9]},
        ],
    )
    def test_refuses_what_chooses_nothing_sensible(self, relabel, make_event, refused, wrong):
        make_event("quake")
        refused(relabel(**wrong), 400, "invalid")
        assert not Relabel.objects.exists()

    def test_a_batch_that_nobody_knows_is_not_found(self, post, refused):
        refused(post("relabel/00000000-0000-0000-0000-000000000000/undo/"), 404)


@pytest.fixture
def active(site, model):
    site.active_model = model
    site.save()
    return model


def test_boundaries_move_and_the_event_is_classified_anew(post, make_event, active):
    event = make_event("quake")
    span = {"starttime": "2026-03-01T06:00:01Z", "endtime": "2026-03-01T06:00:03.5Z"}
    moved = post(f"{event.pk}/boundaries/", **span, reason="onset").json()
    assert (moved["starttime"], moved["duration_s"]) == ("2026-03-01T06:00:01.000000Z", 2.5)
    run = Run.objects.get()
    assert (moved["run"], run.kind, run.parameters["events"]) == (f"/api/v1/runs/{run.pk}/", "classify", [event.pk])


def test_a_run_that_may_have_read_the_old_boundaries_counts_for_nothing(post, make_event, active):
    event = make_event("quake")

    def move(second):
        span = {"starttime": f"2026-03-01T06:00:0{second}Z", "endtime": "2026-03-01T06:00:09Z"}
        return post(f"{event.pk}/boundaries/", **span).json()["run"]

    first = move(1)
    assert move(2) == first  # still waiting: it will read the newest
    Run.objects.update(state="running")
    assert move(3) != first


def test_without_an_active_model_there_is_no_run(post, make_event):
    span = {"starttime": "2026-03-01T06:00:01Z", "endtime": "2026-03-01T06:00:03Z"}
    assert post(f"{make_event('quake').pk}/boundaries/", **span).json()["run"] is None


def test_a_missed_event_is_added_with_and_without_a_class(post, site, station):
    span = {"site": site.pk, "station": "XX.AAA.00", "endtime": "2026-03-01T06:00:09Z"}
    first = post("", **span, starttime="2026-03-01T06:00:01Z", event_class="rockfall", reason="seen everywhere")
    assert (first.status_code, first.json()["label"], first.json()["origin"]) == (201, "rockfall", "expert")
    second = post("", **span, starttime="2026-03-01T06:00:02Z").json()
    assert (second["label"], second["observations"][0]["station"]) == (None, "XX.AAA.00")


def test_an_event_is_split_and_its_parts_merged_again(post, make_event, as_viewer, site):
    event = make_event("quake")
    parts = post(f"{event.pk}/split/", at="2026-03-01T06:00:02Z").json()["events"]
    assert [part["duration_s"] for part in parts] == [2.0, 3.0]
    merged = post("merge/", events=[part["id"] for part in parts], reason="one after all").json()
    assert (merged["id"], merged["duration_s"]) == (event.pk, 5.0)
    assert [row["id"] for row in as_viewer.get("/api/v1/events/").json()["results"]] == [event.pk]
    assert as_viewer.get(f"/api/v1/events/{parts[1]['id']}/").status_code == 200  # its address holds for ever
    assert ledger.verify(site) == []


def test_viewers_change_nothing(as_viewer, make_event, refused, site):
    event = make_event("quake")
    for address in ("", "relabel/", "merge/", f"{event.pk}/boundaries/", f"{event.pk}/split/"):
        refused(as_viewer.post(f"/api/v1/events/{address}", {}, format="json"), 403)


@pytest.mark.parametrize(
    ("address", "body", "status"),
    [
        ("{}/boundaries/", {"starttime": "2026-03-01T06:00:03Z", "endtime": "2026-03-01T06:00:01Z"}, 400),
        ("{}/split/", {"at": "2027-01-01T00:00:00Z"}, 400),
        ("merge/", {"events": [1, 99999]}, 400),
        ("", {"station": "nowhere", "starttime": "2026-03-01T06:00:00Z", "endtime": "2026-03-01T06:00:01Z"}, 400),
        ("999999/split/", {"at": "2027-01-01T00:00:00Z"}, 404),
    ],
)
def test_what_cannot_be_changed_so_is_refused_in_words(post, make_event, refused, site, address, body, status):
    refused(post(address.format(make_event("quake").pk), **({} if address else {"site": site.pk}), **body), status)


@pytest.mark.parametrize("year", ["0001", "1899", "2200", "9999"])
def test_times_of_no_seismogram_are_refused_wherever_they_are_given(post, make_event, refused, site, station, year):
    event = make_event("quake")
    span = {"starttime": f"{year}-06-01T00:00:00+14:00", "endtime": f"{year}-06-01T00:00:01+14:00"}
    asked = [
        post("", site=site.pk, station=str(station), **span),
        post(f"{event.pk}/boundaries/", **span),
        post(f"{event.pk}/split/", at=f"{year}-06-01T00:00:00Z"),
    ]
    for answer in asked:
        refused(answer, 400)
        assert f"is of the year {int(year)}. Give one from 1900 to 2199." in str(answer.json())
