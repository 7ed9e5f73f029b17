"""Fields that several serializers share."""

from typing import Any

from django.core.exceptions import ValidationError as Invalid
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from labelapp.api.filter_fields import BIGGEST_ID, get_site
from labelapp.catalogue.models import Site


class Strict(serializers.Serializer):
    """A body whose every field is known: a misspelt one is refused, not overlooked."""

    def to_internal_value(self, data: Any) -> Any:
        known = [name for name, field in self.fields.items() if not field.read_only]
        if isinstance(data, dict) and (unknown := sorted(map(str, set(data) - set(known)))):
            raise serializers.ValidationError({name[:80]: [f"Unknown. Known: {', '.join(known)}."] for name in unknown})
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "format": "uri-reference", "readOnly": True})
class Address(serializers.Field):
    """The path of a row's own page in the API."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        self.name = name
        super().__init__(source="pk", read_only=True, **kwargs)

    def to_representation(self, value: int) -> str:
        return reverse(self.name, args=[value])


class Code(serializers.SlugRelatedField):
    """An event class by its code; null where there is none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="code", read_only=True, allow_null=True, **kwargs)


class UserName(serializers.SlugRelatedField):
    """A user by name; null where there is none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="username", read_only=True, allow_null=True, **kwargs)


class SeedId(serializers.CharField):
    """A station as NET.STA.LOC; null where there is none."""

    def __init__(self, source: str | None = "station.seed_id", **kwargs: Any) -> None:
        super().__init__(source=source, read_only=True, allow_null=True, default=None, **kwargs)


@extend_schema_field({"oneOf": [{"type": "integer", "minimum": 1}, {"type": "string"}]})
class SiteField(serializers.Field):
    """A site by id or name."""

    def to_internal_value(self, data: Any) -> Site:
        if isinstance(data, bool) or not isinstance(data, int | str):
            raise serializers.ValidationError("Give the site's id or name.")
        if isinstance(data, int) and not 1 <= data <= BIGGEST_ID:
            raise serializers.ValidationError(f"There is no site {str(data)[:40]}.")
        text = serializers.CharField(max_length=80)
        try:
            return get_site(data if isinstance(data, int) else text.run_validation(data))
        except Invalid as error:
            raise serializers.ValidationError(error.messages) from error
