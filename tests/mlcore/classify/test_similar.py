"""Events that a network takes for alike, held against a slow loop."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine

from mlcore.checkpoint import model_files
from mlcore.classify.model import STFTClassifier
from mlcore.classify.predict import Classifier, network_for
from mlcore.classify.similar import directions, most_similar
from mlcore.config import Network, Recipe


def features(n=60, d=17):
    made = np.random.default_rng(3).normal(2, 5, (n, d)).astype(np.float32)
    made[:, 4] = 7.0  # never varies
    return made


@pytest.fixture(params=[512, 8])
def at_once(request, monkeypatch):
    monkeypatch.setattr("mlcore.classify.similar.AT_ONCE", request.param)


@pytest.mark.usefixtures("at_once")
def test_neighbours_equal_a_slow_loop_over_scipys_cosine_distance():
    given, among, asked = features(), [1, 2, 3, 5, 8, 13, 21, 34, 55, 59], [0, 5, 21, 40]
    varied = np.delete(given, 4, axis=1).astype(np.float64)
    z = (varied - varied.mean(axis=0)) / varied.std(axis=0)
    rows, cosines = most_similar(directions(given), asked, among, 4)
    for number, event in enumerate(asked):
        expected = sorted((cosine(z[event], z[other]), other) for other in among if other != event)[:4]
        assert rows[number].tolist() == [other for _, other in expected]
        np.testing.assert_allclose(cosines[number], [1 - distance for distance, _ in expected], atol=1e-5)


def test_where_there_are_fewer_others_than_asked_for_the_rest_is_none():
    rows, cosines = most_similar(directions(features()), [3], [3, 9], 20)
    assert rows.tolist() == [[9, -1]]
    assert cosines[0, 1] == 0
    assert most_similar(directions(features()), [3], [], 20)[0].shape == (1, 0)


def test_an_event_that_is_average_in_everything_is_like_nothing():
    given = features(5)
    given[2] = given[[0, 1, 3, 4]].mean(axis=0)
    rows, cosines = most_similar(directions(given), [2], [0, 1], 2)
    assert sorted(rows[0].tolist()) == [0, 1]
    np.testing.assert_allclose(cosines, 0, atol=1e-5)


@pytest.mark.parametrize("network", [Network(width=4, blocks=2), Network(width=4, blocks=2, attributes=True)])
def test_features_come_with_the_very_predictions_and_give_them_by_the_last_layer(network):
    recipe = Recipe(network=network)
    torch.manual_seed(1)
    model: STFTClassifier = network_for(recipe, 3)
    classifier = Classifier.from_files(model_files(model, {"classes": ["a", "b", "c"], "recipe": recipe.to_dict()}))
    preprocessing = recipe.preprocessing
    shape = (70, len(preprocessing.components), preprocessing.window_samples)
    windows = np.random.default_rng(0).uniform(-1, 1, shape)
    said, plain = classifier.predict_with_features(windows), classifier.predict(windows)
    np.testing.assert_array_equal(said.logits, plain.logits)
    np.testing.assert_array_equal(said.probabilities, plain.probabilities)
    weight, bias = (p.detach().numpy() for p in (classifier.model.logits.weight, classifier.model.logits.bias))
    np.testing.assert_allclose(said.features @ weight.T + bias, plain.logits, atol=1e-4)
    assert plain.features is None
