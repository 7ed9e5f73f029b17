"""How a site is reviewed, and which events are gold: for managers to change."""

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from labelapp.api.serializers.policies import (
    GoldSerializer,
    NewGoldSerializer,
    PolicyChangeSerializer,
    PolicySerializer,
)
from labelapp.api.views.base import Rows, class_of
from labelapp.review import services
from labelapp.review.selectors import policy_of


class SitePolicy(Rows):
    """The part of the sites' viewset that says how a site is reviewed."""

    @extend_schema(responses=PolicySerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def policy(self, request: Request, pk: str) -> Response:
        """Reasons to choose from, pass bands, blind mode, second opinions, gold checks, leases."""
        return Response(PolicySerializer(policy_of(self.get_object())).data)

    @extend_schema(request=PolicyChangeSerializer, responses=PolicySerializer)
    @policy.mapping.patch
    def change_policy(self, request: Request, pk: str) -> Response:
        """Change what is named. For managers."""
        site = self.get_object()
        said = PolicyChangeSerializer(data=request.data, context={"site": site})
        said.is_valid(raise_exception=True)
        return Response(
            PolicySerializer(services.change_policy(site=site, by=request.user, **said.validated_data)).data
        )


class EventGold(Rows):
    """The part of the events' viewset that says which are gold. No event tells whether it is: it would be no check."""

    @extend_schema(request=NewGoldSerializer, responses={201: GoldSerializer})
    @action(detail=True, methods=["post"], pagination_class=None, filterset_class=None)
    def gold(self, request: Request, pk: str) -> Response:
        """Declare the event's class beyond doubt, to check experts by. The label stays. For managers."""
        event, said = self.get_object(), self.body(NewGoldSerializer)
        event_class = class_of(event.site, said["event_class"]) if said["event_class"] is not None else None
        gold = services.set_gold(event=event, by=request.user, event_class=event_class, note=said["note"])
        return Response(GoldSerializer(gold).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={204: None})
    @gold.mapping.delete
    def no_gold(self, request: Request, pk: str) -> Response:
        """The event is a check no more. For managers."""
        services.unset_gold(event=self.get_object(), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)
