"""The pages: thin views that read, and render a template. What changes something goes through the API."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse

from labelapp.pages.agreement import agreement
from labelapp.pages.catalogue import event, events, sites
from labelapp.pages.learning import model, models, run, runs
from labelapp.pages.maps import pool_map, site_map
from labelapp.pages.matrices import matrices
from labelapp.pages.progress import progress
from labelapp.pages.record import record
from labelapp.pages.review import queue, review

__all__ = [
    "agreement",
    "event",
    "events",
    "healthz",
    "matrices",
    "model",
    "models",
    "pool_map",
    "progress",
    "queue",
    "record",
    "review",
    "run",
    "runs",
    "site_map",
    "sites",
]


@login_not_required
def healthz(request: HttpRequest) -> JsonResponse:
    """Says that the web process answers; no login, no database."""
    return JsonResponse({"status": "ok"})
