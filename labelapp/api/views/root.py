"""The way in, and the answer to addresses that lead nowhere."""

from typing import Any

from django.urls import resolve, reverse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelapp.api.views.base import StrictParameters

ADDRESSES = {
    "sites": "site-list",
    "events": "event-list",
    "relabels": "relabel-list",
    "review-items": "review-item-list",
    "models": "model-list",
    "runs": "run-list",
    "maps": "map-list",
    "catalogue.csv": "catalogue-csv",
    "relabels.csv": "relabels-csv",
    "relabels.jsonl": "relabels-jsonl",
    "progress.csv": "progress-csv",
    "agreement.csv": "agreement-csv",
    "comparison.csv": "comparison-csv",
    "keymap": "keymap",
    "token": "token",
    "schema": "schema",
    "docs": "docs",
}


class Root(StrictParameters):
    """Where everything is."""

    @extend_schema(operation_id="root", responses={200: {"type": "object", "additionalProperties": {"type": "string"}}})
    def get(self, request: Request) -> Response:
        """The addresses of the API."""
        return Response({word: reverse(f"api:{name}") for word, name in ADDRESSES.items()})


class Nowhere(APIView):
    """Every address below /api/ that is none."""

    schema = None
    permission_classes = [IsAuthenticated]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Whatever the method. Raises NotFound, with the address that may have been meant."""
        super().initial(request, *args, **kwargs)
        path = request.path[:200]
        meant = f" Did you mean {path}/ (with a slash at the end)?" if resolve(f"{path}/").url_name else ""
        raise NotFound(f"There is nothing at {path}.{meant} GET {reverse('api:root')} lists the addresses.")
