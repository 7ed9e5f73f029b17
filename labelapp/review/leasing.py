"""Who looks at which item: leases, given by one statement each, so that no item is ever held by two."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from labelapp.catalogue import roles
from labelapp.catalogue.errors import Conflict, NotAllowed
from labelapp.catalogue.models import Event, Site
from labelapp.catalogue.services import classes_by_code
from labelapp.review import ledger
from labelapp.review.judging import judgements
from labelapp.review.models import ReviewItem
from labelapp.review.selectors import free, held_by, policy_of, waiting


def next_item(*, site: Site, expert: Any) -> ReviewItem | None:
    """Lease the most valuable waiting item to an expert; the one they hold already comes first. None: queue is empty.

    The lease is one UPDATE that holds only while the item is still free; who comes second tries the item after it.
    Raises NotAllowed for users who may not decide.
    """
    require_expert(expert)
    while True:
        now = timezone.now()
        mine = site.review_items.filter(held_by(expert, now)).order_by("-priority", "pk").first()
        item = mine or site.review_items.filter(waiting(now)).order_by("-priority", "pk").first()
        if item is None or _lease(item, expert, now):
            return item


def take_item(*, item: ReviewItem, expert: Any) -> ReviewItem:
    """Lease a given item, or renew the lease. Raises Conflict when it is closed or somebody else holds it."""
    require_expert(expert)
    if not _lease(item, expert, timezone.now()):
        item.refresh_from_db()
        refuse_unless_free_for(item, expert)
    return item


def renew_lease(*, item: ReviewItem, expert: Any) -> ReviewItem:
    """Hold an item for longer; also after the lease has run out, if nobody else has taken it since."""
    return take_item(item=item, expert=expert)


def _lease(item: ReviewItem, expert: Any, now: datetime) -> bool:
    """Whether the item could be leased: compare and set in one statement, so that no two experts both succeed."""
    until = now + policy_of(item.site).lease
    open_items = ReviewItem.objects.filter(pk=item.pk, state=ReviewItem.State.OPEN)
    leased = open_items.filter(free(now) | held_by(expert, now)).update(holder=expert, held_until=until)
    if leased:
        item.holder, item.held_until, item.state = expert, until, ReviewItem.State.OPEN
    return bool(leased)


def release(*, item: ReviewItem, expert: Any) -> None:
    """Give an item back. Nothing happens when the expert does not hold it."""
    ReviewItem.objects.filter(pk=item.pk, holder=expert).update(holder=None, held_until=None)


@transaction.atomic
def skip_item(*, item: ReviewItem, expert: Any) -> None:
    """Put an item off for an hour, for everybody. Raises Conflict when it is closed or somebody else holds it."""
    require_expert(expert)
    item = ReviewItem.objects.select_for_update(of=("self",)).get(pk=item.pk)
    refuse_unless_free_for(item, expert)
    item.holder = item.held_until = None
    item.postponed_until = timezone.now() + timedelta(seconds=policy_of(item.site).postpone_s)
    item.save(update_fields=["holder", "held_until", "postponed_until"])


@transaction.atomic
def ask_for_review(*, event: Event, expert: Any) -> ReviewItem:
    """Put an event into the queue because an expert wants to look at it (again), and lease it to them."""
    require_expert(expert)
    Site.objects.select_for_update(no_key=True).get(pk=event.site_id)
    item = ReviewItem.objects.filter(event=event, state=ReviewItem.State.OPEN).first()
    if item is None:
        newest = event.predictions.order_by("-created_at", "-pk").first()
        facts = judgements(event.site, [newest])[event.pk].facts(classes_by_code(event.site)) if newest else {}
        facts["reason"] = ReviewItem.Reason.REQUEST
        item = ReviewItem.objects.create(site_id=event.site_id, event=event, prediction=newest, **facts)
    return take_item(item=item, expert=expert)


def require_expert(user: Any) -> None:
    if not roles.is_expert(user):
        raise NotAllowed(f"{user} is not an expert. Ask whoever runs this server for the role.")


def refuse_unless_free_for(item: ReviewItem, expert: Any) -> None:
    if item.state == ReviewItem.State.WITHDRAWN:
        raise Conflict(f"{item.event} was withdrawn: a newer prediction leaves nothing to ask. Take the next item.")
    if item.state == ReviewItem.State.DONE:
        row = item.relabels.latest("sequence")
        raise Conflict(
            f"{row.expert_name} labelled {row.event_name} {row.to_code} at {ledger.iso(row.decided_at)}. "
            "Nothing was changed. Take the next item, or ask for another review of the event."
        )
    if item.held and item.holder != expert:
        until = f"{item.held_until:%Y-%m-%dT%H:%M:%SZ}"
        raise Conflict(f"{item.event} is held by {item.holder} until {until}. Take the next item.")
