"""Whoever works on a Run tells it how far the work is and how it ended; nobody else may."""

import logging
import mmap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, connections
from django.utils import timezone

from labelapp.catalogue.errors import Refused
from labelapp.learning.checkpoints import kept_of
from labelapp.learning.claims import appended, claim, log_line, worker_name
from labelapp.learning.models import Run

logger = logging.getLogger(__name__)

WRITE_EVERY_S = 1.0
STOPPED_AT_TERMINAL = "Stopped at the terminal. Resume it, or start again."


class Flag:
    """Set or not. Children forked later share it, without a lock that a killed child could keep for ever."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        self._byte[0] = 1

    def clear(self) -> None:
        self._byte[0] = 0

    def is_set(self) -> bool:
        return bool(self._byte[0])


# Set when the worker is told to go.
stopping = Flag()


class Cancelled(Exception):
    """The work was asked to stop, and did."""


@dataclass(frozen=True)
class Step:
    """How far a run is: what a terminal shows."""

    stage: str
    fraction: float
    figures: dict
    message: str


@contextmanager
def tracked(run_id: int, *, worker: str = "", listen: Callable[[Step], None] | None = None) -> "Iterator[Job]":
    """Claim the run, keep it alive while the block works, and write down how it ended.

    Raises AlreadyTaken when the run is not to be had. Failures of the block end in the run, not in the caller:
    whoever needs the outcome reads it there. A KeyboardInterrupt interrupts the run and goes on.
    """
    job = Job(claim(run_id, worker or worker_name()), listen)
    with _heartbeat(job):
        try:
            yield job
            job.check()
        except Cancelled:
            _end_early(job)
        except KeyboardInterrupt:
            job.end(Run.State.INTERRUPTED, STOPPED_AT_TERMINAL)
            raise
        except Refused as error:
            job.end(Run.State.FAILED, str(error))
        except Exception as error:  # whatever went wrong is the run's outcome
            logger.exception("run %s failed", run_id)
            job.log(traceback.format_exc())
            job.end(Run.State.FAILED, f"{type(error).__name__}: {error}")
        else:
            job.end(Run.State.DONE)


class Job:
    """A claimed run as the work on it sees it. Used from one thread; `run` is the row as it was claimed."""

    def __init__(self, run: Run, listen: Callable[[Step], None] | None = None) -> None:
        self.run = run
        self.lost = threading.Event()
        self._listen = listen
        self._pace: tuple[float, float] | None = None  # when the first fraction came, and which
        self._unwritten: list[str] = []
        self._written_at = 0.0
        self._asked_at = 0.0
        self._stop = False
        self._log_lines([f"attempt {run.attempt}"])

    def progress(self, stage: str, fraction: float, figures: dict | None = None, message: str = "") -> None:
        """Say how far the work is: `fraction` of all of it in [0, 1], the newest figures, a line for the log."""
        run = self.run
        changed = stage != run.stage
        run.stage, run.progress = stage[:200], min(max(float(fraction), 0.0), 1.0)
        run.figures = {**run.figures, **(figures or {})}
        if message:
            self._log_lines([message])
        if self._listen:
            self._listen(Step(run.stage, run.progress, run.figures, message))
        if changed or time.monotonic() - self._written_at >= WRITE_EVERY_S:
            self._write()

    def log(self, *lines: str) -> None:
        """Add lines to the run's log."""
        self._log_lines(list(lines))
        if self._listen:
            for line in lines:
                self._listen(Step(self.run.stage, self.run.progress, self.run.figures, line))
        if time.monotonic() - self._written_at >= WRITE_EVERY_S:
            self._write()

    def should_stop(self) -> bool:
        """Whether the work is to stop: cancelled, taken over by another worker, or the worker must go."""
        if stopping.is_set() or self.lost.is_set():
            return True
        if not self._stop and time.monotonic() - self._asked_at >= WRITE_EVERY_S:
            self._asked_at = time.monotonic()
            row = Run.objects.filter(pk=self.run.pk, worker=self.run.worker).values_list("cancel_requested", flat=True)
            self._stop = row.first() is not False
        return self._stop

    def check(self) -> None:
        """Raise Cancelled if the work is to stop."""
        if self.should_stop():
            raise Cancelled

    def end(self, state: str, error: str = "") -> None:
        """Write the run's outcome, unless it is another worker's by now."""
        self._log_lines([error or str(state), *(kept_of(self.run) if state != Run.State.DONE else [])])
        self.run.progress = 1.0 if state == Run.State.DONE else self.run.progress
        self._write(state=state, error=error, finished_at=timezone.now(), ends_at=None)

    def beat(self) -> None:
        """Say that the worker lives; notice if the run is no longer its own."""
        mine = Run.objects.filter(pk=self.run.pk, worker=self.run.worker, state=Run.State.RUNNING)
        if not mine.update(heartbeat_at=timezone.now()):
            self.lost.set()

    def _write(self, **more: object) -> None:
        run, now = self.run, timezone.now()
        run.log, self._unwritten = appended(run.log, self._unwritten), []
        facts = {
            "stage": run.stage,
            "progress": run.progress,
            "figures": run.figures,
            "log": run.log,
            "model": run.model,
            "heartbeat_at": now,
            "ends_at": self._end_at_this_pace(now),
        }
        mine = Run.objects.filter(pk=run.pk, worker=run.worker, state=Run.State.RUNNING)
        if not mine.update(**{**facts, **more}):
            self.lost.set()
        self._written_at = time.monotonic()

    def _end_at_this_pace(self, now: datetime) -> datetime | None:
        """When the work will be done at the pace since this worker began: a resumed run begins half-way."""
        clock, fraction = time.monotonic(), self.run.progress
        if self._pace is None:
            self._pace = (clock, fraction)
        since, first = self._pace
        if fraction <= first:
            return None
        return now + timedelta(seconds=(clock - since) * (1 - fraction) / (fraction - first))

    def _log_lines(self, lines: list[str]) -> None:
        self._unwritten += [log_line(line) for text in lines for line in text.splitlines()]


def _end_early(job: Job) -> None:
    """The work stopped before its end: because the worker must go, or because somebody cancelled it."""
    if job.lost.is_set():
        return
    cancelled = Run.objects.filter(pk=job.run.pk, cancel_requested=True).exists()
    if cancelled or not stopping.is_set():
        job.end(Run.State.CANCELLED, "Cancelled. Resume it, or start again.")
    else:
        job.end(Run.State.INTERRUPTED, "Its worker was stopped. It goes on when a worker is back, or resume it.")


@contextmanager
def _heartbeat(job: Job) -> Iterator[None]:
    """A thread that says every HEARTBEAT_S that the worker lives, however long one step of the work takes."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(settings.HEARTBEAT_S):
            try:
                job.beat()
            except DatabaseError:
                # The next beat may get through; if none does, the run counts as silent, and rightly so.
                logger.warning("run %s could not be told that its worker lives", job.run.pk, exc_info=True)
        connections.close_all()

    thread = threading.Thread(target=beat, name=f"heartbeat of run {job.run.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=settings.HEARTBEAT_S)
