"""Tokens, for programs that speak to the API."""

from typing import Any

from django.contrib.auth import authenticate
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle

from labelapp.api.serializers.fields import Strict
from labelapp.api.views.base import StrictParameters


class LoginSerializer(Strict):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class TokenSerializer(serializers.Serializer):
    token = serializers.CharField()


class TokenView(StrictParameters):
    """Send the token as `Authorization: Token …`. Guessing is slowed down, and locks the account."""

    throttle_scope = "token"

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny() if self.request.method == "POST" else IsAuthenticated()]

    def get_throttles(self) -> list[Any]:
        return [ScopedRateThrottle()]

    @extend_schema(request=LoginSerializer, responses=TokenSerializer, auth=[])
    def post(self, request: Request) -> Response:
        """Your token, for your user name and password."""
        serializer = LoginSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = authenticate(request._request, **serializer.validated_data)
        if user is None:
            raise ValidationError("User name and password do not fit, or the account is locked.", code="invalid_login")
        return Response({"token": Token.objects.get_or_create(user=user)[0].key})

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        """Make your token worthless."""
        Token.objects.filter(user__username=request.user.get_username()).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)
