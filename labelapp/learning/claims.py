"""Who works on a run. A worker claims it by one UPDATE, so that a job delivered twice runs once.

A worker says every HEARTBEAT_S that it lives. A run whose worker has been silent for SILENCE_S is interrupted, and
may be claimed again, by the same job delivered again or by a new one.
"""

import os
import socket
from datetime import timedelta
from uuid import uuid4

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from labelapp.learning.models import Run

LONGEST_LOG = 200_000  # characters
# A job that takes its worker down each time is not tried for ever by itself.
MAX_ATTEMPTS = 3


class AlreadyTaken(Exception):
    """Somebody else works on the run, or it has ended: a second delivery has nothing to do."""


def worker_name() -> str:
    """A new name for one worker's hold on one run. Begins with host and process."""
    return f"{_host()}-{os.getpid()}-{uuid4().hex[:12]}"


def claim(run_id: int, worker: str) -> Run:
    """Take the run for `worker` by one UPDATE. Raises AlreadyTaken where somebody else was first or it has ended."""
    # Twice: between reading and writing, a run whose worker died may have been marked silent, and is still to be had.
    if not (_take(run_id, worker) or _take(run_id, worker)):
        raise AlreadyTaken(run_id)
    return Run.objects.select_related("site").get(pk=run_id)


def _take(run_id: int, worker: str) -> bool:
    """Whether the run is `worker`'s now."""
    now = timezone.now()
    before = Run.objects.get(pk=run_id)
    if _fell_silent(before, worker) and before.attempt >= MAX_ATTEMPTS:
        interrupt(before, f"Its worker was lost {before.attempt} times. Resume it by hand, or start again.")
        raise AlreadyTaken(run_id)
    changes = {
        "state": Run.State.RUNNING,
        "worker": worker,
        "attempt": before.attempt + 1,
        "started_at": now,
        "heartbeat_at": now,
        "finished_at": None,
        "ends_at": None,
        "error": "",
    }
    return bool(_claimable(before, worker).update(**changes))


def _claimable(run: Run, worker: str) -> QuerySet[Run]:
    """The run, if it waits, was interrupted, is held for `worker`, or its worker is gone. `run` as it was just read."""
    waits = Q(state__in=[Run.State.QUEUED, Run.State.INTERRUPTED]) | Q(state=Run.State.RUNNING, worker=worker)
    if _fell_silent(run, worker):
        waits |= Q(state=Run.State.RUNNING, worker=run.worker, heartbeat_at=run.heartbeat_at)
    return Run.objects.filter(waits, pk=run.pk, attempt=run.attempt)


def _fell_silent(run: Run, worker: str) -> bool:
    """Whether the run's worker, who is not `worker`, is gone."""
    if run.state != Run.State.RUNNING or run.worker == worker:
        return False
    return is_silent(run) or process_is_gone(run.worker)


def is_silent(run: Run) -> bool:
    """Whether the run's worker has said nothing for SILENCE_S."""
    heard = run.heartbeat_at or run.created_at
    return heard < timezone.now() - timedelta(seconds=settings.SILENCE_S)


def process_is_gone(worker: str) -> bool:
    """Whether `worker` was a process of this host that has ended. Of other hosts nothing can be said: False."""
    host, _, rest = worker.rpartition("-")[0].rpartition("-")
    if host != _host() or not rest.isdigit() or int(rest) == os.getpid():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _is_zombie(int(rest))


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def mark_silent_runs() -> int:
    """Interrupt every running run whose worker has been silent for SILENCE_S; returns how many there were."""
    heard_before = timezone.now() - timedelta(seconds=settings.SILENCE_S)
    silent = Run.objects.filter(state=Run.State.RUNNING, heartbeat_at__lt=heard_before)
    return sum(_mark(run, f"Its worker has been silent since {run.heartbeat_at:%Y-%m-%dT%H:%M:%SZ}.") for run in silent)


def mark_runs_of_ended_processes() -> int:
    """Interrupt every running run whose worker was a process of this host that has ended; returns how many."""
    gone = [run for run in Run.objects.filter(state=Run.State.RUNNING) if process_is_gone(run.worker)]
    return sum(_mark(run, "Its worker ended without finishing it.") for run in gone)


def runs_of_this_process() -> QuerySet[Run]:
    """Running runs whose worker is a thread of this process."""
    return Run.objects.filter(state=Run.State.RUNNING, worker__startswith=f"{_host()}-{os.getpid()}-")


def _mark(run: Run, reason: str) -> bool:
    if run.cancel_requested:
        return end(run, Run.State.CANCELLED, f"{reason} It had been asked to stop.")
    return interrupt(run, f"{reason} Resume it, or start again.")


def interrupt(run: Run, reason: str) -> bool:
    """Say that the run's worker left it. `run` as it was read: if it has moved on since, nothing changes: False."""
    return end(run, Run.State.INTERRUPTED, reason)


def end(run: Run, state: str, error: str = "") -> bool:
    """End a running run in `state`, unless its worker has changed or it said something since `run` was read."""
    same = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING, worker=run.worker, heartbeat_at=run.heartbeat_at)
    now = timezone.now()
    log = appended(run.log, [log_line(error)])
    return bool(same.update(state=state, error=error, log=log, finished_at=now, ends_at=None))


def _host() -> str:
    return socket.gethostname()[:30]


def log_line(text: str) -> str:
    """A line of a run's log: the time, and what happened."""
    return f"{timezone.now():%Y-%m-%dT%H:%M:%SZ}  {text}"


def appended(log: str, lines: list[str]) -> str:
    """The log with more lines; of one that grew too long, its end is kept."""
    whole = log + "".join(f"{line}\n" for line in lines)
    if len(whole) <= LONGEST_LOG:
        return whole
    return "(earlier lines were dropped)\n" + whole[-LONGEST_LOG:].partition("\n")[2]
