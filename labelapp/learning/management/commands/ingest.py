from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labelapp.catalogue.selectors import find_site
from labelapp.learning.management.running import LearningCommand, shown_progress
from labelapp.learning.tracking import Step


class Command(LearningCommand):
    help = (
        "Register recordings in any format that obspy reads. Files stay where they are; known ones are not added twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("site", help="the site's name")
        parser.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, or the root of an SDS archive")

    def perform(self, *, site: str, paths: list[str], **options: Any) -> None:
        from labelapp.learning.pipeline.ingesting import ingest

        found = find_site(site)
        with shown_progress(self) as show:

            def listen(number: int, count: int, path: Path) -> None:
                show(Step(f"{number} of {count} files", number / count, {}, ""))

            report = ingest(found, paths, listen)
        for _, why in report.skipped:
            self.stdout.write(f"skipped: {why}")
        for _, why in report.refused:
            self.stderr.write(f"refused: {why}")
        self.stdout.write(report.verdict)
        if report.refused and not (report.added or report.known):
            raise CommandError("Nothing could be ingested.")
