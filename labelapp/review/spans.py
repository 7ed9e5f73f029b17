"""What an expert changes about an event beside its class: its boundaries, whether it is one event, two, or none yet.

Every change is a row of the ledger. Rows are locked in the order of decisions: site → item → event.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from labelapp.catalogue.errors import Conflict, Invalid
from labelapp.catalogue.models import Event, EventClass, Observation, Site, Station
from labelapp.catalogue.text import iso
from labelapp.review import ledger
from labelapp.review.closing import close
from labelapp.review.details import clean_reason
from labelapp.review.leasing import refuse_held, refuse_merged, request_for, require_expert
from labelapp.review.models import Relabel, ReviewItem

Kind, State = Relabel.Kind, ReviewItem.State
Span = tuple[datetime, datetime]

LONGEST_EVENT = timedelta(days=1)
YEARS = range(1900, 2200)
MOST_MERGED = 20


@transaction.atomic
def move_boundaries(
    *, event: Event, expert: Any, starttime: datetime, endtime: datetime, reason: str = ""
) -> tuple[Event, Relabel]:
    """Give an event another start and end; what its stations observed moves at both ends as the event does.

    → (the event, the row that says from where to where). Raises NotAllowed (not an expert), Invalid (no span, or none
    that an event can have), Conflict (held by somebody else, or merged into another event).
    """
    site, (event,) = _locked([event], expert)
    before, after = (event.starttime, event.endtime), _checked(starttime, endtime)
    if before == after:
        raise Invalid(f"{event} runs from {iso(starttime)} to {iso(endtime)} already. Move a boundary.")
    for observation in event.observations.all():
        _shift(observation, before, after)
    _set_span(event, after)
    return event, _record_span(site, event, expert, before, clean_reason(reason))


@transaction.atomic
def add_event(
    *,
    site: Site,
    station: Station,
    expert: Any,
    starttime: datetime,
    endtime: datetime,
    event_class: EventClass | None = None,
    reason: str = "",
) -> Event:
    """Add an event that the detector missed; without a class it goes to the queue, as asked for.

    Raises NotAllowed (not an expert), Invalid (no span, a station or class of another site), Conflict (an event of the
    station begins just then).
    """
    require_expert(expert)
    reason, span = clean_reason(reason), _checked(starttime, endtime)
    site = Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    if station.site_id != site.pk:
        raise Invalid(f"{station} is no station of {site}.")
    name = _added_name(station, starttime)
    if site.events.filter(event_id=name).exists():
        raise Conflict(f"There is {name} already: an expert added it. Move its boundaries instead.")
    event = _new_event(site, name, station, span, source=f"added by {expert.get_username()}")
    Observation.objects.create(event=event, station=station, starttime=starttime, endtime=endtime)
    _label_or_ask(site, event, expert, event_class, reason)
    return event


@transaction.atomic
def add_events(*, site: Site, places: Sequence[tuple[Station, datetime, datetime]], expert: Any) -> list[Event]:
    """Add many events without a class: of stations of the site, from when to when. Nobody is asked about them by that.

    Where an event of the station was added just then before, there is none for that place. Raises as `add_event` does.
    """
    require_expert(expert)
    site = Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    if strangers := [station for station, _, _ in places if station.site_id != site.pk]:
        raise Invalid(f"{strangers[0]} is no station of {site}.")
    new = {_added_name(station, start): (station, _checked(start, end)) for station, start, end in places}
    taken = set(site.events.filter(event_id__in=new).values_list("event_id", flat=True))
    source = f"added by {expert.get_username()}"
    events = [_event(site, name, *place, source=source) for name, place in new.items() if name not in taken]
    Event.objects.bulk_create(events, batch_size=1000)
    Observation.objects.bulk_create(
        Observation(event=e, station=e.station, starttime=e.starttime, endtime=e.endtime) for e in events if e.station
    )
    return events


@transaction.atomic
def split_event(*, event: Event, expert: Any, at: datetime, reason: str = "") -> tuple[Event, Event]:
    """Make two events of one: it keeps what lies before `at`, a new one with the same label gets the rest.

    Raises as `move_boundaries` does; Invalid for a time outside the event.
    """
    site, (event,) = _locked([event], expert)
    reason, before = clean_reason(reason), (event.starttime, event.endtime)
    _refuse_odd_years(at)
    if not before[0] < at < before[1]:
        runs = f"{event} runs from {iso(before[0])} to {iso(before[1])}"
        raise Invalid(f"{runs}. Split it between those, not at {iso(at)}.")
    name = _free_name(event)
    second = _new_event(site, name, event.station, (at, before[1]), source=f"split off {event}")
    _split_observations(event, second, at)
    _set_span(event, (before[0], at))
    _record_span(site, event, expert, before, reason, parts=[event.event_id, name])
    _label_or_ask(site, second, expert, event.label, reason, from_event=event.event_id)
    return event, second


@transaction.atomic
def merge_events(*, events: Sequence[Event], expert: Any, reason: str = "") -> Event:
    """Make one event of several: the earliest keeps its label and spans them all; the others are listed no more.

    Raises as `move_boundaries` does; Invalid for events of several sites, or too few or too many.
    """
    site, (first, *others) = _locked(events, expert)
    if not 1 <= len(others) < MOST_MERGED:
        raise Invalid(f"{len(others) + 1} events are chosen. Merge 2 to {MOST_MERGED}.")
    reason, before = clean_reason(reason), (first.starttime, first.endtime)
    after = _checked(before[0], max(event.endtime for event in (first, *others)))
    rows = [_merge_row(event, first, reason) for event in others]
    _take_over_observations(first, others)
    Event.objects.filter(pk__in=[event.pk for event in others]).update(merged_into=first)
    close(ReviewItem.objects.filter(event__in=others), State.WITHDRAWN)
    if after != before:
        _set_span(first, after)
        _record_span(site, first, expert, before, reason)
    ledger.append_rows(site=site, expert=expert, rows=rows)
    return first


def _locked(events: Sequence[Event], expert: Any) -> tuple[Site, list[Event]]:
    """The site and its events, oldest first, locked. Raises for events that the expert cannot change now."""
    require_expert(expert)
    pks, sites = {event.pk for event in events}, {event.site_id for event in events}
    if len(sites) != 1:
        raise Invalid(f"The events are of {len(sites)} sites. Choose events of one.")
    site = Site.objects.select_for_update(no_key=True).get(pk=sites.pop())
    items = ReviewItem.objects.select_for_update(of=("self",)).filter(event__in=pks, state=State.OPEN)
    for item in items.select_related("holder", "event").order_by("pk"):
        refuse_held(item, expert, "Try again after that.")
    locked = Event.objects.select_for_update(of=("self",)).select_related("label", "station").filter(pk__in=pks)
    found = list(locked.order_by("starttime", "pk"))
    for event in found:
        refuse_merged(event)
    return site, found


def _checked(starttime: datetime, endtime: datetime) -> Span:
    _refuse_odd_years(starttime, endtime)
    if endtime <= starttime:
        raise Invalid(f"It would end at {iso(endtime)}, not after its start at {iso(starttime)}. Give a later end.")
    if endtime - starttime > LONGEST_EVENT:
        raise Invalid(f"It would last {endtime - starttime}. An event lasts a day at most.")
    return starttime, endtime


def _refuse_odd_years(*times: datetime) -> None:
    for time in times:
        if time.year not in YEARS:
            raise Invalid(f"{time.isoformat()} is of the year {time.year}. Give one from {YEARS[0]} to {YEARS[-1]}.")


def _set_span(event: Event, span: Span) -> None:
    event.starttime, event.endtime = span
    event.save(update_fields=["starttime", "endtime"])


def _shift(observation: Observation, before: Span, after: Span) -> None:
    """Move both ends of an observation as the event's; where nothing would be left, it is the event's span."""
    moved = observation.starttime + (after[0] - before[0]), observation.endtime + (after[1] - before[1])
    observation.starttime, observation.endtime = moved if moved[0] < moved[1] else after
    observation.save(update_fields=["starttime", "endtime"])


def _record_span(site: Site, event: Event, expert: Any, before: Span, reason: str, **details: Any) -> Relabel:
    span = {"from": [iso(time) for time in before], "to": [iso(event.starttime), iso(event.endtime)]}
    return ledger.append_to_ledger(
        site=site,
        event=event,
        expert=expert,
        item=None,
        to_class=event.label,
        reason=reason,
        kind=Kind.SPAN,
        details={"span": span, **details},
    )


def _added_name(station: Station, starttime: datetime) -> str:
    return f"exp-{station.seed_id}-{iso(starttime)}"


def _new_event(site: Site, name: str, station: Station | None, span: Span, source: str) -> Event:
    event = _event(site, name, station, span, source)
    event.save(force_insert=True)
    return event


def _event(site: Site, name: str, station: Station | None, span: Span, source: str) -> Event:
    return Event(
        site=site,
        event_id=name,
        starttime=span[0],
        endtime=span[1],
        station=station,
        origin=Event.Origin.EXPERT,
        source=source[:300],
    )


def _label_or_ask(
    site: Site, event: Event, expert: Any, event_class: EventClass | None, reason: str, **details: Any
) -> None:
    """The new event's first label as a row; without one somebody is to look at it."""
    if event_class is None:
        request_for(event)
        return
    if event_class.site_id != site.pk:
        raise Invalid(f"{event_class.code} is no class of {site}.")
    ledger.append_to_ledger(
        site=site, event=event, expert=expert, item=None, to_class=event_class, reason=reason, details=details
    )
    event.label = event_class
    event.save(update_fields=["label"])


