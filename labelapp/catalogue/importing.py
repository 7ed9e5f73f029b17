"""Catalogues come in: CSV (columns: see `rows`) or QuakeML. Importing a file again changes nothing.

A row that contradicts the catalogue, or an earlier row of its file, is refused by line with a reason; the rest is
imported. Labels are never changed here: only an expert's decision does that.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import transaction

from labelapp.catalogue import quakeml
from labelapp.catalogue.errors import Conflict, Invalid, Refused
from labelapp.catalogue.models import Event, EventClass, Observation, Site, Station
from labelapp.catalogue.rows import CatalogueRow, RefusedRow, read_csv
from labelapp.catalogue.services import classes_by_code, get_station

# Rows per transaction: small enough that experts go on deciding meanwhile.
CHUNK = 500


@dataclass
class ImportReport:
    """What became of a catalogue file. `unit` is what `refused` and `problems` count: line, or event of a QuakeML."""

    unit: str = "line"
    rows: int = 0
    created: int = 0
    # Known events that gained a station.
    extended: int = 0
    unchanged: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    # The event was imported, its recording was not.
    problems: list[tuple[int, str]] = field(default_factory=list)
    tell: Callable[[str], None] | None = field(default=None, repr=False)

    def refuse(self, line: int, why: str) -> None:
        """Note a row that cannot be used."""
        self._note(self.refused, line, why)

    def miss_recording(self, line: int, why: str) -> None:
        """Note a recording that could not be ingested."""
        self._note(self.problems, line, why)

    def _note(self, where: list[tuple[int, str]], line: int, why: str) -> None:
        where.append((line, why))
        if self.tell:
            self.tell(f"{self.unit} {line}: {why}")

    @property
    def failed(self) -> bool:
        """Whether nothing of the file could be used."""
        return not (self.created or self.extended or self.unchanged)

    @property
    def verdict(self) -> str:
        """One sentence."""
        return (
            f"{self.rows} rows: {self.created} events added, {self.extended} extended, {self.unchanged} unchanged, "
            f"{len(self.refused)} rows refused, {len(self.problems)} recordings not ingested"
        )


def import_catalogue(
    *,
    site: Site,
    file: Path | str,
    waveforms: Path | str | None = None,
    ingest: Callable[[list[Path]], Iterable[tuple[str, str]]] | None = None,
    on_problem: Callable[[str], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Import a catalogue file into a site; → what became of it.

    With `waveforms`, the column `file` names recordings below that folder; `ingest` registers a list of them and
    returns (path, why) of those it could not. `on_problem` hears each problem in words, `on_progress` how many of how
    many rows are done. Raises Invalid where the file as a whole cannot be used.
    """
    path = _usable_file(Path(file))
    folder = _usable_folder(waveforms)
    is_quakeml = quakeml.looks_like(path)
    report = ImportReport(unit="event" if is_quakeml else "line", tell=on_problem)
    rows = list(quakeml.read(path, classes_by_code(site)) if is_quakeml else read_csv(path))
    if not rows:
        raise Invalid(f"{path.name} has no rows: nothing to import.")
    report.rows = len(rows)
    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    first_seen: dict[str, CatalogueRow] = {}
    for number, chunk in enumerate(chunks, start=1):
        accepted = _import_chunk(site, chunk, path.name, folder, report, first_seen)
        if folder and ingest:
            _ingest(accepted, folder, ingest, report)
        if on_progress:
            on_progress(min(number * CHUNK, len(rows)), len(rows))
    return report


def _usable_file(path: Path) -> Path:
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise Invalid(f"{path} cannot be read: {getattr(error, 'strerror', error)}. Check the path.") from error
    if not path.is_file():
        raise Invalid(f"{path} is no file. Name a CSV or QuakeML file.")
    if size > settings.LARGEST_CATALOGUE_BYTES:
        raise Invalid(
            f"{path} has {size} bytes; at most {settings.LARGEST_CATALOGUE_BYTES} are read. "
            "Split it, or raise SEISLOOP_LARGEST_CATALOGUE_MB."
        )
    if size == 0:
        raise Invalid(f"{path.name} is empty. Its first line must name the columns.")
    return path


