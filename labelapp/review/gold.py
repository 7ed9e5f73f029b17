"""Gold checks: events whose class is known, dealt to each expert among the others to see how reliable decisions are.

Nothing tells the expert which they are: they look like second opinions, and lists and counts leave them out.
"""

from collections import Counter
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from labelapp.catalogue import roles
from labelapp.catalogue.errors import Conflict, Invalid, NotAllowed
from labelapp.catalogue.models import Event, EventClass, Site
from labelapp.catalogue.text import check_text
from labelapp.review import worth
from labelapp.review.closing import close
from labelapp.review.judging import facts_of
from labelapp.review.models import GoldEvent, Relabel, ReviewItem
from labelapp.review.selectors import policy_of
from labelapp.review.standing import DECISIONS

State, Reason = ReviewItem.State, ReviewItem.Reason


def next_gold(*, site: Site, expert: Any) -> ReviewItem | None:
    """The gold check that the expert is to be given now, made if it is new, not yet leased; None: an ordinary item.

    Whether it is time for one is chance, by the policy's share, and depends on nothing but how often the expert has
    decided: who gives items back or puts them off does not draw again. An expert is asked about each gold event once
    until they have seen all, but never about those that they named themselves.
    """
    policy = policy_of(site)
    if not policy.gold_share:
        return None
    begun = site.review_items.filter(reserved_for=expert, reason=Reason.GOLD, state=State.OPEN).first()
    if begun:
        return None if begun.postponed_until and begun.postponed_until > timezone.now() else begun
    decided = site.relabels.filter(expert=expert, kind__in=DECISIONS).exclude(kind=Relabel.Kind.BLIND).count()
    if _chance(site.pk, expert.pk, decided) >= policy.gold_share:
        return None
    event = _least_seen(site, expert)
    return _check(event, expert) if event else None


def _chance(*of: Any) -> float:
    """A number from 0 to 1 that only this server can foresee, the same for the same facts."""
    return int(salted_hmac("gold", ":".join(map(str, of)), algorithm="sha256").hexdigest()[:16], 16) / 16**16


def _least_seen(site: Site, expert: Any) -> Event | None:
    """Of the gold events that the expert was asked about least often, one by chance."""
    golden = GoldEvent.objects.filter(event__site=site, event__merged_into=None).exclude(set_by=expert)
    items = site.review_items.filter(reserved_for=expert, reason=Reason.GOLD).exclude(state=State.WITHDRAWN)
    seen = Counter(items.values_list("event_id", flat=True))
    events = sorted(
        golden.values_list("event_id", flat=True),
        key=lambda event: (seen[event], _chance(site.pk, expert.pk, event, seen[event])),
    )
    return Event.objects.get(pk=events[0]) if events else None


def _check(event: Event, expert: Any) -> ReviewItem:
    item, _ = ReviewItem.objects.get_or_create(
        event=event,
        reserved_for=expert,
        state=State.OPEN,
        defaults={
            "site_id": event.site_id,
            "reason": Reason.GOLD,
            "priority": worth.of_second_opinion(_chance(event.pk, expert.pk)),  # as those of second opinions differ
            **facts_of(event),
        },
    )
    return item


@transaction.atomic
def set_gold(*, event: Event, by: Any, event_class: EventClass | None = None, note: str = "") -> GoldEvent:
    """Declare an event's class beyond doubt, by default that of its label. Said again, it replaces what was said.

    The label stays as it is. Raises NotAllowed (not a manager), Invalid (no class, or one of another site), Conflict
    (the event was merged into another).
    """
    _require_manager(by)
    event_class = event_class or event.label
    if event_class is None:
        raise Invalid(f"{event} has no label. Say which class is beyond doubt.")
    if event_class.site_id != event.site_id:
        raise Invalid(f"{event_class.code} is no class of {event.site}.")
    if event.merged_into_id:
        raise Conflict(f"{event} was merged into {event.merged_into}. Choose that event.")
    check_text("The note", note.strip(), 2_000)
    said = {"event_class": event_class, "note": note.strip(), "set_by": by, "set_at": timezone.now()}
    gold, _ = GoldEvent.objects.update_or_create(event=event, defaults=said)
    return gold


@transaction.atomic
def unset_gold(*, event: Event, by: Any) -> None:
    """The event is a check no more; experts who have it before them are told that it was withdrawn.

    Raises NotAllowed (not a manager), Conflict (it is none).
    """
    _require_manager(by)
    if not GoldEvent.objects.filter(event=event).delete()[0]:
        raise Conflict(f"{event} is no gold event. Nothing was changed.")
    close(ReviewItem.objects.filter(event=event, reason=Reason.GOLD), State.WITHDRAWN)


def _require_manager(user: Any) -> None:
    if not roles.is_manager(user):
        raise NotAllowed(f"{user} is not a manager. Ask a manager to say which events are gold.")
