"""Start, cancel and resume long jobs."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from labelapp.catalogue.errors import Conflict
from labelapp.catalogue.models import Event, Site
from labelapp.catalogue.selectors import latest_prediction
from labelapp.learning.claims import appended, interrupt, log_line, mark_silent_runs
from labelapp.learning.models import Run
from labelapp.learning.parameters import checked


@transaction.atomic
def start_run(
    *, site: Site, kind: str, parameters: Mapping[str, Any] | None = None, asked_by: Any = None, worker: str = ""
) -> Run:
    """Ask for a long job. A worker takes it as soon as one is free; with `worker` given it is kept for that one.

    Raises Invalid for an unknown kind or parameter, or a job that cannot work, Conflict for one that is under way.
    """
    parameters = checked(site, kind, {} if parameters is None else parameters)
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    same = Run.objects.filter(site=site, kind=kind, parameters=parameters)
    if twin := same.filter(state__in=[Run.State.QUEUED, Run.State.RUNNING]).first():
        raise Conflict(f"{twin} is {twin.state} already with these parameters. Wait for it, or cancel it first.")
    run = Run.objects.create(
        site=site,
        kind=kind,
        parameters=parameters,
        asked_by=asked_by,
        worker=worker,
        state=Run.State.RUNNING if worker else Run.State.QUEUED,
        heartbeat_at=timezone.now() if worker else None,
    )
    if not worker:
        transaction.on_commit(partial(send, run))
    return run


@transaction.atomic
def explain_event(*, event: Event, asked_by: Any = None) -> Run | None:
    """The run that makes an event's missing maps with the active model, new or under way; None where nothing is to do.

    Panels are made for events that should be looked at; an expert may ask for any other.
    """
    site = Site.objects.select_for_update(no_key=True).get(pk=event.site_id)
    newest = latest_prediction(event)
    if site.active_model_id is None or (newest and newest.explanations.exists()):
        return None
    parameters = {"events": [event.pk], "explain_all": True}
    same = Run.objects.filter(site=site, kind=Run.Kind.CLASSIFY, parameters=parameters)
    under_way = same.filter(state__in=[Run.State.QUEUED, Run.State.RUNNING]).first()
    return under_way or start_run(site=site, kind=Run.Kind.CLASSIFY, parameters=parameters, asked_by=asked_by)


@transaction.atomic
def classify_anew(*, events: Sequence[Event], asked_by: Any = None) -> Run | None:
    """The run that looks at events that are new or whose boundaries have changed; None where no model is active.

    One that waits already is as good. One that is running may have read the old boundaries: it counts for nothing.
    """
    site = Site.objects.select_for_update(no_key=True).get(pk=events[0].site_id)
    if site.active_model_id is None:
        return None
    parameters: dict[str, Any] = {"events": sorted(event.pk for event in events), "explain_all": True}
    runs = Run.objects.filter(site=site, kind=Run.Kind.CLASSIFY)
    if waiting := runs.filter(parameters=parameters, state=Run.State.QUEUED).first():
        return waiting
    if runs.filter(parameters=parameters, state=Run.State.RUNNING).exists():
        parameters["model"] = site.active_model_id  # the same, in other words
        if under_way := runs.filter(parameters=parameters, state__in=[Run.State.QUEUED, Run.State.RUNNING]).first():
            return under_way
    return start_run(site=site, kind=Run.Kind.CLASSIFY, parameters=parameters, asked_by=asked_by)


@transaction.atomic
def cancel_run(*, run: Run, by: Any = None) -> Run:
    """Stop a run: at once where nobody works on it, else as soon as its worker asks. Raises Conflict when it ended."""
    mark_silent_runs()
    run = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
    if not run.can_be_cancelled:
        raise Conflict(f"{run} has ended already: {run.state}. There is nothing to cancel.")
    said = f"cancelled by {by}" if by else "cancelled"
    if run.state == Run.State.RUNNING:
        run.cancel_requested = True
        run.save(update_fields=["cancel_requested"])
        return run
    run.state, run.finished_at, run.error = Run.State.CANCELLED, timezone.now(), said.capitalize() + "."
    run.log = appended(run.log, [log_line(said)])
    run.save(update_fields=["state", "finished_at", "error", "log"])
    return run


@transaction.atomic
def resume_run(*, run: Run, by: Any = None, worker: str = "") -> Run:
    """Let a run go on where it ended early; a training goes on from its checkpoint. Raises Conflict for others."""
    mark_silent_runs()
    run = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
    if not run.can_be_resumed:
        raise Conflict(f"{run} is {run.state}. Only an interrupted, failed or cancelled run can be resumed.")
    run.state, run.worker, run.cancel_requested = Run.State.QUEUED, worker, False
    if worker:
        run.state, run.heartbeat_at = Run.State.RUNNING, timezone.now()
    run.finished_at, run.error = None, ""
    run.log = appended(run.log, [log_line(f"resumed by {by}" if by else "resumed")])
    run.save()
    if not worker:
        transaction.on_commit(partial(send, run))
    return run


def send(run: Run) -> None:
    """Hand a queued run to the broker. The embedded worker needs no message: it looks for queued runs itself.

    A broker that cannot be reached leaves the run interrupted, with the reason.
    """
    if settings.EMBEDDED:
        return
    from labelapp.learning.tasks import TASKS

    try:
        TASKS[run.kind].delay(run.pk)
    except OperationalError as error:
        _not_sent(run, error)


def _not_sent(run: Run, error: Exception) -> None:
    taken = Run.objects.filter(pk=run.pk, state=Run.State.QUEUED).update(state=Run.State.RUNNING)
    if taken:
        run.refresh_from_db()
        interrupt(run, f"The broker in REDIS_URL cannot be reached: {error}. Start it, then resume this run.")
