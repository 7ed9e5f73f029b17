"""Whether events are as the ledger's rows on boundaries and merging left them: parts of `ledger.verify`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from labelapp.catalogue.models import Site
from labelapp.catalogue.text import iso
from labelapp.review.chain import Problem
from labelapp.review.models import Relabel

Kind = Relabel.Kind


def check_merges(site: Site, rows: Sequence[Relabel]) -> Iterator[Problem]:
    """An event is merged into another exactly where a row that holds says so, and into that one."""
    said = {row.event_id: row for row in _holding(rows, Kind.MERGE)}
    merged = site.events.exclude(merged_into=None).values_list("pk", "event_id", "merged_into__event_id")
    found = {pk: into for pk, _, into in merged}
    for pk, event_id, survivor in merged:
        if pk not in said:
            yield Problem(None, f"event {event_id} is merged into {survivor}, but no row says so.")
    for row in said.values():
        into, expected = found.get(row.event_id), _detail(row, "into")
        if into != expected:
            is_so = f"is merged into {into}" if into else "stands by itself"
            yield Problem(row.sequence, f"event {row.event_name} {is_so}, but the ledger merged it into {expected}.")


def check_spans(site: Site, rows: Sequence[Relabel]) -> Iterator[Problem]:
    """An event whose boundaries were moved runs as the last row that holds says; nobody moves those of the others."""
    last = {row.event_id: row for row in _holding(rows, Kind.SPAN)}
    spans = {pk: [iso(start), iso(end)] for pk, start, end in _spans(site)} if last else {}
    for row in last.values():
        span, moved = spans.get(row.event_id), _detail(row, "span")
        expected = moved.get("to") if isinstance(moved, dict) else None
        if span != expected:
            yield Problem(
                row.sequence, f"event {row.event_name} runs {_words(span)}, but the ledger gives {_words(expected)}."
            )


def _spans(site: Site) -> Any:
    moved = site.events.filter(relabels__kind=Kind.SPAN).distinct()
    return moved.order_by().values_list("pk", "starttime", "endtime")


def _holding(rows: Iterable[Relabel], kind: str) -> Iterator[Relabel]:
    """The rows of a kind that nobody took back, in their order."""
    rows = list(rows)
    withdrawn = {_detail(row, "withdraws") for row in rows if row.kind == Kind.WITHDRAW}
    return (row for row in rows if row.kind == kind and row.sequence not in withdrawn)


def _detail(row: Relabel, name: str) -> Any:
    """None also of details that somebody replaced by something else: the hash tells of that."""
    return row.details.get(name) if isinstance(row.details, dict) else None


def _words(span: Any) -> str:
    return f"from {span[0]} to {span[1]}" if isinstance(span, list) and len(span) == 2 else "at no time"
