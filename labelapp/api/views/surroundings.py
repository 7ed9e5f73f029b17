"""Around an event: waveforms, spectrograms, similar events; and a station's continuous record."""

from hashlib import sha256
from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.decorators import method_decorator
from django.views.decorators.gzip import gzip_page
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from labelapp.api.serializers.surroundings import (
    ContextQuery,
    RecordedSpanSerializer,
    RecordImageQuery,
    RecordQuery,
    SimilarEventsSerializer,
    SpectrogramQuery,
    StationQuery,
)
from labelapp.catalogue.models import Explanation, Site, Station
from labelapp.learning import surroundings
from labelapp.learning.surroundings import NotRecorded

BYTES = {(200, "application/octet-stream"): OpenApiTypes.BINARY, 304: None}
# A browser may take it as it is for so long, and asks after that whether it has changed: files may come and go.
FRESH_S = 60


def names(query: type[Serializer]) -> tuple[str, ...]:
    """The parameters of a query."""
    return tuple(query().fields)


def asked(request: Request, query: type[Serializer]) -> dict[str, Any]:
    """The parameters as `query` understands them, the filter's corners as one. Raises ValidationError."""
    serializer = query(data=request.query_params.dict())
    serializer.is_valid(raise_exception=True)
    given = dict(serializer.validated_data)
    corners = (given.pop("low_hz", None), given.pop("high_hz", None))
    return {**given, "corners": corners}


def as_bytes(request: Request, make: Any, *rows: Any, **given: Any) -> HttpResponseBase:
    """What `make` gives, or 304 where the browser has it. Raises NotFound where nothing was recorded."""
    try:
        content = make(*rows, **given)
    except NotRecorded as error:
        raise NotFound(str(error)) from error
    etag = f'"{sha256(content).hexdigest()}"'
    response = get_conditional_response(request._request, etag=etag) or HttpResponse(
        content, content_type="application/octet-stream"
    )
    response["ETag"], response["Cache-Control"] = etag, f"private, max-age={FRESH_S}"
    return response


class EventSurroundings:
    """Actions of an event: what happened around it."""

    @extend_schema(parameters=[ContextQuery], responses=BYTES)
    @action(detail=True, pagination_class=None, filterset_class=None, query_parameters=names(ContextQuery))
    @method_decorator(gzip_page)
    def context(self, request: Request, pk: str) -> HttpResponseBase:
        """Waveforms around the event as safetensors, at most 200 kB compressed; `context` in its header says the rest.

        For station number i: `i.waveform` int16 (times `scale`: counts), `i.mask`; `i.outline` where samples were
        left out.
        """
        given = asked(request, ContextQuery)
        given["components"] = given.get("components", "").upper()
        return as_bytes(request, surroundings.context_of_event, self.get_object(), **given)  # type: ignore[attr-defined]

    @extend_schema(parameters=[SpectrogramQuery], responses=BYTES)
    @action(detail=True, pagination_class=None, filterset_class=None, query_parameters=names(SpectrogramQuery))
    @method_decorator(gzip_page)
    def spectrogram(self, request: Request, pk: str) -> HttpResponseBase:
        """An image of one component around the event as safetensors: `image` uint8, `frequencies_hz`, `times_s`.

        0 was not recorded, 1 is `floor_db` or less, 255 is `peak_db`; `spectrogram` in its header has them.
        """
        given = image_settings(request, SpectrogramQuery)
        return as_bytes(request, surroundings.spectrogram_of_event, self.get_object(), **given)  # type: ignore[attr-defined]

    @extend_schema(responses=SimilarEventsSerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def neighbours(self, request: Request, pk: str) -> Response:
        """The five events with a label that are most alike to this one in the features of the model's last layer."""
        prediction, found = surroundings.similar_events(self.get_object())  # type: ignore[attr-defined]
        panels = newest_panels([event.pk for event, _ in found])
        for event, similarity in found:
            event.similarity, event.panel = similarity, panels.get(event.pk)  # type: ignore[attr-defined]
        said = {"model": prediction.model if prediction else None, "neighbours": [event for event, _ in found]}
        return Response(SimilarEventsSerializer(said, context={"request": request}).data)


def image_settings(request: Request, query: type[Serializer]) -> dict[str, Any]:
    given = asked(request, query)
    given["component"] = given.get("component", "").upper()
    return {"max_hz": None, **given}


def newest_panels(events: list[int]) -> dict[int, str]:
    """Of each event the address of its newest stored panel."""
    rows = Explanation.objects.filter(prediction__event__in=events).order_by("created_at", "pk")
    pairs = rows.values_list("prediction__event_id", "pk")
    return {event: f"/api/v1/explanations/{pk}/panel/" for event, pk in pairs}


def found(site: Site, seed_id: str) -> Station:
    """The station of a site. Raises NotFound."""
    try:
        return surroundings.find_station(site, seed_id)
    except NotRecorded as error:
        raise NotFound(str(error)) from error


class SiteRecord:
    """Actions of a site: its stations' continuous record."""

    @extend_schema(parameters=[RecordQuery], responses=BYTES)
    @action(detail=True, pagination_class=None, filterset_class=None, query_parameters=names(RecordQuery))
    @method_decorator(gzip_page)
    def record(self, request: Request, pk: str) -> HttpResponseBase:
        """What a station recorded from `starttime` to `endtime`, at most an hour, as events/{id}/context/ gives it."""
        given = asked(request, RecordQuery)
        given["components"] = given.get("components", "").upper()
        return as_bytes(request, self.of_station(surroundings.record_of_station), **given)

    @extend_schema(parameters=[RecordImageQuery], responses=BYTES)
    @action(
        detail=True,
        pagination_class=None,
        filterset_class=None,
        query_parameters=names(RecordImageQuery),
        url_path="record-spectrogram",
    )
    @method_decorator(gzip_page)
    def record_spectrogram(self, request: Request, pk: str) -> HttpResponseBase:
        """An image of one component of the continuous record, as events/{id}/spectrogram/ gives it."""
        given = image_settings(request, RecordImageQuery)
        return as_bytes(request, self.of_station(surroundings.spectrogram_of_station), **given)

    @extend_schema(parameters=[StationQuery], responses=RecordedSpanSerializer(many=True))
    @action(detail=True, pagination_class=None, filterset_class=None, query_parameters=names(StationQuery))
    def recorded(self, request: Request, pk: str) -> Response:
        """When a station recorded anything, oldest first; pauses of a minute or less are not told."""
        station = found(self.get_object(), asked(request, StationQuery)["station"])  # type: ignore[attr-defined]
        spans = [{"starttime": start, "endtime": end} for start, end in surroundings.recorded_spans(station)]
        return Response(RecordedSpanSerializer(spans, many=True).data)

    def of_station(self, make: Any) -> Any:
        """`make` for the station of this site that the query names."""
        site = self.get_object()  # type: ignore[attr-defined]

        def made(*, station: str, starttime: Any, endtime: Any, **given: Any) -> bytes:
            return make(surroundings.find_station(site, station), starttime, endtime, **given)

        return made
