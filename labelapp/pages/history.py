"""The history of an event in words: what each row of the ledger did, and what the expert said with it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from labelapp.catalogue.models import Event, Site
from labelapp.catalogue.text import iso
from labelapp.pages.tags import duration
from labelapp.review.models import Relabel, ReviewItem

CONFIDENCES = {"certain": "certain", "likely": "fairly sure", "guess": "a guess"}
VERDICTS = {
    "right": "the machine’s reason is right",
    "wrong_reason": "the machine is right for the wrong reason",
    "wrong": "the machine’s reason is wrong",
}
# A gold check must look like any other question.
UNTOLD_QUESTIONS = {"", ReviewItem.Reason.GOLD}


def told(event: Event, rows: Iterable[Relabel]) -> list[dict[str, Any]]:
    """For each row: the row, notes [(what, text)], other events {id: Event or None}, and who took it back."""
    rows = list(rows)
    taken_back = {row.details.get("withdraws"): row for row in rows if row.kind == Relabel.Kind.WITHDRAW}
    others = _others(event.site, rows)
    return [
        {
            "row": row,
            "notes": notes(row.details),
            "events": [(what, name, others.get(name)) for what, name in _named(row.details)],
            "taken_back_by": taken_back.get(row.sequence),
        }
        for row in rows
    ]


def notes(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the expert said beside the class, (what, text). Keys that are unknown or misshapen say nothing."""
    found = [
        ("confidence", CONFIDENCES.get(details.get("confidence", ""), "")),
        ("verdict", VERDICTS.get(details.get("verdict", ""), "")),
        ("misleading part", _box(details.get("box"))),
        ("comment", str(details.get("comment", ""))),
        ("question", _question(details.get("asked", ""))),
        ("ledger", _refers(details)),
        ("boundaries", _span(details.get("span"))),
        ("looked for", _seconds(details.get("seconds"))),
        ("relabelled", "together with others, on the catalogue list" if "batch" in details else ""),
    ]
    return [(what, text) for what, text in found if text]


def _question(code: str) -> str:
    words = dict(ReviewItem.Reason.choices)
    return "" if code in UNTOLD_QUESTIONS else str(words.get(code, ""))


def _refers(details: Mapping[str, Any]) -> str:
    """Other rows of the ledger that this one is about, by their numbers."""
    between = details.get("between")
    said = [
        f"second opinion on row {details['about']}" if "about" in details else "",
        f"decides between rows {between[0]} and {between[1]}"
        if isinstance(between, list) and len(between) == 2
        else "",
        f"seen after the blind decision in row {details['blind']}" if "blind" in details else "",
        f"takes back row {details['withdraws']}" if "withdraws" in details else "",
    ]
    return "; ".join(text for text in said if text)


def _box(box: Any) -> str:
    try:
        begin, end, low, high = (f"{float(box[key]):g}" for key in ("from_s", "to_s", "low_hz", "high_hz"))
        return f"{begin}–{end} s, {low}–{high} Hz in the map of {box['map']}, {box['station']} {box['component']}"
    except (KeyError, TypeError, ValueError):
        return ""


def _seconds(text: Any) -> str:
    try:
        seconds = float(text)
    except (TypeError, ValueError):
        return ""
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def _span(span: Any) -> str:
    """From which start and end to which, and by how much each moved."""
    try:
        (start, end), (new_start, new_end) = (map(datetime.fromisoformat, span[key]) for key in ("from", "to"))
        moved = f"start {_moved(start, new_start)}, end {_moved(end, new_end)}"
    except (KeyError, TypeError, ValueError):
        return ""
    return f"{iso(start)} to {iso(end)} → {iso(new_start)} to {iso(new_end)} ({moved})"


def _moved(old: datetime, new: datetime) -> str:
    by = (new - old).total_seconds()
    return f"{by:+.3f} s".replace("-", "−") if by else "as it was"


def _named(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Other events that a row names, (what they are to this one, event id)."""
    parts = details.get("parts")
    found = [("merged into", details.get("into")), ("split off", details.get("from_event"))]
    found += [("split into", name) for name in (parts if isinstance(parts, list) else [])]
    return [(what, str(name)) for what, name in found if name]


def _others(site: Site, rows: Iterable[Relabel]) -> dict[str, Event]:
    names = {name for row in rows for _, name in _named(row.details)}
    return {event.event_id: event for event in site.events.filter(event_id__in=names)} if names else {}
