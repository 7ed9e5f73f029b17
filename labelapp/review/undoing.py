"""Taking decisions back: by a further row that gives back the label from before, never by removing one."""

from typing import Any

from django.db import transaction

from labelapp.catalogue.errors import Conflict
from labelapp.catalogue.models import Event, Site
from labelapp.review import ledger
from labelapp.review.leasing import request_for, require_expert, take_item
from labelapp.review.models import Relabel, ReviewItem
from labelapp.review.standing import DECISIONS, DecidedMeanwhile, decisions_on, standing

State = ReviewItem.State


@transaction.atomic
def undo(*, site: Site, expert: Any) -> tuple[Relabel, ReviewItem | None]:
    """Take back the expert's newest decision at a site that still holds; → (the withdrawal, the item to decide again).

    Called again, it takes back the one before. The item is leased to the expert; None where somebody else holds a newer
    question about the event.
    Raises NotAllowed (not an expert), Conflict (nothing is left, or somebody decided on the event since).
    """
    require_expert(expert)
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    alone = site.relabels.exclude(details__has_key="batch")  # a bulk relabel is taken back as a whole, by `undo_batch`
    mine = alone.filter(expert=expert, kind__in=DECISIONS).select_related("event", "item", "from_class")
    row = standing(mine).order_by("-sequence").first()
    if row is None:
        raise Conflict(f"You have no decision at {site} that could be taken back.")
    withdrawal = withdraw(row=row, expert=expert)
    return withdrawal, _ask_again(row, expert)


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
        ReviewItem.objects.filter(**{field: row}, state=State.OPEN).update(
            state=State.WITHDRAWN, closed_at=withdrawal.decided_at, holder=None, held_until=None
        )


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
