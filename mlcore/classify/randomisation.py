"""Do a model's maps depend on what it learned? The randomisation check of Adebayo et al. 2018 (arXiv:1810.03292).

From the last layer down, one layer after the other loses what it learned: its weights are shuffled, and stay so. A map
that tells of the network must change with it. One that stays, tells of the input alone: an edge detector could draw it.

Layers that do the same in each member of an ensemble are shuffled at once. Likeness is Spearman's rank correlation
over a window's cells, averaged over windows. The verdict is on the maps as they are drawn, with their sign. Their
absolute values are measured as well, and stay more alike: a relevance is the input times what the network makes of it,
and the input stays the same. `input_absolute`, the likeness of |map| and input, says how much of that is the input's.
"""

import re
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor, nn

from mlcore.classify.predict import Classifier
from mlcore.classify.relevance import double_copy, relevance_of

THRESHOLD = 0.5  # of the likeness with all layers shuffled
MEASURE = "Spearman's rank correlation of the maps' cells, mean over windows; similarity_absolute: of |map|"

Maps = NDArray[np.float64]


def randomisation_check(classifier: Classifier, windows: NDArray[np.floating]) -> dict[str, Any]:
    """Maps of normalised windows (n, components, samples; a handful) before and after layers are shuffled.

    → JSON's dict: `measure`, `windows` (how many), `layers` [{layer, similarity, similarity_absolute}] from the last
    layer down, each with all above it shuffled, too; `input_absolute`, `threshold`, `passed` and a `text`. Explained
    is the class that was predicted, before and after. Deterministic. Raises ValueError without windows.
    """
    if not len(windows):
        raise ValueError("The randomisation check needs at least one window. Give it some that the model never saw.")
    network = double_copy(classifier.model)
    given = classifier.inputs(windows), classifier.attributes(windows)
    targets = torch.as_tensor(classifier.predict(windows).logits.argmax(axis=1))[:, None]
    learned = _maps(network, given, targets)
    generator = torch.Generator().manual_seed(0)
    layers = []
    for name, modules in layers_from_the_top(classifier.model, network):
        for module in modules:
            shuffle(module, generator)
        found = _maps(network, given, targets)
        layers.append(
            {
                "layer": name,
                "similarity": similarity(learned, found),
                "similarity_absolute": similarity(np.abs(learned), np.abs(found)),
            }
        )
    input_absolute = similarity(np.abs(learned), given[0].double().numpy())
    facts = {"measure": MEASURE, "windows": len(windows), "layers": layers, "input_absolute": input_absolute}
    return {**facts, **_verdict(layers)}


def layers_from_the_top(model: nn.Module, network: nn.Module) -> list[tuple[str, list[nn.Module]]]:
    """Layers with weights, from the last to the first, as the modules of `network`, a copy of `model`.

    Members of a ModuleList count as one: members.0.head.1 and members.1.head.1 are the layer members.*.head.1.
    """
    lists = [name for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    layers: dict[str, list[nn.Module]] = {}
    for name, module in network.named_modules():
        if getattr(module, "weight", None) is not None:
            layers.setdefault(_without_number(name, lists), []).append(module)
    return list(layers.items())[::-1]


def _without_number(name: str, lists: list[str]) -> str:
    for one in lists:
        name = re.sub(rf"^({re.escape(one)})\.\d+", r"\1.*", name)
    return name


@torch.no_grad()
def shuffle(module: nn.Module, generator: torch.Generator) -> None:
    """Put a layer's weights, and its biases, into a random order. Their distribution stays."""
    for _, parameter in module.named_parameters(recurse=False):
        order = torch.randperm(parameter.numel(), generator=generator)
        parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))


def similarity(one: Maps, other: Maps) -> float:
    """Spearman's rank correlation of maps (n, …), window by window, and its mean. An even map is like no other."""
    return float(np.mean([_spearman(a.ravel(), b.ravel()) for a, b in zip(one, other, strict=True)]))


def _spearman(a: Maps, b: Maps) -> float:
    ranks = rankdata(a) - (len(a) + 1) / 2, rankdata(b) - (len(b) + 1) / 2
    size = np.linalg.norm(ranks[0]) * np.linalg.norm(ranks[1])
    return float(ranks[0] @ ranks[1] / size) if size else 0.0


def _maps(network: nn.Module, given: tuple[Tensor, Tensor], targets: Tensor) -> Maps:
    inputs, attributes = given
    maps = [
        relevance_of(network, inputs[i : i + 1], targets[i : i + 1], attributes[i : i + 1])[0]
        for i in range(len(inputs))
    ]
    return torch.cat(maps)[:, 0].numpy()


def _verdict(layers: list[dict[str, Any]]) -> dict[str, Any]:
    last, first = layers[-1]["similarity"], layers[0]["similarity"]
    passed = bool(last < THRESHOLD)
    said = f"{first:.2f} with its last layer shuffled, {last:.2f} with all (1: the same map)"
    text = (
        f"The maps tell of what the model learned: likeness {said}."
        if passed
        else f"Do not lean on this model's maps: they hardly change when what it learned is shuffled, likeness {said}."
    )
    return {"threshold": THRESHOLD, "passed": passed, "text": text}
