"""The pool map: what a model sees in a site's events and unlabelled windows, in two dimensions."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from labelapp.catalogue.models import Site
from labelapp.catalogue.roles import is_manager
from labelapp.learning.models import PoolMap, Run
from labelapp.learning.parameters import default_map_model
from labelapp.learning.selectors import maps_for, under_way
from labelapp.pages.around import site_facts
from labelapp.pages.modules import modules_of
from labelapp.pages.site import for_viewers, get_site, site_page
from labelapp.pages.starting import map_fields
from labelapp.review.opinions import is_told
from labelapp.review.selectors import policy_of


@for_viewers
def pool_map(request: HttpRequest, map_id: int) -> HttpResponse:
    """One map."""
    row = get_object_or_404(maps_for(request.user), pk=map_id)
    return _page(request, row.site, row)


@for_viewers
def site_map(request: HttpRequest, site_id: int) -> HttpResponse:
    """The site's newest map; where there is none, how to make one."""
    return _page(request, get_site(site_id), None)


def _page(request: HttpRequest, site: Site, asked: PoolMap | None) -> HttpResponse:
    """The shell only: the page's module asks the API for the points and draws."""
    maps = list(maps_for(request.user).filter(site=site))
    newest = maps[0] if maps else None
    shown = asked or newest
    failed = _failed(site, newest)
    return site_page(
        request,
        "map",
        site,
        map=shown,
        maps=maps,
        newest=newest,
        windows=shown.points - shown.events if shown else 0,
        making=next((run for run in under_way(site) if run.kind == Run.Kind.MAP), None),
        failed=failed,
        fields=map_fields(site, failed.parameters if failed else None) if is_manager(request.user) else [],
        can_map=default_map_model(site) is not None,
        is_told=is_told(request.user, policy_of(site)),
        modules=modules_of("map.js"),
        facts={**site_facts(site), "map": _facts(shown)},
    )


def _failed(site: Site, newest: PoolMap | None) -> Run | None:
    """The last run for a map, where it failed and no map came after it."""
    last = Run.objects.filter(site=site, kind=Run.Kind.MAP).defer("log", "figures").order_by("-pk").first()
    is_over = last is None or last.state not in {Run.State.FAILED, Run.State.INTERRUPTED}
    return None if is_over or (newest and last and newest.created_at > last.created_at) else last


def _facts(shown: PoolMap | None) -> dict[str, object] | None:
    """What the page's module needs of the map."""
    if shown is None:
        return None
    about = {"id": shown.pk, "points": shown.points, "events": shown.events, "window_s": shown.window_s}
    return {**about, "stations": shown.stations}
