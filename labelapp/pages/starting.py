"""Forms that start runs: what each kind can be asked for, and what it takes where nobody says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from labelapp.catalogue.models import ModelVersion, Site
from labelapp.learning import choices
from labelapp.learning.maps import MOST_POINTS
from labelapp.learning.models import Run
from labelapp.learning.parameters import default_map_model

Options = list[tuple[Any, str]]  # value, words
RECIPES = "as the recipe says"  # where that cannot be read
MOST_LISTED = 50  # models to choose from
KINDS = {
    Run.Kind.TRAIN: ("Train", "Train a new model on the labelled events."),
    Run.Kind.CLASSIFY: ("Classify", "Classify every event by the active model, and fill the queue."),
    Run.Kind.DETECT: ("Detect", "Detect events in the continuous recordings."),
    Run.Kind.PRETRAIN: ("Pretrain", "Pretrain an encoder on the recordings, without labels."),
    Run.Kind.MAP: ("Draw the map", "Draw events and unlabelled windows as a model sees them."),
}


@dataclass(frozen=True)
class Number:
    """A whole number within bounds; `usual` is what a run takes where it is left empty."""

    name: str
    label: str
    least: int
    most: int
    usual: Any = None
    value: Any = None
    is_choice: ClassVar[bool] = False


@dataclass(frozen=True)
class Choice:
    """One of several; the first is what is `usual`, in words, and sends nothing. Others have a title: `groups`."""

    name: str
    label: str
    usual: str
    options: Options
    groups: Sequence[tuple[str, Options]] = ()
    is_number: bool = False  # what is sent
    value: Any = None
    is_choice: ClassVar[bool] = True


Fields = list[Number | Choice]


@dataclass(frozen=True)
class Form:
    kind: str
    button: str
    what: str
    fields: Fields


def start_forms(site: Site) -> list[Form]:
    """A form for each kind of run that people start."""
    usual = usual_of(site)
    return [Form(kind.value, *words, fields_of(site, kind, usual)) for kind, words in KINDS.items()]


def map_fields(site: Site, given: Mapping[str, Any] | None = None) -> Fields:
    """What a new map can be asked for; with what a run before was asked for."""
    return fields_of(site, Run.Kind.MAP, usual_of(site), given)


def usual_of(site: Site) -> dict[str, dict[str, Any]]:
    from labelapp.learning.pipeline.beginnings import usual  # here: it reads recipes with mlcore

    return usual(site)


def fields_of(
    site: Site, kind: str, usual: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any] | None = None
) -> Fields:
    """The fields of a kind of run. `usual` as `beginnings.usual` has it."""
    fields = FIELDS[kind](site, usual.get(kind, {})) if kind in FIELDS else []
    return [replace(field, value=(given or {}).get(field.name)) for field in fields]


def _training(site: Site, usual: Mapping[str, Any]) -> Fields:
    epochs = Number("epochs", "Epochs", 1, choices.MOST_EPOCHS, usual.get("epochs"))
    encoders = fitting_encoders(site)
    if not encoders:
        return [epochs]
    options = [(encoder.pk, _encoder_in_words(encoder, site)) for encoder in encoders]
    return [epochs, Choice("start", "Begin with", "random weights", options, is_number=True)]


def _encoder_in_words(encoder: ModelVersion, site: Site) -> str:
    return f"encoder {encoder.number}" + ("" if encoder.site_id == site.pk else f" of {encoder.site}")


def fitting_encoders(site: Site) -> list[ModelVersion]:
    """What a training can begin with."""
    if not ModelVersion.objects.filter(kind=ModelVersion.Kind.ENCODER).exists():
        return []
    from labelapp.learning.pipeline.beginnings import fitting_encoders as fitting  # here: it reads recipes with mlcore

    return fitting(site)


def _pretraining(site: Site, usual: Mapping[str, Any]) -> Fields:
    method, encoder = usual.get("method", ""), usual.get("encoder", "")
    others = _but(choices.ENCODERS, encoder)
    ends = [(value, words) for value, words in others if value != choices.STARTS_CLASSIFIERS]
    return [
        Choice("method", "Method", choices.METHODS.get(method, RECIPES), _but(choices.METHODS, method)),
        Choice(
            "encoder",
            "Encoder",
            choices.ENCODERS.get(encoder, RECIPES),
            [each for each in others if each not in ends],
            [("Only for maps: no classifier begins with", ends)],
        ),
        Number("epochs", "Epochs", 1, choices.MOST_EPOCHS, usual.get("epochs")),
        Number("windows", "Windows", 2, choices.MOST_POOL_WINDOWS, usual.get("windows")),
    ]


def _map(site: Site, usual: Mapping[str, Any]) -> Fields:
    first, method = default_map_model(site), usual.get("method", "")
    known = site.models.order_by("-number").only("number", "kind")[:MOST_LISTED]
    models = [(model.pk, _model_in_words(model)) for model in known if first is None or model.pk != first.pk]
    return [
        Choice("model", "As seen by", _first_in_words(first), models, is_number=True),
        Number("windows", "Unlabelled windows", 0, MOST_POINTS, usual.get("windows")),
        Choice("method", "Placed by", choices.PLACINGS.get(method, ""), _but(choices.PLACINGS, method)),
    ]


def _model_in_words(model: ModelVersion) -> str:
    return f"{'encoder' if model.kind == ModelVersion.Kind.ENCODER else 'model'} {model.number}"


def _first_in_words(model: ModelVersion | None) -> str:
    if model is None:
        return "choose a model"
    is_encoder = model.kind == ModelVersion.Kind.ENCODER
    return f"{_model_in_words(model)}, {'the newest' if is_encoder else 'the active one'}"


def _but(names: Mapping[str, str], usual: Any) -> Options:
    return [(value, words) for value, words in names.items() if value != usual]


FIELDS: dict[str, Callable[[Site, Mapping[str, Any]], Fields]] = {
    Run.Kind.TRAIN: _training,
    Run.Kind.PRETRAIN: _pretraining,
    Run.Kind.MAP: _map,
}
