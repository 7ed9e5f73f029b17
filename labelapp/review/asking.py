"""Many events that an expert wants looked at: an item each, for whoever takes it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import Event, Prediction, Site
from labelapp.catalogue.services import classes_by_code
from labelapp.review import worth
from labelapp.review.judging import about, judgements
from labelapp.review.leasing import require_expert
from labelapp.review.models import ReviewItem


@dataclass
class Requests:
    """Events that are asked about now, and those that were already."""

    asked: list[Event] = field(default_factory=list)
    already: list[Event] = field(default_factory=list)


@transaction.atomic
def ask_for_events(*, site: Site, events: Iterable[Event], expert: Any) -> Requests:
    """Put events into the queue because an expert asks; nobody is given them by that.

    Those that were merged count as the event that they were merged into; those with an open item stay as they are.
    Raises NotAllowed (not an expert), Invalid (events of another site).
    """
    require_expert(expert)
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    wanted = {event.survivor.pk: event.survivor for event in events}
    if any(event.site_id != site.pk for event in wanted.values()):
        raise Invalid(f"Some of the events are of another site than {site}. Choose events of one.")
    is_open = site.review_items.filter(state=ReviewItem.State.OPEN, reserved_for=None)
    waiting = set(about(wanted, is_open, "event").values_list("event_id", flat=True))
    found = Requests(already=[event for pk, event in wanted.items() if pk in waiting])
    found.asked = [event for pk, event in wanted.items() if pk not in waiting]
    ReviewItem.objects.bulk_create(_requests(site, found.asked), batch_size=1000)
    return found


def _requests(site: Site, events: Sequence[Event]) -> list[ReviewItem]:
    """New items, each with the newest prediction and what is held against the label."""
    rows = about([event.pk for event in events], Prediction.objects.all(), "event")
    newest = {row.event_id: row for row in rows.order_by("created_at", "pk")}
    judged, classes = judgements(site, list(newest.values())), classes_by_code(site)
    return [
        ReviewItem(
            site=site,
            event=event,
            prediction=newest.get(event.pk),
            reason=ReviewItem.Reason.REQUEST,
            priority=worth.REQUEST,
            **(judged[event.pk].facts(classes) if event.pk in judged else {}),
        )
        for event in events
    ]
