"""GET maps/, maps/{id}/points/, maps/{id}/points/{row}/, maps/{id}/classes/ and POST maps/{id}/review/."""

import gzip
from datetime import datetime, timedelta

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from safetensors.numpy import load

from labelapp.catalogue.models import Event, ModelVersion, Station
from labelapp.learning.maps import map_bytes, microseconds_of, store_map, time_of
from labelapp.learning.models import PoolMap, Run
from labelapp.review.models import ReviewItem, ReviewPolicy
from labelapp.review.services import add_event
from labelapp.review.spans import merge_events, move_boundaries
from tests.conftest import MORNING
from tests.labelapp.learning.maps import make_map

WINDOWS = MORNING + timedelta(days=1)


@pytest.fixture
def events(make_event):
    return [make_event(label) for label in ("quake", "rockfall", None, "quake")]


@pytest.fixture
def pool_map(site, model, events):
    return make_map(site, model, points=60, events=events)


def get(client, pool_map, what=""):
    return client.get(f"/api/v1/maps/{pool_map.pk}/{what}")


def review(client, pool_map, *rows):
    return client.post(f"/api/v1/maps/{pool_map.pk}/review/", {"points": list(rows)}, format="json")


class TestTheMap:
    def test_is_listed_with_what_it_holds(self, as_viewer, site, model, pool_map):
        (row,) = as_viewer.get("/api/v1/maps/", {"site": site.pk}).json()["results"]
        assert row | {"created_at": None} == {
            "id": pool_map.pk,
            "url": f"/api/v1/maps/{pool_map.pk}/",
            "site": site.pk,
            "model": {"id": model.pk, "number": 1, "url": f"/api/v1/models/{model.pk}/", "kind": "classifier"},
            "points": 60,
            "events": 4,
            "clusters": 4,
            "method": "tsne",
            "window_s": 10.0,
            "stations": ["XX.AAA.00"],
            "created_at": None,
        }
        assert get(as_viewer, pool_map).json() == row

    def test_is_found_newest_first_and_by_its_site_alone(self, as_viewer, site, model, pool_map):
        newer = make_map(site, model, points=3)
        assert [row["id"] for row in as_viewer.get("/api/v1/maps/").json()["results"]] == [newer.pk, pool_map.pk]

    def test_of_nowhere_is_not_found(self, as_viewer, db, refused):
        for what in ("", "points/", "points/0/", "classes/"):
            refused(as_viewer.get(f"/api/v1/maps/77/{what}"), 404, "not_found")


class TestPoints:
    def test_come_as_they_were_stored_smaller_to_who_takes_gzip_and_never_twice(self, as_viewer, events, pool_map):
        answer = get(as_viewer, pool_map, "points/")
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/octet-stream")
        assert answer["Cache-Control"] == "private, max-age=31536000, immutable"
        tensors = load(answer.content)
        assert {name: (str(array.dtype), array.shape) for name, array in tensors.items()} == {
            "places": ("float32", (60, 2)),
            "cluster": ("int16", (60,)),
            "event": ("int64", (60,)),
            "station": ("int16", (60,)),
            "starttime": ("int64", (60,)),
        }
        assert tensors["event"].tolist() == [event.pk for event in events] + [-1] * 56
        assert time_of(tensors["starttime"][5]) == WINDOWS + timedelta(seconds=10)
        packed = as_viewer.get(f"/api/v1/maps/{pool_map.pk}/points/", HTTP_ACCEPT_ENCODING="gzip")
        assert gzip.decompress(packed.content) == answer.content
        again = as_viewer.get(f"/api/v1/maps/{pool_map.pk}/points/", HTTP_IF_NONE_MATCH=answer["ETag"])
        assert (again.status_code, again.content) == (304, b"")

    def test_of_a_file_that_is_gone_or_changed_are_refused_in_words(self, as_viewer, pool_map, refused):
        default_storage.delete(pool_map.file)
        assert "Make a new map" in refused(get(as_viewer, pool_map, "points/"), 409)["detail"]
        default_storage.save(pool_map.file, ContentFile(b"another"))
        assert "not the one that was stored" in refused(get(as_viewer, pool_map, "points/"), 409)["detail"]

    @pytest.mark.parametrize("name", ["/etc/passwd", "../secret.safetensors", "maps/2/../../x.safetensors", "models/x"])
    def test_of_a_row_that_names_another_file_are_refused(self, as_viewer, pool_map, refused, name):
        PoolMap.objects.update(file=name)
        assert "no file of the site's maps" in refused(get(as_viewer, pool_map, "points/"), 409)["detail"]


