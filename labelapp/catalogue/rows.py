"""One catalogue row: an event at one station (or at none), checked field by field. CSV files are read here.

Columns by name, in any order; others are ignored. A comma, semicolon or tab separates them; the text is UTF-8.
    event_id                required, at most 200 characters
    event_class or label    required; code or name of one of the site's classes; an empty cell is an event without label
    the span, as the first of these pairs that the file has:
        starttime, endtime · onset, duration_s · catalogue_time, duration_s · trace_start, trace_end
    network, station, location   or station_id (NET.STA.LOC); several rows with one event_id are one event
    latitude, longitude (degrees) · snr · description (or event_type and name) · source
    event_starttime, event_endtime   the event's own span, where it is not that of its stations together
    file                    a recording below the folder given with --waveforms
Times are ISO 8601. A time with an offset is converted to UTC; one without is UTC already, as the field's files are.
"""

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.text import check_text, shown, unguarded

SPANS = (
    ("starttime", "endtime"),
    ("onset", "duration_s"),
    ("catalogue_time", "duration_s"),
    ("trace_start", "trace_end"),
)
LONGEST_TEXT = {"event_id": 200, "source": 300, "description": 5_000, "file": 1_000}
# A longer span is a mistake in a date; reading its waveforms would never end.
LONGEST_EVENT = timedelta(days=1)
YEARS = range(1900, 2201)


@dataclass(frozen=True)
class CatalogueRow:
    """An event at one station; `line` is where it stands in its file, `class_code` is empty where it has no label."""

    line: int
    event_id: str
    class_code: str
    starttime: datetime
    endtime: datetime
    station: tuple[str, str, str] | None = None
    event_starttime: datetime | None = None
    event_endtime: datetime | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    snr: float | None = None
    description: str = ""
    source: str = ""
    file: str = ""

    def __post_init__(self) -> None:
        _check_span(self.starttime, self.endtime)
        if self.event_starttime and self.event_endtime:
            _check_span(self.event_starttime, self.event_endtime)
        if not self.event_id:
            raise Invalid("event_id is empty.")
        for name, longest in LONGEST_TEXT.items():
            check_text(name, getattr(self, name), longest)
        check_number("latitude", self.latitude_deg, -90, 90)
        check_number("longitude", self.longitude_deg, -180, 180)
        check_number("snr", self.snr, -math.inf, math.inf)


@dataclass(frozen=True)
class RefusedRow:
    """A row that cannot be used, and why."""

    line: int
    why: str


