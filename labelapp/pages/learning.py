"""Runs and models."""

import json
from typing import Any

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from labelapp.catalogue.models import EventClass, ModelVersion
from labelapp.learning import selectors
from labelapp.learning.models import Run
from labelapp.pages.site import for_viewers, get_site, page_of, site_page

LIVE = [Run.State.QUEUED, Run.State.RUNNING]
STARTABLE = {
    Run.Kind.TRAIN: ("Train", "Train a new model on the labelled events."),
    Run.Kind.CLASSIFY: ("Classify", "Classify every event by the active model, and fill the queue."),
    Run.Kind.DETECT: ("Detect", "Detect events in the continuous recordings."),
}
SCORES = {"macro_f1": "macro-F1", "balanced_accuracy": "balanced accuracy", "accuracy": "accuracy"}


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
    return site_page(request, "run", row.site, run=row, percent=round(100 * row.progress), is_live=row.state in LIVE)


@for_viewers
def models(request: HttpRequest, site_id: int) -> HttpResponse:
    site = get_site(site_id)
    rows = ModelVersion.objects.filter(site=site).annotate(examples_count=Count("examples")).order_by("-number")
    return site_page(request, "models", site, page=page_of(request, rows))


@for_viewers
def model(request: HttpRequest, model_id: int) -> HttpResponse:
    row = get_object_or_404(ModelVersion.objects.select_related("site__active_model"), pk=model_id)
    classes = {event_class.code: event_class for event_class in row.site.classes.all()}
    active = row.site.active_model
    return site_page(
        request,
        "model",
        row.site,
        model=row,
        confusion=confusion(row.metrics, classes),
        per_class=per_class(row.metrics, classes),
        undefined=row.metrics.get("undefined", []),
        splits=dict(row.examples.order_by().values_list("split").annotate(n=Count("pk"))),
        active=active,
        comparison=comparison(row, active) if active and active != row else [],
        recipe=json.dumps(row.recipe, indent=2),
    )


def confusion(metrics: dict[str, Any], classes: dict[str, EventClass]) -> list[dict[str, Any]]:
    """Rows of the confusion matrix, one per label, each cell with its share of the row."""
    rows = []
    for i, counts in enumerate(metrics.get("confusion_matrix", [])):
        code = metrics["classes"][i]
        cells = [{"count": n, "share": n / (sum(counts) or 1), "diagonal": i == j} for j, n in enumerate(counts)]
        rows.append({"code": code, "event_class": classes.get(code), "cells": cells})
    return rows


def per_class(metrics: dict[str, Any], classes: dict[str, EventClass]) -> list[dict[str, Any]]:
    figures = metrics.get("per_class", {})
    return [{"code": code, "event_class": classes.get(code), **figures[code]} for code in figures]


def comparison(model: ModelVersion, active: ModelVersion) -> list[dict[str, Any]]:
    """The scores of both models, each on its own held-out events, as the page says."""
    return [
        {"name": name, "this": model.metrics.get(key), "active": active.metrics.get(key)}
        for key, name in SCORES.items()
    ]
