from typing import Any

from django.core.management.base import CommandParser

from labelapp.catalogue.selectors import find_site
from labelapp.learning.choices import MAP_WINDOWS, PLACING, PLACINGS
from labelapp.learning.management.running import LearningCommand
from labelapp.learning.models import Run


class Command(LearningCommand):
    help = "Draw a map of a site's events and unlabelled windows, those that a model takes for alike near each other."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("site", help="the site's name")
        parser.add_argument(
            "--model",
            type=int,
            metavar="ID",
            help="an encoder or a classifier; else the newest encoder, else the active",
        )
        parser.add_argument(
            "--windows", type=int, metavar="N", help=f"unlabelled windows at most, {MAP_WINDOWS:,} if not given"
        )
        parser.add_argument("--method", choices=PLACINGS, help=f"how points are placed; {PLACING} if not given")
        parser.add_argument("--wait", action="store_true", help="draw here and now instead of asking a worker")

    def perform(
        self, *, site: str, model: int | None, windows: int | None, method: str | None, wait: bool, **options: Any
    ) -> None:
        parameters = {"model": model, "windows": windows, "method": method}
        run = self.run_or_enqueue(site=find_site(site), kind=Run.Kind.MAP, parameters=parameters, wait=wait)
        if wait:
            self.stdout.write(run.figures.get("verdict", ""))
