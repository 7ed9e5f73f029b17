from django.core.management.base import BaseCommand, CommandError

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.schemes import read_scheme
from labelapp.catalogue.services import create_site


class Command(BaseCommand):
    help = "Make a site with its classes: by default earthquake, quake, rockfall and noise (Jiang et al.)."

    def add_arguments(self, parser):
        parser.add_argument("name")
        parser.add_argument(
            "--classes", metavar="FILE", help="TOML, JSON or CSV with code, name, colour, key and quakeml_type"
        )
        parser.add_argument("--description", default="", help="shown with the site")

    def handle(self, *, name, classes, description, **options):
        try:
            scheme = read_scheme(classes) if classes else None
            site = create_site(name=name, classes=scheme, description=description)
        except Refused as error:
            raise CommandError(str(error)) from error
        codes = ", ".join(f"{c.code} ({c.key})" for c in site.classes.all())
        self.stdout.write(f"Made the site {site} with the classes {codes}.")
