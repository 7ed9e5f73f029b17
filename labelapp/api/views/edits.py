"""What changes events: many relabelled at once, boundaries, missed events, splits, merges."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from labelapp.api.filter_fields import find_stations
from labelapp.api.filters import EventFilters
from labelapp.api.serializers.catalogue import EventRowSerializer
from labelapp.api.serializers.edits import (
    BoundariesSerializer,
    BulkAnswerSerializer,
    BulkSerializer,
    EditedEventSerializer,
    MergeSerializer,
    NewEventSerializer,
    PartsSerializer,
    SplitSerializer,
    UndoneBatchSerializer,
    address_of,
)
from labelapp.api.views.base import Actions, class_of
from labelapp.catalogue import checksums
from labelapp.catalogue.errors import Conflict
from labelapp.catalogue.models import Event, Site, Station
from labelapp.catalogue.roles import EXPERT
from labelapp.catalogue.selectors import catalogue_events
from labelapp.learning.services import classify_anew
from labelapp.review import services
from labelapp.review.selectors import site_of_batch


class BulkRelabels(Actions):
    """Many events relabelled at once: actions of the event viewset."""

    @extend_schema(request=BulkSerializer, responses={200: BulkAnswerSerializer, 201: BulkAnswerSerializer})
    @action(detail=False, methods=["post"], filterset_class=None, pagination_class=None)
    def relabel(self, request: Request) -> Response:
        """Give many events a class, with one reason: a row of the ledger each, all of them or none.

        With `preview`, say what would happen. Events that other experts hold are left out. With `selection` or
        `expected` from the preview, refuse where the filter finds others, or another number, by now.
        """
        said = self.body(BulkSerializer)
        events = chosen(said)
        refuse_unseen(events, said.get("expected"), said.get("selection"))
        wanted = {
            "site": said["site"],
            "events": events,
            "expert": request.user,
            "event_class": class_of(said["site"], said["event_class"]),
        }
        if said["preview"]:
            return Response({**as_rows(services.preview_relabel(**wanted)), "selection": checksum_of(events)})
        done = services.relabel_events(**wanted, reason=said["reason"])
        return Response(as_rows(done), status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=UndoneBatchSerializer)
    @action(
        detail=False,
        methods=["post"],
        filterset_class=None,
        pagination_class=None,
        url_path="relabel/(?P<batch>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/undo",
    )
    def undo_relabel(self, request: Request, batch: str) -> Response:
        """Take a bulk relabel back, where nobody decided since. Whoever did it may, and managers."""
        site = site_of_batch(batch)
        if site is None:
            raise NotFound(f"There is no bulk relabel {batch}.")
        return Response(as_rows(services.undo_batch(site=site, batch=batch, by=request.user)))


class EventEdits(Actions):
    """What an expert changes about an event beside its class: actions of the event viewset."""

    @extend_schema(request=NewEventSerializer, responses={201: EditedEventSerializer})
    def create(self, request: Request) -> Response:
        """Add an event that the detector missed. Without a class it goes to the queue."""
        said = self.body(NewEventSerializer)
        said["station"] = station_of(said["site"], said["station"])
        code = said["event_class"]
        said["event_class"] = class_of(said["site"], code) if code else None
        event = services.add_event(expert=request.user, **said)
        return Response(self.edited(event), status=status.HTTP_201_CREATED)

    @extend_schema(request=BoundariesSerializer, responses=EditedEventSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def boundaries(self, request: Request, pk: str) -> Response:
        """Move the event's start and end; what its stations observed moves along."""
        said = self.body(BoundariesSerializer)
        event, _ = services.move_boundaries(event=self.get_object(), expert=request.user, **said)
        return Response(self.edited(event))

    @extend_schema(request=SplitSerializer, responses=PartsSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def split(self, request: Request, pk: str) -> Response:
        """Make two events of one; the new one gets what lies after `at`, with the same label."""
        parts = services.split_event(event=self.get_object(), expert=request.user, **self.body(SplitSerializer))
        events, run = self.as_they_are(parts), classify_anew(events=parts, asked_by=request.user)
        return Response(self.shown({"events": events, "run": address_of(run)}, PartsSerializer))

    @extend_schema(request=MergeSerializer, responses=EditedEventSerializer)
    @action(detail=False, methods=["post"], filterset_class=None, pagination_class=None)
    def merge(self, request: Request) -> Response:
        """Make one event of several: the earliest stays and spans them all, the others are listed no more."""
        said = self.body(MergeSerializer)
        events = list(Event.objects.filter(pk__in=said["events"]))
        if missing := set(said["events"]) - {event.pk for event in events}:
            raise ValidationError({"events": [f"There is no event {min(missing)}."]})
        event = services.merge_events(events=events, expert=request.user, reason=said["reason"])
        return Response(self.edited(event))

    def edited(self, event: Event) -> Any:
        run = classify_anew(events=[event], asked_by=self.request.user)
        (shown,) = self.as_they_are([event])
        return self.shown(shown, EditedEventSerializer, run=run)

    def as_they_are(self, events: Sequence[Event]) -> list[Event]:
        found = catalogue_events(merged=True).prefetch_related("observations__station")
        by_pk = found.in_bulk([event.pk for event in events])
        return [by_pk[event.pk] for event in events]


NEEDED = dict.fromkeys(["relabel", "undo_relabel", "create", "boundaries", "split", "merge"], EXPERT)


def as_rows(found: Any) -> dict[str, Any]:
    """A preview, a batch or an undone one as JSON: its numbers, and its events as rows of the list, counted."""
    facts = {name: getattr(found, name) for name in found.__dataclass_fields__}
    lists = {name: value for name, value in facts.items() if isinstance(value, list)}
    counts = {f"{name}_count": len(events) for name, events in lists.items() if name != "sample"}
    return {**facts, **counts, **{name: event_rows(events) for name, events in lists.items()}}


def event_rows(events: Sequence[Event]) -> Any:
    rows = catalogue_events(merged=True).in_bulk([event.pk for event in events[:SHOWN_EVENTS]])
    return EventRowSerializer([rows[event.pk] for event in events[:SHOWN_EVENTS]], many=True).data


# Of those that were left out: who wants them all asks the list.
SHOWN_EVENTS = 100


def chosen(said: dict[str, Any]) -> list[int]:
    """Keys of the events that a bulk relabel is about."""
    if "events" in said:
        return said["events"]
    found = EventFilters(said["filter"], catalogue_events(said["site"])).qs
    return list(found.order_by().values_list("pk", flat=True))


def checksum_of(events: Sequence[int]) -> str:
    """A short name for a set of events, given by their keys in any order."""
    return checksums.of_bytes(",".join(map(str, sorted(set(events)))).encode())[:16]


def refuse_unseen(events: Sequence[int], expected: int | None, selection: str | None) -> None:
    """Raises Conflict where there are more or fewer events than were previewed, or others."""
    now = f"{len(events)} event{'' if len(events) == 1 else 's'}"
    if expected is not None and len(events) != expected:
        change = f"{now} now; {expected} when you previewed it"
    elif selection is not None and checksum_of(events) != selection:
        change = f"{now} now, but not those that you previewed: some came in, some went out"
    else:
        return
    raise Conflict(f"The selection has {change}. Nothing was changed. Preview again.")


def station_of(site: Site, text: str) -> Station:
    """The site's station. Raises ValidationError, naming those there are."""
    stations = list(find_stations(text).filter(site=site)[:2])
    if len(stations) != 1:
        names = ", ".join(str(station) for station in site.stations.all()[:20]) or "none"
        found = "several stations" if stations else "no station"
        raise ValidationError({"station": [f"{site} has {found} {text!r}. Stations: {names}."]})
    return stations[0]
