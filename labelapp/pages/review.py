"""The queue, and the page on which an expert looks and decides."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from labelapp.api.filters import REASONS, QueueFilters
from labelapp.catalogue.models import Site
from labelapp.pages.filters import QueueFilterForm
from labelapp.pages.modules import modules_of
from labelapp.pages.site import for_viewers, get_site, page_of, site_page
from labelapp.review.opinions import OPENLY, is_asked_blindly, is_independent, is_told
from labelapp.review.selectors import SHOWN, policy_of, queue_counts, queue_items


@for_viewers
def queue(request: HttpRequest, site_id: int) -> HttpResponse:
    """What waits for experts, or the part of it that the filters choose."""
    site = get_site(site_id)
    policy = policy_of(site)
    told = is_told(request.user, policy)
    filters = QueueFilterForm(request.GET, site=site, is_told=told)
    chosen = filters.given
    counts, by_reason = queue_counts(site), {name: value for name, value in chosen.items() if name != "reason"}
    found = QueueFilters(by_reason, site.review_items.all(), request=request)
    part = queue_counts(site, found.qs) if by_reason else counts
    reasons = [(code, words) for code, words in REASONS if told or code in OPENLY]
    items = queue_items(site).filter(SHOWN).select_related("site__review_policy", "about")
    page = page_of(request, filters.apply(items, request))
    return site_page(
        request,
        "queue",
        site,
        page=page,
        rows=[(item, is_asked_blindly(item, policy), is_independent(item)) for item in page],
        counts=counts,
        part=part,
        reasons=[(code, words, part[code]) for code, words in reasons if counts[code] or chosen.get("reason") == code],
        filters=filters,
        chosen=chosen,
        chosen_query=urlencode(chosen),
        part_query=urlencode({"site": site.pk, **by_reason}),
        saved=saved_filters(request, site, chosen),
        now=timezone.now(),
    )


def saved_filters(request: HttpRequest, site: Site, chosen: dict[str, str]) -> list[dict[str, Any]]:
    """The user's saved filters, with their addresses, and which of them is on the page."""
    return [
        {"pk": row.pk, "name": row.name, "query": urlencode(row.query), "is_chosen": as_text(row.query) == chosen}
        for row in site.saved_filters.filter(user=request.user.pk)
    ]


def as_text(query: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items()}


@for_viewers
def review(request: HttpRequest, site_id: int) -> HttpResponse:
    """The shell only: the page's modules ask the API for an item (?item=12 for that one) and draw it."""
    item = request.GET.get("item", "")
    item_id = item if item.isdecimal() and len(item) < 19 else ""
    modules = modules_of("review.js")
    return site_page(request, "review", get_site(site_id), lease_s=settings.LEASE_S, item_id=item_id, modules=modules)
