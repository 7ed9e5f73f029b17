from typing import Any

from django.core.management.base import CommandParser

from labelapp.catalogue.schemes import DEFAULT_CLASSES, read_scheme
from labelapp.catalogue.services import create_site
from labelapp.learning.management.running import LearningCommand


class Command(LearningCommand):
    help = "Make a site with its classes: by default earthquake, quake, rockfall and noise (Jiang et al.)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--classes", metavar="FILE", help="TOML, JSON or CSV with code, name, colour, key and quakeml_type"
        )
        parser.add_argument("--recipe", metavar="FILE", help="TOML: how its models are trained; see set_recipe")
        parser.add_argument("--description", default="", help="shown with the site")

    def perform(self, *, name: str, classes: str | None, recipe: str | None, description: str, **options: Any) -> None:
        from labelapp.learning.pipeline.recipes import check_recipe

        scheme = read_scheme(classes) if classes else DEFAULT_CLASSES
        site = create_site(
            name=name,
            classes=scheme,
            recipe=check_recipe(recipe, [facts.code for facts in scheme]) if recipe else None,
            description=description,
        )
        codes = ", ".join(f"{c.code} ({c.key})" for c in site.classes.all())
        self.stdout.write(f"Made the site {site} with the classes {codes}.")
