"""Two opinions on the same events: the catalogue at two moments, a model and the catalogue, two models."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import ModelVersion, Prediction, Site, TrainingExample
from labelapp.catalogue.selectors import most_probable
from labelapp.catalogue.vocabulary import known_as
from labelapp.review.moments import Labels, labels_at, labels_imported, labels_now

IMPORTED, NOW, MODEL = "imported", "now", "model-"
# How a model is asked about events that it learned from.
UNSEEN, STORED = "unseen", "stored"
JUDGING = {
    UNSEEN: "by members that did not learn from the event, or not at all",
    STORED: "by its stored predictions, even of events that it learned from",
}


@dataclass(frozen=True)
class Opinion:
    """What a catalogue at a moment, or a model, says of each event."""

    name: str  # as the address has it
    words: str
    said: Labels
    model: ModelVersion | None = None


class Pair(NamedTuple):
    """One event, by both opinions and, where one was asked for, by the one that both are held against."""

    event: int
    before: str | None
    after: str | None
    against: str | None = None


def opinion(site: Site, name: str, judging: str = UNSEEN) -> Opinion:
    """The opinion of that name: "imported", "now", "model-3", or a time in ISO 8601 (UTC without an offset).

    Raises Invalid for any other name, and for a model that the site does not have.
    """
    if name == IMPORTED:
        return Opinion(name, "catalogue as imported", labels_imported(site))
    if name == NOW:
        return Opinion(name, "catalogue now", labels_now(site))
    if name.startswith(MODEL):
        model = _model(site, name.removeprefix(MODEL))
        return Opinion(name, f"model {model.number}", _said_by(model, judging), model)
    time = _time(name)
    shown = f"{time:%Y-%m-%dT%H:%M:%S}Z"
    return Opinion(shown, f"catalogue at {shown}", labels_at(site, time))


def pairs(before: Opinion, after: Opinion, against: Opinion | None = None) -> list[Pair]:
    """The events that all of them know, in the order of the catalogue's ids.

    A model has no opinion on some events and never says "no label"; so beside a model, events without a label are
    left out, and a label is called what the model calls it: its recipe may count several classes to one.
    """
    given = [each for each in (before, after, against) if each]
    called = _vocabulary(given)
    rows = []
    for event in sorted(set.intersection(*(set(each.said) for each in given))):
        said = [each.said[event] if each.model else _called(each.said[event], called) for each in given]
        if called is None or None not in said:
            rows.append(Pair(event, *said))
    return rows


def confusion(found: list[Pair]) -> Counter[tuple[str | None, str | None]]:
    """How many events are called so before and so after."""
    return Counter((pair.before, pair.after) for pair in found)


def _model(site: Site, number: str) -> ModelVersion:
    known = site.models.filter(kind=ModelVersion.Kind.CLASSIFIER).defer("history", "metrics")
    model = known.filter(number=int(number)).first() if number.isdecimal() and len(number) < 9 else None
    if model is None:
        numbers = ", ".join(f"{MODEL}{n}" for n in known.order_by("number").values_list("number", flat=True)) or "none"
        raise Invalid(f"{site} has no classifier {MODEL}{number[:20]}. Its classifiers: {numbers}.")
    return model


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(
            f"{text[:40]!r} is no moment and no model. Write {IMPORTED}, {NOW}, {MODEL}3, or a time such as "
            "2026-03-01T06:00 (UTC)."
        ) from error


def _said_by(model: ModelVersion, judging: str) -> Labels:
    """The newest prediction of each event; of events that it learned from, what its folds said that did not."""
    rows = Prediction.objects.filter(model=model).order_by("created_at", "pk")
    said: Labels = dict(rows.values_list("event_id", "event_class__code"))
    if judging == STORED:
        return said
    learned = TrainingExample.objects.filter(model=model).exclude(split=TrainingExample.Split.TEST)
    for event, folds in learned.values_list("event_id", "out_of_fold"):
        code, _ = most_probable(folds)
        said.pop(event, None)
        if code:
            said[event] = code
    return said


def _vocabulary(given: list[Opinion]) -> Mapping[str, str | None] | None:
    """{class code: what the model calls it} of the first model among them; None where there is none."""
    model = next((each.model for each in given if each.model), None)
    return None if model is None else known_as(model.recipe, model.site.classes.values_list("code", flat=True))


def _called(code: str | None, called: Mapping[str, str | None] | None) -> str | None:
    return called.get(code, code) if called and code else code
