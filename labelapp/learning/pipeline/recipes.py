"""A site's recipe: mlcore's settings, kept with the site as JSON.

Its `catalogue` speaks of the site's own classes, and of the columns that a site keeps of a catalogue.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelapp.catalogue.models import ModelVersion, Observation, Site
from labelapp.catalogue.selectors import model_files
from mlcore.config import Recipe
from mlcore.errors import BadConfiguration

if TYPE_CHECKING:
    from mlcore.classify.predict import Classifier


# Of an event at a station, as the columns of a catalogue name it: what a recipe's filters may ask for.
COLUMNS = ("event_id", "event_class", "source", "description", "network", "station", "location", "station_id")


def check_recipe(path: Path | str, codes: Collection[str]) -> dict[str, Any]:
    """The recipe in a TOML file as a site with these class codes keeps it.

    Raises BadConfiguration, naming what cannot work.
    """
    recipe = Recipe.from_toml(path)
    _require_site_has(recipe, codes, f"{path}: ")
    return recipe.to_dict()


def taught(recipe: Recipe, codes: Collection[str]) -> list[str]:
    """The classes, of those that a site has, that a model of this recipe tells apart."""
    catalogue = recipe.catalogue
    return [code for code in codes if not catalogue.classes or code in (*catalogue.classes, catalogue.noise_class)]


def columns_of(observation: Observation) -> dict[str, str]:
    """An event at a station as a row of a catalogue, by COLUMNS; its class is the label that holds now."""
    event, station = observation.event, observation.station
    label = event.label.code if event.label else ""
    place = (station.network, station.code, station.location)
    values = (event.event_id, label, event.source, event.description, *place, station.seed_id)
    return dict(zip(COLUMNS, values, strict=True))


def _require_site_has(recipe: Recipe, codes: Collection[str], where: str = "") -> None:
    catalogue = recipe.catalogue
    named = {*catalogue.classes, *([catalogue.noise_class] if catalogue.noise_class else [])}
    if missing := sorted(named - set(codes)):
        raise BadConfiguration(
            f"{where}a model of this recipe says {', '.join(missing)}, but the site has no such class. Its classes are "
            f"{', '.join(codes)}. Make the site with these classes, or count to classes that it has."
        )
    for setting in ("only", "without", "noise_only"):
        if strange := sorted(set(getattr(catalogue, setting)) - set(COLUMNS)):
            raise BadConfiguration(
                f"{where}catalogue.{setting} asks for {', '.join(strange)}, which a site does not keep of a catalogue. "
                f"Use {', '.join(COLUMNS)}."
            )


def site_recipe(site: Site, parameters: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe that a site's next model is trained by; a run's `epochs` and `seed` go before it.

    Raises BadConfiguration where it speaks of classes or columns that the site does not have.
    """
    recipe = Recipe.from_dict(site.recipe)
    _require_site_has(recipe, site_codes(site))
    given = {name: value for name, value in (parameters or {}).items() if name in {"epochs", "seed"}}
    return replace(recipe, training=replace(recipe.training, **given))


def site_codes(site: Site) -> list[str]:
    """The codes of a site's classes, in the order of their keys."""
    return list(site.classes.order_by("key").values_list("code", flat=True))


def load_classifier(model: ModelVersion) -> "Classifier":
    """The network of a stored model. Raises Refused or BadConfiguration where its files are not whole."""
    from mlcore.classify.predict import Classifier  # here, so that setting a recipe never loads torch

    return Classifier.from_files(model_files(model))
