"""Asking for runs: what cannot work is refused at once, with a way out."""

import pytest
from django.db import transaction
from kombu.exceptions import OperationalError

from labelapp.catalogue.errors import Conflict, Invalid
from labelapp.learning import selectors, services, tasks
from labelapp.learning.models import Run
from labelapp.learning.services import cancel_run, resume_run, start_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def labelled_site(site, make_event):
    make_event("quake")
    return site


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("dance", {}, "no run of kind 'dance'"),
        ("detect", {"explain_all": True}, "no parameter 'explain_all'"),  # every detection is looked at, and explained
        ("train", {"epoch": 3}, "no parameter 'epoch'. Parameters: epochs, seed, start, then_classify"),
        ("train", {"epochs": 0}, "whole number from 1"),
        ("train", {"epochs": "3"}, "whole number from 1"),
        ("train", {"epochs": True}, "whole number from 1"),
        ("train", {"then_classify": 1}, "true or false"),
        ("train", [], "table of names and values"),
        ("classify", {}, "no active model"),
        ("classify", {"events": []}, "list of 1 to 1000 ids"),
        ("classify", {"events": [True]}, "list of 1 to 1000 ids"),
        ("classify", {"events": [10**400]}, "no event with id"),
        ("classify", {"model": 12345}, "no model with id 12345"),
        ("detect", {"starttime": "yesterday"}, "must be a time such as"),
    ],
)
def test_a_run_that_cannot_work_is_refused_with_its_reason(labelled_site, kind, parameters, message):
    with pytest.raises(Invalid, match=message):
        start_run(site=labelled_site, kind=kind, parameters=parameters)
    assert not Run.objects.exists()


def test_training_a_site_without_labels_is_refused(site):
    with pytest.raises(Invalid, match="no labelled event"):
        start_run(site=site, kind="train")


def test_times_are_kept_as_utc_with_microseconds(labelled_site, make_model):
    labelled_site.active_model = make_model()
    labelled_site.save()
    times = {"starttime": "2020-03-28T15:00:00+02:00", "endtime": "2020-03-28T14:00:00"}
    run = start_run(site=labelled_site, kind="detect", parameters=times)
    assert run.parameters == {
        "starttime": "2020-03-28T13:00:00.000000Z",
        "endtime": "2020-03-28T14:00:00.000000Z",
    }
    with pytest.raises(Invalid, match="start before the end"):
        start_run(
            site=labelled_site, kind="detect", parameters={"starttime": times["endtime"], "endtime": "2020-01-01"}
        )


def test_the_same_job_is_not_started_twice_but_another_is(labelled_site):
    first = start_run(site=labelled_site, kind="train", parameters={"seed": 1})
    with pytest.raises(Conflict, match="queued already"):
        start_run(site=labelled_site, kind="train", parameters={"seed": 1})
    start_run(site=labelled_site, kind="train", parameters={"seed": 2})
    cancel_run(run=first)
    start_run(site=labelled_site, kind="train", parameters={"seed": 1})


def test_only_a_run_that_ended_early_can_be_resumed(labelled_site, manager):
    run = start_run(site=labelled_site, kind="train")
    with pytest.raises(Conflict, match="is queued"):
        resume_run(run=run)
    cancel_run(run=run, by=manager)
    run = resume_run(run=run, by=manager)
    assert (run.state, run.error, run.finished_at) == ("queued", "", None)
    assert f"resumed by {manager}" in run.log
    Run.objects.update(state="done")
    with pytest.raises(Conflict, match="is done"):
        resume_run(run=run)


def test_a_message_is_sent_when_the_row_can_be_seen_and_not_before(
    labelled_site, settings, monkeypatch, transactional_db
):
    settings.EMBEDDED, sent = False, []
    monkeypatch.setattr(tasks.train, "delay", sent.append)
    with transaction.atomic():
        run = start_run(site=labelled_site, kind="train")
        assert sent == []
    assert sent == [run.pk]


def test_a_broker_that_is_away_leaves_the_run_interrupted_with_the_reason(labelled_site, settings, monkeypatch):
    settings.EMBEDDED = False

    def refuse(pk):
        raise OperationalError("Connection refused")

    monkeypatch.setattr(tasks.train, "delay", refuse)
    run = Run.objects.create(site=labelled_site, kind="train")
    services.send(run)
    run = selectors.get_run(run.pk)
    assert run.state == "interrupted"
    assert "REDIS_URL cannot be reached: Connection refused" in run.error
