"""Sites, the catalogue of one, and the page of an event."""

from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from labelapp.catalogue import roles
from labelapp.catalogue.models import Event, Explanation, Site
from labelapp.catalogue.selectors import catalogue_events
from labelapp.learning.models import Run
from labelapp.learning.selectors import run_explaining
from labelapp.pages.around import item_like
from labelapp.pages.filters import EventFilterForm
from labelapp.pages.history import told
from labelapp.pages.site import for_viewers, get_site, page_of, site_page
from labelapp.pages.times import times
from labelapp.review.models import Relabel, ReviewItem
from labelapp.review.selectors import SHOWN, history
from labelapp.review.standing import LABELLING, standing


def count(rows: QuerySet[Any], what: str = "pk") -> Coalesce:
    """How many of `rows` belong to the outer site, as a subquery: joined counts would multiply."""
    own = rows.filter(site=OuterRef("pk")).order_by().values("site")
    return Coalesce(Subquery(own.annotate(n=Count(what, distinct=True)).values("n")), 0)


@for_viewers
def sites(request: HttpRequest) -> HttpResponse:
    labelling = standing(Relabel.objects.filter(kind__in=LABELLING, event__merged_into=None))
    rows = Site.objects.select_related("active_model").annotate(
        events_count=count(Event.objects.current()),
        waiting_count=count(ReviewItem.objects.filter(SHOWN, state=ReviewItem.State.OPEN)),
        decision_count=count(Relabel.objects.all()),
        reviewed_count=count(labelling, "event"),
        labelled_count=count(Event.objects.current().filter(label__isnull=False)),
    )
    live = Run.objects.filter(state__in=[Run.State.QUEUED, Run.State.RUNNING]).defer("log")
    # Of a site with several the one that is worked on, for longest: it comes last.
    running = {run.site_id: run for run in live.order_by("state", "-pk")}
    cards = [
        {"site": site, "run": running.get(site.pk), "share": site.reviewed_count / (site.events_count or 1)}
        for site in rows
    ]
    may = {"is_expert": roles.is_expert(request.user), "is_manager": roles.is_manager(request.user)}
    return render(request, "sites.html", {"cards": cards, "page_name": "sites", **may})


def listed_events(site: Site) -> QuerySet[Event]:
    """A site's events with the newest prediction, whether they wait for review, and whether a decision stands."""
    items = ReviewItem.objects.filter(SHOWN, event=OuterRef("pk"), state=ReviewItem.State.OPEN)
    decisions = standing(Relabel.objects.filter(event=OuterRef("pk"), kind__in=LABELLING))
    return catalogue_events(site).annotate(is_waiting=Exists(items), is_reviewed=Exists(decisions))


@for_viewers
def events(request: HttpRequest, site_id: int) -> HttpResponse:
    site = get_site(site_id)
    filters = EventFilterForm(request.GET, site=site)
    chosen = filters.apply(listed_events(site))
    page = page_of(request, chosen)
    classes = {event_class.code: event_class for event_class in site.classes.all()}
    rows = [{"event": event, "predicted": classes.get(event.predicted_class)} for event in page.object_list]
    return site_page(request, "events", site, filters=filters, page=page, rows=rows, times=times(chosen, site, filters))


@for_viewers
def event(request: HttpRequest, event_id: int) -> HttpResponse:
    known = Event.objects.select_related("site__active_model", "label", "catalogue_label", "station", "merged_into")
    row = get_object_or_404(known, pk=event_id)
    return site_page(
        request,
        "event",
        row.site,
        event=row,
        history=told(row, history(row).select_related("prediction__event_class")),
        making=run_explaining(row),
        has_panels=Explanation.objects.filter(prediction__event=row).exists(),
        predictions=row.predictions.select_related("event_class", "model"),
        observations=row.observations.select_related("station"),
        item=row.review_items.filter(SHOWN, state=ReviewItem.State.OPEN).first(),
        class_names=dict(row.site.classes.values_list("code", "name")),
        around_item=item_like(row),
        **neighbours(row),
    )


def neighbours(event: Event) -> dict[str, Event | None]:
    """The events of the site just before and just after, in the order of the catalogue."""
    others = Event.objects.current().filter(site=event.site)
    earlier = Q(starttime__lt=event.starttime) | Q(starttime=event.starttime, pk__lt=event.pk)
    later = Q(starttime__gt=event.starttime) | Q(starttime=event.starttime, pk__gt=event.pk)
    return {"before": others.filter(earlier).last(), "after": others.filter(later).first()}
