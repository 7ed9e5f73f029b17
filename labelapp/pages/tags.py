"""What templates need beyond Django's own: times as ISO 8601 in UTC, links that keep the filters."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.http import QueryDict
from django.utils.html import format_html

from labelapp.catalogue.models import Event

register = template.Library()


@register.filter
def utc(time: datetime | None) -> str:
    """<time> with microseconds for machines and milliseconds for people, "–" where there is none."""
    if time is None:
        return "–"
    exact = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return format_html('<time datetime="{0}Z" title="{0}Z">{1}Z</time>', exact, exact[:-3])


@register.filter
def percent(share: Any) -> str:
    """A share as a percentage, "–" where it is no number: Django hands over "" for what is not there."""
    return f"{share:.0%}".replace("-", "−") if isinstance(share, int | float) else "–"


@register.filter
def score(value: Any) -> str:
    """A share from 0 to 1 with three digits, "–" where it is no number."""
    return f"{value:.3f}" if isinstance(value, int | float) else "–"


@register.filter
def signed(value: Any) -> str:
    """A figure from −1 to 1 with two digits, "–" where it is no number."""
    return f"{value:.2f}".replace("-", "−") if isinstance(value, int | float) else "–"


@register.filter
def change(value: float | None) -> str:
    """By how much a score changed: +0.012, −0.300, ±0."""
    if value is None:
        return "–"
    return "±0" if abs(value) < 0.0005 else f"{value:+.3f}".replace("-", "−")


@register.filter
def duration_s(event: Event) -> float:
    return (event.endtime - event.starttime).total_seconds()


@register.filter
def duration(seconds: float | None) -> str:
    """4000 → 1 h 6 min"""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@register.simple_tag
def query(parameters: QueryDict, **changes: object) -> str:
    """The page's query string with some parameters changed (None: removed)."""
    kept: dict[str, list[object]] = {name: list(values) for name, values in parameters.lists() if name not in changes}
    kept |= {name: [value] for name, value in changes.items() if value is not None}
    return "?" + urlencode(kept, doseq=True)
