from typing import Any

from django.core.management.base import CommandParser

from labelapp.catalogue.selectors import find_site
from labelapp.learning.management.running import LearningCommand


class Command(LearningCommand):
    help = "Set the recipe of a site's next models: rate, band, window, network, training. Older models keep theirs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("site", help="the site's name")
        parser.add_argument("file", help="TOML; one table for each of mlcore.config's sections")

    def perform(self, *, site: str, file: str, **options: Any) -> None:
        from labelapp.learning.pipeline.recipes import check_recipe, site_codes

        found = find_site(site)
        found.recipe = check_recipe(file, site_codes(found))
        found.save(update_fields=["recipe"])
        self.stdout.write(f"The next model of {found} is trained by {file}.")
