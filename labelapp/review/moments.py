"""The labels of a site at a moment: the ledger, replayed up to then."""

from datetime import datetime

from labelapp.catalogue.models import Site
from labelapp.review.models import Relabel

Labels = dict[int, str | None]  # {event pk: class code, None without a label}


def labels_at(site: Site, time: datetime) -> Labels:
    """What each event was labelled at `time` (UTC). Events that were added later, or merged by then, are not in it."""
    known = site.events.filter(created_at__lte=time).exclude(pk__in=_merged(site, time))
    labels: Labels = dict(known.values_list("pk", "catalogue_label__code"))
    rows = site.relabels.filter(kind__in=Relabel.SETS_LABEL, decided_at__lte=time).order_by("sequence")
    for event, code in rows.values_list("event_id", "to_class__code"):
        if event in labels:
            labels[event] = code
    return labels


def labels_imported(site: Site) -> Labels:
    """What each event was labelled by the catalogue that was imported: before any expert decided."""
    return dict(site.events.values_list("pk", "catalogue_label__code"))


def labels_now(site: Site) -> Labels:
    """What each event is labelled. Merged events are not in it."""
    return dict(site.events.filter(merged_into__isnull=True).values_list("pk", "label__code"))


def _merged(site: Site, time: datetime) -> "list[int]":
    """Events that had been found to be others by then, and still are."""
    rows = site.relabels.filter(kind=Relabel.Kind.MERGE, decided_at__lte=time, event__merged_into__isnull=False)
    return list(rows.values_list("event_id", flat=True))
