"""A site's recipe: mlcore's settings, kept with the site as JSON."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelapp.catalogue.models import ModelVersion, Site
from labelapp.catalogue.selectors import model_files
from mlcore.config import Recipe

if TYPE_CHECKING:
    from mlcore.classify.predict import Classifier


def check_recipe(path: Path | str) -> dict[str, Any]:
    """The recipe in a TOML file as a site keeps it. Raises BadConfiguration, naming what cannot work."""
    return Recipe.from_toml(path).to_dict()


def site_recipe(site: Site, parameters: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe that a site's next model is trained by; a run's `epochs` and `seed` go before it."""
    recipe = Recipe.from_dict(site.recipe)
    given = {name: value for name, value in (parameters or {}).items() if name in {"epochs", "seed"}}
    return replace(recipe, training=replace(recipe.training, **given))


def load_classifier(model: ModelVersion) -> "Classifier":
    """The network of a stored model. Raises Refused or BadConfiguration where its files are not whole."""
    from mlcore.classify.predict import Classifier  # here, so that setting a recipe never loads torch

    return Classifier.from_files(model_files(model))
