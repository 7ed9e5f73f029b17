"""Catalogue and ledger as files, streamed: a large site costs no more memory than a small one."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError as Unusable
from django.http import StreamingHttpResponse
from django.utils.text import slugify
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from labelapp.api.filter_fields import SiteField, TimeField, as_id
from labelapp.api.filters import EventFilters, LabelErrorFilters
from labelapp.api.serializers.catalogue import LabelErrorSerializer
from labelapp.api.views.base import StrictParameters
from labelapp.catalogue.exporting import catalogue_csv, label_errors_csv, label_errors_json
from labelapp.catalogue.models import Event, ModelVersion, Site, TrainingExample
from labelapp.catalogue.roles import is_manager
from labelapp.catalogue.selectors import catalogue_events, examples
from labelapp.review.exporting import relabel_lines
from labelapp.review.selectors import has_gold

KINDS = {"csv": "text/csv", "json": "application/json", "jsonl": "application/x-ndjson"}
SITE = OpenApiParameter("site", str, required=True, description="Name or id of a site.")
SINCE = OpenApiParameter("decided_after", OpenApiTypes.DATETIME, description="Decisions made then or later (UTC).")


class CatalogueCSV(StrictParameters, GenericAPIView):
    """The catalogue of a site, one row per event and station. It can be imported again."""

    queryset = Event.objects.all()
    filterset_class = EventFilters
    pagination_class = None
    query_parameters = tuple(EventFilters.base_filters)

    @extend_schema(
        operation_id="catalogue_csv", parameters=[SITE], filters=True, responses={(200, "text/csv"): OpenApiTypes.STR}
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Every filter of `events` narrows it."""
        site = asked_site(request)
        return as_file(catalogue_csv(self.filter_queryset(catalogue_events(site))), site, "catalogue.csv")


class RelabelsCSV(StrictParameters):
    """The decisions on a site's events, oldest first, for people and spreadsheets."""

    query_parameters = ("site", "decided_after")
    kind = "csv"

    @extend_schema(
        operation_id="relabels_csv", parameters=[SITE, SINCE], responses={(200, "text/csv"): OpenApiTypes.STR}
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Every decision, or those since a time. Which questions were gold checks is told to managers alone."""
        site = asked_site(request)
        since = usable("decided_after", TimeField(required=False), request)
        tells_gold = is_manager(request.user)
        lines = relabel_lines(site, format=self.kind, since=since, tells_gold=tells_gold)
        return as_file(lines, site, f"relabels.{self.kind}")


class RelabelsJSONL(RelabelsCSV):
    """The decisions on a site's events with every hashed fact, one JSON object a line: what an auditor verifies."""

    kind = "jsonl"

    @extend_schema(
        operation_id="relabels_jsonl",
        parameters=[SITE, SINCE],
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Every decision, or those since a time.

        Where a site has gold events this needs a manager: each row is hashed whole, and gold checks are told to nobody
        else.
        """
        site = asked_site(request)
        if not is_manager(request.user) and has_gold(site):
            raise PermissionDenied(
                f"{site} has gold checks, which this file tells; it needs a manager there. Ask one for the file, or "
                "take relabels.csv, which leaves them out."
            )
        return super().get(request)


class LabelErrorsCSV(StrictParameters, GenericAPIView):
    """The labels that a model suspects, the most suspicious first, judged by folds that never saw the event."""

    queryset = TrainingExample.objects.all()
    filterset_class = LabelErrorFilters
    pagination_class = None
    query_parameters = tuple(LabelErrorFilters.base_filters)
    kind = "csv"
    lines = staticmethod(label_errors_csv)

    @extend_schema(operation_id="label_errors_csv", filters=True, responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, id: int) -> StreamingHttpResponse:
        """Every filter of the model's examples narrows it."""
        model = ModelVersion.objects.select_related("site").filter(pk=as_id(str(id))).first()
        if model is None:
            raise NotFound(f"There is no model version {id}.")
        suspected = self.filter_queryset(examples(model).filter(suspicion__isnull=False))
        return as_file(self.lines(suspected), model.site, f"model-{model.number}-label-errors.{self.kind}")


class LabelErrorsJSON(LabelErrorsCSV):
    """The labels that a model suspects as one JSON list, the most suspicious first."""

    kind = "json"
    lines = staticmethod(label_errors_json)

    @extend_schema(operation_id="label_errors_json", filters=True, responses=LabelErrorSerializer(many=True))
    def get(self, request: Request, id: int) -> StreamingHttpResponse:
        """Every filter of the model's examples narrows it."""
        return super().get(request, id)


def asked_site(request: Request) -> Site:
    """The site that `?site=` names. Raises ValidationError where it names none."""
    field = SiteField(error_messages={"required": "Say of which site, by name or id."})
    return usable("site", field, request)


def usable(name: str, field: SiteField | TimeField, request: Request) -> Any:
    """A query parameter as its field understands it. Raises ValidationError."""
    try:
        return field.clean(request.query_params.get(name, ""))
    except Unusable as error:
        raise ValidationError({name: error.messages}) from error


def as_file(lines: Iterator[str], site: Site, name: str) -> StreamingHttpResponse:
    """A download."""
    kind = KINDS[name.rpartition(".")[2]]
    response = StreamingHttpResponse(lines, content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slugify(str(site))}-{name}"'
    return response
