"""Runs for lists and pages, after a look for workers that fell silent; and the maps that a user may see."""

from typing import Any

from django.db.models import QuerySet

from labelapp.catalogue.models import Event, ModelVersion, Site
from labelapp.catalogue.roles import is_manager
from labelapp.learning.claims import mark_silent_runs
from labelapp.learning.models import PoolMap, Run
from labelapp.review.models import ReviewPolicy


def runs(site: Site | None = None) -> QuerySet[Run]:
    """Runs, newest first, of one site or of all. Those whose worker is dead say so."""
    mark_silent_runs()
    found = Run.objects.select_related("site", "model", "asked_by")
    return found.filter(site=site) if site else found


def get_run(run_id: int) -> Run:
    """One run as it stands now. Raises Run.DoesNotExist."""
    return runs().get(pk=run_id)


def under_way(site: Site) -> list[Run]:
    """Runs of a site that have not ended, those that are worked on first. One query: every page asks."""
    live = Run.objects.filter(site=site, state__in=[Run.State.QUEUED, Run.State.RUNNING]).defer("log", "figures")
    return sorted(live, key=lambda run: (run.state == Run.State.QUEUED, run.pk))


def run_explaining(event: Event) -> Run | None:
    """The run under way that makes this event's maps, because an expert asked for them."""
    live = (run for run in under_way(event.site) if run.parameters.get("explain_all"))
    return next((run for run in live if event.pk in (run.parameters.get("events") or [])), None)


def maps_for(user: Any) -> QuerySet[PoolMap]:
    """Pool maps, newest first. Of a site that is reviewed blind, those that a classifier made are for managers.

    Where a classifier places an event tells what it says of it; an encoder has seen no label.
    """
    maps = PoolMap.objects.select_related("site__active_model", "model")
    if is_manager(user):
        return maps
    blind = ReviewPolicy.objects.filter(blind=True).values("site")
    return maps.exclude(site__in=blind, model__kind=ModelVersion.Kind.CLASSIFIER)
