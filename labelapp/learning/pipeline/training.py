"""A new model from a site's labelled events; promoted where it proves no worse than the active one."""

import re
import shutil
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from labelapp.catalogue.errors import Conflict, Invalid
from labelapp.catalogue.models import ModelVersion, Site, TrainingExample
from labelapp.catalogue.services import promote_model, store_model
from labelapp.learning.models import Run
from labelapp.learning.pipeline.comparison import compare, compare_out_of_fold
from labelapp.learning.pipeline.recipes import site_codes, site_recipe, taught
from labelapp.learning.pipeline.starts import Start, start_of
from labelapp.learning.pipeline.windows import Reasons, events_in_chunks, read_example
from labelapp.learning.services import start_run
from labelapp.learning.tracking import Job
from mlcore.checkpoint import model_files
from mlcore.classify.predict import Classifier
from mlcore.classify.train import TrainedClassifier, train_classifier
from mlcore.config import Recipe
from mlcore.datasets import EventWindows, LabelledWindow, Side, missing_components, split_by_event
from mlcore.training import Progress

# Fewer events in common decide nothing: with ten, one more event right moves accuracy by ten points already.
LEAST_SHARED_EVENTS = 10

# Shares of the run's progress.
READ, LEARNED, COMPARED = 0.25, 0.9, 0.98

# Of a model's description, what its page shows beside its metrics.
TOLD = ("notes", "parameters")

Events = dict[str, tuple[int, str]]  # {event id: (primary key, class code)}


def train(job: Job) -> None:
    """Train a model by the site's recipe, store it, and promote it on evidence."""
    run = job.run
    if run.model is None:  # else a worker died between storing and promoting
        recipe = site_recipe(run.site, run.parameters)
        start = start_of(job, recipe)
        windows, events = _read(job, recipe)
        trained = _learn(job, windows, recipe, start)
        run.model = _store(job, trained, windows, events, start)
    verdict = promote_on_evidence(run.model)
    job.progress("done", 1.0, {"model": run.model.number, "verdict": verdict}, verdict)
    shutil.rmtree(run.checkpoint_folder, ignore_errors=True)
    run.site.refresh_from_db()
    if run.parameters.get("then_classify") and run.site.active_model_id == run.model.pk:
        _classify_next(job, run.model)


def _classify_next(job: Job, model: ModelVersion) -> None:
    """Ask for a classification with the new model by name: one that is under way uses the model it began with."""
    try:
        start_run(site=job.run.site, kind=Run.Kind.CLASSIFY, parameters={"model": model.pk}, asked_by=job.run.asked_by)
    except Conflict as error:  # asked for already; the training is done all the same
        job.log(str(error))


def _read(job: Job, recipe: Recipe) -> tuple[EventWindows, Events]:
    """The windows of every labelled event that the recipe takes, and of the noise around it.

    Raises Invalid where none can be used.
    """
    site, reasons = job.run.site, Reasons(job)
    pks = list(site.events.current().filter(label__isnull=False).values_list("pk", flat=True))
    windows: list[LabelledWindow] = []
    events: Events = {}
    done = 0
    for chunk in events_in_chunks(site, pks):
        for event in chunk:
            job.check()
            reading = read_example(event, recipe)
            reasons.add(reading)
            windows += [*reading.windows.values(), *reading.noise]
            if reading.windows and event.label:
                events[event.event_id] = (event.pk, event.label.code)
            done += 1
        counts = {"events": len(events), "windows": len(windows), "left out": done - len(events)}
        job.progress("reading waveforms", READ * done / len(pks), counts)
    if not windows:
        raise Invalid(
            f"None of the {len(pks)} labelled events can be used. The most common reason: {reasons.most_common}"
        )
    stacked = EventWindows.stack(windows, recipe.preprocessing)
    for component, count in missing_components(stacked, recipe.preprocessing).items():
        job.log(f"{count} of {len(stacked)} windows have no component {component}: it stays empty")
    return stacked, events


def _learn(job: Job, windows: EventWindows, recipe: Recipe, start: Start) -> TrainedClassifier:
    def tell(progress: Progress) -> None:
        done = 0.0 if progress.stage == "preparing" else progress.fraction
        figures = {name.replace("_", " "): round(value, 4) for name, value in progress.metrics.items()}
        job.progress(stage_of(progress), READ + (LEARNED - READ) * done, figures, progress.message)

    site = job.run.site
    return train_classifier(
        windows,
        taught(recipe, site_codes(site)),
        recipe,
        splits=sides(site, windows, recipe),
        start=start.weights,
        trained_on=trained_on(site, windows),
        progress=tell,
        should_stop=job.should_stop,
        checkpoint_path=job.run.checkpoint_folder / "training.safetensors",
    )


def stage_of(progress: Progress) -> str:
    """The stage with the fold that it is about, where its message begins with one."""
    fold = re.match(r"fold \d+ of \d+", progress.message)
    return f"{progress.stage}, {fold[0]}" if fold else progress.stage


def sides(site: Site, windows: EventWindows, recipe: Recipe) -> dict[str, Side]:
    """The side of each unit. What tested the active model tests its successor too, or neither could be compared.

    So an event that once tested never trains, as long as models succeed one another; all others are split anew. The
    noise around an event goes with it.
    """
    shares = (recipe.training.test_share, recipe.training.validation_share)
    tested = _on_sides(site.active_model, TrainingExample.Split.TEST)
    seen = _on_sides(site.active_model, TrainingExample.Split.TRAIN, TrainingExample.Split.VALIDATION)
    units = list(zip(windows.event_ids, windows.groups, strict=True))
    others = [i for i, (_, event) in enumerate(units) if event not in tested]
    fresh = windows.select([i for i in others if windows.groups[i] not in seen])
    known = windows.select([i for i in others if windows.groups[i] in seen])
    split: dict[str, Side] = {unit: "test" for unit, event in units if event in tested}
    split |= _split(known, (0.0, shares[1] / (1 - shares[0])), recipe)
    return split | _split(fresh, shares, recipe)


