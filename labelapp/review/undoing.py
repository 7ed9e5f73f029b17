"""Taking decisions back: by a further row that gives back the label from before, never by removing one."""

from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from labelapp.catalogue.errors import Conflict
from labelapp.catalogue.models import Event, Site
from labelapp.review import ledger
from labelapp.review.closing import close
from labelapp.review.leasing import request_for, require_expert, take_item
from labelapp.review.models import Relabel, ReviewItem
from labelapp.review.standing import DECISIONS, DecidedMeanwhile, decisions_on, standing

State = ReviewItem.State


class Undone(NamedTuple):
    """What an undo did: the withdrawal, the item to decide again, and what kept newer decisions from being taken back.

    `item` is None where somebody else holds a newer question about the event. `passed_over`: of each event on which
    somebody decided since, the newest decision, newest first.
    """

    relabel: Relabel
    item: ReviewItem | None
    passed_over: list[Relabel]


@transaction.atomic
def undo(*, site: Site, expert: Any) -> Undone:
    """Take back the expert's newest decision at a site that can be; the item is leased to the expert.

    Called again, it takes back the one before. Passed over are decisions on which somebody decided since (told), and
    what is no single decision: rows of a bulk relabel (see `undo_batch`), labels carried over by a split, events that
    were merged into others.
    Raises NotAllowed (not an expert), Conflict (nothing is left), DecidedMeanwhile (others decided on all there is).
    """
    require_expert(expert)
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    mine = _single_decisions(site, expert)
    newest = mine.first()
    if newest is None:
        raise Conflict(f"You have no decision at {site} that could be taken back.")
    later = site.relabels.filter(kind__in=DECISIONS, event=OuterRef("event"), sequence__gt=OuterRef("sequence"))
    row = mine.filter(~Exists(standing(later))).first() or newest  # the newest is refused, saying who decided since
    passed = mine.filter(sequence__gt=row.sequence).values_list("event_id", flat=True)
    passed_over = _newest_decisions(site, set(passed))
    withdrawal = withdraw(row=row, expert=expert)
    return Undone(withdrawal, _ask_again(row, expert), passed_over)


def _single_decisions(site: Site, expert: Any) -> QuerySet[Relabel]:
    """The expert's decisions that hold, made one at a time on events that are still events of their own."""
    made = site.relabels.filter(expert=expert, kind__in=DECISIONS, event__merged_into=None)
    alone = made.exclude(details__has_key="batch").exclude(details__has_key="from_event")
    return standing(alone).select_related("event", "item", "from_class").order_by("-sequence")


def _newest_decisions(site: Site, events: set[int]) -> list[Relabel]:
    rows = standing(site.relabels.filter(event__in=events, kind__in=DECISIONS)).order_by("sequence") if events else []
    newest = {row.event_id: row for row in rows}
    return sorted(newest.values(), key=lambda row: -row.sequence)


@transaction.atomic
def withdraw(*, row: Relabel, expert: Any) -> Relabel:
    """Take one decision back: its label gives way to the one before it, what was asked because of it is asked no more.

    The item stays as it is, see `undo`. Raises Conflict where somebody decided on the event since, or the row is
    withdrawn already.
    """
    require_expert(expert)
    site = Site.objects.select_for_update(no_key=True).get(pk=row.site_id)
    list(ReviewItem.objects.select_for_update(of=("self",)).filter(event=row.event_id).order_by("pk"))
    event = Event.objects.select_for_update(of=("self",)).select_related("label").get(pk=row.event_id)
    _refuse_if_overtaken(event, row)
    made_label = row.kind in Relabel.SETS_LABEL
    withdrawal = ledger.append_to_ledger(
        site=site,
        event=event,
        expert=expert,
        item=row.item,
        to_class=row.from_class if made_label else event.label,
        reason="",
        kind=Relabel.Kind.WITHDRAW,
        details={"withdraws": row.sequence},
    )
    if made_label:
        Event.objects.filter(pk=event.pk).update(label=row.from_class)
    _withdraw_followers(row, withdrawal)
    return withdrawal


def _refuse_if_overtaken(event: Event, row: Relabel) -> None:
    decisions = list(decisions_on(event).filter(sequence__gte=row.sequence))
    if not decisions or decisions[0].pk != row.pk:
        raise Conflict(f"Row {row.sequence}, the decision on {event}, was taken back already. Nothing was changed.")
    if len(decisions) > 1:
        raise DecidedMeanwhile(decisions[-1], "It cannot be taken back from under that: decide on the event again.")
    if event.merged_into_id:
        raise Conflict(f"{event} was merged into {event.merged_into} since. Decide on that event instead.")


def _withdraw_followers(row: Relabel, withdrawal: Relabel) -> None:
    """Second opinions and adjudications that were asked because of the row; nobody has decided on them."""
    for field in ("about", "against"):
        close(ReviewItem.objects.filter(**{field: row}), State.WITHDRAWN, withdrawal.decided_at)


def _ask_again(row: Relabel, expert: Any) -> ReviewItem | None:
    """The row's item, open again and leased to the expert; another that is open about the event goes before it."""
    item = _reopened(row)
    try:
        return take_item(item=item, expert=expert)
    except Conflict:
        return None


def _reopened(row: Relabel) -> ReviewItem:
    item = row.item and ReviewItem.objects.get(pk=row.item.pk)
    others = ReviewItem.objects.filter(event=row.event_id, state=State.OPEN)
    if item is None:
        return others.filter(reserved_for=None).first() or request_for(row.event)
    other = others.filter(reserved_for=item.reserved_for_id).exclude(pk=item.pk).first()
    if row.kind == Relabel.Kind.BLIND:
        item.blind = None
    item.state, item.closed_at = (State.WITHDRAWN, item.closed_at) if other else (State.OPEN, None)
    item.postponed_until = None
    item.save(update_fields=["blind", "state", "closed_at", "postponed_until"])
    return other or item
