"""What the commands share: a run in the foreground or in the queue, its progress on a terminal or as plain lines."""

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.models import Site
from labelapp.celery import app
from labelapp.learning import serving
from labelapp.learning.claims import worker_name
from labelapp.learning.models import Run
from labelapp.learning.services import start_run
from labelapp.learning.tracking import Step, tracked

LINE_EVERY_S = 5.0
# A worker of the pool `solo` answers between jobs, and a loaded machine answers late.
ANSWER_WITHIN_S = 5


class LearningCommand(BaseCommand):
    """A command whose refusals are one clear line, and whose exit code then is not 0."""

    def handle(self, *args: Any, **options: Any) -> None:
        from mlcore.errors import SeisloopError

        try:
            require_migrated()
            self.perform(**options)
        except (Refused, SeisloopError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped.", returncode=130) from None

    def perform(self, *args: Any, **options: Any) -> None:
        raise NotImplementedError

    def run_or_enqueue(self, *, site: Site, kind: str, parameters: Mapping[str, Any], wait: bool) -> Run:
        """The run in the foreground (`wait`), or asked of a worker; says what became of it."""
        if wait:
            return self.run_here(site=site, kind=kind, parameters=parameters)
        run = start_run(site=site, kind=kind, parameters=parameters)
        address = f"http://{settings.BIND}:{settings.PORT}{run.get_absolute_url()}"
        self.stdout.write(f"Run {run.pk} is queued: {address}\n{who_will_take_it()}")
        return run

    def run_here(self, *, site: Site, kind: str, parameters: Mapping[str, Any]) -> Run:
        """The run, worked on by this process until its end. Raises CommandError unless it is done."""
        worker = worker_name()
        return self.work_on(start_run(site=site, kind=kind, parameters=parameters, worker=worker), worker)

    def work_on(self, run: Run, worker: str) -> Run:
        """Work on a run that is held for `worker`. Raises CommandError unless it ends as done."""
        from labelapp.learning import pipeline

        signal.signal(signal.SIGTERM, _interrupt)
        with shown_progress(self) as show, tracked(run.pk, worker=worker, listen=show) as job:
            pipeline.WORK[run.kind](job)
        run.refresh_from_db()
        if run.state != Run.State.DONE:
            raise CommandError(f"Run {run.pk} {run.state}: {run.error}")
        return run


def require_migrated() -> None:
    """Raises Refused where the database is not the one that this program expects."""
    executor = MigrationExecutor(connection)
    if missing := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise Refused(f"The database lacks {len(missing)} migrations. Run `manage.py migrate`, then try again.")


def who_will_take_it() -> str:
    """Whether a worker is there that will take queued runs, in words."""
    if settings.EMBEDDED:
        address = serving.served_at()
        if address is not None:
            return f"The server at {address} takes it."
        return "It waits until `manage.py serve` is started; or use --wait to do it here."
    if app.control.ping(timeout=ANSWER_WITHIN_S, limit=1):
        return "A worker is there and will take it."
    return (
        f"No worker answered within {ANSWER_WITHIN_S} s. A busy one may yet take it; if there is none, start one with"
        " `celery -A labelapp worker`, or use --wait to do it here."
    )


@contextmanager
def shown_progress(command: BaseCommand) -> Iterator[Any]:
    """A function that shows each Step: a bar on a terminal, plain lines elsewhere."""
    if sys.stdout.isatty() and command.stdout.isatty():
        with Bar(Console()) as bar:
            yield bar
    else:
        yield Lines(command)


class Bar:
    """One bar, the stage before it; lines of the log above it."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
        self._progress = Progress(*columns, TimeRemainingColumn(), console=console)
        self._task: TaskID | None = None

    def __enter__(self) -> "Bar":
        self._progress.start()
        self._task = self._progress.add_task("starting", total=1.0)
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def __call__(self, step: Step) -> None:
        assert self._task is not None  # noqa: S101 - made on entering
        self._progress.update(self._task, description=step.stage, completed=step.fraction)
        if step.message:
            self._progress.console.print(step.message, markup=False, highlight=False)


class Lines:
    """A line for each message and each new stage, and one now and then in between."""

    def __init__(self, command: BaseCommand) -> None:
        self._command = command
        self._stage = ""
        self._shown_at = 0.0

    def __call__(self, step: Step) -> None:
        due = time.monotonic() - self._shown_at >= LINE_EVERY_S
        if not (step.message or step.stage != self._stage or due):
            return
        self._stage, self._shown_at = step.stage, time.monotonic()
        self._command.stdout.write(f"{step.fraction:4.0%} {step.stage}  {step.message}".rstrip())
        self._command.stdout.flush()


def _interrupt(*args: Any) -> NoReturn:
    raise KeyboardInterrupt
