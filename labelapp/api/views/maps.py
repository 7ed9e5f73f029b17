"""Maps of a site's events and unlabelled windows."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.gzip import gzip_page
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from labelapp.api.filters import MapFilters
from labelapp.api.serializers.edits import address_of
from labelapp.api.serializers.maps import (
    MapClassesSerializer,
    PointSerializer,
    PoolMapSerializer,
    ReviewedPointsSerializer,
    ReviewPointsSerializer,
)
from labelapp.api.views.base import Rows
from labelapp.api.views.catalogue import for_ever
from labelapp.catalogue.roles import EXPERT
from labelapp.learning.map_points import classes_now, point_of, review_points
from labelapp.learning.maps import map_bytes
from labelapp.learning.models import PoolMap
from labelapp.learning.selectors import maps_for
from labelapp.review.opinions import is_told
from labelapp.review.selectors import policy_of


class MapViewSet(Rows):
    """Pool maps: what a model sees in a site's events and unlabelled windows, in two dimensions.

    Of a site that is reviewed blind, maps that a classifier made are for managers.
    """

    queryset = PoolMap.objects.all()
    serializer_class = PoolMapSerializer
    filterset_class = MapFilters
    needs = {"review": EXPERT}

    def get_queryset(self) -> QuerySet[PoolMap]:
        return maps_for(self.request.user)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, 304: None})
    @action(detail=True, pagination_class=None, filterset_class=None)
    @method_decorator(gzip_page)
    def points(self, request: Request, pk: str) -> HttpResponseBase:
        """The map's file as it was stored, safetensors: a row for each point. It never changes.

        `places` (n, 2) float32 within ±1, `cluster` (n) int16, `event` (n) int64 (-1: an unlabelled window), `station`
        (n) int16 (a number in `stations`, -1: none), `starttime` (n) int64 (microseconds since 1970 UTC).
        """
        pool_map: PoolMap = self.get_object()
        return for_ever(request, pool_map.sha256, lambda: map_bytes(pool_map))

    @extend_schema(
        operation_id="maps_point",
        parameters=[OpenApiParameter("row", int, OpenApiParameter.PATH)],
        responses=PointSerializer,
    )
    @action(detail=True, pagination_class=None, filterset_class=None, url_path=r"points/(?P<row>[0-9]{1,9})")
    def point(self, request: Request, pk: str, row: str) -> Response:
        """What the point in a row is now."""
        pool_map: PoolMap = self.get_object()
        found = point_of(pool_map, int(row))
        if found is None:
            raise NotFound(f"{pool_map} has {pool_map.points} points, and none in row {row}.")
        return Response(self.shown(vars(found), PointSerializer, is_told=self.is_told(pool_map)))

    @extend_schema(responses=MapClassesSerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def classes(self, request: Request, pk: str) -> Response:
        """Which rows have which label and which newest prediction now; rows that are in neither have none."""
        pool_map: PoolMap = self.get_object()
        labels, predictions = classes_now(pool_map, is_told=self.is_told(pool_map))
        return Response({"labels": labels, "predictions": predictions})

    @extend_schema(request=ReviewPointsSerializer, responses=ReviewedPointsSerializer)
    @action(detail=True, methods=["post"], filterset_class=None, pagination_class=None)
    def review(self, request: Request, pk: str) -> Response:
        """Send points to the review queue: events as they are, unlabelled windows as new events without a label."""
        rows: list[int] = self.body(ReviewPointsSerializer)["points"]
        done = review_points(pool_map=self.get_object(), rows=rows, expert=request.user)
        said: dict[str, Any] = {name: value for name, value in vars(done).items() if name != "run"}
        return Response(ReviewedPointsSerializer({**said, "run": address_of(done.run)}).data)

    def is_told(self, pool_map: PoolMap) -> bool:
        """Whether the asker may learn what the machine says of the site's events."""
        return is_told(self.request.user, policy_of(pool_map.site))
