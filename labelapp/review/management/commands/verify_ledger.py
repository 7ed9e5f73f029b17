from django.core.management.base import BaseCommand, CommandError

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.models import Site
from labelapp.catalogue.selectors import find_site
from labelapp.review import ledger


class Command(BaseCommand):
    help = (
        "Prove that no decision was changed, removed, added or reordered, and that labels are what the decisions say. "
        "Note the printed head where nobody can change it: only a head noted elsewhere, given with --expect-head, "
        "proves that the last decisions were not cut off together with their labels."
    )

    def add_arguments(self, parser):
        parser.add_argument("site", nargs="?", help="default: every site")
        parser.add_argument("--expect-head", metavar="HASH", default="", help="a head noted earlier (names its SITE)")
        parser.add_argument("--skip-files", action="store_true", help="do not read stored panels and weights")

    def handle(self, *, site, expect_head, skip_files, **options):
        if expect_head and not site:
            raise CommandError("A head belongs to one site. Name the site.")
        try:
            sites = [find_site(site)] if site else list(Site.objects.all())
        except Refused as error:
            raise CommandError(str(error)) from error
        unsound = [s.name for s in sites if not self.verify(s, expect_head, files=not skip_files)]
        if unsound:
            raise CommandError(f"The ledger of {', '.join(unsound)} is not sound.")

    def verify(self, site, expect_head, *, files):
        """Print what is wrong with one site's ledger, or that it is sound."""
        problems = ledger.verify(site, files=files, expect_head=expect_head)
        for problem in problems:
            self.stderr.write(f"{site}: {problem}")
        verdict = f"{len(problems)} problems" if problems else "sound"
        self.stdout.write(f"{site}: {site.relabels.count()} decisions, {verdict}, head {ledger.head(site) or 'none'}")
        return not problems
