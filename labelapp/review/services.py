"""Writes to the queue, and the one way in which a label changes: `decide`.

Rows are locked in one order, site → item → event, so that nobody waits for each other for ever.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from labelapp.catalogue import roles
from labelapp.catalogue.errors import Conflict, Invalid, NotAllowed
from labelapp.catalogue.models import Event, EventClass, Prediction, Site
from labelapp.catalogue.services import classes_by_code
from labelapp.catalogue.text import check_text
from labelapp.review import ledger
from labelapp.review.judging import Judgement, about, judgements
from labelapp.review.models import Relabel, ReviewItem
from labelapp.review.selectors import free, held_by, waiting

LONGEST_REASON = 2_000
SKIP_S = 3_600
JUDGED = ("judged_class", "judged_probability", "basis", "suspicion")


def next_item(*, site: Site, expert: Any) -> ReviewItem | None:
    """Lease the most valuable waiting item to an expert; the one they hold already comes first. None: queue is empty.

    The lease is one UPDATE that holds only while the item is still free; who comes second tries the item after it.
    Raises NotAllowed for users who may not decide.
    """
    _require_expert(expert)
    while True:
        now = timezone.now()
        mine = site.review_items.filter(held_by(expert, now)).order_by("-priority", "pk").first()
        item = mine or site.review_items.filter(waiting(now)).order_by("-priority", "pk").first()
        if item is None or _lease(item, expert, now):
            return item


def take_item(*, item: ReviewItem, expert: Any) -> ReviewItem:
    """Lease a given item, or renew the lease. Raises Conflict when it is closed or somebody else holds it."""
    _require_expert(expert)
    if not _lease(item, expert, timezone.now()):
        item.refresh_from_db()
        _refuse_unless_free_for(item, expert)
    return item


def renew_lease(*, item: ReviewItem, expert: Any) -> ReviewItem:
    """Hold an item for longer; also after the lease has run out, if nobody else has taken it since."""
    return take_item(item=item, expert=expert)


def _lease(item: ReviewItem, expert: Any, now: datetime) -> bool:
    """Whether the item could be leased: compare and set in one statement, so that no two experts both succeed."""
    until = now + timedelta(seconds=settings.LEASE_S)
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
    _require_expert(expert)
    item = ReviewItem.objects.select_for_update(of=("self",)).get(pk=item.pk)
    _refuse_unless_free_for(item, expert)
    item.holder = item.held_until = None
    item.postponed_until = timezone.now() + timedelta(seconds=SKIP_S)
    item.save(update_fields=["holder", "held_until", "postponed_until"])


@transaction.atomic
def ask_for_review(*, event: Event, expert: Any) -> ReviewItem:
    """Put an event into the queue because an expert wants to look at it (again), and lease it to them."""
    _require_expert(expert)
    Site.objects.select_for_update(no_key=True).get(pk=event.site_id)
    item = ReviewItem.objects.filter(event=event, state=ReviewItem.State.OPEN).first()
    if item is None:
        newest = event.predictions.order_by("-created_at", "-pk").first()
        facts = judgements(event.site, [newest])[event.pk].facts(classes_by_code(event.site)) if newest else {}
        facts["reason"] = ReviewItem.Reason.REQUEST
        item = ReviewItem.objects.create(site_id=event.site_id, event=event, prediction=newest, **facts)
    return take_item(item=item, expert=expert)


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
    _require_expert(expert)
    reason = _clean_reason(reason)
    site = Site.objects.select_for_update(no_key=True).get(pk=item.site_id)
    item = ReviewItem.objects.select_for_update(of=("self",)).select_related("holder", "judged_class").get(pk=item.pk)
    if made_before := _same_decision(item, expert, event_class):
        return made_before
    _refuse_unless_free_for(item, expert)
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


def _require_expert(user: Any) -> None:
    if not roles.is_expert(user):
        raise NotAllowed(f"{user} is not an expert. Ask whoever runs this server for the role.")


def _refuse_unless_free_for(item: ReviewItem, expert: Any) -> None:
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


@transaction.atomic
def fill_queue(*, site: Site, predictions: Iterable[Prediction]) -> dict[str, int]:
    """Turn predictions into questions; → how many items each reason has now, and how many were withdrawn or held.

    A question is asked where the judge disagrees with the label, doubts itself, or the event has no label. The judge is
    the model that made the prediction or, of an event that it learned from, its folds that did not (see `judging`).
    An event has one open item at most: it is brought up to date, or withdrawn when there is nothing left to ask, unless
    an expert holds it. What an expert has decided against the same judgement is not asked again.
    """
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    newest = {prediction.event_id: prediction for prediction in predictions}
    labels, decided, classes = _labels(site, newest), _decided(site, newest), classes_by_code(site)
    codes = {event_class.pk: code for code, event_class in classes.items()}
    judged = judgements(site, list(newest.values()), labels)
    waiting_items = about(newest, site.review_items.filter(state=ReviewItem.State.OPEN), "event")
    open_items = {item.event_id: item for item in waiting_items.select_for_update(of=("self",))}
    now, counts = timezone.now(), Counter[str]()
    added, changed = [], []
    for pk, prediction in newest.items():
        item = open_items.get(pk)
        if item and item.held:
            counts["held"] += 1
            continue
        was_decided = pk in decided
        question = _question(judged[pk], codes.get(labels[pk] or 0), was_decided, codes.get(decided.get(pk) or 0))
        facts = judged[pk].facts(classes)
        if item is None and question:
            added.append(ReviewItem(site=site, event_id=pk, prediction=prediction, **question, **facts))
        elif item is not None:
            changed.append(_brought_up_to_date(item, prediction, question, facts, now))
            if item.state == ReviewItem.State.WITHDRAWN:
                counts["withdrawn"] += 1
        if question:
            counts[question["reason"]] += 1
    ReviewItem.objects.bulk_create(added, batch_size=1000)
    # An upsert by primary key: bulk_update's CASE over all rows takes ten times as long.
    ReviewItem.objects.bulk_create(
        changed,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=["prediction", "reason", "priority", "state", "closed_at", *JUDGED],
    )
    return dict(counts)


def _labels(site: Site, newest: Mapping[int, Prediction]) -> dict[int, int | None]:
    labels: dict[int, int | None] = dict(about(newest, site.events.all(), "pk").values_list("pk", "label_id"))
    if strangers := set(newest) - set(labels):
        raise Invalid(f"{len(strangers)} predictions are about events of another site than {site}.")
    return labels


def _decided(site: Site, newest: Mapping[int, Prediction]) -> dict[int, int | None]:
    """{event pk: class that was held against the label when an expert last decided}"""
    rows = about(newest, site.relabels.order_by("sequence"), "event")
    classes = rows.values_list("event_id", "item__judged_class_id", "prediction__event_class_id")
    return {event: judged or predicted for event, judged, predicted in classes}


def _question(judged: Judgement, label: str | None, was_decided: bool, against: str | None) -> dict[str, Any] | None:
    """Why an expert should look, and how much a look is worth; None where there is nothing to ask.

    The more suspicious the label, the more (1 to 2); where nobody measured that, a confident disagreement is worth most
    (1 to 2), then doubt and detections (0 to 1). `against`: the class that was held against the last decision.
    """
    if label is None:
        return {"reason": ReviewItem.Reason.DETECTION.value, "priority": judged.probabilities[judged.code]}
    told = judged.called(label)
    if told is None or not judged.asks(label) or (against == judged.code if judged.code != told else was_decided):
        return None
    if judged.code != told:
        reason, worth = ReviewItem.Reason.DISAGREEMENT, 1 + judged.lead_over(told)
    else:
        reason, worth = ReviewItem.Reason.DOUBT, 1 - judged.margin
    return {"reason": reason.value, "priority": worth if judged.suspicion is None else 1 + judged.suspicion}


def _brought_up_to_date(
    item: ReviewItem,
    prediction: Prediction,
    question: dict[str, Any] | None,
    facts: Mapping[str, Any],
    now: datetime,
) -> ReviewItem:
    for name, value in {"prediction": prediction, **facts}.items():
        setattr(item, name, value)
    if item.reason == ReviewItem.Reason.REQUEST:  # an expert's wish outlives what the model says
        return item
    if question:
        item.reason, item.priority = question["reason"], question["priority"]
    else:
        item.state, item.closed_at = ReviewItem.State.WITHDRAWN, now
    return item
