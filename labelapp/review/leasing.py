"""Who looks at which item: leases, so that no item is ever held by two.

PostgreSQL hands each expert another row at once (`SKIP LOCKED`); SQLite has one writer at a time, who sees what the one
before left. On both the lease itself is one UPDATE that holds only while the item is still free.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, When
from django.utils import timezone

from labelapp.catalogue import roles
from labelapp.catalogue.errors import Conflict, Invalid, NotAllowed
from labelapp.catalogue.models import Event, Site
from labelapp.catalogue.text import iso
from labelapp.review import worth
from labelapp.review.gold import next_gold
from labelapp.review.judging import facts_of
from labelapp.review.models import Relabel, ReviewItem
from labelapp.review.selectors import allowed_for, better_left_to_a_third, free, held_by, policy_of, waiting
from labelapp.review.standing import refuse_decided

# The longest that an item can be put off: who never wants to see it again decides it instead.
LONGEST_POSTPONE = timedelta(days=30)


def next_item(*, site: Site, expert: Any, among: QuerySet[ReviewItem] | None = None) -> ReviewItem | None:
    """Lease the most valuable waiting item to an expert; the one they hold already comes first. None: nothing waits.

    `among` narrows the choice (the API's QueueFilters make it); a held item that is not in it is given back. Now and
    then it is a gold check instead, where that is in the choice: else it would stand out. Adjudications go to a third
    expert where there is one; either of the two may still take theirs by `take_item`.
    Raises NotAllowed for users who may not decide.
    """
    require_expert(expert)
    choice = (site.review_items.all() if among is None else among.filter(site=site)).order_by("-priority", "pk")
    if among is not None:
        _give_back_others(choice, site, expert)
    while True:
        with transaction.atomic():
            now = timezone.now()
            held = choice.filter(held_by(expert, now)).first()
            item = held or _gold(choice, site, expert) or _first_waiting(choice, expert, now)
            if item is None:
                return None
            item.site = site
            if _lease(item, expert, now):
                return item


def _gold(choice: QuerySet[ReviewItem], site: Site, expert: Any) -> ReviewItem | None:
    check = next_gold(site=site, expert=expert)
    return choice.filter(pk=check.pk).first() if check else None


def _first_waiting(choice: QuerySet[ReviewItem], expert: Any, now: datetime) -> ReviewItem | None:
    """The first item that nobody else is just being given.

    Where others' transactions hold all of them, filling the queue say, wait for the first: the queue is not empty.
    """
    mine = choice.filter(waiting(now) & allowed_for(expert)).exclude(better_left_to_a_third(expert))
    unlocked = mine.select_for_update(of=("self",), skip_locked=True).first()
    return unlocked or mine.select_for_update(of=("self",)).first()


def _give_back_others(choice: QuerySet[ReviewItem], site: Site, expert: Any) -> None:
    """Who turns to another part of the queue no longer looks at what they held."""
    held = site.review_items.filter(holder=expert).exclude(pk__in=choice.values("pk"))
    held.update(holder=None, held_until=None)


def take_item(*, item: ReviewItem, expert: Any) -> ReviewItem:
    """Lease a given item, or renew the lease.

    Raises Conflict when it is closed, held by somebody else, or not for this expert.
    """
    require_expert(expert)
    if not _lease(item, expert, timezone.now()):
        item.refresh_from_db()
        refuse_unless_free_for(item, expert)
    return item


def renew_lease(*, item: ReviewItem, expert: Any) -> ReviewItem:
    """Hold an item for longer; also after the lease has run out, if nobody else has taken it since."""
    return take_item(item=item, expert=expert)


def _lease(item: ReviewItem, expert: Any, now: datetime) -> bool:
    """Whether the item could be leased: compare and set in one statement, so that no two experts both succeed.

    Another holder begins anew: the time that they look, and what they decided blindly.
    """
    until = now + policy_of(item.site).lease
    open_items = ReviewItem.objects.filter(pk=item.pk, state=ReviewItem.State.OPEN)
    leased = open_items.filter((free(now) | held_by(expert, now)) & allowed_for(expert)).update(
        taken_at=Case(When(holder=expert, then=F("taken_at")), default=now),
        blind=Case(When(blind__in=Relabel.objects.filter(expert=expert), then=F("blind")), default=None),
        former_holder=Case(When(Q(holder=None) | Q(holder=expert), then=F("former_holder")), default=F("holder")),
        holder=expert,
        held_until=until,
    )
    if leased:
        item.refresh_from_db(fields=["taken_at", "blind"])
        item.holder, item.held_until, item.state = expert, until, ReviewItem.State.OPEN
    return bool(leased)


def release(*, item: ReviewItem, expert: Any) -> None:
    """Give an item back. Nothing happens when the expert does not hold it."""
    ReviewItem.objects.filter(pk=item.pk, holder=expert).update(holder=None, held_until=None)


@transaction.atomic
def skip_item(*, item: ReviewItem, expert: Any, postpone_s: int | None = None) -> None:
    """Put an item off, for everybody: for the site's `postpone_s`, or a given time.

    Raises Conflict when it is closed or somebody else holds it, Invalid for a time that is none.
    """
    require_expert(expert)
    item = ReviewItem.objects.select_for_update(of=("self",)).get(pk=item.pk)
    refuse_unless_free_for(item, expert)
    seconds = policy_of(item.site).postpone_s if postpone_s is None else postpone_s
    if not 1 <= seconds <= LONGEST_POSTPONE.total_seconds():
        raise Invalid(f"An item cannot be put off for {seconds} s. Give 1 s to {LONGEST_POSTPONE.days} days.")
    item.holder = item.held_until = None
    item.postponed_until = timezone.now() + timedelta(seconds=seconds)
    item.save(update_fields=["holder", "held_until", "postponed_until"])


@transaction.atomic
def ask_for_review(*, event: Event, expert: Any) -> ReviewItem:
    """Put an event into the queue because an expert wants to look at it (again), and lease it to them.

    Raises Conflict where somebody else holds its item, or it was merged into another event.
    """
    require_expert(expert)
    refuse_merged(event)
    Site.objects.select_for_update(no_key=True).get(pk=event.site_id)
    open_items = ReviewItem.objects.filter(event=event, state=ReviewItem.State.OPEN, reserved_for=None)
    return take_item(item=open_items.first() or request_for(event), expert=expert)


def request_for(event: Event) -> ReviewItem:
    """A new open item, because an expert asks for it. The caller has locked the site."""
    return ReviewItem.objects.create(
        site_id=event.site_id,
        event=event,
        reason=ReviewItem.Reason.REQUEST,
        priority=worth.REQUEST,
        **facts_of(event),
    )


def require_expert(user: Any) -> None:
    if not roles.is_expert(user):
        raise NotAllowed(f"{user} is not an expert. Ask whoever runs this server for the role.")


def refuse_merged(event: Event) -> None:
    if event.merged_into_id is not None:
        raise Conflict(f"{event} was merged into {event.survivor}. Look at that event instead.")


def refuse_held(item: ReviewItem, expert: Any, advice: str) -> None:
    if item.held and item.holder_id != expert.pk:
        until = f"{item.held_until:%Y-%m-%dT%H:%M:%SZ}"
        raise Conflict(f"{item.event} is held by {item.holder} until {until}. {advice}")


def refuse_unless_free_for(item: ReviewItem, expert: Any) -> None:
    refuse_merged(item.event)
    if item.state == ReviewItem.State.WITHDRAWN:
        raise Conflict(f"{item.event} was withdrawn: {_why_withdrawn(item)}. Take the next item.")
    if item.state == ReviewItem.State.DONE:
        refuse_decided(item)
    refuse_held(item, expert, "Take the next item.")
    if item.reserved_for_id not in (None, expert.pk):
        raise Conflict(f"{item.event} is kept for another expert. Take the next item.")
    if item.reason == ReviewItem.Reason.SECOND_OPINION and item.about and item.about.expert_id == expert.pk:
        raise Conflict(f"You decided on {item.event}: the second opinion must be somebody else's. Take the next item.")


def _why_withdrawn(item: ReviewItem) -> str:
    """A question about decisions goes with them; the others when a newer model agrees with the label."""
    asked_about = {row.sequence for row in (item.about, item.against) if row}
    withdrawals = item.event.relabels.filter(kind=Relabel.Kind.WITHDRAW).order_by("-sequence") if asked_about else []
    for row in withdrawals:
        if row.details.get("withdraws") in asked_about:
            return f"{row.expert_name} took back the decision that it was about, at {iso(row.decided_at)}"
    return "a newer prediction leaves nothing to ask"
