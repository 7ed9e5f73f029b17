"""What a model calls the classes of its site: its recipe may count several of them to one, and others to none.

A label that says more than the model can (rockfall, where it knows mass movements only) does not disagree with it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import F, Q

from labelapp.catalogue.models import EventClass, ModelVersion


def model_class(recipe: Mapping[str, Any], code: str) -> str | None:
    """What a model of this recipe calls a class of its site; None where it was taught no such events."""
    catalogue = recipe.get("catalogue") or {}
    classes = catalogue.get("classes") or {}
    if not classes or (catalogue.get("noise_class") and code == catalogue["noise_class"]):
        return code
    return next((name for name, members in classes.items() if code in members), code if code in classes else None)


def known_as(recipe: Mapping[str, Any], codes: Iterable[str]) -> dict[str, str | None]:
    """{class code: what a model of this recipe calls it}, of those that it does not call by their code."""
    return {code: name for code in codes if (name := model_class(recipe, code)) != code}


def agreement(*, label: str, predicted: str, model: str) -> tuple[Q, Q]:
    """Which rows have a label and a prediction that say the same; and which a label that the model can speak of.

    The arguments name the rows' fields: the codes of both classes, the key of the model that predicted.
    """
    otherwise, translated, unknown = Q(), Q(), Q()
    for (code, name), models in _translations().items():
        rows = Q(**{f"{model}__in": models, label: code})
        otherwise |= rows
        if name is None:
            unknown |= rows
        else:
            translated |= rows & Q(**{predicted: name})
    same = Q(**{predicted: F(label)})
    if otherwise:
        same = same & ~otherwise | translated
    return same, ~unknown if unknown else Q()


def _translations() -> dict[tuple[str, str | None], list[int]]:
    """{(class code, what they call it): models} of all models that do not call a class of their site by its code."""
    codes: dict[int, list[str]] = defaultdict(list)
    for site, code in EventClass.objects.values_list("site_id", "code"):
        codes[site].append(code)
    found: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    classifiers = ModelVersion.objects.filter(kind=ModelVersion.Kind.CLASSIFIER)
    for model, site, catalogue in classifiers.values_list("pk", "site_id", "recipe__catalogue"):
        for pair in known_as({"catalogue": catalogue}, codes[site]).items():
            found[pair].append(model)
    return found
