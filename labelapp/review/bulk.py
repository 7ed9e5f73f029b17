"""Many events relabelled at once, with one reason: a row of the ledger each, all of them or none, and to be undone."""

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from labelapp.catalogue import roles
from labelapp.catalogue.errors import Conflict, Invalid, NotAllowed
from labelapp.catalogue.models import Event, EventClass, Site
from labelapp.review import ledger
from labelapp.review.closing import close
from labelapp.review.details import clean_reason
from labelapp.review.leasing import require_expert
from labelapp.review.models import Relabel, ReviewItem
from labelapp.review.questions import OF_EXPERTS
from labelapp.review.standing import LABELLING, standing

State, Kind = ReviewItem.State, Relabel.Kind
MOST_EVENTS = 20_000
CHUNK = 500  # of keys in one statement
SAMPLE = 20


@dataclass(frozen=True)
class Preview:
    """What a bulk relabel would do. `by_class`: how many events have which label now, "" for none."""

    count: int
    changed: int
    unchanged: int
    by_class: dict[str, int]
    sample: list[Event]
    held: list[Event]


@dataclass(frozen=True)
class Batch:
    """What a bulk relabel did; `skipped` were held by other experts."""

    batch: str
    written: int
    skipped: list[Event] = field(default_factory=list)


def preview_relabel(*, site: Site, events: Iterable[int], expert: Any, event_class: EventClass) -> Preview:
    """What `relabel_events` would do now, with the first events that it would change. Raises as that does."""
    chosen, held = _chosen(site, events, expert, event_class)
    by_class = Counter(event.label.code if event.label else "" for event in chosen)
    changed = [event for event in chosen if event.label != event_class]
    return Preview(
        len(chosen), len(changed), len(chosen) - len(changed), dict(by_class), (changed or chosen)[:SAMPLE], held
    )


@transaction.atomic
def relabel_events(*, site: Site, events: Iterable[int], expert: Any, event_class: EventClass, reason: str) -> Batch:
    """Give events, by primary key, a class: one row each, kept together by `details.batch`; their open items are done.

    Events that another expert holds are left out, and said; those merged into others are left out. The rows say nothing
    of what was shown: nobody looked at each event.
    Raises NotAllowed (not an expert), Invalid (no reason, none or too many events, events or a class of another site).
    """
    reason = clean_reason(reason)
    if not reason:
        raise Invalid("Give the reason for relabelling these events: it is written down with each.")
    site = Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    chosen, held = _chosen(site, events, expert, event_class, lock=True)
    batch, items = str(uuid.uuid4()), _open_items(chosen)
    rows = [
        Relabel(
            event=event,
            item=items.get(event.pk),
            kind=ledger.kind_of(event.label, event_class),
            from_class=event.label,
            to_class=event_class,
            reason=reason,
            details={"batch": batch, **({"asked": items[event.pk].reason} if event.pk in items else {})},
        )
        for event in chosen
    ]
    ledger.append_rows(site=site, expert=expert, rows=rows)
    for pks in _chunks([event.pk for event in chosen]):
        Event.objects.filter(pk__in=pks).update(label=event_class)
    _close(list(items.values()))
    return Batch(batch, len(rows), held)


def _chosen(
    site: Site, pks: Iterable[int], expert: Any, event_class: EventClass, *, lock: bool = False
) -> tuple[list[Event], list[Event]]:
    """The events to relabel, oldest first, and those that other experts hold."""
    require_expert(expert)
    if event_class.site_id != site.pk:
        raise Invalid(f"{event_class.code} is no class of {site}.")
    wanted = list(dict.fromkeys(pks))
    if not 1 <= len(wanted) <= MOST_EVENTS:
        raise Invalid(f"{len(wanted)} events are chosen. Choose 1 to {MOST_EVENTS}.")
    found = _events(site, wanted, lock)
    others = set(_held_by_others(site, expert))  # once they are locked, nobody else can be given one
    if strangers := set(wanted) - {event.pk for event in found}:
        raise Invalid(f"{len(strangers)} of the chosen events are not of {site}: {min(strangers)} is one.")
    current = [event for event in found if event.merged_into_id is None]
    return [e for e in current if e.pk not in others], [e for e in current if e.pk in others]


def _events(site: Site, pks: Sequence[int], lock: bool) -> list[Event]:
    events = site.events.select_related("label", "site", "station", "catalogue_label").order_by("pk")
    if lock:  # items before events: the order in which everybody locks
        for chunk in _chunks(pks):
            list(ReviewItem.objects.select_for_update(of=("self",)).filter(event__in=chunk, state=State.OPEN))
        events = events.select_for_update(of=("self",))
    found = [event for chunk in _chunks(pks) for event in events.filter(pk__in=chunk)]
    return sorted(found, key=lambda event: (event.starttime, event.pk))


