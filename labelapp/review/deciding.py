"""The one way in which a label changes: `decide`.

Rows are locked in one order, site → item → event, so that nobody waits for each other for ever.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import Event, EventClass, Prediction, Site
from labelapp.catalogue.text import check_text
from labelapp.review import ledger
from labelapp.review.leasing import refuse_unless_free_for, require_expert
from labelapp.review.models import Relabel, ReviewItem

LONGEST_REASON = 2_000


@transaction.atomic
def decide(
    *,
    item: ReviewItem,
    expert: Any,
    event_class: EventClass,
    reason: str = "",
    prediction: Prediction | int | None,
    panels: Mapping[str, str] | None = None,
) -> Relabel:
    """Record an expert's decision, make it the event's label, close the item: all or nothing.

    `prediction` is the one that the expert was shown (None: none was); a newer one may have arrived meanwhile.
    `panels` says which panels of it were on the page, {NET.STA.LOC: sha256}; left out, its newest ones were. The
    lease may have run out, if nobody else has taken the item. The same decision by the same expert, sent twice, gives
    the row that is there already.
    Raises NotAllowed (not an expert), Conflict (decided, withdrawn, or held by somebody else), Invalid (a class of
    another site, a change without a reason, a prediction of another event).
    """
    require_expert(expert)
    reason = _clean_reason(reason)
    site = Site.objects.select_for_update(no_key=True).get(pk=item.site_id)
    item = ReviewItem.objects.select_for_update(of=("self",)).select_related("holder", "judged_class").get(pk=item.pk)
    if made_before := _same_decision(item, expert, event_class):
        return made_before
    refuse_unless_free_for(item, expert)
    event = Event.objects.select_for_update(of=("self",)).select_related("label").get(pk=item.event_id)
    _refuse_bad_label(event, event_class, reason)
    seen = _shown_prediction(item, event, prediction)
    relabel = ledger.append_to_ledger(
        site=site,
        event=event,
        expert=expert,
        item=item,
        to_class=event_class,
        reason=reason,
        prediction=seen,
        shown={**ledger.describe_shown(seen, panels), **ledger.describe_judgement(item)},
    )
    Event.objects.filter(pk=event.pk).update(label=event_class)
    _close(item, ReviewItem.State.DONE, relabel.decided_at)
    return relabel


def _close(item: ReviewItem, state: str, now: datetime) -> None:
    item.state, item.closed_at = state, now
    item.holder = item.held_until = None
    item.save(update_fields=["state", "closed_at", "holder", "held_until"])


def _same_decision(item: ReviewItem, expert: Any, event_class: EventClass) -> Relabel | None:
    if item.state != ReviewItem.State.DONE:
        return None
    return item.relabels.filter(expert=expert, to_class=event_class).order_by("-sequence").first()


def _refuse_bad_label(event: Event, event_class: EventClass, reason: str) -> None:
    if event_class.site_id != event.site_id:
        raise Invalid(f"{event_class.code} is no class of {event.site}.")
    if event.label not in (None, event_class) and not reason:
        raise Invalid(f"{event} is labelled {event.label}. Give a reason to change it to {event_class}.")


def _clean_reason(reason: str) -> str:
    reason = reason.strip()
    check_text("The reason", reason, LONGEST_REASON)
    return reason


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
