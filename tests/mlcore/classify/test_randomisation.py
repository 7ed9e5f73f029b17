import json

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from mlcore.classify.predict import Classifier, network_for
from mlcore.classify.randomisation import layers_from_the_top, randomisation_check, shuffle, similarity
from mlcore.classify.relevance import explain

from .conftest import CLASSES, SMALL, untrained

WINDOWS = np.random.default_rng(0).uniform(-1, 1, (3, 3, SMALL.preprocessing.window_samples))


class Blind(nn.Module):
    """Every weight of a class is the same: shuffled or not, its map is the input's picture."""

    def __init__(self, cells):
        super().__init__()
        self.flat, self.logits = nn.Flatten(), nn.Linear(cells, len(CLASSES))
        nn.init.constant_(self.logits.weight, 0.3)
        nn.init.zeros_(self.logits.bias)

    def forward(self, x, attributes=None):
        return self.logits(self.flat(x))


def test_a_networks_maps_change_layer_by_layer_from_the_top():
    classifier = untrained()
    found = randomisation_check(classifier, WINDOWS)
    names = [layer["layer"] for layer in found["layers"]]
    assert names[:2] == ["logits", "members.*.head.1"]
    assert names[-1] == "members.*.features.0.0"
    assert len(names) == 6
    assert found["passed"]
    assert abs(found["layers"][-1]["similarity"]) < 0.3
    assert found["windows"] == 3
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_maps_that_tell_of_the_input_alone_fail():
    cells = untrained().inputs(WINDOWS)[0].numel()
    blind = Classifier(Blind(cells), untrained().description)
    found = randomisation_check(blind, WINDOWS)
    assert not found["passed"]
    assert found["layers"][0]["similarity"] == pytest.approx(1)
    assert found["input_absolute"] == pytest.approx(1)
    assert "Do not lean on this model's maps" in found["text"]


def test_the_last_step_is_the_likeness_to_a_network_with_all_layers_shuffled():
    classifier, other = untrained(), untrained()
    generator = torch.Generator().manual_seed(0)
    for _, modules in layers_from_the_top(other.model, other.model):
        for module in modules:
            shuffle(module, generator)
    targets = classifier.predict(WINDOWS).logits.argmax(axis=1)[:, None]
    one, two = (explain(each, WINDOWS, targets).maps[:, 0] for each in (classifier, other))
    expected = np.mean([spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, two, strict=True)])
    assert randomisation_check(classifier, WINDOWS)["layers"][-1]["similarity"] == pytest.approx(expected, abs=1e-6)


def test_likeness_is_scipys_spearman_with_ties():
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 5, (2, 2, 4, 6)).astype(float)
    expected = np.mean([spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, other, strict=True)])
    assert similarity(one, other) == pytest.approx(expected)
    assert similarity(one, np.ones_like(one)) == 0


def test_layers_of_an_ensembles_members_are_shuffled_together():
    network = network_for(SMALL, len(CLASSES), members=3)
    layers = dict(layers_from_the_top(network, network))
    assert layers["logits"] == [network.logits]
    assert layers["members.*.head.1"] == [member.head[1] for member in network.members]


def test_shuffling_keeps_the_weights_and_moves_them():
    layer = nn.Linear(20, 10)
    before = layer.weight.detach().clone()
    shuffle(layer, torch.Generator().manual_seed(0))
    assert not torch.equal(layer.weight, before)
    assert torch.equal(layer.weight.flatten().sort().values, before.flatten().sort().values)


def test_the_check_is_repeatable_and_leaves_the_model_alone():
    classifier = untrained()
    before = classifier.predict(WINDOWS).logits
    assert randomisation_check(classifier, WINDOWS) == randomisation_check(classifier, WINDOWS)
    assert np.array_equal(before, classifier.predict(WINDOWS).logits)


def test_no_windows_are_refused():
    with pytest.raises(ValueError, match="at least one window"):
        randomisation_check(untrained(), WINDOWS[:0])
