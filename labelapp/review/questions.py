"""What the machine asks of experts: predictions become items of the queue, in the order of what a look is worth."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import Prediction, Site
from labelapp.catalogue.services import classes_by_code
from labelapp.review.judging import Judgement, about, judgements
from labelapp.review.models import ReviewItem

JUDGED = ("judged_class", "judged_probability", "basis", "suspicion")


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
