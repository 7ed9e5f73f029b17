"""The command line of `detect`: files of any length in, the events in them out, and how they compare with a catalogue.

Files and folders may hold many stations and days; each station is scanned by itself, piece by piece. The answer is
JSON, or with --csv a catalogue that mlcore and the web application read.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from mlcore.archive import Archive, Span
from mlcore.catalogues import read_catalogue
from mlcore.classify.detect import Done, Options, detect
from mlcore.classify.postprocess import Detection
from mlcore.classify.predict import Classifier
from mlcore.command import print_json, show_progress
from mlcore.errors import BadConfiguration, UnusableWaveform
from mlcore.matching import CatalogueEvent, matching_report
from mlcore.traces import iso
from mlcore.training import Progress

EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
COLUMNS = ("event_id", "event_class", "starttime", "endtime", "network", "station", "location", "probability")


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    classifier = Classifier.from_directory(options.model_dir)
    if options.trigger:
        trigger = replace(classifier.recipe.trigger, method=options.trigger)
        classifier.recipe = replace(classifier.recipe, trigger=trigger)
    truth = _truth(options.catalogue, classifier) if options.catalogue else None
    archive = Archive.of(options.files)
    stations, found = [], []
    for station in archive.stations:
        told, detections = _station(archive, station, classifier, options)
        stations.append(told)
        found += detections
    if not sum(told["windows"] for told in stations):
        raise UnusableWaveform(_nothing(stations, archive))
    if options.csv:
        _write_csv(found)
    answer: dict[str, Any] = {
        "model": classifier.checksum,
        "stations": stations,
        "detections": [_plain(one) for one in found],
        "skipped": [{"item": item, "reason": why} for item, why in archive.unreadable.items()],
    }
    if truth is not None:
        answer["matching"] = _matching(truth, found, stations, classifier, options.tolerance)
    if not options.csv:
        print_json(answer)
    elif truth is not None:
        print(json.dumps(answer["matching"], indent=2, ensure_ascii=False), file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mlcore.classify.detect", description=__doc__)
    parser.add_argument("model_dir")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings, or folders of them")
    parser.add_argument("--start", type=_time, default=EARLIEST, help="ISO 8601; UTC unless it carries an offset")
    parser.add_argument("--end", type=_time, default=LATEST)
    parser.add_argument("--trigger", choices=["network", "sta_lta"], help="instead of what the model's recipe says")
    parser.add_argument("--float32", action="store_true", help="do without bfloat16 where the CPU has it")
    parser.add_argument("--csv", action="store_true", help="write a catalogue, not JSON")
    parser.add_argument("--catalogue", help="CSV to compare with; columns as mlcore.catalogues says, file not needed")
    parser.add_argument(
        "--tolerance", type=float, default=5.0, metavar="S", help="seconds between spans that match (5)"
    )
    return parser


def _station(
    archive: Archive, station: str, classifier: Classifier, options: argparse.Namespace
) -> tuple[dict[str, Any], list[Detection]]:
    """What was scanned of a station, and what was found."""
    components = classifier.recipe.preprocessing.components
    spans = list(_within(archive.spans(station), options.start, options.end))
    pieces: list[Done] = []
    found: list[Detection] = []
    for span in spans:
        found += detect(
            lambda start, end: archive.read(station, start, end, components),
            span,
            classifier,
            watch=partial(_watch, span, station, pieces),
            options=Options(float32=options.float32),
        )
    told = {
        "station": station,
        "spans": [[iso(start), iso(end)] for start, end in spans],
        "windows": sum(done.windows for done in pieces),
        "problems": [{"from": iso(d.begin), "to": iso(d.end), "reason": d.problem} for d in pieces if d.problem],
    }
    return told, found


def _watch(span: Span, station: str, pieces: list[Done], done: Done) -> None:
    pieces.append(done)
    share = (done.end - span[0]) / (span[1] - span[0])
    show_progress(Progress("scanning", min(share, 1.0), {}, f"{station} until {iso(done.end)}"))


def _within(spans: list[Span], start: datetime, end: datetime) -> Iterator[Span]:
    for first, last in spans:
        if max(first, start) < min(last, end):
            yield max(first, start), min(last, end)


def _truth(path: str, classifier: Classifier) -> list[tuple[str | None, CatalogueEvent]]:
    """The catalogue's events with the station that each row names, as the model's recipe calls them."""
    entries, _ = read_catalogue(path, classifier.recipe.catalogue, files=False)
    timed = [e for e in entries if e.starttime is not None and e.endtime is not None]
    if not timed:
        raise BadConfiguration(f"{path} has no row with a time that the recipe takes. Give starttime and endtime.")
    return [(e.station, CatalogueEvent(e.starttime, e.endtime, e.event_class, e.event_id)) for e in timed]  # type: ignore[arg-type]


def _matching(
    truth: list[tuple[str | None, CatalogueEvent]],
    found: list[Detection],
    stations: list[dict[str, Any]],
    classifier: Classifier,
    tolerance_s: float,
) -> dict[str, Any]:
    """One report a station: of the rows that name it or none, in the time that was scanned."""
    noise, reports = classifier.recipe.post_processing.noise_class, {}
    for told in stations:
        station = told["station"]
        spans = [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in told["spans"]]
        rows = [
            event
            for named, event in truth
            if (named is None or f"{station}.".startswith(f"{named}."))
            and any(event.starttime < end and event.endtime > start for start, end in spans)
        ]
        own = [one for one in found if one.station == station]
        reports[station] = matching_report(rows, own, tolerance_s, noise)
    return reports


def _plain(one: Detection) -> dict[str, Any]:
    return {
        "station": one.station,
        "starttime": iso(one.starttime),
        "endtime": iso(one.endtime),
        "class": one.class_code,
        "probability": one.probability,
    }


def _write_csv(found: list[Detection]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    for number, one in enumerate(found, start=1):
        times = (iso(one.starttime), iso(one.endtime))
        writer.writerow([f"d{number}", one.class_code, *times, *one.station.split("."), f"{one.probability:.4f}"])


def _nothing(stations: list[dict[str, Any]], archive: Archive) -> str:
    reasons = [problem["reason"] for told in stations for problem in told["problems"]] or [*archive.unreadable.values()]
    why = f"The first reason: {reasons[0]}" if reasons else "No record in that time is as long as a window."
    return f"Nothing in the files can be scanned. {why}"


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