class TestAPoint:
    def test_that_is_an_event_says_what_the_catalogue_says_now(
        self, as_viewer, events, pool_map, make_prediction, model, classes
    ):
        make_prediction(events[2], "quake", 0.75, model=model)
        point = get(as_viewer, pool_map, "points/2/").json()
        assert point["event"] == {
            "id": events[2].pk,
            "event_id": "event 2",
            "label": None,
            "predicted": "quake",
            "probability": 0.75,
            "url": f"/api/v1/events/{events[2].pk}/",
        }
        assert (point["kind"], point["station"]) == ("event", "XX.AAA.00")
        assert datetime.fromisoformat(point["endtime"]) == events[2].endtime
        Event.objects.filter(pk=events[2].pk).update(label=classes["rockfall"])
        assert get(as_viewer, pool_map, "points/2/").json()["event"]["label"] == "rockfall"

    def test_that_was_merged_is_the_event_that_it_was_merged_into(self, as_viewer, expert, events, pool_map):
        merge_events(events=events[:2], expert=expert)
        assert get(as_viewer, pool_map, "points/1/").json()["event"]["id"] == events[0].pk

    def test_that_is_a_window_says_where_and_when_it_is_to_the_microsecond(self, as_viewer, site, model, pool_map):
        uneven = make_map(site, model, points=3, window_s=10.000001)
        point = get(as_viewer, uneven, "points/2/").json()
        assert point == {
            "kind": "window",
            "event": None,
            "station": "XX.AAA.00",
            "starttime": "2026-03-02T06:00:20.000002Z",
            "endtime": "2026-03-02T06:00:30.000003Z",
            "cluster": point["cluster"],
        }

    def test_beyond_the_last_is_not_found(self, as_viewer, pool_map, refused):
        assert "has 60 points" in refused(get(as_viewer, pool_map, "points/60/"), 404, "not_found")["detail"]
        refused(get(as_viewer, pool_map, "points/-1/"), 404)


def test_times_survive_as_microseconds():
    for time in (MORNING, MORNING + timedelta(microseconds=1), MORNING.replace(year=1969, microsecond=999_999)):
        assert time_of(np.int64(microseconds_of(time))) == time


class TestClasses:
    def test_are_rows_by_label_and_by_newest_prediction_as_they_are_now(
        self, as_viewer, events, pool_map, classes, make_prediction, model, make_model
    ):
        make_prediction(events[0], "rockfall", model=model)
        make_prediction(events[0], "noise" if "noise" in classes else "quake", model=make_model())
        found = get(as_viewer, pool_map, "classes/").json()
        assert found["labels"] == {"quake": [0, 3], "rockfall": [1]}
        assert list(found["predictions"].values()) == [[0]]
        assert "rockfall" not in found["predictions"]
        Event.objects.filter(pk=events[2].pk).update(label=classes["rockfall"])
        assert get(as_viewer, pool_map, "classes/").json()["labels"]["rockfall"] == [1, 2]

    def test_leave_out_events_that_were_merged(self, as_viewer, expert, events, pool_map):
        merge_events(events=[events[0], events[3]], expert=expert)
        assert get(as_viewer, pool_map, "classes/").json()["labels"] == {"quake": [0], "rockfall": [1]}


class TestABlindSite:
    @pytest.fixture(autouse=True)
    def blind(self, site, events, make_prediction, model):
        ReviewPolicy.objects.create(site=site, blind=True)
        make_prediction(events[0], "rockfall", model=model)

    @pytest.mark.parametrize("role", ["viewer", "expert"])
    def test_does_not_show_where_a_classifier_places_events_to_who_is_to_decide(self, request, site, pool_map, role):
        client = request.getfixturevalue(f"as_{role}")
        assert client.get("/api/v1/maps/", {"site": site.pk}).json()["results"] == []
        assert get(client, pool_map, "points/").status_code == 404
        assert client.get(f"/maps/{pool_map.pk}/").status_code == 404
        assert client.get(f"/sites/{site.pk}/map/").context["map"] is None

    @pytest.mark.parametrize("role", ["viewer", "expert"])
    def test_does_not_tell_predictions_to_who_is_to_decide(self, request, model, pool_map, role):
        ModelVersion.objects.filter(pk=model.pk).update(kind=ModelVersion.Kind.ENCODER)
        client = request.getfixturevalue(f"as_{role}")
        assert get(client, pool_map, "classes/").json() == {
            "labels": {"quake": [0, 3], "rockfall": [1]},
            "predictions": {},
        }
        event = get(client, pool_map, "points/0/").json()["event"]
        assert (event["label"], event["predicted"], event["probability"]) == ("quake", None, None)

    def test_tells_managers(self, as_manager, pool_map):
        assert get(as_manager, pool_map, "classes/").json()["predictions"] == {"rockfall": [0]}
        assert get(as_manager, pool_map, "points/0/").json()["event"]["predicted"] == "rockfall"


