"""What every page shares: who may see it, the site and its menu, pages of rows."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from labelapp.catalogue import roles
from labelapp.catalogue.models import Site
from labelapp.learning.models import Run
from labelapp.learning.selectors import under_way

ROWS = 100


def for_viewers(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Only users who have a role; the others are told whom to ask."""

    @wraps(view)
    def guarded(request: HttpRequest, **ids: int) -> HttpResponse:
        if not roles.is_viewer(request.user):
            raise PermissionDenied(
                "Your account has no role yet. Ask whoever runs this server for one (manage.py create_user)."
            )
        return view(request, **ids)

    return guarded


def get_site(site_id: int) -> Site:
    return get_object_or_404(Site.objects.select_related("active_model"), pk=site_id)


def site_page(request: HttpRequest, name: str, site: Site, **context: Any) -> HttpResponse:
    """The template `name` with the site, its menu, and what the user may do."""
    may = {"is_expert": roles.is_expert(request.user), "is_manager": roles.is_manager(request.user)}
    shared = {"site": site, "page_name": name, "running": _running(site)}
    return render(request, f"{name}.html", {**shared, **may, **context})


def _running(site: Site) -> dict[str, Any] | None:
    """What the header says of long work; js/running.js goes on from there."""
    live = under_way(site)
    if not live:
        return None
    first = live[0]
    how = "waiting" if first.state == Run.State.QUEUED else f"{int(100 * first.progress)} %"
    what = f"{len(live)} runs: " if len(live) > 1 else ""
    return {
        "address": first.get_absolute_url(),
        "progress": first.progress,
        "what": f"{what}{first.get_kind_display()} ",
        "how": how,
    }


def page_of(request: HttpRequest, rows: QuerySet[Any] | Sequence[Any], size: int = ROWS) -> Page[Any]:
    """The page that ?page= asks for; the nearest one where that does not exist."""
    return Paginator(rows, size).get_page(request.GET.get("page"))
