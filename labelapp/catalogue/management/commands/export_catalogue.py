from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.exporting import write_catalogue_csv, write_catalogue_quakeml
from labelapp.catalogue.files import replaced
from labelapp.catalogue.selectors import find_site


class Command(BaseCommand):
    help = "Write a site's event catalogue: CSV (one row per event and station) or QuakeML 1.2."

    def add_arguments(self, parser):
        parser.add_argument("site")
        parser.add_argument("--format", choices=["csv", "quakeml"], default="csv")
        parser.add_argument("--out", metavar="FILE", type=Path, help="default: standard output")

    def handle(self, *, site, format, out, **options):
        write = write_catalogue_quakeml if format == "quakeml" else write_catalogue_csv
        what = "events" if format == "quakeml" else "rows"
        try:
            events = find_site(site).events.current()
            with replaced(out, self.stdout) as stream:
                count = write(stream, events)
        except Refused as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"{count} {what} written to {out or 'standard output'}")
