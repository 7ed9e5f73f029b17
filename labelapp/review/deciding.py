"""The one way in which an expert's word on an item is recorded, and in which it becomes the label: `decide`.

Rows are locked in one order, site → item → event, so that nobody waits for each other for ever.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from labelapp.catalogue.errors import Conflict, Invalid
from labelapp.catalogue.models import Event, EventClass, Prediction, Site
from labelapp.review import ledger, opinions
from labelapp.review.details import clean, clean_reason
from labelapp.review.leasing import refuse_unless_free_for, require_expert
from labelapp.review.models import Relabel, ReviewItem, ReviewPolicy
from labelapp.review.selectors import policy_of
from labelapp.review.standing import standing

# What the expert may say beside class and reason; the other details are found here.
SAYABLE = ("confidence", "comment", "verdict", "box", "seconds")


@transaction.atomic
def decide(
    *,
    item: ReviewItem,
    expert: Any,
    event_class: EventClass | None,
    reason: str = "",
    prediction: Prediction | int | None,
    panels: Mapping[str, str] | None = None,
    blind: bool = False,
    said: Mapping[str, Any] | None = None,
) -> Relabel:
    """Record an expert's decision, make it the event's label, close the item: all or nothing.

    `event_class` None: the expert cannot tell; the label stays, and somebody else is asked. An answer to a second
    opinion or a gold check leaves the label as well. `blind`: what the expert says before they see the machine's
    opinion; the item stays theirs, for the decision after that. `said`: confidence, comment, verdict, box, seconds, as
    `details.clean` takes them.
    `prediction` is the one that the expert was shown (None: none was); a newer one may have arrived meanwhile.
    `panels` says which panels of it were on the page, {NET.STA.LOC: sha256}; left out, its newest ones were. The
    lease may have run out, if nobody else has decided since: also where another has been given the item, but for
    a blind decision. The same decision by the same expert, sent twice, gives the row that is there already.
    Raises NotAllowed (not an expert), DecidedMeanwhile (with the row of whoever was first), Conflict (withdrawn, or
    held by somebody else), Invalid (a class of another site, a change without a reason, a prediction of another event).
    """
    require_expert(expert)
    reason, said = clean_reason(reason), _sayable(said)
    site = Site.objects.select_for_update(no_key=True).get(pk=item.site_id)
    item = locked(item.pk)
    if made_before := _same_decision(item, expert, event_class, blind):
        return made_before
    if blind or not _lost_lease(item, expert):  # a blind decision goes on with the lease: not with another's
        refuse_unless_free_for(item, expert)
    event = Event.objects.select_for_update(of=("self",)).select_related("label").get(pk=item.event_id)
    policy = policy_of(site)
    _refuse_wrong_turn(item, expert, policy, blind)
    kind = opinions.kind_of_answer(item, event_class, blind=blind)
    _refuse_bad_label(event, event_class, reason, labels=kind is None)
    seen = None if blind else _shown_prediction(item, event, prediction)
    row = ledger.append_to_ledger(
        site=site,
        event=event,
        expert=expert,
        item=item,
        to_class=event_class,
        reason=reason,
        prediction=seen,
        shown=_shown(item, seen, panels, blind),
        kind=kind,
        details={**said, **opinions.said_of_item(item, expert), **_held(item, said)},
    )
    if kind is None:
        Event.objects.filter(pk=event.pk).update(label=event_class)
    if blind:
        _hold_on(item, row, policy)
        return row
    _close(item, ReviewItem.State.DONE, row.decided_at)
    opinions.ask_further(item, row, policy)
    return row


def locked(pk: int) -> ReviewItem:
    """The item with what a decision on it asks of it, locked."""
    items = ReviewItem.objects.select_for_update(of=("self",))
    return items.select_related("holder", "judged_class", "about__expert", "against", "event", "site").get(pk=pk)


def _lost_lease(item: ReviewItem, expert: Any) -> bool:
    """Whether the expert held the item until their lease ran out, and nobody has decided since."""
    return item.state == ReviewItem.State.OPEN and item.held and item.former_holder_id == expert.pk


def _close(item: ReviewItem, state: str, now: datetime) -> None:
    item.state, item.closed_at = state, now
    item.holder = item.held_until = item.former_holder = None
    item.save(update_fields=["state", "closed_at", "holder", "held_until", "former_holder"])


def _hold_on(item: ReviewItem, row: Relabel, policy: ReviewPolicy) -> None:
    """The expert goes on looking, now with the machine's opinion."""
    item.blind, item.holder, item.held_until = row, row.expert, row.decided_at + policy.lease
    item.save(update_fields=["blind", "holder", "held_until"])


def _same_decision(item: ReviewItem, expert: Any, event_class: EventClass | None, blind: bool) -> Relabel | None:
    mine = standing(item.relabels.filter(expert=expert)).order_by("-sequence")
    if blind:
        return mine.filter(kind=Relabel.Kind.BLIND, to_class=event_class).first()
    if item.state != ReviewItem.State.DONE:
        return None
    return mine.exclude(kind=Relabel.Kind.BLIND).filter(to_class=event_class).first()


def _refuse_wrong_turn(item: ReviewItem, expert: Any, policy: ReviewPolicy, blind: bool) -> None:
    expected = opinions.is_blind(item, expert, policy)
    if expected and not blind:
        raise Invalid(f"{item.site} is reviewed blind: say first what you see without the machine's opinion (blind).")
    if blind and not expected:
        raise Conflict(f"You have seen what the machine says of {item.event}: decide, not blind. Load the item again.")


def _refuse_bad_label(event: Event, event_class: EventClass | None, reason: str, *, labels: bool) -> None:
    if event_class is not None and event_class.site_id != event.site_id:
        raise Invalid(f"{event_class.code} is no class of {event.site}.")
    if labels and event.label not in (None, event_class) and not reason:
        raise Invalid(f"{event} is labelled {event.label}. Give a reason to change it to {event_class}.")


def _sayable(said: Mapping[str, Any] | None) -> dict[str, Any]:
    if strangers := sorted(set(said or {}) - set(SAYABLE)):
        raise Invalid(f"A decision says nothing of {', '.join(strangers)}. It may say: {', '.join(SAYABLE)}.")
    return clean(said)


def _held(item: ReviewItem, said: Mapping[str, Any]) -> dict[str, float]:
    """How long the item was held, where the page did not measure how long the expert looked."""
    if item.taken_at is None or "seconds" in said:
        return {}
    return {"held_s": max(0.0, (timezone.now() - item.taken_at).total_seconds())}


def _shown(item: ReviewItem, seen: Prediction | None, panels: Mapping[str, str] | None, blind: bool) -> dict[str, Any]:
    """By checksum: prediction, model, panels, judgement; of a blind decision the panels without what they explain."""
    if not blind:
        return {**ledger.describe_shown(seen, panels), **ledger.describe_judgement(item)}
    panels = ledger.describe_shown(item.prediction, panels).get("panels")
    return {ledger.WAVEFORMS: panels} if panels else {}


def _shown_prediction(item: ReviewItem, event: Event, shown: Prediction | int | None) -> Prediction | None:
    if shown is None and item.prediction_id is None:
        return None
    if shown is None:
        raise Invalid(f"{event} has a prediction. Say which one was shown.")
    pk = shown.pk if isinstance(shown, Prediction) else shown
    prediction = event.predictions.select_related("model", "event_class").filter(pk=pk).first()
    if prediction is None:
        raise Invalid(f"Prediction {pk} is not about {event}. Load the item again.")
    return prediction
