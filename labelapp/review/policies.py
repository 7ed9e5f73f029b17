"""How a site is reviewed, and what may be said of it."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from labelapp.catalogue import roles
from labelapp.catalogue.errors import Invalid, NotAllowed
from labelapp.catalogue.models import EventClass, Site
from labelapp.catalogue.text import check_text, shown
from labelapp.review.models import ReviewPolicy

# What can be changed of a policy, in the order in which it is shown.
SETTINGS = (
    "reasons",
    "filter_presets",
    "blind",
    "second_opinion_share",
    "second_opinion_classes",
    "gold_share",
    "lease_s",
    "postpone_s",
)

LONGEST_REASON = 200
MOST_REASONS = 26
MOST_PRESETS = 9
HIGHEST_HZ = 1e5


@transaction.atomic
def change_policy(
    *, site: Site, by: Any, second_opinion_classes: list[EventClass] | None = None, **changes: Any
) -> ReviewPolicy:
    """Change how a site is reviewed; what is not named stays. Raises NotAllowed (not a manager), Invalid."""
    if not roles.is_manager(by):
        raise NotAllowed(f"{by} is not a manager. Ask a manager to change how {site} is reviewed.")
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    policy = ReviewPolicy.objects.filter(site=site).first() or ReviewPolicy(site=site)
    cleaners = {"reasons": clean_reasons, "filter_presets": clean_presets}
    for name, value in changes.items():
        setattr(policy, name, cleaners[name](value) if name in cleaners else value)
    if strangers := [c.code for c in second_opinion_classes or [] if c.site_id != site.pk]:
        raise Invalid(f"{', '.join(strangers)}: no class of {site}.")
    try:
        policy.clean_fields(exclude={"site"})
    except ValidationError as error:
        raise Invalid("; ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())) from error
    policy.save()
    if second_opinion_classes is not None:
        policy.second_opinion_classes.set(second_opinion_classes)
    return policy


def clean_reasons(reasons: Any) -> list[dict[str, str]]:
    """Reasons for a change as they are offered, [{"key": "w", "text": "waveform shape"}].

    Raises Invalid where there are none or too many, for a key that is not one letter or stands twice, and a text that
    is missing, too long or stands twice.
    """
    rows = [_reason(row) for row in _list("reasons", reasons, MOST_REASONS)]
    if not rows:
        raise Invalid("There must be a reason to choose. Give at least one.")
    for field in ("key", "text"):
        _refuse_twice(f"reasons: the {field}", [row[field] for row in rows])
    return rows


def _reason(row: Any) -> dict[str, str]:
    if not isinstance(row, Mapping) or set(row) != {"key", "text"} or not all(isinstance(v, str) for v in row.values()):
        raise Invalid(f"reasons: {shown(str(row))} is no reason. Write a key and a text.")
    key, text = row["key"].strip().lower(), row["text"].strip()
    if not (len(key) == 1 and "a" <= key <= "z"):
        raise Invalid(f"reasons: the key of {shown(text)} is {shown(key)}. Use one letter from a to z.")
    if not text:
        raise Invalid(f"reasons: the text of {key} is missing.")
    check_text(f"The reason {key}", text, LONGEST_REASON)
    return {"key": key, "text": text}


def clean_presets(presets: Any) -> list[dict[str, float]]:
    """Pass bands as they are offered, [{"low_hz": 1.0, "high_hz": 10.0}]. Raises Invalid for what is none."""
    return [_preset(row) for row in _list("filter_presets", presets, MOST_PRESETS)]


def _preset(row: Any) -> dict[str, float]:
    if not isinstance(row, Mapping) or set(row) != {"low_hz", "high_hz"}:
        raise Invalid(f"filter_presets: {shown(str(row))} is no pass band. Give low_hz and high_hz.")
    low, high = row["low_hz"], row["high_hz"]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in (low, high)):
        raise Invalid(f"filter_presets: {shown(str(row))}: give numbers, in Hz.")
    if not 0 < low < high <= HIGHEST_HZ:  # refuses nan as well
        raise Invalid(
            f"filter_presets: {shown(str(low))} to {shown(str(high))} Hz is no pass band. The low end comes first, "
            f"above 0; the high end is at most {HIGHEST_HZ:g}."
        )
    return {"low_hz": float(low), "high_hz": float(high)}


def _list(name: str, rows: Any, most: int) -> list[Any]:
    if not isinstance(rows, list) or len(rows) > most:
        raise Invalid(f"{name}: give a list of at most {most}.")
    return rows


def _refuse_twice(what: str, values: list[str]) -> None:
    if twice := sorted({value for value in values if values.count(value) > 1}):
        raise Invalid(f"{what} {', '.join(map(shown, twice))} stands more than once. Give each its own.")
