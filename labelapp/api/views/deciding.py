"""Deciding on an item, and taking decisions back."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from labelapp.api.serializers.decisions import DecidedSerializer, DecisionSerializer, UndoneSerializer, UndoSerializer
from labelapp.api.serializers.review import counts_of
from labelapp.api.views.base import Rows, class_of
from labelapp.review import services
from labelapp.review.deciding import SAYABLE


class Deciding(Rows):
    """The part of the review queue's viewset that writes decisions."""

    def leased(self, site: Any, only: Any = None) -> Any:
        """The expert's next item, leased, as JSON."""
        raise NotImplementedError

    @extend_schema(request=DecisionSerializer, responses={201: DecidedSerializer})
    @action(detail=True, methods=["post"], filterset_class=None)
    def decide(self, request: Request, pk: str) -> Response:
        """Confirm or change the event's label, or say that you cannot tell. A change needs a reason.

        Answers to second opinions leave the label. With `blind` the item stays yours, and comes back with what the
        machine says. With `next` the next item is leased too. Where somebody was first, the refusal has their decision.
        """
        item, body = self.get_object(), self.body(DecisionSerializer)
        relabel = services.decide(
            item=item,
            expert=request.user,
            event_class=class_of(item.site, body["event_class"]) if body["event_class"] is not None else None,
            said={name: body[name] for name in SAYABLE},
            **{name: body[name] for name in ("reason", "prediction", "panels", "blind")},
        )
        leased = self.leased(item.site, body["filter"]) if body["next"] and not body["blind"] else None
        said = {
            "relabel": relabel,
            "counts": leased["counts"] if leased else counts_of(item.site, request.user),
            "next": None,
            "item": self.get_object() if body["blind"] else None,
        }
        answer = self.shown(said, DecidedSerializer, counts=said["counts"])
        return Response({**answer, "next": leased}, status=status.HTTP_201_CREATED)

    @extend_schema(request=UndoSerializer, responses=UndoneSerializer)
    @action(detail=False, methods=["post"], filterset_class=None, pagination_class=None)
    def undo(self, request: Request) -> Response:
        """Take back your newest decision at a site on which nobody decided since; the item is leased to you again."""
        site = self.body(UndoSerializer)["site"]
        done, counts = services.undo(site=site, expert=request.user), counts_of(site, request.user)
        item = self.get_queryset().get(pk=done.item.pk) if done.item else None
        said = {**done._asdict(), "item": item, "counts": counts}
        return Response(self.shown(said, UndoneSerializer, counts=counts))
