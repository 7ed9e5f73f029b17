"""GET /api/v1/events/, its filters, and events/{id}/relabels/, events/{id}/review/."""

from datetime import timedelta

import pytest

from labelapp.catalogue.models import Event, Observation, Prediction, Station
from labelapp.catalogue.services import create_site
from tests.conftest import MORNING

EVENTS = "/api/v1/events/"


@pytest.fixture
def found(as_viewer):
    """found(label="quake") → the ids of the events that the filters leave."""

    def ask(**filters):
        answer = as_viewer.get(EVENTS, filters)
        assert answer.status_code == 200, answer.content
        return [row["event_id"] for row in answer.json()["results"]]

    return ask


@pytest.fixture
def four_events(make_event, make_prediction, model):
    """a: quake, predicted rockfall · b: quake, predicted quake · c: rockfall, not predicted · d: a detection"""
    a, b = make_event("quake", event_id="a"), make_event("quake", event_id="b")
    make_event("rockfall", event_id="c")
    d = make_event(None, event_id="d")
    for event, code in ((a, "rockfall"), (b, "quake"), (d, "rockfall")):
        make_prediction(event, code, model=model)


def test_an_event_of_the_list_says_what_it_is(as_viewer, four_events):
    row = as_viewer.get(EVENTS).json()["results"][0]
    expected = {
        "event_id": "a",
        "starttime": "2026-03-01T06:00:00.000000Z",
        "endtime": "2026-03-01T06:00:05.000000Z",
        "duration_s": 5.0,
        "station": "XX.AAA.00",
        "origin": "catalogue",
        "label": "quake",
        "catalogue_label": "quake",
        "predicted": "rockfall",
        "probability": 0.9,
    }
    assert {name: row[name] for name in expected} == expected


def test_a_label_that_says_more_than_the_model_can_is_no_disagreement(found, make_event, make_model, make_prediction):
    classes = {"quake": ["quake", "earthquake"], "rockfall": ["rockfall"]}
    plain, mapped = make_model(), make_model(recipe={"catalogue": {"classes": classes}})
    rows = [("quake", "quake"), ("earthquake", "quake"), ("earthquake", "rockfall"), ("noise", "rockfall")]
    for name, model in (("plain", plain), ("mapped", mapped)):
        for label, predicted in rows:
            event = make_event(label, event_id=f"{name}: {label} or {predicted}")
            make_prediction(event, predicted, model=model)
    assert found(disagreement="true") == [
        "plain: earthquake or quake",
        "plain: earthquake or rockfall",
        "plain: noise or rockfall",
        "mapped: earthquake or rockfall",  # of noise it was taught nothing
    ]
    assert found(disagreement="false") == [
        "plain: quake or quake",
        "mapped: quake or quake",
        "mapped: earthquake or quake",
    ]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "abcd"),
        ({"label": ""}, "abcd"),
        ({"label": "quake"}, "ab"),
        ({"catalogue_label": "rockfall"}, "c"),
        ({"predicted": "rockfall"}, "ad"),
        ({"event_class": "rockfall"}, "cd"),
        ({"disagreement": "true"}, "a"),
        ({"disagreement": "false"}, "b"),
        ({"origin": "detection"}, "d"),
        ({"event_id": "c"}, "c"),
        ({"station": "XX.AAA.00"}, "abcd"),
        ({"station": "AAA"}, "abcd"),
        ({"starttime_after": "2026-03-01T06:02:00Z"}, "cd"),
        ({"starttime_after": "2026-03-01T07:02:00+01:00"}, "cd"),
        ({"starttime_before": "2026-03-01T06:02:00"}, "ab"),
        ({"starttime_after": "2026-03-02"}, ""),
        ({"status": "unlabelled"}, "d"),
        ({"site": "Test slope"}, "abcd"),
        ({"site": "test SLOPE", "label": "quake", "predicted": "quake"}, "b"),
        ({"ordering": "-starttime"}, "dcba"),
        ({"ordering": "label,-starttime", "origin": "catalogue"}, "bac"),
    ],
)
def test_filters_leave_the_events_that_fit(found, four_events, filters, expected):
    assert "".join(found(**filters)) == expected


def test_events_are_filtered_by_the_id_of_their_site_and_station(found, four_events, site, station):
    other = create_site(name="Other slope")
    Station.objects.create(site=other, network="XX", code="BBB", location="")
    assert len(found(site=site.pk)) == 4
    assert found(site=other.pk) == []
    assert len(found(station=station.pk)) == 4
    assert found(station="XX.BBB.") == []


def test_a_site_named_like_the_id_of_another_does_not_hide_it(found, four_events, site):
    numbered = create_site(name=str(site.pk))
    assert found(site=numbered.name) == ["a", "b", "c", "d"]


def test_an_event_seen_at_two_stations_is_listed_once(found, make_event, site):
    event = make_event("quake", event_id="a")
    second = Station.objects.create(site=site, network="XX", code="AAA", location="01")
    Observation.objects.create(event=event, station=second, starttime=event.starttime, endtime=event.endtime)
    assert found(station="AAA") == ["a"]


