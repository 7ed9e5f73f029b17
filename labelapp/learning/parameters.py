"""What may be asked of a run: every parameter has a check, and an unknown one is refused by name."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import ModelVersion, Site
from labelapp.catalogue.text import iso
from labelapp.learning.choices import ENCODERS, METHODS, MOST_EPOCHS, MOST_POOL_WINDOWS, PLACINGS
from labelapp.learning.maps import MOST_POINTS
from labelapp.learning.models import Run

Check = Callable[[Site, str, Any], Any]
CLASSIFIER, ENCODER = ModelVersion.Kind.CLASSIFIER, ModelVersion.Kind.ENCODER
IN_WORDS: dict[str, str] = {
    CLASSIFIER: "a classifier, which learned from labels",
    ENCODER: "a pretrained encoder, which knows no classes",
}
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
        from labelapp.learning.pipeline import beginnings  # here, so that the web process loads no mlcore before

        beginnings.require_training(site, given)
    elif kind == Run.Kind.PRETRAIN:
        from labelapp.learning.pipeline import beginnings

        beginnings.require_pretraining(site, given)
    elif kind == Run.Kind.MAP:
        if "model" not in given and default_map_model(site) is None:
            raise Invalid(f"{site} has neither an encoder nor an active model to make a map. Pretrain or train one.")
    elif "model" not in given and site.active_model_id is None:
        raise Invalid(f"{site} has no active model. Train one, or promote one on its page, or name one.")
    if "starttime" in given and "endtime" in given and given["starttime"] >= given["endtime"]:
        raise Invalid(
            f"The span starts at {given['starttime']} and ends at {given['endtime']}. Give a start before the end."
        )


def default_map_model(site: Site) -> ModelVersion | None:
    """The model that a map is made with where none is named: the newest encoder, else the active model."""
    encoders = site.models.filter(kind=ModelVersion.Kind.ENCODER).order_by("-number")
    return encoders.first() or site.active_model


def _one_of(*names: str) -> Check:
    def check(site: Site, name: str, value: Any) -> str:
        if value not in names:
            raise Invalid(f"{name} is {str(value)[:80]!r}, but must be one of {', '.join(names)}.")
        return str(value)

    return check


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


def _table(site: Site, name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(part, dict) for part in value.values()):
        raise Invalid(f"{name} is {str(value)[:80]!r}, but must be a table of sections, each a table of settings.")
    return value


def _model(*kinds: str) -> Check:
    """The id of a model of the site, of one of these kinds."""

    def check(site: Site, name: str, value: Any) -> int:
        model = _row(name, value, site.models.all())
        there = ", ".join(str(pk) for pk in site.models.filter(kind__in=kinds).values_list("pk", flat=True)) or "none"
        if model is None:
            raise Invalid(f"{site} has no model with id {value}. Its models have the ids {there}.")
        if model.kind not in kinds:
            raise Invalid(f"{name} is {value}, but {model} is {IN_WORDS[model.kind]}. Choose one of the ids {there}.")
        return int(value)

    return check


def _encoder(site: Site, name: str, value: Any) -> int:
    """The id of an encoder, of this site or of another: what is pretrained at one slope may serve at a new one."""
    model = _row(name, value, ModelVersion.objects.all())
    if model is None or model.kind != ENCODER:
        what = f"{model} is {IN_WORDS[model.kind]}" if model else "there is no such model"
        encoders = ModelVersion.objects.filter(kind=ENCODER).values_list("pk", flat=True)
        there = ", ".join(map(str, encoders[:50])) or "none"
        raise Invalid(
            f"{name} is {value}, but must be the id of a pretrained encoder, and {what}. Encoders have the ids "
            f"{there}; `manage.py pretrain` makes one."
        )
    return int(value)


def _row(name: str, value: Any, models: QuerySet[ModelVersion]) -> ModelVersion | None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(f"{name} is {str(value)[:80]!r}, but must be the id of a model.")
    known = models.select_related("site").only("kind", "number", "site__name")
    return known.filter(pk=value).first() if 0 < value < 2**63 else None


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
    Run.Kind.TRAIN: {
        "epochs": _whole(1, MOST_EPOCHS),
        "seed": _whole(0, 2**31 - 1),
        "start": _encoder,
        "then_classify": _yes_or_no,
    },
    Run.Kind.CLASSIFY: {"model": _model(CLASSIFIER), "explain_all": _yes_or_no, "events": _events},
    Run.Kind.DETECT: {"model": _model(CLASSIFIER), "starttime": _time, "endtime": _time},
    Run.Kind.PRETRAIN: {
        "method": _one_of(*METHODS),
        "encoder": _one_of(*ENCODERS),
        "epochs": _whole(1, MOST_EPOCHS),
        "windows": _whole(2, MOST_POOL_WINDOWS),
        "seed": _whole(0, 2**31 - 1),
        "recipe": _table,
    },
    Run.Kind.MAP: {
        "model": _model(CLASSIFIER, ENCODER),
        "windows": _whole(0, MOST_POINTS),
        "method": _one_of(*PLACINGS),
    },
}