def _usable_folder(waveforms: Path | str | None) -> Path | None:
    if waveforms is None:
        return None
    folder = Path(waveforms).resolve()
    if not folder.is_dir():
        raise Invalid(f"{waveforms} is no folder. Name the folder that holds the catalogue's recordings.")
    return folder


@transaction.atomic
def _import_chunk(
    site: Site,
    chunk: list[CatalogueRow | RefusedRow],
    source: str,
    folder: Path | None,
    report: ImportReport,
    first_seen: dict[str, CatalogueRow],
) -> list[CatalogueRow]:
    """Import some rows in one transaction; → those that were accepted."""
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)  # two imports take turns
    counted = set(first_seen)
    book = _Book(site, source, [row for row in chunk if isinstance(row, CatalogueRow)])
    accepted = []
    for row in chunk:
        if isinstance(row, RefusedRow):
            report.refuse(row.line, row.why)
            continue
        try:
            if folder and row.file:
                _contained(folder, row.file)
            _refuse_contradiction(row, first_seen.get(row.event_id))
            book.add(row)
        except Refused as error:
            report.refuse(row.line, str(error))
            continue
        first_seen.setdefault(row.event_id, row)
        accepted.append(row)
    book.save(report, counted)
    return accepted


def _refuse_contradiction(row: CatalogueRow, first: CatalogueRow | None) -> None:
    if first and first.class_code != row.class_code:
        raise Conflict(
            f"{row.event_id} is {row.class_code or 'unlabelled'} here, but {first.class_code or 'unlabelled'} "
            f"in line {first.line}. Give an event one class."
        )


