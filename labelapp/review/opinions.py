"""Several experts on one event: second opinions, adjudication, and decisions made before the machine is heard.

Who gives a second opinion knows neither the first nor the label, so that it is worth something. Who answers where
somebody could not tell, or decides between two opinions, sees what there is.
"""

from typing import Any

from django.db.models import Q

from labelapp.catalogue.models import EventClass
from labelapp.catalogue.roles import is_manager
from labelapp.review import worth
from labelapp.review.models import GoldEvent, Relabel, ReviewItem, ReviewPolicy
from labelapp.review.standing import LABELLING, standing

Kind, Reason = Relabel.Kind, ReviewItem.Reason
# What the queue holds of an item, copied to the one that follows from it.
FACTS = ("prediction_id", "judged_class_id", "judged_probability", "basis", "suspicion")
# Asked of somebody who has seen everything already, or must.
OPENLY = (Reason.REQUEST, Reason.ADJUDICATION)
# `is_asked_blindly`, for queries.
ASKED_BLINDLY = Q(site__review_policy__blind=True, state=ReviewItem.State.OPEN) & ~Q(reason__in=OPENLY)


def is_blind(item: ReviewItem, user: Any, policy: ReviewPolicy) -> bool:
    """Whether the user must decide on the item before they see what the machine says."""
    return is_asked_blindly(item, policy) and blind_row(item, user) is None


def is_asked_blindly(item: ReviewItem, policy: ReviewPolicy | None) -> bool:
    """Whether whoever is given the item must decide before they see what the machine says."""
    return bool(policy and policy.blind and item.state == ReviewItem.State.OPEN and item.reason not in OPENLY)


def is_told(user: Any, policy: ReviewPolicy) -> bool:
    """Whether the user may learn what the machine says of the site's open items: not on a blind one, but managers."""
    return not policy.blind or is_manager(user)


def blind_row(item: ReviewItem, user: Any) -> Relabel | None:
    """What the user said of the item before they saw what the machine says."""
    return standing(item.relabels.filter(kind=Kind.BLIND, expert=user)).order_by("-sequence").first()


def is_independent(item: ReviewItem) -> bool:
    """Whether label and history are kept back from whoever answers: their opinion is compared with another."""
    if item.state != ReviewItem.State.OPEN:
        return False
    return item.reason == Reason.GOLD or is_compared(item)


def is_compared(item: ReviewItem) -> bool:
    """Whether it asks for a second opinion on a decision, and not on somebody's doubt."""
    return bool(item.reason == Reason.SECOND_OPINION and item.about and item.about.kind in LABELLING)


def kind_of_answer(item: ReviewItem, event_class: EventClass | None, *, blind: bool) -> str | None:
    """The kind of row that a decision on the item is; None where it makes the label, and the classes tell."""
    if blind:
        return Kind.BLIND
    if event_class is None:
        return Kind.UNSURE
    return Kind.OPINION if item.reason == Reason.GOLD or is_compared(item) else None


def said_of_item(item: ReviewItem, expert: Any) -> dict[str, Any]:
    """Details that the item adds to a decision: why it was asked, and which rows it answers."""
    mine = blind_row(item, expert)
    rows = [row.sequence for row in (item.about, item.against) if row]
    return {
        "asked": item.reason,
        "blind": mine and mine.sequence,
        "about": rows[0] if item.reason == Reason.SECOND_OPINION and rows else None,
        "between": rows if item.reason == Reason.ADJUDICATION else None,
        "gold": _expected(item) if item.reason == Reason.GOLD else None,
    }


def _expected(item: ReviewItem) -> dict[str, str] | None:
    gold = GoldEvent.objects.filter(event=item.event_id).select_related("event_class").first()
    return {"expected": gold.event_class.code} if gold else None


def ask_further(item: ReviewItem, row: Relabel, policy: ReviewPolicy) -> ReviewItem | None:
    """The question that follows from a decision on an item that is closed now; None where none does.

    A doubt asks somebody else; so does a decision that the policy picks. Two who differ, or of whom the second cannot
    tell, ask for adjudication.
    """
    if item.reason in (Reason.GOLD, Reason.ADJUDICATION):
        return None
    if is_compared(item) or (row.kind == Kind.UNSURE and item.reason == Reason.SECOND_OPINION):
        agreed = item.about is not None and row.to_class_id == item.about.to_class_id and row.kind != Kind.UNSURE
        return None if agreed else _following(item, Reason.ADJUDICATION, worth.ADJUDICATION, item.about, row)
    if row.kind == Kind.UNSURE or picks(policy, row):
        return _following(item, Reason.SECOND_OPINION, worth.of_second_opinion(item.priority), row)
    return None


def picks(policy: ReviewPolicy, row: Relabel) -> bool:
    """Whether a decision gets a second opinion: by its class, or by chance.

    Chance is the row's hash, read as a number from 0 to 1: nobody can foresee or steer it, anybody can check it.
    """
    if int(row.hash[:16], 16) / 16**16 < policy.second_opinion_share:
        return True
    chosen = policy.second_opinion_classes.all() if policy.pk else EventClass.objects.none()
    return row.to_class_id in chosen.values_list("pk", flat=True)


def _following(
    item: ReviewItem, reason: str, priority: float, about: Relabel | None, against: Relabel | None = None
) -> ReviewItem:
    facts = {name: getattr(item, name) for name in FACTS}
    return ReviewItem.objects.create(
        site_id=item.site_id,
        event_id=item.event_id,
        reason=reason,
        priority=priority,
        about=about,
        against=against,
        **facts,
    )
