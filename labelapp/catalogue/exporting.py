"""Catalogues go out: CSV (one row per event and station) and QuakeML; both can be imported again without loss.

`event_class` is the label that holds now, `catalogue_class` what was imported first (ignored by an import). Times are
UTC in ISO 8601 with microseconds. Text that a spreadsheet would take for a formula gets an apostrophe before it, which
an import takes away again. What a model suspects goes out as CSV or JSON, the most suspicious label first.
"""

import csv
import json
from collections.abc import Iterator
from typing import Any, TextIO

from django.db.models import QuerySet

from labelapp.catalogue import quakeml
from labelapp.catalogue.models import Event, Observation, TrainingExample
from labelapp.catalogue.selectors import most_probable
from labelapp.catalogue.text import guarded, iso

COLUMNS = (
    "event_id", "event_class", "starttime", "endtime", "network", "station", "location", "snr", "latitude",
    "longitude", "description", "source", "origin", "catalogue_class", "event_starttime", "event_endtime",
)  # fmt: skip


LABEL_ERRORS = ("event_id", "label", "predicted", "probability", "suspicion", "label_now", "split")


class Line:
    """A stream that hands back what is written, so that csv can make single lines."""

    def write(self, text: str) -> str:
        """Return the text."""
        return text


def catalogue_csv(events: QuerySet[Event]) -> Iterator[str]:
    """Lines of the CSV, header first, in bounded memory: for a file or a streamed answer."""
    writer = csv.writer(Line())
    yield str(writer.writerow(COLUMNS))
    for event in _complete(events).iterator(chunk_size=1000):
        observations: list[Observation | None] = [*quakeml.observations_of(event)]
        for observation in observations or [None]:
            yield str(writer.writerow(_cells(event, observation)))


def write_catalogue_csv(stream: TextIO, events: QuerySet[Event]) -> int:
    """Write the CSV; → how many rows."""
    return sum(bool(stream.write(line)) for line in catalogue_csv(events)) - 1


def write_catalogue_quakeml(stream: TextIO, events: QuerySet[Event]) -> int:
    """Write QuakeML 1.2, to be encoded as UTF-8; → how many events. Holds the catalogue in memory."""
    content, count = quakeml.write(_complete(events).iterator(chunk_size=1000))
    stream.write(content.decode())
    return count


def label_errors_csv(examples: QuerySet[TrainingExample]) -> Iterator[str]:
    """Lines of the CSV, header first; `predicted` and `probability` are by folds that never saw the event."""
    writer = csv.writer(Line())
    yield str(writer.writerow(LABEL_ERRORS))
    for facts in _label_errors(examples):
        cells = {**facts, "event_id": guarded(facts["event_id"])}
        yield str(writer.writerow("" if cells[name] is None else cells[name] for name in LABEL_ERRORS))


def label_errors_json(examples: QuerySet[TrainingExample]) -> Iterator[str]:
    """The same as one JSON list, an object a line."""
    before = "["
    for facts in _label_errors(examples):
        yield f"{before}\n{json.dumps(facts)}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def _label_errors(examples: QuerySet[TrainingExample]) -> Iterator[dict[str, Any]]:
    for example in examples.iterator(chunk_size=1000):
        predicted, probability = most_probable(example.out_of_fold)
        yield {
            "event_id": example.event.event_id,
            "label": example.event_class.code,
            "predicted": predicted,
            "probability": probability,
            "suspicion": example.suspicion,
            "label_now": example.event.label.code if example.event.label else None,
            "split": example.split,
        }


def _complete(events: QuerySet[Event]) -> QuerySet[Event]:
    return events.select_related("label", "catalogue_label", "station").prefetch_related("observations__station")


def _cells(event: Event, observation: Observation | None) -> list[Any]:
    place = observation.station if observation else None
    span = observation or event
    return [
        guarded(event.event_id),
        event.label.code if event.label else "",
        iso(span.starttime),
        iso(span.endtime),
        *((guarded(place.network), guarded(place.code), guarded(place.location)) if place else ("", "", "")),
        _number(observation.snr if observation else None),
        _number(event.latitude_deg),
        _number(event.longitude_deg),
        guarded(event.description),
        guarded(event.source),
        event.origin,
        event.catalogue_label.code if event.catalogue_label else "",
        iso(event.starttime),
        iso(event.endtime),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)
