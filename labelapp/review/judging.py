"""Who may judge an event: a model, or, where it learned from the event, only those of its folds that did not.

A network remembers what it learned, wrong labels included: of such an event its own opinion proves nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import QuerySet

from labelapp.catalogue.models import Event, EventClass, ModelVersion, Prediction, Site, TrainingExample
from labelapp.catalogue.selectors import latest_prediction
from labelapp.catalogue.services import classes_by_code
from labelapp.catalogue.vocabulary import known_as
from labelapp.review.models import ReviewItem

Basis = ReviewItem.Basis
Reason = ReviewItem.Reason

# Below this lead of the first class over the second, the model doubts itself.
DOUBT_MARGIN = 0.2
# From this suspicion on a label is more likely wrong than right: the suspicion is the measured probability of that.
LIKELY_WRONG = 0.5
# Events that are named one by one in a query.
FEW = 1_000


@dataclass(frozen=True)
class Judgement:
    """What is held against an event's label: probabilities {class code: p}, by whom, and how suspicious the label is.

    `suspicion` is None where nobody measured it, or the label is no longer the one that it was measured for.
    """

    probabilities: Mapping[str, float]
    basis: Basis
    suspicion: float | None = None
    # {class code: what the judge calls it, None for what it was taught nothing of}, where that is not the code.
    known_as: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=lambda code: self.probabilities[code])

    @property
    def margin(self) -> float:
        """The lead of the first class over the second."""
        ranked = sorted(self.probabilities.values(), reverse=True)
        return ranked[0] - ranked[1] if len(ranked) > 1 else 1.0

    def called(self, label: str) -> str | None:
        """What the judge calls a class of the site; None where it was taught no such events."""
        return self.known_as.get(label, label)

    def probability_of(self, label: str) -> float:
        """What the judge gives a class of the site, under the name that it knows."""
        return self.probabilities.get(self.called(label) or "", 0.0)

    def question(self, label: str | None) -> Reason | None:
        """Why an expert should look, if at all: the label differs, is missing or likely wrong, or the judge doubts.

        A label may be likely wrong although the judge's first class is the same: by how often labels like it are, or
        because the event is no louder than its own noise. Of a label that stands for nothing that it knows, the judge
        cannot say that it is wrong.
        """
        if label is None:
            return Reason.DETECTION
        told = self.called(label)
        if told is None:
            return None
        if self.code != told:
            return Reason.DISAGREEMENT
        if self.suspicion is not None and self.suspicion >= LIKELY_WRONG:
            return Reason.LABEL_ERROR
        return Reason.DOUBT if self.margin < DOUBT_MARGIN else None

    def asks(self, label: str | None) -> bool:
        """Whether an expert should look."""
        return self.question(label) is not None

    def facts(self, classes: Mapping[str, EventClass]) -> dict[str, Any]:
        """As the fields of a ReviewItem."""
        return {
            "judged_class": classes[self.code],
            "judged_probability": self.probabilities[self.code],
            "basis": self.basis.value,
            "suspicion": self.suspicion,
        }


def facts_of(event: Event) -> dict[str, Any]:
    """As the fields of a ReviewItem: the event's newest prediction, and what is held against the label by it."""
    newest = latest_prediction(event)
    if newest is None:
        return {"prediction": None}
    judgement = judgements(event.site, [newest])[event.pk]
    return {"prediction": newest, **judgement.facts(classes_by_code(event.site))}


def judgements(
    site: Site, predictions: Sequence[Prediction], labels: Mapping[int, int | None] | None = None
) -> dict[int, Judgement]:
    """{event pk: who judges it, and how}; `labels` {event pk: class pk} hold now, read where they are not given."""
    events = {prediction.event_id for prediction in predictions}
    if labels is None:
        labels = dict(about(events, site.events.all(), "pk").values_list("pk", "label_id"))
    rows = about(events, TrainingExample.objects.filter(model__in={p.model_id for p in predictions}), "event")
    examples = {(row["model_id"], row["event_id"]): row for row in rows.values(*EXAMPLE)}
    words = _words(site, {p.model_id for p in predictions})
    return {
        p.event_id: replace(
            _judgement(p, examples.get((p.model_id, p.event_id)), labels[p.event_id]), known_as=words[p.model_id]
        )
        for p in predictions
    }


def _words(site: Site, models: set[int]) -> dict[int, dict[str, str | None]]:
    """{model pk: {class code: what the model calls it, where that is not the code}}"""
    codes = list(site.classes.values_list("code", flat=True))
    rows = ModelVersion.objects.filter(pk__in=models).values_list("pk", "recipe")
    return {pk: known_as(recipe, codes) for pk, recipe in rows}


EXAMPLE = ("model_id", "event_id", "event_class_id", "split", "out_of_fold", "suspicion")


def _judgement(prediction: Prediction, example: Mapping[str, Any] | None, label: int | None) -> Judgement:
    if example is None:
        return Judgement(prediction.probabilities, Basis.UNSEEN)
    if not example["out_of_fold"]:
        is_test = example["split"] == TrainingExample.Split.TEST
        return Judgement(prediction.probabilities, Basis.HELD_OUT if is_test else Basis.LEARNED)
    is_same_label = example["event_class_id"] == label
    return Judgement(example["out_of_fold"], Basis.OUT_OF_FOLD, example["suspicion"] if is_same_label else None)


def about(events: Any, rows: QuerySet[Any], field: str) -> QuerySet[Any]:
    """The rows about these events; of many events all rows, for a database takes only so many values at once."""
    return rows.filter(**{f"{field}__in": list(events)}) if len(events) <= FEW else rows
