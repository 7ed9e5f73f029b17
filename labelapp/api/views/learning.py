"""Long jobs."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from labelapp.api.filters import RunFilters
from labelapp.api.serializers.learning import RunRowSerializer, RunSerializer, StartRunSerializer
from labelapp.api.views.base import Rows
from labelapp.learning import services
from labelapp.learning.models import Run
from labelapp.learning.selectors import runs


class RunViewSet(Rows):
    """Long jobs: trainings, classifications, detections. Ask for one again to watch its progress."""

    queryset = Run.objects.all()
    filterset_class = RunFilters

    def get_queryset(self) -> QuerySet[Run]:
        return runs().defer("log") if self.action == "list" else runs()

    def get_serializer_class(self) -> type[RunRowSerializer]:
        return RunRowSerializer if self.action == "list" else RunSerializer

    @extend_schema(request=StartRunSerializer, responses={201: RunSerializer})
    def create(self, request: Request) -> Response:
        """Start a run."""
        run = services.start_run(**self.body(StartRunSerializer), asked_by=request.user)
        return Response(self.shown(run, RunSerializer), status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=RunSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop the run."""
        run = services.cancel_run(run=self.get_object(), by=request.user)
        return Response(self.shown(run, RunSerializer))

    @extend_schema(request=None, responses=RunSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def resume(self, request: Request, pk: str) -> Response:
        """Let the run go on where it ended early."""
        run = services.resume_run(run=self.get_object(), by=request.user)
        return Response(self.shown(run, RunSerializer))
