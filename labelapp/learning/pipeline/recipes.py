"""A site's recipe: mlcore's settings, kept with the site as JSON.

Its `catalogue` speaks of the site's own classes, and of the columns that a site keeps of a catalogue.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelapp.catalogue.models import ModelVersion, Observation, Site
from labelapp.catalogue.selectors import model_files, require_classifier
from labelapp.learning.choices import POOL_WINDOWS
from mlcore.config import Recipe
from mlcore.errors import BadConfiguration
from mlcore.pretrain.config import Pretraining
from mlcore.pretrain.derived import derived
from mlcore.sections import require

if TYPE_CHECKING:
    from mlcore.classify.predict import Classifier


# Of an event at a station, as the columns of a catalogue name it: what a recipe's filters may ask for.
COLUMNS = ("event_id", "event_class", "source", "description", "network", "station", "location", "station_id")
LARGEST_POOL = 2_000_000_000  # bytes: it is held in memory while it is put together


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


def pretraining_recipe(site: Site, parameters: Mapping[str, Any]) -> Pretraining:
    """The recipe of a site's next pretraining: what its own asks for, then a run's `recipe`, then what it says by name.

    Raises BadConfiguration for settings that do not exist or cannot work.
    """
    given: dict[str, dict[str, Any]] = {name: dict(part) for name, part in parameters.get("recipe", {}).items()}
    for name, section, setting in (
        ("method", "method", "name"),
        ("encoder", "encoder", "name"),
        ("epochs", "training", "epochs"),
        ("seed", "training", "seed"),
    ):
        if name in parameters:
            given[section] = {**given.get(section, {}), setting: parameters[name]}
    return derived(Recipe.from_dict(site.recipe), given)


def pool_size(recipe: Pretraining, windows: int | None) -> int:
    """How many windows a pool may have: as many as asked for, else the usual number or what memory holds.

    Raises BadConfiguration where more are asked for than memory holds.
    """
    channels = len(recipe.pool.components) or 3  # all that was recorded: three, mostly
    each = 4 * recipe.pool.window_samples * channels
    held = LARGEST_POOL // each
    least = windows or 2
    require(
        least <= held,
        f"{least} windows of {recipe.pool.window_s:g} s are {least * each / 1e9:.1f} GB, but a pool may be "
        f"{LARGEST_POOL / 1e9:g} GB. Ask for at most {held} windows, or for shorter ones.",
    )
    return windows or min(POOL_WINDOWS, held)


def site_codes(site: Site) -> list[str]:
    """The codes of a site's classes, in the order of their keys."""
    return list(site.classes.order_by("key").values_list("code", flat=True))


def load_classifier(model: ModelVersion) -> "Classifier":
    """The network of a stored classifier. Raises Refused or BadConfiguration where it is none, or not whole."""
    require_classifier(model)
    from mlcore.classify.predict import Classifier  # here, so that setting a recipe never loads torch

    return Classifier.from_files(model_files(model))
