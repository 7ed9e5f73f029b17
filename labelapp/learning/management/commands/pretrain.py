import tomllib
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.selectors import find_site
from labelapp.learning.choices import ENCODERS, METHODS, POOL_WINDOWS
from labelapp.learning.management.running import LearningCommand
from labelapp.learning.models import Run
from mlcore.pretrain.derived import ENCODER, EPOCHS, METHOD


class Command(LearningCommand):
    help = "Pretrain an encoder on a site's recordings, without labels, for classifiers to begin with."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("site", help="the site's name")
        parser.add_argument("--method", choices=METHODS, help=f"{METHOD} if not given")
        parser.add_argument(
            "--encoder", choices=ENCODERS, help=f"{ENCODER}, which a classifier can begin with, if not given"
        )
        parser.add_argument("--epochs", type=int, help=f"passes over the pool, {EPOCHS} if not given")
        parser.add_argument(
            "--windows",
            type=int,
            metavar="N",
            help=f"of the recordings at most, drawn by chance; {POOL_WINDOWS:,} if not given",
        )
        parser.add_argument("--seed", type=int, help="of windows, weights and crops")
        parser.add_argument(
            "--recipe", metavar="FILE.toml", help="settings that go before those that the site's recipe asks for"
        )
        parser.add_argument("--wait", action="store_true", help="pretrain here and now instead of asking a worker")

    def perform(self, *, site: str, recipe: str | None, wait: bool, **options: Any) -> None:
        parameters = {name: options[name] for name in ("method", "encoder", "epochs", "windows", "seed")}
        parameters["recipe"] = read_settings(recipe) if recipe else None
        run = self.run_or_enqueue(site=find_site(site), kind=Run.Kind.PRETRAIN, parameters=parameters, wait=wait)
        if wait:
            self.stdout.write(run.figures.get("verdict", ""))


def read_settings(path: str) -> dict[str, Any]:
    """The tables of a TOML file. Raises Invalid where it cannot be read."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid(f"{path} cannot be read as TOML: {error}. Mend or choose another file.") from error
