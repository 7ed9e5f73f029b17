"""What scripts of a page need to show what lies around an event: facts as the API gives them of an item."""

from typing import Any

from labelapp.catalogue.models import Event, Site
from labelapp.review.selectors import policy_of


def item_like(event: Event) -> dict[str, Any]:
    """An event as the modules of the review page know it, without anything to decide."""
    times = {"starttime": event.starttime.isoformat(), "endtime": event.endtime.isoformat()}
    station = event.station.seed_id if event.station else None
    return {
        "event": {"id": event.pk, "event_id": event.event_id, "station": station, **times},
        **site_facts(event.site),
    }


def site_facts(site: Site) -> dict[str, Any]:
    """Classes and pass bands of a site."""
    classes = site.classes.values("code", "name", "colour", "key")
    return {
        "site": {"id": site.pk, "name": site.name},
        "classes": list(classes),
        "policy": {"filter_presets": policy_of(site).filter_presets},
    }