class TestReview:
    def test_asks_for_events_and_makes_events_of_windows(self, as_expert, site, expert, events, pool_map):
        said = review(as_expert, pool_map, 0, 2, 10, 11).json()
        assert said == {"asked": 2, "added": 2, "already": 0, "refused": [], "run": None}
        items = site.review_items.filter(reason="request", state="open", holder=None)
        assert items.count() == 4
        new = site.events.filter(origin="expert").order_by("starttime")
        assert [event.starttime for event in new] == [WINDOWS + timedelta(seconds=s) for s in (60, 70)]
        assert [event.endtime for event in new] == [WINDOWS + timedelta(seconds=s) for s in (70, 80)]
        assert [(event.label, event.station.seed_id) for event in new] == [(None, "XX.AAA.00")] * 2
        assert new[0].source == f"added by {expert}"
        assert as_expert.get(f"/api/v1/review-items/{items.first().pk}/").json()["reason"] == "request"

    def test_of_what_waits_already_changes_nothing(self, as_expert, site, pool_map):
        review(as_expert, pool_map, 0, 10)
        before = list(ReviewItem.objects.values_list("pk", "state"))
        again = review(as_expert, pool_map, 0, 0, 10).json()
        assert (again["asked"], again["added"], again["already"]) == (0, 0, 2)
        assert list(ReviewItem.objects.values_list("pk", "state")) == before

    def test_of_a_window_in_which_an_event_was_found_since_asks_for_that_event(
        self, as_expert, site, expert, station, pool_map, classes
    ):
        start = WINDOWS + timedelta(seconds=57)
        span = {"starttime": start, "endtime": start + timedelta(seconds=5)}
        found = add_event(site=site, station=station, expert=expert, event_class=classes["quake"], **span)
        said = review(as_expert, pool_map, 9, 10).json()
        assert (said["asked"], said["added"], said["already"], said["refused"]) == (1, 0, 0, [])
        assert found.review_items.get().reason == "request"

    def test_of_windows_of_two_stations_at_the_same_time_makes_one_event(self, as_expert, site, model, pool_map):
        Station.objects.create(site=site, network="XX", code="BBB", location="00")
        both = make_map(site, model, points=2, window_s=10)
        tensors = dict(load(map_bytes(both)))
        tensors["starttime"][:], tensors["station"][:] = microseconds_of(WINDOWS), [0, 1]
        facts = {"stations": both.stations, "window_s": 10, "method": "pca"}
        said = review(as_expert, store_map(site=site, model=model, tensors=tensors, **facts), 0, 1).json()
        assert (said["added"], said["already"]) == (1, 1)
        assert site.events.filter(starttime=WINDOWS).count() == 1

    def test_gives_a_reason_for_what_it_cannot_ask(self, as_expert, site, pool_map):
        PoolMap.objects.update(stations=["XX.GONE."])
        (refusal,) = review(as_expert, pool_map, 10).json()["refused"]
        assert refusal["row"] == 10
        assert "no station XX.GONE." in refusal["why"]
        assert not site.review_items.exists()

    def test_does_not_add_again_what_was_added_here_and_moved_away_since(self, as_expert, site, expert, pool_map):
        review(as_expert, pool_map, 10)
        event = site.events.get(origin="expert")
        later = event.starttime + timedelta(days=2)
        move_boundaries(event=event, expert=expert, starttime=later, endtime=later + timedelta(seconds=4))
        said = review(as_expert, pool_map, 10).json()
        assert (said["asked"], said["added"], said["already"]) == (0, 0, 0)
        assert "moved or merged since" in said["refused"][0]["why"]

    def test_starts_a_run_for_what_has_no_panels_where_a_model_is_active(self, as_expert, site, model, pool_map):
        site.active_model = model
        site.save()
        said = review(as_expert, pool_map, 1, 20).json()
        run = Run.objects.get()
        assert said["run"] == f"/api/v1/runs/{run.pk}/"
        assert len(run.parameters["events"]) == 2

    @pytest.mark.parametrize("points", [[], [-1], [60], [10**9], ["x"], [1.5], None, list(range(501)), [True]])
    def test_refuses_rows_that_are_none(self, as_expert, pool_map, refused, points):
        body = {"points": points}
        refused(as_expert.post(f"/api/v1/maps/{pool_map.pk}/review/", body, format="json"), 400, "invalid")
        assert not ReviewItem.objects.exists()

    def test_needs_an_expert(self, as_viewer, pool_map, refused):
        refused(review(as_viewer, pool_map, 0), 403, "permission_denied")
