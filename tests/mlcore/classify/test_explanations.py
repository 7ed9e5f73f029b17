import json

import numpy as np
import pytest
import torch
from torch import nn

from mlcore.classify.explanations import TOP_ATTRIBUTES, explanations
from mlcore.classify.predict import Classifier
from mlcore.classify.relevance import explain
from mlcore.classify.summary import summarise
from mlcore.config import Explanation, Recipe
from mlcore.stft import stft_axes

from .conftest import CLASSES, SMALL, untrained

WINDOWS = np.random.default_rng(0).uniform(-1, 1, (1, 3, SMALL.preprocessing.window_samples))


class Beside(nn.Module):
    """A classifier whose last layer also reads attributes."""

    def __init__(self, model, attributes):
        super().__init__()
        self.member = model
        self.last = nn.Linear(len(CLASSES) + attributes, len(CLASSES))

    def forward(self, x, attributes):
        return self.last(torch.cat([self.member(x), attributes], 1))


class WithAttributes(Classifier):
    """Seven attributes: what a waveform's first samples happen to be."""

    attribute_names = tuple(f"sample {i}" for i in range(7))

    def attributes(self, windows):
        return torch.as_tensor(windows[:, 0, :7], dtype=torch.float32)


def with_attributes():
    torch.manual_seed(1)
    classifier = untrained()
    return WithAttributes(Beside(classifier.model, 7).eval(), classifier.description)


def told(classifier, targets):
    columns = np.array([[CLASSES.index(target) for target in targets]])
    found = explain(classifier, WINDOWS, columns)
    given = classifier.inputs(WINDOWS)[0], classifier.attributes(WINDOWS)[0]
    return found, explanations(classifier, targets, found, given, (3.0, 7.0))


def test_every_map_is_told_and_the_difference_is_that_of_the_logits(classifier):
    found, (first, second, difference) = told(classifier, ["rockfall", "quake"])
    assert [each["against"] for each in (first, second, difference)] == [None, None, "quake"]
    assert difference["target"] == "rockfall"
    for key in ("logit", "map", "biases", "stabiliser"):
        assert difference[key] == pytest.approx(first[key] - second[key], abs=1e-12)
    assert difference["error"] < 1e-9
    expected = summarise(found.maps[0, 0] - found.maps[0, 1], classifier.recipe, (3.0, 7.0), "the former")
    assert {key: difference[key] for key in expected} == expected


def test_one_target_has_no_difference(classifier):
    _, only = told(classifier, ["noise"])
    assert [each["target"] for each in only] == ["noise"]


def test_the_account_is_complete_with_attributes_and_names_the_largest():
    found, (first, *_) = told(with_attributes(), ["rockfall", "quake"])
    total = first["map"] + first["attributes"] + first["biases"] + first["stabiliser"]
    assert total == pytest.approx(first["logit"], rel=1e-9)
    assert first["attributes_share"] == pytest.approx(first["attributes"] / first["logit"])
    assert first["biases_share"] == pytest.approx(first["biases"] / first["logit"])
    shares = found.attributes[0, 0]
    largest = sorted(range(7), key=lambda i: -abs(shares[i]))[:TOP_ATTRIBUTES]
    assert first["top_attributes"] == [{"name": f"sample {i}", "relevance": shares[i]} for i in largest]


def test_the_facts_are_plain_json(classifier):
    _, facts = told(classifier, ["rockfall", "quake"])
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def test_bands_that_the_model_does_not_hear_are_left_out_and_said():
    recipe = Recipe(explanation=Explanation(bands_hz=((1.0, 5.0), (3.0, 8.0), (40.0, 60.0), (60.0, 90.0))))
    frequencies, times = stft_axes(recipe.preprocessing)  # 5–60 Hz
    relevance = np.random.default_rng(0).normal(size=(3, len(frequencies), len(times)))
    found = summarise(relevance, recipe, (3.0, 7.0))
    assert [(band["low_hz"], band["high_hz"]) for band in found["bands"]] == [(3.0, 8.0), (40.0, 60.0)]
    assert found["bands_left_out"] == [[1.0, 5.0], [60.0, 90.0]]
    outside = sum(abs(relevance[:, row]).sum() for row, hz in enumerate(frequencies) if hz < 5 or hz > 60)
    assert found["outside_band"] == pytest.approx(outside / np.abs(relevance).sum())