def read_csv(path: Path) -> Iterator[CatalogueRow | RefusedRow]:
    """Rows of a CSV file, good and refused. Raises Invalid for a file without the columns, or that is no text."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        header = lines.readline()
        if "\x00" in header or header.startswith("\udcff\udcfe"):
            raise Invalid(f"{path.name} is no UTF-8 text (it may be UTF-16, or no text at all). Save it as UTF-8 CSV.")
        if not header.strip():
            raise Invalid(f"{path.name} is empty. Its first line must name the columns.")
        delimiter = max(",;\t", key=header.count)
        columns = _columns(path.name, next(csv.reader([header], delimiter=delimiter)))
        yield from _rows(lines.readlines(), columns, delimiter)


def _columns(file: str, header: list[str]) -> list[str]:
    columns = [name.strip().lower() for name in header]
    if repeated := {name for name in columns if name and columns.count(name) > 1}:
        raise Invalid(f"{file} names {', '.join(sorted(repeated))} twice. Give each column a name of its own.")
    spans = [" and ".join(pair) for pair in SPANS]
    for wanted in (["event_id"], ["event_class", "label"], spans):
        if not any(set(choice.split(" and ")) <= set(columns) for choice in wanted):
            found = ", ".join(name for name in columns if name)[:300].encode("ascii", "replace").decode()
            raise Invalid(f"{file} has no column {' or '.join(wanted)}. It has: {found}.")
    return columns


def _rows(lines: list[str], columns: list[str], delimiter: str) -> Iterator[CatalogueRow | RefusedRow]:
    """A record that is no CSV costs its first line only: a quote that is not closed must not swallow the rest."""
    start = 0  # of the record; the header is line 1, and a quoted field may span lines
    while start < len(lines):
        begun = start
        reader = csv.reader((lines[n] for n in range(begun, len(lines))), delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield _row_or_refusal(start + 2, columns, cells, delimiter)
                start = begun + reader.line_num
        except csv.Error as error:
            yield RefusedRow(start + 2, f"it is no CSV: {error}. Look for a quote that is not closed.")
            start += 1


def _row_or_refusal(line: int, columns: list[str], cells: list[str], delimiter: str) -> CatalogueRow | RefusedRow:
    try:
        return _row(line, columns, cells, delimiter)
    except Invalid as error:
        return RefusedRow(line, str(error))


def _row(line: int, columns: list[str], cells: list[str], delimiter: str) -> CatalogueRow:
    if len(cells) != len(columns):
        raise Invalid(f"it has {len(cells)} fields, but the header has {len(columns)}.")
    cell = {name: text.strip() for name, text in zip(columns, cells, strict=True)}
    comma = delimiter == ";"  # where semicolons separate, commas are decimal
    starttime, endtime = _span(cell, comma)
    label = cell.get("event_class", cell.get("label", ""))
    described = cell.get("description") or ", ".join(filter(None, (cell.get("event_type"), cell.get("name"))))
    return CatalogueRow(
        line=line,
        event_id=unguarded(cell["event_id"]),
        class_code=unguarded(label),
        starttime=starttime,
        endtime=endtime,
        station=_station(cell),
        event_starttime=_optional_time(cell, "event_starttime"),
        event_endtime=_optional_time(cell, "event_endtime"),
        latitude_deg=_number(cell, "latitude", comma),
        longitude_deg=_number(cell, "longitude", comma),
        snr=_number(cell, "snr", comma),
        description=unguarded(described),
        source=unguarded(cell.get("source", "")),
        file=unguarded(cell.get("file", "")),
    )


def _span(cell: dict[str, str], comma: bool) -> tuple[datetime, datetime]:
    """The first pair of columns that the row has."""
    for first, second in SPANS:
        if cell.get(first) and cell.get(second):
            start = parse_time(first, cell[first])
            if second != "duration_s":
                return start, parse_time(second, cell[second])
            duration = _number(cell, "duration_s", comma) or 0.0
            check_number("duration_s", duration, 0, LONGEST_EVENT.total_seconds())
            return start, start + timedelta(seconds=duration)
    raise Invalid(f"it has no span: fill in {' or '.join(' and '.join(pair) for pair in SPANS)}.")


def _station(cell: dict[str, str]) -> tuple[str, str, str] | None:
    if cell.get("station"):
        parts = [unguarded(cell.get(name, "")) for name in ("network", "station", "location")]
    elif cell.get("station_id"):
        parts = [*cell["station_id"].split("."), ""][:3]
        if cell["station_id"].count(".") not in (1, 2):
            raise Invalid(f"station_id is {shown(cell['station_id'])}. Expected NET.STA or NET.STA.LOC.")
    else:
        return None
    network, code, location = parts
    return network, code, "" if location == "--" else location  # SEED writes an empty location as --


def parse_time(name: str, text: str) -> datetime:
    """ISO 8601 → UTC; a time without offset is UTC. Raises Invalid naming the column."""
    try:
        time = datetime.fromisoformat(text)
        if not re.search(r"[T ]\d", text):
            raise ValueError("a date alone")
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{name} is {shown(text)}. Expected a time such as 2020-03-28T13:00:00.000000Z.") from error
    return time


def _optional_time(cell: dict[str, str], name: str) -> datetime | None:
    return parse_time(name, cell[name]) if cell.get(name) else None


def _number(cell: dict[str, str], name: str, comma: bool) -> float | None:
    text = cell.get(name, "")
    if not text:
        return None
    try:
        return float(text.replace(",", ".") if comma else text)
    except ValueError as error:
        raise Invalid(f"{name} is {shown(text)}. Expected a number.") from error


def check_number(name: str, value: float | None, low: float, high: float) -> None:
    """Raises Invalid for a number outside [low, high], NaN and infinity."""
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        expected = f"a number from {low:g} to {high:g}" if math.isfinite(low) else "a finite number"
        raise Invalid(f"{name} is {value}. Expected {expected}.")


def _check_span(starttime: datetime, endtime: datetime) -> None:
    if starttime.year not in YEARS:
        raise Invalid(f"it starts in the year {starttime.year}. Expected one from {YEARS[0]} to {YEARS[-1]}.")
    if endtime < starttime:
        raise Invalid(f"it ends ({endtime.isoformat()}) before it starts ({starttime.isoformat()}).")
    if endtime - starttime > LONGEST_EVENT:
        raise Invalid(f"it lasts {endtime - starttime}. An event lasts at most a day: check the dates.")
