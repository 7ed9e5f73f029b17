"""The keys of the review page that a user moved."""

import re
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labelapp.api.serializers.fields import Strict
from labelapp.api.views.base import StrictParameters
from labelapp.catalogue.roles import VIEWER
from labelapp.review.models import Keymap

MOST_KEYS = 200
ACTION = re.compile(r"[a-z][a-z0-9-]{0,39}")
# A modifier or more, then a sign or a named key: f, shift+f, ctrl+z, ArrowLeft, [.
KEY = re.compile(r"(ctrl\+)?(alt\+)?(shift\+)?(\S|[A-Z][A-Za-z0-9]{1,19})")
# Digits label events; these confirm, close, and move the focus.
KEPT = {*"123456789", "Enter", "Escape", "Tab"}


class KeymapSerializer(Strict):
    """{action: key} of the actions whose key was moved; the others keep their own."""

    keys = serializers.DictField(child=serializers.CharField(max_length=40))

    def validate_keys(self, keys: dict[str, str]) -> dict[str, str]:
        if len(keys) > MOST_KEYS:
            raise serializers.ValidationError(f"There are {len(keys)} keys. Send at most {MOST_KEYS}.")
        for action, key in keys.items():
            _check(action, key)
        twice = sorted({key for key in keys.values() if list(keys.values()).count(key) > 1})
        if twice:
            raise serializers.ValidationError(f"{', '.join(twice)}: given to more than one action. Give each its own.")
        return keys


def _check(action: str, key: str) -> None:
    if not ACTION.fullmatch(action):
        raise serializers.ValidationError(f"{action[:40]!r} names no action: small letters, digits and hyphens do.")
    if not KEY.fullmatch(key):
        raise serializers.ValidationError(
            f"{key[:40]!r} is no key. Write it as f, shift+f, ctrl+z, ArrowLeft or Space."
        )
    if key in KEPT:
        raise serializers.ValidationError(f"{key} cannot be moved: digits label events, Enter, Escape and Tab stay.")


class KeymapView(StrictParameters):
    """Your own keys of the review page."""

    needs = {None: VIEWER}  # who may look has keys to look with

    @extend_schema(responses=KeymapSerializer)
    def get(self, request: Request) -> Response:
        """The keys that you moved."""
        return Response({"keys": self.own(request)})

    @extend_schema(request=KeymapSerializer, responses=KeymapSerializer)
    def put(self, request: Request) -> Response:
        """Keep these keys in the place of those before; an empty object gives all keys back."""
        serializer = KeymapSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        keys = serializer.validated_data["keys"]
        user: Any = request.user
        Keymap.objects.update_or_create(user=user, defaults={"keys": keys})
        return Response({"keys": keys})

    def own(self, request: Request) -> Any:
        """{action: key} as it is kept."""
        kept = Keymap.objects.filter(user__username=request.user.get_username()).first()
        return kept.keys if kept else {}
