"""From prepared windows to probabilities; on the command line, from recordings to classes and detections.

python -m mlcore.classify.predict MODEL_DIR FILE...
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlcore.attributes import attribute_names, attributes
from mlcore.checkpoint import Description, load_model, model_from_files
from mlcore.classify.calibration import softmax
from mlcore.classify.model import STFTClassifier
from mlcore.config import Recipe
from mlcore.errors import BadConfiguration
from mlcore.stft import stft_axes, stft_input, stft_magnitude

BATCH = 64  # windows at once; more is slower on few cores


@dataclass(frozen=True)
class Predictions:
    """What the network said of n windows, in the order of the model's classes."""

    logits: NDArray[np.float32]  # (n, classes)
    probabilities: NDArray[np.float64]  # (n, classes), rows sum to 1
    features: NDArray[np.float32] | None = None  # (n, d), what the last layer was given; only on request


class Classifier:
    """A trained network with the recipe that prepares its input. Safe to use from several threads."""

    def __init__(self, model: nn.Module, description: Description):
        self.model = channels_last(model.eval())
        self.description = description
        self.classes, self.recipe = classes_and_recipe(description)

    @classmethod
    def from_directory(cls, directory: Path | str) -> "Classifier":
        """The model in a folder. Raises BadConfiguration where there is none, or it is broken."""
        return cls(*load_model(directory, build))

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "Classifier":
        """The model in `weights.safetensors` and `model.json`. Raises BadConfiguration where they are broken."""
        return cls(*model_from_files(files, build))

    @property
    def checksum(self) -> str:
        """SHA-256 of the weights: which model this is."""
        return str(self.description["weights_sha256"])

    def inputs(self, windows: NDArray[np.floating]) -> Tensor:
        """The map the network is given for windows (n, components, samples). → float32 (n, components, freq, time)"""
        return network_inputs(windows, self.recipe)

    def attributes(self, windows: NDArray[np.floating]) -> Tensor:
        """What the network is given beside the map. → float32 (n, a), with a = 0 for a network that takes none"""
        return network_attributes(windows, self.recipe)

    @property
    def attribute_names(self) -> list[str]:
        """What the attributes are, in words; none for a network that takes none."""
        return attribute_names(self.recipe.preprocessing) if self.recipe.network.attributes else []

    def predict(self, windows: NDArray[np.floating]) -> Predictions:
        """Classify normalised windows (n, components, samples)."""
        logits = np.zeros((len(windows), len(self.classes)), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(windows), BATCH):
                part = windows[start : start + BATCH]
                logits[start : start + BATCH] = self.model(self.inputs(part), self.attributes(part)).numpy()
        return Predictions(logits, softmax(logits))

    def predict_with_features(self, windows: NDArray[np.floating]) -> Predictions:
        """Classify at least one window (n, components, samples), and keep what the last layer was given of each.

        The same forward pass as `predict`: only its end is taken in two steps.
        """
        network = cast(STFTClassifier, self.model)
        logits, features = [], []
        with torch.inference_mode():
            for start in range(0, len(windows), BATCH):
                part = windows[start : start + BATCH]
                features.append(network.features(self.inputs(part), self.attributes(part)))
                logits.append(network.logits(features[-1]))
        said = torch.cat(logits).numpy()
        return Predictions(said, softmax(said), torch.cat(features).numpy())


def network_inputs(windows: NDArray[np.floating], recipe: Recipe) -> Tensor:
    """The STFT of normalised windows (n, components, samples), as the recipe asks for it.

    → float32 (n, components, freq, time)

    Training, prediction and display all take the network's input from here. Raises ValueError for another shape.
    """
    wanted = (len(recipe.preprocessing.components), recipe.preprocessing.window_samples)
    if windows.ndim != 3 or windows.shape[1:] != wanted:
        raise ValueError(f"windows have shape {windows.shape}, but the recipe asks for (n, {wanted[0]}, {wanted[1]}).")
    if not len(windows):  # the Fourier transform of nothing is refused; its shape is not
        return network_inputs(np.zeros((1, *wanted)), recipe)[:0]
    magnitudes = stft_magnitude(torch.as_tensor(windows, dtype=torch.float32), recipe.preprocessing)
    return stft_input(magnitudes, recipe.preprocessing).contiguous(memory_format=torch.channels_last)


def network_attributes(windows: NDArray[np.floating], recipe: Recipe) -> Tensor:
    """The hand-made attributes of normalised windows, where the recipe's network takes them. → float32 (n, a)"""
    if not recipe.network.attributes:
        return torch.zeros(len(windows), 0)
    return torch.from_numpy(attributes(windows, recipe.preprocessing))


def channels_last(model: nn.Module) -> nn.Module:
    """The model itself, its weights laid out as a CPU convolves twice as fast. Values stay as they are."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def combine_stations(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """One event's probabilities from those of its stations: their mean. (stations, classes) → (classes,)"""
    return np.asarray(probabilities, dtype=np.float64).mean(axis=0)


def build(description: Description) -> nn.Module:
    """The network, untrained, that a description asks for. Raises BadConfiguration where it asks for none."""
    classes, recipe = classes_and_recipe(description)
    return network_for(recipe, len(classes), int(description.get("members", 1)))


def network_for(recipe: Recipe, classes: int, members: int = 1, *, linear: bool = True) -> STFTClassifier:
    """An untrained network of a recipe; without its linear part if asked."""
    network = recipe.network if linear else replace(recipe.network, attributes=False, cells=())
    return STFTClassifier(
        len(recipe.preprocessing.components),
        classes,
        network,
        members=members,
        shape=[len(axis) for axis in stft_axes(recipe.preprocessing)],
        attributes=len(attribute_names(recipe.preprocessing)) if network.attributes else 0,
    )


def classes_and_recipe(description: Mapping[str, Any]) -> tuple[list[str], Recipe]:
    """What every use of a model needs of its description."""
    classes = description.get("classes")
    names = [name for name in classes if isinstance(name, str)] if isinstance(classes, list) else []
    if len(names) < 2 or len(set(names)) < len(names) or names != classes:
        raise BadConfiguration(
            f"The model's description has classes {classes!r}, but needs a list of at least two different names. "
            "Restore it from where it was saved."
        )
    return names, Recipe.from_dict(description.get("recipe", {}))


if __name__ == "__main__":
    from mlcore.classify.predict_command import main  # here, for it imports Classifier from this module
    from mlcore.command import run

    run(main)
