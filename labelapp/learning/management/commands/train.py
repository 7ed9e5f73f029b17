from typing import Any

from django.core.management.base import CommandParser

from labelapp.catalogue.selectors import find_site
from labelapp.learning.management.running import LearningCommand
from labelapp.learning.models import Run


class Command(LearningCommand):
    help = "Train a model on a site's labelled events, with the site's recipe."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("site", help="the site's name")
        parser.add_argument("--epochs", type=int, help="passes over the events, instead of the recipe's")
        parser.add_argument("--seed", type=int, help="of split, weights and augmentation, instead of the recipe's")
        parser.add_argument("--from", type=int, dest="start", metavar="ID", help="begin with this pretrained encoder")
        parser.add_argument("--wait", action="store_true", help="train here and now instead of asking a worker")

    def perform(
        self, *, site: str, epochs: int | None, seed: int | None, start: int | None, wait: bool, **options: Any
    ) -> None:
        parameters = {"epochs": epochs, "seed": seed, "start": start}
        run = self.run_or_enqueue(site=find_site(site), kind=Run.Kind.TRAIN, parameters=parameters, wait=wait)
        if wait:
            self.stdout.write(f"{run.model}: {run.figures.get('verdict', '')}")
