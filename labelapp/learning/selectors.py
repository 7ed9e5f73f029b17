"""Runs for lists and pages, after a look for workers that fell silent."""

from django.db.models import QuerySet

from labelapp.catalogue.models import Site
from labelapp.learning.claims import mark_silent_runs
from labelapp.learning.models import Run


def runs(site: Site | None = None) -> QuerySet[Run]:
    """Runs, newest first, of one site or of all. Those whose worker is dead say so."""
    mark_silent_runs()
    found = Run.objects.select_related("site", "model", "asked_by")
    return found.filter(site=site) if site else found


def get_run(run_id: int) -> Run:
    """One run as it stands now. Raises Run.DoesNotExist."""
    return runs().get(pk=run_id)