def _free_name(event: Event) -> str:
    """The first of event.2, event.3, … that no event of the site has."""
    taken = set(event.site.events.filter(event_id__startswith=event.event_id[:190]).values_list("event_id", flat=True))
    return next(name for n in range(2, len(taken) + 3) if (name := f"{event.event_id[:190]}.{n}") not in taken)


def _split_observations(first: Event, second: Event, at: datetime) -> None:
    """Each station's observation is cut at the same moment; a part that no station saw gets the event's own station."""
    for seen in first.observations.all():
        if seen.starttime < at < seen.endtime:
            Observation.objects.create(event=second, station=seen.station, starttime=at, endtime=seen.endtime)
            Observation.objects.filter(pk=seen.pk).update(endtime=at)
        elif seen.starttime >= at:
            Observation.objects.filter(pk=seen.pk).update(event=second)
    for part, span in ((first, (first.starttime, at)), (second, (at, second.endtime))):
        if part.station and not part.observations.exists():
            Observation.objects.create(event=part, station=part.station, starttime=span[0], endtime=span[1])


def _take_over_observations(first: Event, others: Sequence[Event]) -> None:
    """The first event was seen where any of them was, from the earliest to the latest; the others keep theirs."""
    known = {seen.station_id: seen for seen in first.observations.all()}
    for seen in Observation.objects.filter(event__in=others).order_by("starttime"):
        mine = known.get(seen.station_id)
        if mine is None:
            mine = known[seen.station_id] = Observation(event=first, station_id=seen.station_id, snr=seen.snr)
            mine.starttime, mine.endtime = seen.starttime, seen.endtime
        mine.starttime, mine.endtime = min(mine.starttime, seen.starttime), max(mine.endtime, seen.endtime)
        mine.save()


def _merge_row(event: Event, into: Event, reason: str) -> Relabel:
    return Relabel(
        event=event,
        kind=Kind.MERGE,
        from_class=event.label,
        to_class=event.label,
        reason=reason,
        details={"into": into.event_id},
    )
