"""A new model beside the active one, on the same events, of which neither has learned."""

from collections.abc import Iterable
from typing import Any

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.models import ModelVersion, TrainingExample
from labelapp.learning.pipeline.recipes import load_classifier
from labelapp.learning.pipeline.windows import events_in_chunks, read_example
from labelapp.learning.tracking import Job
from mlcore.classify.evaluate import EventPrediction, predict_events
from mlcore.classify.predict import Classifier
from mlcore.config import Catalogue, Recipe
from mlcore.datasets import EventWindows, LabelledWindow
from mlcore.errors import SeisloopError
from mlcore.metrics import classification_report


def compare(job: Job, new: Classifier, active: ModelVersion | None, tests: Iterable[int]) -> dict[str, Any] | None:
    """Macro-F1 and balanced accuracy of both models on test events (primary keys) that the active one did not learn.

    None where there is no active model. Each model reads the events by its own recipe; an event that one of them
    cannot read is left out for both. Where one tells apart what is one class to the other, both are measured in the
    words of the other. An active model whose files are broken, or with which no words are shared, counts as having no
    events in common.
    """
    if active is None:
        return None
    learned = active.examples.exclude(split=TrainingExample.Split.TEST).values_list("event_id", flat=True)
    shared = sorted(set(tests) - set(learned))
    try:
        rival = load_classifier(active)
    except (Refused, SeisloopError) as error:
        job.log(f"{active} cannot be compared: {error}")
        return {"model": active.number, "events": 0}
    words = _common_words(new, rival)
    ours, theirs = (_predictions(job, classifier, shared) for classifier in (new, rival))
    both = sorted(ours.keys() & theirs.keys())
    if not both or words is None:
        return {"model": active.number, "events": 0}
    mine, its = (_report([p[event] for event in both], words) for p in (ours, theirs))
    return {
        "model": active.number,
        "events": len(both),
        "macro_f1": mine["macro_f1"],
        "active_macro_f1": its["macro_f1"],
        "balanced_accuracy": mine["balanced_accuracy"],
        "active_balanced_accuracy": its["balanced_accuracy"],
    }


def _predictions(job: Job, classifier: Classifier, pks: list[int]) -> dict[str, EventPrediction]:
    found: dict[str, EventPrediction] = {}
    for chunk in events_in_chunks(job.run.site, pks):
        job.check()
        windows = _windows(
            [read_example(event, classifier.recipe).windows.values() for event in chunk], classifier.recipe
        )
        if len(windows):
            found |= {prediction.event_id: prediction for prediction in predict_events(classifier, windows)}
    return found


def _windows(readings: Iterable[Iterable[LabelledWindow]], recipe: Recipe) -> EventWindows:
    return EventWindows.stack([window for reading in readings for window in reading], recipe.preprocessing)


def _common_words(one: Classifier, other: Classifier) -> Catalogue | None:
    """The classes that both models can be held to: those of the one whose recipe has a word for all classes of both."""
    classes = [*one.classes, *other.classes]
    by_coarseness = sorted((one.recipe.catalogue, other.recipe.catalogue), key=lambda words: not words.classes)
    return next((words for words in by_coarseness if all(map(words.model_class, classes))), None)


def _report(predictions: list[EventPrediction], words: Catalogue) -> dict[str, Any]:
    said = [(words.model_class(p.label) or p.label, words.model_class(p.predicted) or p.predicted) for p in predictions]
    classes = list(dict.fromkeys(code for pair in said for code in pair))
    return classification_report([label for label, _ in said], [predicted for _, predicted in said], classes)
