from typing import Any

from django.core.management.base import CommandParser

from labelapp.catalogue.selectors import find_site
from labelapp.learning.management.running import LearningCommand
from labelapp.learning.models import Run


class Command(LearningCommand):
    help = "Predict every event of a site, explain disagreements and doubts, and fill the review queue."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("site", help="the site's name")
        parser.add_argument("--model", type=int, metavar="ID", help="instead of the site's active model")
        parser.add_argument("--explain-all", action="store_true", help="explain every event, not only doubtful ones")
        parser.add_argument("--wait", action="store_true", help="classify here and now instead of asking a worker")

    def perform(self, *, site: str, model: int | None, explain_all: bool, wait: bool, **options: Any) -> None:
        parameters = {"model": model, "explain_all": explain_all or None}
        run = self.run_or_enqueue(site=find_site(site), kind=Run.Kind.CLASSIFY, parameters=parameters, wait=wait)
        if wait:
            self.stdout.write(run.figures.get("verdict", ""))
