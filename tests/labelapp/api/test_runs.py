"""GET and POST /api/v1/runs/, {id}/cancel/, {id}/resume/."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labelapp.learning.models import Run

RUNS = "/api/v1/runs/"


def test_a_run_shows_its_progress_and_log(as_viewer, run):
    soon = timezone.now() + timedelta(minutes=1)
    Run.objects.update(state="running", progress=0.5, stage="epoch 2", ends_at=soon, heartbeat_at=timezone.now())
    said = as_viewer.get(f"{RUNS}{run.pk}/").json()
    assert (said["state"], said["progress"], said["stage"], said["log"]) == ("running", 0.5, "epoch 2", "begun\n")
    assert 0 < said["time_left_s"] <= 60


def test_a_run_in_the_list_leaves_its_log_out(as_viewer, run):
    (row,) = as_viewer.get(RUNS).json()["results"]
    assert "log" not in row
    assert as_viewer.get(row["url"]).json() == {**row, "log": "begun\n"}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"kind": "train"}, 1),
        ({"kind": "detect"}, 0),
        ({"state": "queued"}, 1),
        ({"state": "done"}, 0),
        ({"site": "Test slope"}, 1),
        ({"created_after": "2020-01-01"}, 1),
        ({"created_before": "2020-01-01", "ordering": "-created_at"}, 0),
    ],
)
def test_filters_leave_the_runs_that_fit(as_viewer, run, filters, expected):
    assert as_viewer.get(RUNS, filters).json()["count"] == expected


def test_a_manager_starts_a_training(as_manager, make_event, site):
    make_event("quake")
    answer = as_manager.post(RUNS, {"site": site.pk, "kind": "train", "parameters": {"epochs": 3}})
    assert answer.status_code == 201
    said = answer.json()
    assert (said["state"], said["parameters"], said["asked_by"]) == ("queued", {"epochs": 3}, "a manager")
    assert Run.objects.get().pk == said["id"]


def test_the_same_run_is_not_started_twice(as_manager, make_event, site, refused):
    make_event("quake")
    body = {"site": "Test slope", "kind": "train"}
    assert as_manager.post(RUNS, body).status_code == 201
    assert "already" in refused(as_manager.post(RUNS, body), 409, "conflict")["detail"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"kind": "train"}, "site: This field is required"),
        ({"site": "Test slope"}, "kind: This field is required"),
        ({"site": "Test slope", "kind": "dance"}, "train, classify, detect"),
        ({"site": "Test slope", "kind": "train", "parameters": []}, "dictionary"),
        ({"site": "Test slope", "kind": "train", "parameters": {"epochs": "many"}}, "whole number"),
        ({"site": "Test slope", "kind": "train", "parameters": {"epochs": 10**400}}, "whole number"),
        ({"site": "Test slope", "kind": "train", "parameters": {"epoch": 3}}, "has no parameter"),
        ({"site": "Test slope", "kind": "detect", "parameters": {"starttime": "soon"}}, "must be a time"),
        ({"site": "Test slope", "kind": "detect", "parameters": {"model": 10**30}}, "has no model"),
        ({"site": "Test slope", "kind": "classify", "parameters": {"model": "a\0"}}, "must be the id"),
        ({"site": "Test slope", "kind": "classify"}, "has no active model"),
        ({"site": "Test slope", "kind": "train", "state": "done"}, "Known: site, kind, parameters"),
    ],
)
def test_a_run_that_cannot_work_is_refused(as_manager, make_event, refused, body, words):
    make_event("quake")
    assert words in refused(as_manager.post(RUNS, body), 400, "invalid")["detail"]
    assert Run.objects.count() == 0


def test_a_run_is_cancelled_and_resumed(as_manager, run, refused):
    assert as_manager.post(f"{RUNS}{run.pk}/cancel/").json()["state"] == "cancelled"
    refused(as_manager.post(f"{RUNS}{run.pk}/cancel/"), 409, "conflict")
    assert as_manager.post(f"{RUNS}{run.pk}/resume/").json()["state"] == "queued"
    refused(as_manager.post(f"{RUNS}{run.pk}/resume/"), 409, "conflict")


def test_a_list_of_runs_costs_the_same_few_queries(as_viewer, site, manager, django_assert_max_num_queries):
    for _ in range(6):
        Run.objects.create(site=site, kind="train", asked_by=manager)
    with django_assert_max_num_queries(8):
        assert as_viewer.get(RUNS).json()["count"] == 6
