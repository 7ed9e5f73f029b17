from typing import Any

from django.core.management.base import CommandParser

from labelapp.catalogue.selectors import find_site
from labelapp.learning.management.running import LearningCommand
from labelapp.learning.models import Run


class Command(LearningCommand):
    help = "Scan a site's continuous recordings with a sliding window, add what is found, and fill the review queue."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("site", help="the site's name")
        parser.add_argument("--start", metavar="T", help="UTC, such as 2020-03-28T13:00:00Z; else when recording began")
        parser.add_argument("--end", metavar="T", help="UTC; else when recording ended")
        parser.add_argument("--model", type=int, metavar="ID", help="instead of the site's active model")
        parser.add_argument("--wait", action="store_true", help="scan here and now instead of asking a worker")

    def perform(
        self, *, site: str, start: str | None, end: str | None, model: int | None, wait: bool, **options: Any
    ) -> None:
        parameters = {"starttime": start, "endtime": end, "model": model}
        run = self.run_or_enqueue(site=find_site(site), kind=Run.Kind.DETECT, parameters=parameters, wait=wait)
        if wait:
            self.stdout.write(run.figures.get("verdict", ""))
