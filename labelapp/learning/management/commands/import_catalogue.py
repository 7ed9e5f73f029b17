from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labelapp.catalogue import importing, rows
from labelapp.catalogue.selectors import find_site
from labelapp.learning.management.running import LearningCommand, shown_progress
from labelapp.learning.tracking import Step


class Command(LearningCommand):
    help = "Import a catalogue, CSV or QuakeML. Importing it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("site", help="the site's name")
        parser.add_argument("file", help="CSV or QuakeML")
        parser.add_argument("--waveforms", metavar="DIR", help="ingest the recordings that the column `file` names")
        parser.epilog = rows.__doc__

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        """The list of columns keeps its lines."""
        from argparse import RawDescriptionHelpFormatter

        parser = super().create_parser(*args, **options)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def perform(self, *, site: str, file: str, waveforms: str | None, **options: Any) -> None:
        from labelapp.learning.pipeline.ingesting import ingest

        found = find_site(site)

        def register(paths: list[Path]) -> list[tuple[str, str]]:
            return ingest(found, paths).refused

        with shown_progress(self) as show:
            report = importing.import_catalogue(
                site=found,
                file=file,
                waveforms=waveforms,
                ingest=register,
                on_problem=lambda why: self.stderr.write(why),
                on_progress=lambda n, count: show(Step(f"{n} of {count} rows", n / count, {}, "")),
            )
        self.stdout.write(report.verdict)
        if report.failed:
            raise CommandError("Nothing of the file could be imported.")
