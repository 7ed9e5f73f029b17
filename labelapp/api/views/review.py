"""The queue and the ledger."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from labelapp.api.filters import CountFilters, QueueFilters, RelabelFilters, ReviewItemFilters
from labelapp.api.serializers.items import ItemSerializer, NextItemSerializer
from labelapp.api.serializers.queue import NextSerializer, SkipSerializer
from labelapp.api.serializers.review import (
    CountsSerializer,
    ItemRowSerializer,
    LeaseSerializer,
    RelabelSerializer,
    SkippedSerializer,
    counts_of,
)
from labelapp.api.views.base import Rows
from labelapp.api.views.deciding import Deciding
from labelapp.catalogue.models import Site
from labelapp.catalogue.roles import EXPERT
from labelapp.review import services
from labelapp.review.models import Relabel, ReviewItem
from labelapp.review.selectors import SHOWN, queue_items


def items() -> QuerySet[ReviewItem]:
    """Items of every state, with all that is shown of them."""
    related = ("site__review_policy", "prediction__model", "about", "against")
    return queue_items(state=None).select_related(*related).prefetch_related("event__observations__station")


class RelabelViewSet(Rows):
    """The ledger: every decision of every expert. Rows are added by deciding, never changed or removed."""

    queryset = Relabel.objects.all()
    serializer_class = RelabelSerializer
    filterset_class = RelabelFilters


class ReviewItemViewSet(Deciding):
    """The review queue. An item is leased to one expert at a time.

    Items of a blind site do not answer filters by reason, class or probability of what is judged or predicted, which
    would tell what is kept back; but requests and adjudications do, and to managers all.
    """

    queryset = ReviewItem.objects.all()
    filterset_class = ReviewItemFilters
    needs = dict.fromkeys(["next", "take", "renew", "release", "skip", "decide", "undo"], EXPERT)

    def allowed_parameters(self) -> tuple[str, ...]:
        return tuple(CountFilters.base_filters) if self.action == "counts" else super().allowed_parameters()

    def get_queryset(self) -> QuerySet[ReviewItem]:
        return items().filter(SHOWN).prefetch_related(None) if self.action == "list" else items()

    def get_serializer_class(self) -> type[BaseSerializer]:
        return ItemRowSerializer if self.action == "list" else ItemSerializer

    @extend_schema(filters=True, responses=CountsSerializer)
    @action(detail=False, filterset_class=CountFilters, pagination_class=None)
    def counts(self, request: Request) -> Response:
        """How many items the queue of a site has, or a part of it: for pages that keep the numbers fresh."""
        found = CountFilters(request.query_params, ReviewItem.objects.all(), request=request)
        if not found.is_valid() or not found.form.cleaned_data["site"]:
            said = {name: [str(text) for text in texts] for name, texts in found.errors.items()}
            raise ValidationError(said or {"site": ["Give the site's id or name."]})
        site = found.form.cleaned_data["site"]
        return Response(counts_of(site, request.user, found.qs))

    @extend_schema(request=NextSerializer, responses=NextItemSerializer)
    @action(detail=False, methods=["post"], filterset_class=None, pagination_class=None)
    def next(self, request: Request) -> Response:
        """Lease the most valuable item of a site's queue; the one you hold already comes first.

        With `filter`, of that part of the queue; what you hold of other parts is given back.
        """
        wanted = self.body(NextSerializer)
        return Response(self.leased(wanted["site"], wanted["filter"]))

    def leased(self, site: Site, only: Mapping[str, Any] | None = None) -> Any:
        """The expert's next item, leased, as JSON; `only`: a part of the queue as QueueFilterSerializer gives it."""
        among = QueueFilters(only, site.review_items.all(), request=self.request).qs if only else None
        item = services.next_item(site=site, expert=self.request.user, among=among)
        shown, counts = self.get_queryset().get(pk=item.pk) if item else None, counts_of(site, self.request.user)
        return self.shown({"item": shown, "counts": counts}, NextItemSerializer, counts=counts)

    @extend_schema(request=None, responses=ItemSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def take(self, request: Request, pk: str) -> Response:
        """Lease this item."""
        services.take_item(item=self.get_object(), expert=request.user)
        return Response(self.shown(self.get_object(), ItemSerializer))

    @extend_schema(request=None, responses=LeaseSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def renew(self, request: Request, pk: str) -> Response:
        """Hold the item for longer."""
        item = services.renew_lease(item=self.get_object(), expert=request.user)
        return Response(LeaseSerializer(item).data)

    @extend_schema(request=None, responses=LeaseSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def release(self, request: Request, pk: str) -> Response:
        """Give the item back."""
        item = self.get_object()
        services.release(item=item, expert=request.user)
        return Response(LeaseSerializer({"id": item.pk, "held_until": None}).data)

    @extend_schema(request=SkipSerializer, responses=SkippedSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def skip(self, request: Request, pk: str) -> Response:
        """Put the item off, for everybody: for `postpone_s`, or as long as the site's policy says."""
        services.skip_item(item=self.get_object(), expert=request.user, **self.body(SkipSerializer))
        item = self.get_object()
        said = {"id": item.pk, "postponed_until": item.postponed_until, "counts": counts_of(item.site, request.user)}
        return Response(SkippedSerializer(said).data)