def _held_by_others(site: Site, expert: Any) -> Iterator[int]:
    held = Q(state=State.OPEN, holder__isnull=False, held_until__gt=timezone.now())
    yield from site.review_items.filter(held).exclude(holder=expert).values_list("event_id", flat=True)


def _open_items(events: Sequence[Event]) -> dict[int, ReviewItem]:
    """{event pk: its open item that a relabel answers}: not what experts ask each other."""
    items = ReviewItem.objects.filter(state=State.OPEN, reserved_for=None).exclude(reason__in=OF_EXPERTS)
    pks = [event.pk for event in events]
    return {item.event_id: item for chunk in _chunks(pks) for item in items.filter(event__in=chunk)}


def _close(items: Sequence[ReviewItem]) -> None:
    now = timezone.now()
    for pks in _chunks([item.pk for item in items]):
        close(ReviewItem.objects.filter(pk__in=pks), State.DONE, now)


def _chunks(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(keys), CHUNK):
        yield keys[first : first + CHUNK]


@dataclass(frozen=True)
class Undone:
    """What taking back a batch did; `left` were decided, or merged, since."""

    withdrawn: int
    left: list[Event]


@transaction.atomic
def undo_batch(*, site: Site, batch: str, by: Any) -> Undone:
    """Take back every row of a batch on which nobody decided since; the questions that it answered are open again.

    Raises NotAllowed unless it is done by whoever wrote the batch, or a manager; Invalid for a batch that is none;
    Conflict where nothing is left to take back.
    """
    require_expert(by)
    site = Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    written = site.relabels.filter(details__batch=batch, kind__in=LABELLING)
    rows = list(standing(written).select_related("event__label", "from_class", "to_class", "item").order_by("sequence"))
    _refuse_undo(site, batch, by, rows, written.exists())
    _events(site, [row.event_id for row in rows], lock=True)
    overtaken = _overtaken(site, rows)
    taken_back = [row for row in rows if row.event_id not in overtaken]
    if not taken_back:
        raise Conflict(f"Somebody decided since on each of the {len(rows)} events. Nothing was changed.")
    ledger.append_rows(site=site, expert=by, rows=[_withdrawal(row) for row in taken_back])
    _give_back_labels(taken_back)
    _reopen(taken_back)
    return Undone(len(taken_back), [row.event for row in rows if row.event_id in overtaken])


def _refuse_undo(site: Site, batch: str, by: Any, rows: list[Relabel], is_known: bool) -> None:
    if not is_known:
        raise Invalid(f"{site} has no batch {batch}.")
    if not rows:
        raise Conflict(f"Batch {batch} was taken back already. Nothing was changed.")
    if rows[0].expert_id != by.pk and not roles.is_manager(by):
        raise NotAllowed(f"{rows[0].expert_name} relabelled these events. They or a manager can take it back.")


def _overtaken(site: Site, rows: list[Relabel]) -> set[int]:
    """Events on which somebody decided after the batch, or that were merged into others."""
    later = standing(site.relabels.filter(sequence__gt=rows[0].sequence, kind__in=LABELLING))
    newest = dict(later.order_by("sequence").values_list("event_id", "sequence"))
    return {row.event_id for row in rows if newest.get(row.event_id, 0) > row.sequence or row.event.merged_into_id}


def _withdrawal(row: Relabel) -> Relabel:
    return Relabel(
        event=row.event,
        item=row.item,
        kind=Kind.WITHDRAW,
        from_class=row.to_class,
        to_class=row.from_class,
        details={"withdraws": row.sequence},
    )


def _give_back_labels(rows: Sequence[Relabel]) -> None:
    by_label: dict[int | None, list[int]] = {}
    for row in rows:
        by_label.setdefault(row.from_class_id, []).append(row.event_id)
    for label, events in by_label.items():
        for pks in _chunks(events):
            Event.objects.filter(pk__in=pks).update(label=label)


def _reopen(rows: Sequence[Relabel]) -> None:
    """An item is open again, unless its event has another question by now: then that stands for it."""
    open_now = {pk for chunk in _chunks([row.event_id for row in rows]) for pk in _asked_about(chunk)}
    items = {row.item_id: row.event_id for row in rows if row.item_id}
    again = [item for item, event in items.items() if event not in open_now]
    for pks in _chunks(again):
        ReviewItem.objects.filter(pk__in=pks).update(state=State.OPEN, closed_at=None, postponed_until=None)
    for pks in _chunks([item for item in items if item not in set(again)]):
        ReviewItem.objects.filter(pk__in=pks).update(state=State.WITHDRAWN)


def _asked_about(events: Sequence[int]) -> Iterable[int]:
    items = ReviewItem.objects.filter(event__in=events, state=State.OPEN, reserved_for=None)
    return items.values_list("event_id", flat=True)
