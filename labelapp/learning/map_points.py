"""What the catalogue says now of the points of a map, and the points that an expert wants looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import Event, Explanation, Site
from labelapp.catalogue.selectors import catalogue_events, newest_prediction
from labelapp.learning.maps import tensors_of, time_of
from labelapp.learning.models import PoolMap, Run
from labelapp.learning.services import classify_anew
from labelapp.review.services import add_events, ask_for_events
from labelapp.review.spans import LONGEST_EVENT

ByClass = dict[str, list[int]]


@dataclass(frozen=True)
class Point:
    """A point as it is now: an event of the catalogue, or an unlabelled window."""

    kind: str  # "event" or "window"
    event: Event | None  # None for a window, and for an event that the catalogue has no more
    station: str | None  # NET.STA.LOC
    starttime: datetime
    endtime: datetime
    cluster: int


def classes_now(pool_map: PoolMap, *, is_told: bool) -> tuple[ByClass, ByClass]:
    """The rows of each label, and of each newest prediction's class: {code: rows}. Who is not told gets no predictions.

    Events that were merged into others since count for neither.
    """
    rows = {pk: row for row, pk in enumerate(tensors_of(pool_map)["event"].tolist()) if pk >= 0}
    events = Event.objects.current().filter(site=pool_map.site_id).order_by()
    labels = _by_class(rows, events.filter(label__isnull=False).values_list("pk", "label__code"))
    if not is_told:
        return labels, {}
    predicted = events.annotate(predicted=newest_prediction("event_class__code")).filter(predicted__isnull=False)
    return labels, _by_class(rows, predicted.values_list("pk", "predicted"))


def _by_class(rows: dict[int, int], pairs: Any) -> ByClass:
    found: ByClass = {}
    for pk, code in pairs.iterator(chunk_size=10_000):
        if pk in rows:
            found.setdefault(code, []).append(rows[pk])
    return {code: sorted(found[code]) for code in sorted(found)}


def point_of(pool_map: PoolMap, row: int) -> Point | None:
    """The point in a row; None where the map has no such row."""
    if not 0 <= row < pool_map.points:
        return None
    tensors = tensors_of(pool_map)
    pk, cluster = int(tensors["event"][row]), int(tensors["cluster"][row])
    station, start, end = _window(pool_map, row)
    if pk < 0:
        return Point("window", None, station, start, end, cluster)
    event = _survivors([pk]).get(pk)
    if event is None:
        return Point("event", None, station, start, end, cluster)
    seed_id = event.station.seed_id if event.station else station
    return Point("event", event, seed_id, event.starttime, event.endtime, cluster)


def _window(pool_map: PoolMap, row: int) -> tuple[str | None, datetime, datetime]:
    tensors = tensors_of(pool_map)
    number, start = int(tensors["station"][row]), time_of(tensors["starttime"][row])
    seed_id = pool_map.stations[number] if number >= 0 else None
    return seed_id, start, start + timedelta(seconds=pool_map.window_s)


def _survivors(pks: Sequence[int]) -> dict[int, Event]:
    """{event pk: the event, or the one that it was merged into at last}, with what lists show."""
    events = catalogue_events(merged=True).filter(pk__in=pks).select_related("merged_into")
    merged = {event.pk: event.survivor.pk for event in events}
    found = catalogue_events().in_bulk(list(set(merged.values())))
    return {pk: found[survivor] for pk, survivor in merged.items() if survivor in found}


@dataclass
class Reviewing:
    """What became of points that an expert wants looked at; the rows that could not be asked for, and why."""

    asked: int = 0
    added: int = 0
    already: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    run: Run | None = None


@transaction.atomic
def review_points(*, pool_map: PoolMap, rows: Sequence[int], expert: Any) -> Reviewing:
    """Ask for events, and make new events of unlabelled windows, which are asked for as well.

    A window that overlaps an event of the catalogue by now counts as that event: so do windows of several stations at
    the same time. What has no panels yet is classified by a run where the site has an active model.
    Raises NotAllowed (not an expert), Invalid (a row that the map does not have).
    """
    if strange := [row for row in rows if not 0 <= row < pool_map.points]:
        raise Invalid(f"{pool_map} has {pool_map.points} points, and none in row {strange[0]}. Load the map again.")
    site = Site.objects.select_for_update(no_key=True).get(pk=pool_map.site_id)
    reviewing, rows = Reviewing(), sorted(set(rows))
    known, free, joined = _windows_of(pool_map, site, rows)
    added = _added(pool_map, site, free, expert, reviewing)
    events = [*_events_of(pool_map, rows, reviewing), *known, *added]
    requests = ask_for_events(site=site, events=events, expert=expert)
    reviewing.added, reviewing.asked = len(added), len(requests.asked) - len(added)
    reviewing.already = len(requests.already) + joined
    unseen = _without_panels(requests.asked)
    reviewing.run = classify_anew(events=unseen, asked_by=expert) if unseen else None
    return reviewing


def _events_of(pool_map: PoolMap, rows: Sequence[int], reviewing: Reviewing) -> list[Event]:
    """The events among some rows, as they are now."""
    pks = {row: int(tensors_of(pool_map)["event"][row]) for row in rows}
    pks = {row: pk for row, pk in pks.items() if pk >= 0}
    known = _survivors(list(pks.values()))
    for row in (row for row, pk in pks.items() if pk not in known):
        reviewing.refused.append({"row": row, "why": "The catalogue does not have this event any more."})
    return [known[pk] for pk in pks.values() if pk in known]


def _windows_of(pool_map: PoolMap, site: Site, rows: Sequence[int]) -> tuple[list[Event], list[int], int]:
    """Of the windows among some rows: events that overlap them by now, rows of those that none does, one at a time;
    and how many more are at the time of these, of other stations.
    """
    known, free, joined = list[int](), list[int](), 0
    spans: list[tuple[datetime, datetime]] = []
    for row in (row for row in rows if tensors_of(pool_map)["event"][row] < 0):
        _, start, end = _window(pool_map, row)
        if (pk := _overlapping(site, start, end)) is not None:
            known.append(pk)
        elif any(begin < end and stop > start for begin, stop in spans):
            joined += 1
        else:
            spans.append((start, end))
            free.append(row)
    return list(Event.objects.filter(pk__in=known)), free, joined


def _added(pool_map: PoolMap, site: Site, rows: Sequence[int], expert: Any, reviewing: Reviewing) -> list[Event]:
    """New events of windows; those that cannot be are refused."""
    stations, places = {station.seed_id: station for station in site.stations.all()}, {}
    for row in rows:
        seed_id, start, end = _window(pool_map, row)
        if station := stations.get(seed_id or ""):
            places[row] = (station, start, end)
        else:
            reviewing.refused.append({"row": row, "why": f"{site} has no station {seed_id} any more."})
    events = add_events(site=site, places=list(places.values()), expert=expert)
    made = {(event.station_id, event.starttime) for event in events}
    for row, (station, start, _) in places.items():
        if (station.pk, start) not in made:
            why = "An event that was added here before was moved or merged since. Find it in the catalogue."
            reviewing.refused.append({"row": row, "why": why})
    return events


def _overlapping(site: Site, start: datetime, end: datetime) -> int | None:
    """The first event of the catalogue that has any of its span within; its key."""
    events = site.events.current().filter(starttime__gt=start - LONGEST_EVENT, starttime__lt=end, endtime__gt=start)
    return events.order_by("starttime", "pk").values_list("pk", flat=True).first()


def _without_panels(events: Sequence[Event]) -> list[Event]:
    explained = Explanation.objects.filter(prediction__event__in=events).values_list("prediction__event", flat=True)
    shown = set(explained)
    return [event for event in events if event.pk not in shown]
