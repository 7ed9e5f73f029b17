"""Runs and models."""

import json

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from labelapp.catalogue.models import ModelVersion
from labelapp.learning import selectors
from labelapp.learning.models import Run
from labelapp.pages import evidence
from labelapp.pages.recipe import recipe_in_words
from labelapp.pages.relabelled import (
    events_by_class,
    judged_on_test,
    judged_out_of_fold,
    relabelling,
    scores_or_none,
    suspected,
)
from labelapp.pages.relevance import relevance
from labelapp.pages.running import drawn_curves
from labelapp.pages.site import for_viewers, get_site, page_of, site_page

LIVE = [Run.State.QUEUED, Run.State.RUNNING]
STARTABLE = {
    Run.Kind.TRAIN: ("Train", "Train a new model on the labelled events."),
    Run.Kind.CLASSIFY: ("Classify", "Classify every event by the active model, and fill the queue."),
    Run.Kind.DETECT: ("Detect", "Detect events in the continuous recordings."),
}


@for_viewers
def runs(request: HttpRequest, site_id: int) -> HttpResponse:
    site = get_site(site_id)
    rows = selectors.runs(site)
    is_live = rows.filter(state__in=LIVE).exists()
    kinds = [(kind.value, *words) for kind, words in STARTABLE.items()]
    return site_page(request, "runs", site, page=page_of(request, rows), is_live=is_live, kinds=kinds)


@for_viewers
def run(request: HttpRequest, run_id: int) -> HttpResponse:
    try:
        row = selectors.get_run(run_id)
    except Run.DoesNotExist as error:
        raise Http404 from error
    return site_page(
        request,
        "run",
        row.site,
        run=row,
        percent=round(100 * row.progress),
        is_live=row.state in LIVE,
        curves=drawn_curves(row),
    )


@for_viewers
def models(request: HttpRequest, site_id: int) -> HttpResponse:
    site = get_site(site_id)
    rows = (
        ModelVersion.objects.filter(site=site)
        .defer("history")
        .annotate(examples_count=Count("examples"))
        .order_by("-number")
    )
    return site_page(request, "models", site, page=page_of(request, rows))


@for_viewers
def model(request: HttpRequest, model_id: int) -> HttpResponse:
    """Everything that vouches for a model."""
    known = ModelVersion.objects.select_related("site__active_model", "promoted_by")
    row = get_object_or_404(known, pk=model_id)
    classes = {event_class.code: event_class for event_class in row.site.classes.all()}
    tests = relabelling(judged_on_test(row), row.classes, classes)
    folds = relabelling(judged_out_of_fold(row), row.classes, classes)
    calibrated, curves = evidence.calibration(row), evidence.learning_curves(row)
    return site_page(
        request,
        "model",
        row.site,
        model=row,
        held_out=evidence.held_out(row, classes),
        out_of_fold=evidence.out_of_fold(row, classes) or scores_or_none(folds),
        comparison=evidence.comparison(row),
        calibration=calibrated,
        randomisation=evidence.randomisation(row),
        curves=curves,
        drawn={"calibration": calibrated, "curves": curves},
        relevance=relevance(row, classes),
        relabelled=[
            ("relabelled-tests", "held-out events", tests),
            ("relabelled-folds", "training events, out of fold", folds),
        ],
        folds=folds,
        suspected=suspected(row, classes),
        events=events_by_class(row, classes),
        notes=evidence.notes(row),
        recipe_words=recipe_in_words(row.recipe),
        recipe=json.dumps(row.recipe, indent=2),
    )
