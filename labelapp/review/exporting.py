"""The relabel history goes out: jsonl with every hashed fact, for `chain.py`; CSV for people and spreadsheets."""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, TextIO

from labelapp.catalogue.exporting import Line
from labelapp.catalogue.models import Site
from labelapp.catalogue.text import guarded, iso
from labelapp.review import ledger, selectors
from labelapp.review.models import Relabel

# CSV has the facts people ask for; only jsonl proves itself.
COLUMNS = (
    "sequence", "decided_at", "event_id", "kind", "from_class", "to_class", "reason", "expert", "predicted_class",
    "probability", "model", "prediction", "prediction_sha256", "model_sha256", "panels",
    *(SAID := ("asked", "confidence", "comment", "verdict", "box", "seconds", "held_s", "withdraws", "blind", "about",
               "between", "gold", "batch", "span", "into", "parts", "from_event")),
    "previous_hash", "hash",
)  # fmt: skip
# Blank in every row, not in those of gold checks alone: what is missing would tell.
TELLS_GOLD = ("asked", "about", "gold")


def relabel_lines(
    site: Site, *, format: str = "csv", since: datetime | None = None, tells_gold: bool = True
) -> Iterator[str]:
    """Lines of an export, oldest decision first, in bounded memory. Raises ValueError for an unknown format.

    Without `tells_gold` the CSV's cells that say what was a gold check are blank; jsonl is hashed, and always whole.
    """
    rows = selectors.relabels(site, since=since).select_related("prediction__event_class").iterator(chunk_size=1000)
    if format == "jsonl":
        return (json.dumps(ledger.hashed(row), sort_keys=True, ensure_ascii=True) + "\n" for row in rows)
    if format == "csv":
        return _csv_lines(rows, tells_gold)
    raise ValueError(f"There is no format {format!r}. Use csv or jsonl.")


def write_relabels(stream: TextIO, site: Site, format: str = "csv", since: datetime | None = None) -> int:
    """Write the export; → how many decisions."""
    written = sum(bool(stream.write(line)) for line in relabel_lines(site, format=format, since=since))
    return written - (format == "csv")


def _csv_lines(rows: Iterator[Relabel], tells_gold: bool) -> Iterator[str]:
    writer = csv.writer(Line())
    yield str(writer.writerow(COLUMNS))
    for row in rows:
        yield str(writer.writerow(_cells(row, () if tells_gold else TELLS_GOLD)))


def _cells(row: Relabel, hidden: Iterable[str]) -> list[object]:
    shown, prediction = row.shown, row.prediction
    return [
        row.sequence,
        iso(row.decided_at),
        guarded(row.event_name),
        row.kind,
        row.from_code,
        row.to_code,
        guarded(row.reason),
        guarded(row.expert_name),
        prediction.event_class.code if prediction else "",
        repr(prediction.probability) if prediction else "",
        shown.get("model", {}).get("number", ""),
        row.prediction_id or "",
        shown.get("prediction", {}).get("sha256", ""),
        shown.get("model", {}).get("sha256", ""),
        " ".join(f"{station}={sha256}" for station, sha256 in sorted(shown.get("panels", {}).items())),
        *("" if name in hidden else _cell(row.details.get(name, "")) for name in SAID),
        row.previous_hash,
        row.hash,
    ]


def _cell(value: Any) -> object:
    """A detail: text and numbers as they are, lists and boxes as JSON."""
    if isinstance(value, dict | list):
        value = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return guarded(value) if isinstance(value, str) else value
