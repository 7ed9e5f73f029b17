"""The recipe of a pretraining whose encoder can become a classifier, from that classifier's recipe. Needs no torch."""

from collections.abc import Mapping
from typing import Any

from mlcore.config import Recipe
from mlcore.pretrain.config import PUBLISHED, Pretraining
from mlcore.sections import require
from mlcore.starting import settings_of

# Where nobody says.
METHOD, ENCODER, EPOCHS = "vnibcreg", "stft_cnn", 100
CROP_SHARE = 0.25  # of a window: the paper's tenth would be a second and a half of 15 s
GROUP = 64  # features whitened together, as in the paper


def derived(recipe: Recipe, given: Mapping[str, Mapping[str, Any]] | None = None) -> Pretraining:
    """What this classifier's recipe makes of a pretraining; what is `given`, section by section, goes before it.

    One component of a window is one image: the very map that the classifier is given of it. The encoder is the
    classifier's member, unless another is asked for, from which no classifier can begin. The projector is four times as
    wide as the representation. Raises BadConfiguration for settings that do not exist or cannot work.
    """
    given = given or {}
    for section, own in given.items():
        require(
            isinstance(own, Mapping), f"{section} is {str(own)[:80]!r}, but must be a table of a recipe's settings."
        )
    settings = settings_of(recipe)
    encoder = dict(given.get("encoder", {}))
    if encoder.get("name", ENCODER) != ENCODER:
        settings["encoder"] = {}
    settings["views"] = {"crop_share": CROP_SHARE}
    settings["training"] = {"epochs": EPOCHS}
    if settings["encoder"]:
        settings["training"]["checkpoint_every"] = 1  # they are small
        settings["method"] = _method(recipe, given.get("method", {}).get("name", METHOD))
    for section, own in given.items():
        settings[section] = {**settings.get(section, {}), **own}
    return Pretraining.from_dict(settings)


def _method(recipe: Recipe, name: Any) -> dict[str, Any]:
    """A projector for the representation of the classifier's member, whitened where the method does so."""
    width = max(4 * recipe.network.width * 2**recipe.network.blocks // GROUP, 1) * GROUP
    published = PUBLISHED.get(name, {}) if isinstance(name, str) else {}
    return {"projector": width, **({"groups": width // GROUP} if published.get("iter_norm", True) else {})}
