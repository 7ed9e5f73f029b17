"""The kinds of filter the API has. Each refuses a value it cannot use, and says which it can."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from django_filters.fields import ChoiceField
from drf_spectacular.utils import extend_schema_field

from labelapp.catalogue.models import EventClass, Site, Station

BIGGEST_ID = 2**63 - 1


def as_id(text: str) -> int:
    """The id that a text writes; 0, which no row has, where it writes none that a database can hold."""
    number = int(text) if text.isdecimal() and len(text) <= 19 else 0
    return number if number <= BIGGEST_ID else 0


def listed(names: Any) -> str:
    """At most twenty names, for a message."""
    names = list(names[:21])
    return ", ".join([*names[:20], *(["…"] if len(names) > 20 else [])]) or "none"


def get_site(value: str | int) -> Site:
    """The site of that id; a text may also be a name. Raises ValidationError, naming the sites there are."""
    text = str(value)
    # The id first: a site that is named "7" must not hide the seventh one.
    site = Site.objects.filter(pk=as_id(text)).first()
    if site is None and isinstance(value, str):
        site = Site.objects.filter(name__iexact=text).first()
    if site is None:
        what = f"site {text!r}" if isinstance(value, str) else f"site with the id {text}"
        raise ValidationError(f"There is no {what}. Sites: {listed(Site.objects.values_list('name', flat=True))}.")
    return site


class SiteField(forms.CharField):
    def clean(self, value: Any) -> Site | None:
        text = super().clean(value)
        return get_site(text) if text else None


class ClassField(forms.CharField):
    def clean(self, value: Any) -> str:
        code = super().clean(value)
        if code and not EventClass.objects.filter(code=code).exists():
            codes = EventClass.objects.order_by("code").values_list("code", flat=True).distinct()
            raise ValidationError(f"There is no class {code!r}. Classes: {listed(codes)}.")
        return code


class StationField(forms.CharField):
    def clean(self, value: Any) -> QuerySet[Station] | None:
        text = super().clean(value)
        if not text:
            return None
        stations = find_stations(text)
        if not stations.exists():
            raise ValidationError(f"There is no station {text!r}. Write it as NET.STA.LOC, STA, or its id.")
        return stations


def find_stations(text: str) -> QuerySet[Station]:
    """Stations by NET.STA.LOC, else by code, else by id."""
    parts = text.split(".")
    if len(parts) == 3:
        return Station.objects.filter(network=parts[0], code=parts[1], location=parts[2])
    by_code = Station.objects.filter(code=text)
    return by_code if by_code.exists() else Station.objects.filter(pk=as_id(text))


class TimeField(forms.CharField):
    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        try:
            return as_utc(datetime.fromisoformat(text)) if text else None
        except (ValueError, OverflowError) as error:
            raise ValidationError(f"{text!r} is no time. Write it as 2026-03-01T06:00:00Z (UTC).") from error


def as_utc(time: datetime) -> datetime:
    """The time in UTC; a time without an offset is UTC already. Raises OverflowError at the calendar's ends."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


class NamedChoices(ChoiceField):
    """Names the choices where the value is none of them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = ", ".join(str(code) for code, _ in self.choices if code)
        self.error_messages["invalid_choice"] = f"“%(value)s” is not one of: {names}."


@extend_schema_field({"type": "string"})
class SiteFilter(filters.Filter):
    """A site by name or id."""

    field_class = SiteField


@extend_schema_field({"type": "string"})
class ClassFilter(filters.Filter):
    """An event class by its code."""

    field_class = ClassField


@extend_schema_field({"type": "string"})
class StationFilter(filters.Filter):
    """Stations by NET.STA.LOC, code or id."""

    field_class = StationField


@extend_schema_field({"type": "string", "format": "date-time"})
class TimeFilter(filters.Filter):
    """A time in ISO 8601."""

    field_class = TimeField


class IdFilter(filters.NumberFilter):
    """A row's id; one that no database holds matches nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=1, max_value=BIGGEST_ID, decimal_places=0, **kwargs)


class ShareFilter(filters.NumberFilter):
    """A number from 0 to 1."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=0, max_value=1, **kwargs)


class ChoiceFilter(filters.ChoiceFilter):
    field_class = NamedChoices


@extend_schema_field({"type": "boolean"})
class YesNoFilter(ChoiceFilter):
    """true or false, and nothing that might mean either."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, choices=[("true", "yes"), ("false", "no")], **kwargs)

    def filter(self, qs: QuerySet, value: Any) -> QuerySet:
        return super().filter(qs, value == "true" if value else value)


class Ordering(filters.OrderingFilter):
    """Allow-listed, and complete: rows that tie are ordered by id, so that no page misses one."""

    field_class = NamedChoices

    def filter(self, qs: QuerySet, value: Any) -> QuerySet:
        ordered = super().filter(qs, value)
        return ordered.order_by(*ordered.query.order_by, "pk") if value else qs