def _split(windows: EventWindows, shares: tuple[float, float], recipe: Recipe) -> dict[str, Side]:
    times = windows.starttimes if recipe.training.split == "time" else None
    return split_by_event(windows.event_ids, windows.labels, shares, recipe.training.seed, times)


def _on_sides(model: ModelVersion | None, *splits: str) -> set[str]:
    if model is None:
        return set()
    return set(model.examples.filter(split__in=splits).values_list("event__event_id", flat=True))


def trained_on(site: Site, windows: EventWindows) -> str:
    """What a model learned from, in words."""
    made_up = "synthetic events, which say nothing about real slopes; " if site.synthetic else ""
    events = set(windows.groups)
    noise = len(set(windows.event_ids) - events)
    around = f", and the noise around {noise} of them" if noise else ""
    return f"{made_up}{len(events)} labelled events of {site}{around}, {len(windows)} windows"


def _store(job: Job, trained: TrainedClassifier, windows: EventWindows, events: Events, start: Start) -> ModelVersion:
    """The trained model as a row, with its comparison to the active one among its metrics."""
    job.progress("comparing with the active model", LEARNED)
    site = job.run.site
    site.refresh_from_db()
    splits = {events[unit][0]: side for unit, side in trained.splits.items() if unit in events}  # noise is no event
    tests = [event for event, side in splits.items() if side == "test"]
    classifier = Classifier(trained.model, trained.description)
    said = {events[unit][0]: found for unit, found in trained.out_of_fold.items() if unit in events}
    if tests or not said:
        comparison = compare(job, classifier, site.active_model, tests)
    else:
        comparison = compare_out_of_fold(classifier.classes, classifier.recipe, said, site.active_model)
    told = {name: trained.description[name] for name in TOLD if name in trained.description}
    held_out = [unit for unit, side in trained.splits.items() if unit in events and side == "test"]
    notes = [*told.get("notes", []), *start.notes(site, held_out)]
    began_with = start.words(trained.description["began_with"])
    metrics = {**trained.description["metrics"], **told, "notes": notes, "comparison": comparison}
    description = {**trained.description, "metrics": metrics, **({"start": began_with} if began_with else {})}
    model = store_model(
        site=site,
        files=model_files(trained.model, description),
        description=description,
        splits=splits,
        labels=dict(events.values()),
        out_of_fold=said,
        suspicion={events[unit][0]: value for unit, value in trained.suspicion.items() if unit in events},
        trained_on=trained.description["trained_on"],
        started_from=start.encoder,
    )
    if began_with:
        job.log(began_with)
    job.run.model = model
    job.progress("stored", COMPARED, _figures(metrics), f"stored as {model}")
    return model


def _figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    count, report = _evidence(metrics)
    return {
        "judged on unseen events": count,
        "macro-F1": round(report["macro_f1"], 4),
        "balanced accuracy": round(report["balanced_accuracy"], 4),
    }


def _evidence(metrics: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """The number of events that were held out, and the figures on them; where none were, those out of fold."""
    if not metrics.get("events", 0) and (folds := metrics.get("out_of_fold")):
        return folds["units"], folds
    return metrics.get("events", 0), metrics


@transaction.atomic
def promote_on_evidence(model: ModelVersion) -> str:
    """Make the model active if it was tested on unseen events and is no worse there than the active one; says why."""
    site = Site.objects.select_for_update(no_key=True).get(pk=model.site_id)
    if site.active_model_id == model.pk:
        return f"{model} is the active model."
    if against := _objection(model, site.active_model):
        return f"{model} is stored but not promoted: {against}"
    promote_model(model=model)
    if site.active_model is None:
        tested, report = _evidence(model.metrics)
        return f"{model} is the site's first active model: macro-F1 {report['macro_f1']:.3f} on {tested} unseen events."
    return f"{model} is promoted: {_both_figures(model.metrics['comparison'])}."


def _objection(model: ModelVersion, active: ModelVersion | None) -> str:
    """Why the model may not take the place of the one that is active now; "" where it may."""
    comparison = model.metrics.get("comparison")
    if not _evidence(model.metrics)[0]:
        return "no event was held out to test it. Label more events."
    if (comparison and comparison["model"]) != (active and active.number):  # promoted by hand meanwhile
        held_against = f"model {comparison['model']}" if comparison else "none"
        return f"it was compared with {held_against}, but {active or 'none'} is active now. Train again to compare."
    if comparison is None:
        return ""
    if not comparison["events"]:
        return f"no event is new to both it and the active model {comparison['model']}."
    if comparison["events"] < LEAST_SHARED_EVENTS:
        return (
            f"only {comparison['events']} events are new to both it and the active model {comparison['model']}, and "
            f"fewer than {LEAST_SHARED_EVENTS} decide nothing. Label more events, or promote it by hand."
        )
    return f"{_both_figures(comparison)}." if comparison["macro_f1"] < comparison["active_macro_f1"] else ""


def _both_figures(comparison: Mapping[str, Any]) -> str:
    return (
        f"macro-F1 {comparison['macro_f1']:.3f}, the active model {comparison['model']} has "
        f"{comparison['active_macro_f1']:.3f}, on the same {comparison['events']} events that neither learned from"
    )
