from typing import Any

from django.core.management.base import CommandError, CommandParser

from labelapp.learning.claims import mark_runs_of_ended_processes, worker_name
from labelapp.learning.management.running import LearningCommand, who_will_take_it
from labelapp.learning.models import Run
from labelapp.learning.services import resume_run


class Command(LearningCommand):
    help = "Let an interrupted, failed or cancelled run go on; a training goes on from its checkpoint."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int, help="the run's number")
        parser.add_argument("--wait", action="store_true", help="work on it here and now instead of asking a worker")

    def perform(self, *, run: int, wait: bool, **options: Any) -> None:
        found = Run.objects.filter(pk=run).first()
        if found is None:
            raise CommandError(f"There is no run {run}. The page of a site's runs lists their numbers.")
        mark_runs_of_ended_processes()  # one that was killed on this host a moment ago is not waited for
        if wait:
            worker = worker_name()
            self.work_on(resume_run(run=found, worker=worker), worker)
        else:
            resume_run(run=found)
            self.stdout.write(f"Run {run} is queued. {who_will_take_it()}")
