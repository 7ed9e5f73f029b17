"""What the machine asks of experts: predictions become items of the queue, in the order of what a look is `worth`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import EventClass, Prediction, Site
from labelapp.catalogue.services import classes_by_code
from labelapp.review import worth
from labelapp.review.judging import Judgement, about, judgements
from labelapp.review.models import ReviewItem
from labelapp.review.standing import ANSWERS, standing

Reason, State = ReviewItem.Reason, ReviewItem.State

JUDGED = ("judged_class", "judged_probability", "basis", "suspicion")
# Asked by people about people: what a model says neither brings nor ends them.
OF_EXPERTS = {Reason.SECOND_OPINION, Reason.ADJUDICATION, Reason.GOLD}


class Case(NamedTuple):
    """What is known of an event when its newest prediction comes in."""

    prediction: Prediction
    judged: Judgement
    label: str | None
    was_decided: bool
    against: str | None  # what was held against the label when an expert last decided

    @property
    def is_settled(self) -> bool:
        """Whether an expert has decided against the same judgement already."""
        agrees = self.label is not None and self.judged.code == self.judged.called(self.label)
        return self.was_decided if agrees else self.was_decided and self.against == self.judged.code


class Question(NamedTuple):
    """Why an expert should look, and what a look is worth."""

    reason: str
    priority: float


@transaction.atomic
def fill_queue(*, site: Site, predictions: Iterable[Prediction]) -> dict[str, int]:
    """Turn predictions into questions; → how many items each reason has now, and how many were withdrawn or held.

    A question is asked where the judge disagrees with the label, doubts itself, finds the label likely wrong, or the
    event has no label. The judge is the model that made the prediction or, of an event that it learned from, its folds
    that did not (see `judging`). An event has one open item at most: it is brought up to date, or withdrawn when there
    is nothing left to ask, unless an expert holds it. What experts ask each other (second opinions, adjudications, gold
    checks) stays as it is. What an expert has decided against the same judgement is not asked again, and of an event
    that was merged into another nothing is.
    """
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    newest = {prediction.event_id: prediction for prediction in predictions}
    classes, items = classes_by_code(site), _open_items(site, newest)
    now, counts = timezone.now(), Counter[str]()
    added, changed = [], []
    for case in _cases(site, newest, classes):
        item, question = items.get(case.prediction.event_id), _question(case)
        facts = {"prediction": case.prediction, **case.judged.facts(classes)}
        if item and (kept := _kept_as(item)):
            counts[kept] += 1
        elif item:
            changed.append(_brought_up_to_date(item, question, facts, now))
            counts[State.WITHDRAWN if item.state == State.WITHDRAWN else item.reason] += 1
        elif question:
            added.append(ReviewItem(site=site, event_id=case.prediction.event_id, **question._asdict(), **facts))
            counts[question.reason] += 1
    _store(added, changed)
    return {str(name): number for name, number in counts.items()}


def _open_items(site: Site, events: Iterable[int]) -> dict[int, ReviewItem]:
    """{event pk: its open item}, locked; without those that are kept for one expert."""
    items = about(events, site.review_items.filter(state=State.OPEN, reserved_for=None), "event")
    return {item.event_id: item for item in items.select_for_update(of=("self",))}


def _cases(site: Site, newest: Mapping[int, Prediction], classes: Mapping[str, EventClass]) -> Iterator[Case]:
    codes = {event_class.pk: code for code, event_class in classes.items()}
    labels, decided = _labels(site, newest), _decided(site, newest)
    judged = judgements(site, [newest[pk] for pk in labels], labels)
    for pk, label in labels.items():
        yield Case(newest[pk], judged[pk], codes.get(label or 0), pk in decided, codes.get(decided.get(pk) or 0))


def _labels(site: Site, newest: Mapping[int, Prediction]) -> dict[int, int | None]:
    """{event pk: class pk}, in the order of `newest`, without events that were merged into others."""
    rows = about(newest, site.events.all(), "pk").values_list("pk", "label_id", "merged_into_id")
    known = {pk: (label, merged) for pk, label, merged in rows}
    if strangers := set(newest) - set(known):
        raise Invalid(f"{len(strangers)} predictions are about events of another site than {site}.")
    return {pk: known[pk][0] for pk in newest if known[pk][1] is None}


def _decided(site: Site, newest: Mapping[int, Prediction]) -> dict[int, int | None]:
    """{event pk: class that was held against the label when an expert last decided}; withdrawn decisions are none."""
    rows = about(newest, standing(site.relabels.filter(kind__in=ANSWERS)), "event").order_by("sequence")
    classes = rows.values_list("event_id", "item__judged_class_id", "prediction__event_class_id")
    return {event: judged or predicted for event, judged, predicted in classes}


def _question(case: Case) -> Question | None:
    """None where there is nothing to ask, or an expert has answered it."""
    judged, label = case.judged, case.label
    reason = judged.question(label)
    if reason is None or case.is_settled:
        return None
    if label is None:
        return Question(reason, worth.of_detection(judged.probabilities[judged.code]))
    return Question(reason, worth.of_label(judged.probability_of(label), judged.suspicion))


def _kept_as(item: ReviewItem) -> str:
    """Under which name an item is counted that must stay as it is; "" for those to be brought up to date."""
    if item.reason in OF_EXPERTS:
        return item.reason
    return "held" if item.held else ""


def _brought_up_to_date(
    item: ReviewItem, question: Question | None, facts: Mapping[str, Any], now: datetime
) -> ReviewItem:
    for name, value in facts.items():
        setattr(item, name, value)
    if item.reason == Reason.REQUEST:  # an expert's wish outlives what the model says
        return item
    if question:
        item.reason, item.priority = question
    else:
        item.state, item.closed_at = State.WITHDRAWN, now
    return item


def _store(added: list[ReviewItem], changed: list[ReviewItem]) -> None:
    ReviewItem.objects.bulk_create(added, batch_size=1000)
    # An upsert by primary key: bulk_update's CASE over all rows takes ten times as long.
    ReviewItem.objects.bulk_create(
        changed,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=["prediction", "reason", "priority", "state", "closed_at", *JUDGED],
    )
