"""Parts of the queue that a user comes back to."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from labelapp.api.filters import SavedFilterFilters
from labelapp.api.serializers.queue import NewFilterSerializer, SavedFilterSerializer
from labelapp.api.views.base import Rows
from labelapp.catalogue.roles import EXPERT
from labelapp.review.models import SavedFilter
from labelapp.review.services import save_filter


class SavedFilterViewSet(Rows):
    """Your own saved filters of the queue; nobody else sees them."""

    queryset = SavedFilter.objects.all()
    serializer_class = SavedFilterSerializer
    filterset_class = SavedFilterFilters
    needs = dict.fromkeys(["create", "destroy"], EXPERT)

    def get_queryset(self) -> QuerySet[SavedFilter]:
        return SavedFilter.objects.filter(user=self.request.user.pk)

    @extend_schema(request=NewFilterSerializer, responses={201: SavedFilterSerializer})
    def create(self, request: Request) -> Response:
        """Keep a part of the queue under a name."""
        saved = save_filter(user=request.user, **self.body(NewFilterSerializer))
        return Response(SavedFilterSerializer(saved).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Forget it."""
        self.get_object().delete()
        return Response(status=status.HTTP_204_NO_CONTENT)
