"""Catalogues as CSV: which event was seen at which station, in which file, when, and what it is called.

One row per event and station. A comma, semicolon or tab separates columns, named in the first line in any order and
case; others than these serve a recipe's filters only:

    event_id                  what joins an event's stations
    event_class or label      its label
    file                      the recording, relative to the waveform folder
    network station location  or station_id (NET.STA.LOC); optional where the file holds one station
    the time span, first of:  starttime endtime · onset duration_s · catalogue_time duration_s · trace_start trace_end;
                              without any, all of the file

Times are ISO 8601; without an offset they are taken as UTC. Where semicolons separate, commas are decimal.
"""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Any

from mlcore.config import Catalogue
from mlcore.errors import BadConfiguration

EVERY_ROW = Catalogue()
REQUIRED = ("event_id", "event_class", "file")
SPANS = (
    ("starttime", "endtime"),
    ("onset", "duration_s"),
    ("catalogue_time", "duration_s"),
    ("trace_start", "trace_end"),
)


@dataclass(frozen=True)
class CatalogueEntry:
    """An event at one station. Without times, the whole of the file is meant."""

    event_id: str
    event_class: str  # as the recipe calls it
    file: str
    station: str | None = None  # NET.STA or NET.STA.LOC; None: whatever the file holds
    starttime: datetime | None = None
    endtime: datetime | None = None
    gives_noise: bool = False  # whether the noise around it is cut
    columns: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)  # the whole row


@dataclass(frozen=True)
class Skipped:
    """Something that is not used, and why."""

    item: str
    reason: str
    rows: int = 1  # of the catalogue

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_catalogue(
    path: Path | str, catalogue: Catalogue = EVERY_ROW, *, files: bool = True
) -> tuple[list[CatalogueEntry], list[Skipped]]:
    """Entries of a catalogue, labelled as a recipe's `catalogue` says, and what it leaves out or makes no sense.

    Without `files`, rows need not name any: for those who only compare times and classes.
    Raises BadConfiguration where the file cannot be read or lacks a column that is needed.
    """
    entries, skipped, left_out = [], [], Counter[str]()
    required = REQUIRED if files else REQUIRED[:2]
    for line, row in enumerate(_rows(path, catalogue, required), start=2):
        try:
            entry = _entry(row, required)
        except ValueError as error:
            skipped.append(Skipped(f"row {line} ({row['event_id'] or 'no event_id'})", str(error)))
            continue
        if reason := unwanted(row, catalogue):
            left_out[reason] += 1
            continue
        label = catalogue.model_class(entry.event_class) or ""
        entries.append(replace(entry, event_class=label, gives_noise=gives_noise(row, catalogue)))
    by_recipe = [Skipped(f"{rows} row{'s' * (rows != 1)}", reason, rows) for reason, rows in left_out.items()]
    return entries, [*skipped, *by_recipe]


def _rows(path: Path | str, catalogue: Catalogue, required: Sequence[str]) -> list[dict[str, str]]:
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            header = file.readline()
            delimiter = max(",;\t", key=header.count)
            columns = _columns(next(csv.reader([header], delimiter=delimiter), []))
            _require_columns(path, columns, catalogue, required)
            cells = list(csv.reader(file, delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadConfiguration(f"{path} cannot be read as CSV: {error}. Give a UTF-8 file with a header.") from error
    rows = (
        {name: text.strip() for name, text in zip_longest(columns, row[: len(columns)], fillvalue="")}
        for row in cells
        if row
    )
    if delimiter == ";":
        return [{**row, "duration_s": row.get("duration_s", "").replace(",", ".")} for row in rows]
    return list(rows)


def _columns(header: Sequence[str]) -> list[str]:
    names = [name.strip().lower() for name in header]
    if "event_class" in names:
        return names
    return ["event_class" if name == "label" else name for name in names]


def _require_columns(path: Path | str, columns: Sequence[str], catalogue: Catalogue, required: Sequence[str]) -> None:
    found = f"{path} has columns {', '.join(columns) or '(none)'}"
    missing = [name for name in required if name not in columns]
    if missing:
        raise BadConfiguration(
            f"{found}, but a catalogue needs {', '.join(required)}: {', '.join(missing)} missing. "
            "Name the columns in the first line."
        )
    for setting in ("only", "without", *(["noise_only"] if catalogue.noise_class else [])):
        absent = [name for name in getattr(catalogue, setting) if name not in columns]
        if absent:
            raise BadConfiguration(
                f"{found}, but the recipe's catalogue.{setting} asks for {', '.join(absent)}. "
                "Add such a column, or mend the recipe."
            )


def unwanted(row: Mapping[str, str], catalogue: Catalogue) -> str:
    """Why a recipe leaves a row out; "" where it does not."""
    for name, values in catalogue.only.items():
        if row[name] not in values:
            return f"{name} is {row[name] or 'empty'}, and the recipe's catalogue.only takes {', '.join(values)}"
    for name, values in catalogue.without.items():
        if row[name] in values:
            return f"{name} is {row[name] or 'empty'}, which the recipe's catalogue.without leaves out"
    if catalogue.model_class(row["event_class"]) is None:
        return f"event_class is {row['event_class']}, which the recipe's catalogue.classes counts to no class"
    return ""


def gives_noise(row: Mapping[str, str], catalogue: Catalogue) -> bool:
    """Whether a recipe cuts the noise around a row's event."""
    return bool(catalogue.noise_class) and all(row[name] in values for name, values in catalogue.noise_only.items())


def _entry(row: Mapping[str, str], required: Sequence[str]) -> CatalogueEntry:
    """Raises ValueError saying what is wrong with the row."""
    for name in required:
        if not row[name]:
            raise ValueError(f"{name} is empty; every row needs {', '.join(required)}")
    path = row.get("file", "")
    file = PurePosixPath(path)
    if file.is_absolute() or ".." in file.parts:
        raise ValueError(f"file {path!r} leads out of the waveform folder; give a path below it")
    starttime, endtime = _span(row)
    return CatalogueEntry(row["event_id"], row["event_class"], path, _station(row), starttime, endtime, columns=row)


def _station(row: Mapping[str, str]) -> str | None:
    network, station, location = (row.get(name, "") for name in ("network", "station", "location"))
    if not station:
        return row.get("station_id") or None
    return f"{network}.{station}.{location}" if location else f"{network}.{station}"


def _span(row: Mapping[str, str]) -> tuple[datetime | None, datetime | None]:
    for first, second in SPANS:
        if row.get(first) and row.get(second):
            start = _time(first, row[first])
            end = start + _duration(row[second]) if second == "duration_s" else _time(second, row[second])
            if end <= start:
                raise ValueError(f"{second} {row[second]} ends before {first} {row[first]}; exchange or mend them")
            return start, end
    return None, None


def _time(column: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{column} is {text!r}, but must be a time such as 2026-03-01T06:00:00Z") from error
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _duration(text: str) -> timedelta:
    try:
        duration = timedelta(seconds=float(text))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"duration_s is {text!r}, but must be a number of seconds") from error
    return duration
