"""A new model beside the active one, on the same events, of which neither has learned."""

from collections.abc import Iterable, Mapping, Sequence
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
    ours, theirs = (
        {event: (p.label, p.predicted) for event, p in _predictions(job, classifier, shared).items()}
        for classifier in (new, rival)
    )
    return _side_by_side(active, ours, theirs, _common_words(new.classes, new.recipe, active))


def compare_out_of_fold(
    classes: Sequence[str], recipe: Recipe, said: Mapping[int, Mapping[str, float]], active: ModelVersion | None
) -> dict[str, Any] | None:
    """The same where a recipe holds no event out: on the events that both learned from, each judged by its own folds.

    `said` is what the new model's folds say of events (primary keys), {class: probability}. None where there is no
    active model; one without folds counts as having no events in common.
    """
    if active is None:
        return None
    rows = active.examples.filter(out_of_fold__isnull=False, event__label__isnull=False, event_id__in=said)
    ours, theirs = {}, {}
    for event, label, its in rows.values_list("event_id", "event__label__code", "out_of_fold"):
        ours[event], theirs[event] = (label, _most_probable(said[event])), (label, _most_probable(its or {}))
    return _side_by_side(active, ours, theirs, _common_words(classes, recipe, active))


def _most_probable(probabilities: Mapping[str, float]) -> str:
    return max(probabilities, key=lambda code: probabilities[code])


def _side_by_side(
    active: ModelVersion,
    ours: Mapping[Any, tuple[str, str]],
    theirs: Mapping[Any, tuple[str, str]],
    words: Catalogue | None,
) -> dict[str, Any]:
    """Figures of (label, predicted) of the events that both have something to say of."""
    both = sorted(ours.keys() & theirs.keys())
    if not both or words is None:
        return {"model": active.number, "events": 0}
    mine, its = (_report([each[event] for event in both], words) for each in (ours, theirs))
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


def _common_words(classes: Sequence[str], recipe: Recipe, active: ModelVersion) -> Catalogue | None:
    """The classes that both models can be held to: those of the one whose recipe has a word for all classes of both."""
    other = Recipe.from_dict(active.recipe)
    by_coarseness = sorted((recipe.catalogue, other.catalogue), key=lambda words: not words.classes)
    known = [*classes, *active.classes]
    return next((words for words in by_coarseness if all(map(words.model_class, known))), None)


def _report(pairs: Sequence[tuple[str, str]], words: Catalogue) -> dict[str, Any]:
    """pairs of label and prediction, in anybody's words"""
    said = [tuple(words.model_class(code) or code for code in pair) for pair in pairs]
    classes = list(dict.fromkeys(code for pair in said for code in pair))
    return classification_report([label for label, _ in said], [predicted for _, predicted in said], classes)