def test_status_follows_the_review(found, ask, decide):
    decide(ask("quake", "rockfall", event_id="corrected"), "rockfall")
    decide(ask("quake", "rockfall", event_id="confirmed"), "quake")
    ask("quake", "rockfall", event_id="asked")
    assert found(status="waiting") == ["asked"]
    assert found(status="reviewed") == ["corrected", "confirmed"]
    assert found(status="changed") == ["corrected"]


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"label": "avalanche"}, "Classes: earthquake, noise, quake, rockfall"),
        ({"site": "Nowhere"}, "Sites: Test slope"),
        ({"site": "9" * 40}, "Sites: Test slope"),
        ({"site": "%d %s"}, "no site '%d %s'"),
        ({"site": "a\0b"}, "Null characters"),
        ({"label": "\0"}, "Null characters"),
        ({"event_id": "\0"}, "Null characters"),
        ({"station": "ZZZ"}, "NET.STA.LOC"),
        ({"starttime_after": "yesterday"}, "2026-03-01T06:00:00Z"),
        ({"starttime_after": "0001-01-01T00:00:00+14:00"}, "no time"),
        ({"disagreement": "maybe"}, "true, false"),
        ({"status": "lost"}, "waiting, reviewed, changed, unlabelled"),
        ({"ordering": "password"}, "starttime"),
        ({"lable": "quake"}, "Allowed here: catalogue_label"),
        ({"label": ["quake", "noise"]}, "more than once"),
        ({"page_size": "0"}, "1 to 1000"),
        ({"page_size": "1e3"}, "1 to 1000"),
    ],
)
def test_a_filter_that_cannot_be_used_is_refused_with_what_can(as_viewer, four_events, refused, filters, words):
    said = refused(as_viewer.get(EVENTS, filters), 400)
    assert words in said["detail"]
    assert list(said["fields"]) == list(filters)


@pytest.mark.parametrize("page", ["0", "-1", "x", "2", "9" * 30, "1.5"])
def test_a_page_that_does_not_exist_is_not_found(as_viewer, four_events, refused, page):
    assert "no page" in refused(as_viewer.get(EVENTS, {"page": page}), 404, "not_found")["detail"]


def test_pages_hold_every_event_once_also_where_times_tie(as_viewer, make_event):
    for _ in range(7):
        make_event("quake", starttime=MORNING, endtime=MORNING + timedelta(seconds=1))
    seen, address = [], f"{EVENTS}?page_size=2&ordering=label"
    while address:
        page = as_viewer.get(address).json()
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    assert sorted(seen) == sorted(Event.objects.values_list("pk", flat=True))


def test_a_list_of_events_costs_the_same_few_queries_however_many_there_are(
    as_viewer, make_event, make_prediction, model, django_assert_max_num_queries
):
    for _ in range(20):
        make_prediction(make_event("quake"), "rockfall", model=model)
    with django_assert_max_num_queries(5):
        assert as_viewer.get(EVENTS).json()["count"] == 20


def test_an_event_has_its_observations_and_its_newest_prediction(as_viewer, make_event, make_model, make_prediction):
    event = make_event("quake")
    make_prediction(event, "noise")
    newest = make_prediction(event, "rockfall", 0.7)
    said = as_viewer.get(f"{EVENTS}{event.pk}/").json()
    assert [o["station"] for o in said["observations"]] == ["XX.AAA.00"]
    assert said["prediction"]["id"] == newest.pk
    assert said["prediction"]["event_class"] == said["predicted"] == "rockfall"
    assert said["prediction"]["model"]["number"] == newest.model.number
    assert sum(said["prediction"]["probabilities"].values()) == pytest.approx(1)


def test_an_event_that_no_model_has_seen_has_no_prediction(as_viewer, make_event):
    said = as_viewer.get(f"{EVENTS}{make_event('quake').pk}/").json()
    assert said["prediction"] is said["predicted"] is None


def test_the_history_of_an_event_lists_its_decisions_oldest_first(as_expert, ask, decide):
    item = ask("quake", "rockfall")
    decide(item, "rockfall")
    again = as_expert.post(f"{EVENTS}{item.event_id}/review/").json()
    body = {"event_class": "noise", "reason": "wind", "prediction": again["prediction"]["id"]}
    assert as_expert.post(f"{again['url']}decide/", body).status_code == 201
    history = as_expert.get(f"{EVENTS}{item.event_id}/relabels/").json()
    assert [(row["from_class"], row["to_class"], row["reason"]) for row in history] == [
        ("quake", "rockfall", "clear impacts"),
        ("rockfall", "noise", "wind"),
    ]
    assert [row["expert"] for row in history] == ["a expert", "a expert"]


def test_asking_for_a_review_leases_the_event_to_the_asker(as_expert, as_second_expert, make_event, refused):
    event = make_event("quake")
    item = as_expert.post(f"{EVENTS}{event.pk}/review/").json()
    assert (item["reason"], item["held_by_me"], item["prediction"], item["panels"]) == ("request", True, None, [])
    refused(as_second_expert.post(f"{EVENTS}{event.pk}/review/"), 409, "conflict")
    assert Prediction.objects.count() == 0


def test_asking_for_a_review_of_an_event_without_maps_starts_one_run_that_makes_them(
    as_expert, site, model, make_event, make_prediction, explain
):
    event = make_event("quake")
    address = f"{EVENTS}{event.pk}/review/"
    assert as_expert.post(address).json()["run"] is None  # no model is active
    site.active_model = model
    site.save()
    said = [as_expert.post(address).json()["run"] for _ in range(2)]
    run = site.runs.get()
    assert said == [f"/api/v1/runs/{run.pk}/"] * 2
    assert (run.kind, run.parameters) == ("classify", {"events": [event.pk], "explain_all": True})
    run.delete()
    explain(make_prediction(event, "quake", model=model))
    assert as_expert.post(address).json()["run"] is None
    assert not site.runs.exists()
