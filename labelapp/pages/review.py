"""The queue, and the page on which an expert looks and decides."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from labelapp.pages.site import for_viewers, get_site, page_of, site_page
from labelapp.review.models import ReviewItem
from labelapp.review.selectors import queue_counts, queue_items


@for_viewers
def queue(request: HttpRequest, site_id: int) -> HttpResponse:
    site = get_site(site_id)
    reason = request.GET.get("reason", "")
    if reason not in ReviewItem.Reason.values:
        reason = ""
    counts = queue_counts(site)
    return site_page(
        request,
        "queue",
        site,
        page=page_of(request, queue_items(site, reason=reason or None)),
        counts=counts,
        reasons=[(code, words, counts[code]) for code, words in ReviewItem.Reason.choices if counts[code]],
        reason=reason,
        now=timezone.now(),
    )


@for_viewers
def review(request: HttpRequest, site_id: int) -> HttpResponse:
    """The shell only: the page's modules ask the API for an item (?item=12 for that one) and draw it."""
    item = request.GET.get("item", "")
    item_id = item if item.isdecimal() and len(item) < 19 else ""
    return site_page(request, "review", get_site(site_id), lease_s=settings.LEASE_S, item_id=item_id)
