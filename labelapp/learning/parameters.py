"""What may be asked of a run: every parameter has a check, and an unknown one is refused by name."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import ModelVersion, Site
from labelapp.catalogue.text import iso
from labelapp.learning.models import Run

Check = Callable[[Site, str, Any], Any]
MOST_EVENTS = 1000  # more by name is no choice of a person: classify the site


def checked(site: Site, kind: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as a run keeps them, None left out. Raises Invalid for an unknown kind, name or value."""
    if kind not in CHECKS:
        raise Invalid(f"There is no run of kind {kind!r}. Kinds: {', '.join(CHECKS)}.")
    if not isinstance(parameters, Mapping):
        raise Invalid(f"The parameters are {parameters!r}, but must be a table of names and values.")
    checks = CHECKS[kind]
    for name in parameters:
        if name not in checks:
            raise Invalid(f"A run of kind {kind} has no parameter {name!r}. Parameters: {', '.join(checks)}.")
    given = {name: checks[name](site, name, value) for name, value in parameters.items() if value is not None}
    _can_work(site, kind, given)
    return given


def _can_work(site: Site, kind: str, given: Mapping[str, Any]) -> None:
    """Refuse at once what could only fail later."""
    if kind == Run.Kind.TRAIN:
        if not site.events.current().filter(label__isnull=False).exists():
            raise Invalid(f"{site} has no labelled event to learn from. Import a catalogue first.")
    elif "model" not in given and site.active_model_id is None:
        raise Invalid(f"{site} has no active model. Train one, or promote one on its page, or name one.")
    if "starttime" in given and "endtime" in given and given["starttime"] >= given["endtime"]:
        raise Invalid(
            f"The span starts at {given['starttime']} and ends at {given['endtime']}. Give a start before the end."
        )


def _whole(low: int, high: int) -> Check:
    def check(site: Site, name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Invalid(f"{name} is {value!r}, but must be a whole number from {low} to {high}.")
        return value

    return check


def _yes_or_no(site: Site, name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"{name} is {value!r}, but must be true or false.")
    return value


def _model(site: Site, name: str, value: Any) -> int:
    """The model's id."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(f"{name} is {value!r}, but must be the id of a model.")
    if not ModelVersion.objects.filter(site=site, pk=value).exists():
        there = ", ".join(str(pk) for pk in site.models.values_list("pk", flat=True)) or "none"
        raise Invalid(f"{site} has no model with id {value}. Its models have the ids {there}.")
    return value


def _events(site: Site, name: str, value: Any) -> list[int]:
    """Ids of some of the site's events."""
    whole = isinstance(value, list) and all(isinstance(pk, int) and not isinstance(pk, bool) for pk in value)
    if not whole or not 1 <= len(value) <= MOST_EVENTS:
        raise Invalid(f"{name} is {str(value)[:80]!r}, but must be a list of 1 to {MOST_EVENTS} ids of events.")
    there = set(
        site.events.current().filter(pk__in=[pk for pk in value if 0 < pk < 2**63]).values_list("pk", flat=True)
    )
    if strangers := [pk for pk in value if pk not in there]:
        raise Invalid(f"{site} has no event with id {strangers[0]}.")
    return sorted(there)


def _time(site: Site, name: str, value: Any) -> str:
    """A time in UTC as ISO 8601 with microseconds; one without a zone is taken as UTC."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Invalid(f"{name} is {value!r}, but must be a time such as 2020-03-28T13:00:00Z.") from None
    return iso(moment.replace(tzinfo=moment.tzinfo or UTC))


CHECKS: dict[str, dict[str, Check]] = {
    Run.Kind.TRAIN: {"epochs": _whole(1, 10_000), "seed": _whole(0, 2**31 - 1), "then_classify": _yes_or_no},
    Run.Kind.CLASSIFY: {"model": _model, "explain_all": _yes_or_no, "events": _events},
    Run.Kind.DETECT: {"model": _model, "starttime": _time, "endtime": _time},
}
