from datetime import UTC, date, datetime, time
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.files import replaced
from labelapp.catalogue.selectors import find_site
from labelapp.review.exporting import write_relabels


class Command(BaseCommand):
    help = "Write the relabel history, oldest first. `python labelapp/review/chain.py FILE` verifies jsonl offline."

    def add_arguments(self, parser):
        parser.add_argument("site")
        parser.add_argument("--format", choices=["csv", "jsonl"], default="csv", help="jsonl has every hashed fact")
        parser.add_argument("--out", metavar="FILE", type=Path, help="default: standard output")
        parser.add_argument("--since", type=date.fromisoformat, help="first day (UTC), YYYY-MM-DD")

    def handle(self, *, site, format, out, since, **options):
        start = datetime.combine(since, time(), UTC) if since else None
        try:
            found = find_site(site)
            with replaced(out, self.stdout) as stream:
                count = write_relabels(stream, found, format, start)
        except Refused as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"{count} decisions written to {out or 'standard output'}")
