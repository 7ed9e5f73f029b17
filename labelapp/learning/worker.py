"""The Celery worker inside `manage.py serve`, and the watch that every worker keeps over runs."""

import logging
import os
import threading
import time
import warnings
from collections.abc import Callable

from celery.platforms import SecurityWarning
from django.conf import settings
from django.db import DatabaseError, connections

from labelapp.celery import app
from labelapp.learning.checkpoints import drop_useless
from labelapp.learning.claims import (
    MAX_ATTEMPTS,
    interrupt,
    mark_runs_of_ended_processes,
    mark_silent_runs,
    runs_of_this_process,
)
from labelapp.learning.models import Run
from labelapp.learning.services import resume_run
from labelapp.learning.tasks import TASKS
from labelapp.learning.tracking import STOPPED_AT_TERMINAL, stopping

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
SWEPT_EVERY_S = 3600.0
# Held while a thread looks into the database, and by whoever forks: a child that is forked in the middle of a look
# inherits SQLite's locks, which nobody would ever release there, and would wait for them at its first query.
_looking = threading.Lock()
os.register_at_fork(before=_looking.acquire, after_in_parent=_looking.release, after_in_child=_looking.release)


def start() -> None:
    """Start the worker in threads of this process, and take up what an earlier one left behind."""
    stopping.clear()
    mark_runs_of_ended_processes()
    resume_leftovers()
    # Celery warns of root, which would matter for pickled tasks; ours are JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = app.Worker(
        hostname="worker@localhost",
        pool="threads",
        concurrency=1,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        loglevel="WARNING",
        redirect_stdouts=False,
    )
    threading.Thread(target=worker.start, name="worker", daemon=True).start()
    threading.Thread(target=_feed, name="worker feed", daemon=True).start()
    _watch(drop_useless, SWEPT_EVERY_S)


def stop(within_s: float = 1.5) -> None:
    """Ask the running job to stop, wait a moment for it, and say of a job that did not that it was interrupted."""
    stopping.set()
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and runs_of_this_process().exists():
        time.sleep(0.05)
    for run in runs_of_this_process():
        interrupt(run, "Its worker was stopped. It goes on when a worker is back, or resume it.")


def resume_leftovers() -> int:
    """Queue again what was interrupted, unless so often that the job itself is suspect; returns how many.

    What a person stopped at the terminal waits for a person.
    """
    left = Run.objects.filter(state=Run.State.INTERRUPTED, attempt__lt=MAX_ATTEMPTS).exclude(error=STOPPED_AT_TERMINAL)
    return len([resume_run(run=run) for run in left])


def watch_over_runs() -> None:
    """Look for silent runs and for what nobody goes on from, now and then, in threads of this process."""
    _watch(mark_silent_runs, settings.HEARTBEAT_S)
    _watch(drop_useless, SWEPT_EVERY_S)


def _watch(look: Callable[[], object], pause_s: float) -> None:
    threading.Thread(target=_repeat, args=(look, pause_s), name="watch", daemon=True).start()


def _feed() -> None:
    """Give the worker of this process every queued run, whichever process asked for it."""
    given: set[tuple[int, int]] = set()

    def give() -> None:
        queued = Run.objects.filter(state=Run.State.QUEUED).order_by("created_at", "pk")
        for pk, kind, attempt in queued.values_list("pk", "kind", "attempt"):
            if (pk, attempt) not in given:
                TASKS[kind].delay(pk)
                given.add((pk, attempt))

    _repeat(give, LOOK_EVERY_S)


def _repeat(look: Callable[[], object], pause_s: float) -> None:
    """Call `look` until the worker must go; a database that is away for a while ends nothing."""
    while not stopping.is_set():
        with _looking:
            try:
                look()
            except DatabaseError:
                logger.warning("the database did not answer", exc_info=True)
            connections.close_all()
        time.sleep(pause_s)
