"""What a run was asked for, in words."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse

from labelapp.catalogue.models import ModelVersion
from labelapp.learning.choices import ENCODERS, METHODS, PLACINGS
from labelapp.learning.models import Run
from labelapp.pages.recipe import in_words, recipe_in_words

LABELS = {
    "start": "Begins with",
    "model": "With",
    "then_classify": "Classifies afterwards",
    "explain_all": "Relevance maps of all",
    "starttime": "From",
    "endtime": "To",
}
NAMES: dict[str, Mapping[str, str]] = {"method": {**METHODS, **PLACINGS}, "encoder": ENCODERS}


def asked_for(run: Run) -> list[tuple[str, str, str]]:
    """(what, its value in words, an address that it leads to or "") of each parameter."""
    return [line for name, value in run.parameters.items() for line in _lines(name, value)]


def _lines(name: str, value: Any) -> list[tuple[str, str, str]]:
    label = LABELS.get(name, name.replace("_", " ").capitalize())
    if name in {"model", "start"}:
        return [(label, *_model(value))]
    if name == "events" and isinstance(value, list):
        return [(label, str(len(value)), "")]
    if name == "recipe":
        return [(f"{title}: {what}", said, "") for title, part in recipe_in_words(value) for what, said in part]
    return [(label, NAMES.get(name, {}).get(value, in_words(value)) if isinstance(value, str) else in_words(value), "")]


def _model(pk: Any) -> tuple[str, str]:
    model = ModelVersion.objects.select_related("site").only("number", "kind", "site__name").filter(pk=pk).first()
    return (str(model), reverse("model", args=[model.pk])) if model else (f"a model that is gone, id {pk}", "")