class _Book:
    """The site's events that a chunk speaks of, as they are and as they become."""

    def __init__(self, site: Site, source: str, rows: list[CatalogueRow]):
        self.site, self.source = site, source
        self.classes = _by_any_name(classes_by_code(site))
        known = site.events.filter(event_id__in={row.event_id for row in rows})
        known = known.select_related("label", "catalogue_label")
        self.events = {event.event_id: event for event in known}
        observations = Observation.objects.filter(event__in=known)
        self.observations = {(o.event_id, o.station_id): o for o in observations}
        self.observed = {o.event_id for o in observations}
        self.stations: dict[tuple[str, str, str], Station] = {}
        self.new_events: dict[str, Event] = {}
        self.new_observations: dict[tuple[str, int], Observation] = {}
        self.changed: set[str] = set()
        self.touched: set[str] = set()

    def add(self, row: CatalogueRow) -> None:
        """Take a row in. Raises Refused, with nothing taken in, when it contradicts what is known."""
        event_class = self._class(row.class_code)
        station = self._station(row.station)
        event = self.events.get(row.event_id)
        if event is None:
            event = self.events[row.event_id] = self.new_events[row.event_id] = self._new(row, event_class, station)
        else:
            _refuse_relabelling(event, event_class, row)
            if station is None:
                self._refuse_other_span(event, row)
        if station and not self._is_observed(event, station, row):
            self._observe(event, station, row)
        self.touched.add(row.event_id)

    def _new(self, row: CatalogueRow, event_class: EventClass | None, station: Station | None) -> Event:
        return Event(
            site=self.site,
            event_id=row.event_id,
            starttime=row.event_starttime or row.starttime,
            endtime=row.event_endtime or row.endtime,
            station=station,
            origin=Event.Origin.CATALOGUE,
            source=(row.source or self.source)[:300],
            catalogue_label=event_class,
            label=event_class,
            latitude_deg=row.latitude_deg,
            longitude_deg=row.longitude_deg,
            description=row.description,
        )

    def _observe(self, event: Event, station: Station, row: CatalogueRow) -> None:
        self.new_observations[event.event_id, station.pk] = Observation(
            event=event, station=station, starttime=row.starttime, endtime=row.endtime, snr=row.snr
        )
        event.station = event.station or station
        if row.event_starttime is None:  # the event spans what its stations saw
            event.starttime = min(event.starttime, row.starttime)
            event.endtime = max(event.endtime, row.endtime)
        if event.event_id not in self.new_events:
            self.changed.add(event.event_id)

    def _is_observed(self, event: Event, station: Station, row: CatalogueRow) -> bool:
        """Raises Conflict when the station saw the event at another time."""
        known = self.new_observations.get((event.event_id, station.pk))
        if known is None and event.pk:
            known = self.observations.get((event.pk, station.pk))
        if known and (known.starttime, known.endtime) != (row.starttime, row.endtime):
            raise Conflict(
                f"{row.event_id} at {station} is there already, from {known.starttime.isoformat()} to "
                f"{known.endtime.isoformat()}. Give another event another event_id."
            )
        return known is not None

    def _refuse_other_span(self, event: Event, row: CatalogueRow) -> None:
        if (event.starttime, event.endtime) != (row.starttime, row.endtime):
            raise Conflict(
                f"{row.event_id} is there already, from {event.starttime.isoformat()} to {event.endtime.isoformat()}. "
                "Give another event another event_id."
            )

    def _class(self, code: str) -> EventClass | None:
        if not code:
            return None
        if code.casefold() not in self.classes:
            known = ", ".join(sorted({c.code for c in self.classes.values()}))
            raise Invalid(f"{self.site} has no class {code[:60]!a}. Its classes are {known}.")
        return self.classes[code.casefold()]

    def _station(self, seed: tuple[str, str, str] | None) -> Station | None:
        if seed is None:
            return None
        if seed not in self.stations:
            network, code, location = seed
            self.stations[seed] = get_station(site=self.site, network=network, code=code, location=location)
        return self.stations[seed]

    def save(self, report: ImportReport, counted: set[str]) -> None:
        """Write everything in three statements, and count the events that no earlier chunk counted."""
        Event.objects.bulk_create(self.new_events.values())
        Event.objects.bulk_update([self.events[pk] for pk in self.changed], ["starttime", "endtime", "station"])
        Observation.objects.bulk_create(self.new_observations.values())
        report.created += len(self.new_events)
        report.extended += len(self.changed - counted)
        report.unchanged += len(self.touched - self.changed - set(self.new_events) - counted)


def _refuse_relabelling(event: Event, event_class: EventClass | None, row: CatalogueRow) -> None:
    if event_class not in (None, event.label, event.catalogue_label):
        raise Conflict(
            f"{event} is labelled {event.label.code if event.label else 'nothing yet'}, but the file says "
            f"{row.class_code}. An import never changes a label: ask for a review of the event."
        )


def _by_any_name(classes: Mapping[str, EventClass]) -> dict[str, EventClass]:
    """Classes by code and by name, in any case; a code wins over a name."""
    return {c.name.casefold(): c for c in classes.values()} | {code.casefold(): c for code, c in classes.items()}


def _contained(folder: Path, name: str) -> Path:
    """The file of that name below a folder. Raises Invalid for one that leads out of it, by whatever means."""
    try:
        path = (folder / name).resolve()
    except (OSError, RuntimeError) as error:  # links that lead in a circle
        raise Invalid(f"file is {name[:80]!a}, which cannot be followed: {error}.") from error
    if not path.is_relative_to(folder) or path == folder:
        raise Invalid(f"file is {name[:80]!a}, which leads out of {folder}. Name a file below it.")
    return path


def _ingest(
    rows: list[CatalogueRow],
    folder: Path,
    ingest: Callable[[list[Path]], Iterable[tuple[str, str]]],
    report: ImportReport,
) -> None:
    lines: dict[Path, int] = {}
    for row in rows:
        if row.file:
            lines.setdefault(_contained(folder, row.file), row.line)
    for path, why in ingest(list(lines)):
        report.miss_recording(lines.get(Path(path), 0), why)
