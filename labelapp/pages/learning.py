"""Runs and models."""

import json
from collections.abc import Callable
from typing import Any

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from labelapp.catalogue.models import ModelVersion
from labelapp.catalogue.roles import is_manager
from labelapp.learning import selectors
from labelapp.learning.models import Run
from labelapp.pages import evidence, pretrained
from labelapp.pages.asked import asked_for
from labelapp.pages.pretrained import pretraining_curves
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
from labelapp.pages.starting import fitting_encoders, start_forms

MAP = Run.Kind.MAP
LIVE = [Run.State.QUEUED, Run.State.RUNNING]
# Of runs that learn: others have a model too, which learned before.
CURVES: dict[str, Callable[[Run], dict[str, Any] | None]] = {
    Run.Kind.TRAIN: drawn_curves,
    Run.Kind.PRETRAIN: pretraining_curves,
}


@for_viewers
def runs(request: HttpRequest, site_id: int) -> HttpResponse:
    site = get_site(site_id)
    rows = selectors.runs(site).defer("log")
    is_live = rows.filter(state__in=LIVE).exists()
    forms = start_forms(site) if is_manager(request.user) else []
    return site_page(request, "runs", site, page=page_of(request, rows), is_live=is_live, forms=forms)


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
        map=selectors.maps_for(request.user).filter(pk=row.figures.get("map")).first() if row.kind == MAP else None,
        asked=asked_for(row),
        curves=CURVES[row.kind](row) if row.kind in CURVES else None,
    )


@for_viewers
def models(request: HttpRequest, site_id: int) -> HttpResponse:
    site = get_site(site_id)
    rows = (
        ModelVersion.objects.filter(site=site)
        .select_related("started_from__site")
        .defer("history", "started_from__history")
        .annotate(examples_count=Count("examples"))
        .order_by("-number")
    )
    classifiers = site.models.filter(kind=ModelVersion.Kind.CLASSIFIER).order_by("-number")
    newest = classifiers.values_list("number", flat=True).first()
    return site_page(request, "models", site, page=page_of(request, rows), newest_classifier=newest)


@for_viewers
def model(request: HttpRequest, model_id: int) -> HttpResponse:
    """Everything that vouches for a model."""
    known = ModelVersion.objects.select_related("site__active_model", "promoted_by", "started_from__site")
    row = get_object_or_404(known, pk=model_id)
    if row.kind == ModelVersion.Kind.ENCODER:
        return _encoder(request, row)
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
        origin=pretrained.origin(row),
        notes=evidence.notes(row),
        recipe_words=recipe_in_words(row.recipe),
        recipe=json.dumps(row.recipe, indent=2),
    )


def _encoder(request: HttpRequest, row: ModelVersion) -> HttpResponse:
    """What an encoder has seen, how it learned, and what came of it."""
    return site_page(
        request,
        "encoder",
        row.site,
        model=row,
        pool=pretrained.pool(row),
        health=pretrained.health(row),
        method=pretrained.method_in_words(row),
        notes=evidence.notes(row),
        curves=pretraining_curves(model=row),
        successors=row.successors.select_related("site").defer("history").order_by("-created_at")[:50],
        fits=row in fitting_encoders(row.site),
        recipe_words=[part for part in recipe_in_words(row.recipe) if part[0] != "evaluation"],  # by commands only
        recipe=json.dumps(row.recipe, indent=2),
    )
