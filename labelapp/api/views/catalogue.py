"""Sites, events, panels, models."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.decorators import method_decorator
from django.views.decorators.gzip import gzip_page
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from labelapp.api.filter_fields import as_id
from labelapp.api.filters import EventFilters, ExampleFilters, ModelFilters, SiteFilters
from labelapp.api.serializers.catalogue import (
    EventRowSerializer,
    EventSerializer,
    ExampleSerializer,
    ModelSerializer,
    PanelSerializer,
    SiteSerializer,
)
from labelapp.api.serializers.requested import RequestedItemSerializer
from labelapp.api.serializers.review import RelabelSerializer
from labelapp.api.views.base import PAGER, Actions, Rows
from labelapp.api.views.edits import NEEDED, BulkRelabels, EventEdits
from labelapp.api.views.policies import EventGold, SitePolicy
from labelapp.api.views.review import items
from labelapp.api.views.surroundings import EventSurroundings, SiteRecord
from labelapp.catalogue.models import Event, Explanation, ModelVersion, Prediction, Site, TrainingExample
from labelapp.catalogue.panels import without_relevance
from labelapp.catalogue.roles import EXPERT
from labelapp.catalogue.selectors import catalogue_events, examples, latest_panels, latest_prediction, panel_bytes
from labelapp.catalogue.served_panels import first_part, other_maps
from labelapp.catalogue.services import promote_model
from labelapp.learning.services import explain_event
from labelapp.review.selectors import history
from labelapp.review.services import ask_for_review

# Parts of a panel, as the review page fetches them.
PANEL_PARTS: dict[str, Callable[[bytes], bytes]] = {"first": first_part, "other-maps": other_maps}


class SiteViewSet(SiteRecord, SitePolicy, Rows):
    """Watched slopes with their classes and stations."""

    queryset = Site.objects.prefetch_related("classes", "stations")
    serializer_class = SiteSerializer
    filterset_class = SiteFilters


class EventViewSet(EventSurroundings, BulkRelabels, EventEdits, EventGold, Rows):
    """The event catalogue. Experts decide through review items."""

    queryset = Event.objects.all()
    filterset_class = EventFilters
    needs = {"review": EXPERT, **NEEDED}

    def get_queryset(self) -> QuerySet[Event]:
        events = catalogue_events(merged=self.action != "list")
        return events.prefetch_related("observations__station") if self.action == "retrieve" else events

    def get_serializer_class(self) -> type[EventRowSerializer]:
        return EventRowSerializer if self.action == "list" else EventSerializer

    @extend_schema(
        parameters=[OpenApiParameter("prediction", int, description="Another prediction than the newest.")],
        responses=PanelSerializer(many=True),
    )
    @action(detail=True, pagination_class=None, filterset_class=None, query_parameters=("prediction",))
    def panels(self, request: Request, pk: str) -> Response:
        """The newest panel of each station, for the newest prediction of the event or a given one."""
        prediction = self.prediction(self.get_object(), request.query_params.get("prediction", ""))
        return Response(PanelSerializer(latest_panels(prediction) if prediction else [], many=True).data)

    def prediction(self, event: Event, text: str) -> Prediction | None:
        if not text:
            return latest_prediction(event)
        found = event.predictions.select_related("model").filter(pk=as_id(text)).first()
        if found is None:
            raise ValidationError({"prediction": [f"{text[:40]!r} is no prediction of event {event}."]})
        return found

    @extend_schema(responses=RelabelSerializer(many=True))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def relabels(self, request: Request, pk: str) -> Response:
        """Every decision on the event, oldest first."""
        return Response(RelabelSerializer(history(self.get_object()), many=True).data)

    @extend_schema(request=None, responses=RequestedItemSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def review(self, request: Request, pk: str) -> Response:
        """Ask to look at the event (again): its open item, or a new one, is leased to you.

        Where no maps of it are stored, a run makes them: `run` is its address, else null.
        """
        event = self.get_object()
        item = ask_for_review(event=event, expert=request.user)
        context = {**self.get_serializer_context(), "run": explain_event(event=event, asked_by=request.user)}
        return Response(RequestedItemSerializer(items().get(pk=item.pk), context=context).data)


class ExplanationViewSet(Actions):
    """The bytes of stored panels. `events/{id}/panels/` lists them."""

    queryset = Explanation.objects.all()
    serializer_class = PanelSerializer

    @extend_schema(
        parameters=[
            OpenApiParameter("part", enum=list(PANEL_PARTS), description="A part, in byte planes, smaller on its way.")
        ],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, 304: None},
    )
    @action(detail=True, query_parameters=("part",))
    @method_decorator(gzip_page)
    def panel(self, request: Request, pk: str) -> HttpResponseBase:
        """A safetensors file: waveform, STFT and relevance as the worker stored them. It never changes."""
        explanation, part = self.get_object(), request.query_params.get("part", "")
        if part and part not in PANEL_PARTS:
            raise ValidationError({"part": [f"{part[:40]!r} is no part. Choose one of: {', '.join(PANEL_PARTS)}."]})
        cut = PANEL_PARTS.get(part, bytes)
        etag = f"{explanation.sha256}-{part}" if part else explanation.sha256
        return for_ever(request, etag, lambda: cut(panel_bytes(explanation)))

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, 304: None})
    @action(detail=True, url_path="waveform-and-stft", url_name="waveform-and-stft")
    @method_decorator(gzip_page)
    def waveform_and_stft(self, request: Request, pk: str) -> HttpResponseBase:
        """The panel without anything that the machine says: for who decides before they are told. It never changes."""
        explanation = self.get_object()
        etag = f"{explanation.sha256}-unexplained"
        return for_ever(request, etag, lambda: without_relevance(panel_bytes(explanation)))


def for_ever(request: Request, etag: str, content: Callable[[], bytes]) -> HttpResponseBase:
    """Bytes that never change, or that the browser has them already."""
    response = get_conditional_response(request._request, etag=f'"{etag}"') or HttpResponse(
        content(), content_type="application/octet-stream"
    )
    response["ETag"] = f'"{etag}"'
    response["Cache-Control"] = "private, max-age=31536000, immutable"
    return response


class ModelViewSet(Rows):
    """Trained networks with their figures on events they never saw."""

    queryset = ModelVersion.objects.select_related("site", "promoted_by").defer("history")
    serializer_class = ModelSerializer
    filterset_class = ModelFilters

    def allowed_parameters(self) -> tuple[str, ...]:
        if self.action == "examples":
            return (*ExampleFilters.base_filters, *PAGER)
        return super().allowed_parameters()

    def get_queryset(self) -> QuerySet[Any]:
        if self.action == "examples":
            return examples(as_id(self.kwargs.get("pk", "")))
        return super().get_queryset()

    @extend_schema(filters=True, responses=ExampleSerializer(many=True))
    @action(
        detail=True,
        queryset=TrainingExample.objects.all(),
        filterset_class=ExampleFilters,
        serializer_class=ExampleSerializer,
    )
    def examples(self, request: Request, pk: str) -> Response:
        """The events that it learned from or was tested on, the most suspicious label first."""
        if not ModelVersion.objects.filter(pk=as_id(pk)).exists():
            raise NotFound(f"There is no model version {pk[:40]}.")
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=None, responses=ModelSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def promote(self, request: Request, pk: str) -> Response:
        """Make it its site's active model."""
        promote_model(model=self.get_object(), by=request.user)
        return Response(self.shown(self.get_object(), ModelSerializer))
