from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from captum.attr import LRP
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import nn

from mlcore.checkpoint import model_files
from mlcore.classify.model import STFTClassifier
from mlcore.classify.predict import Classifier, network_for
from mlcore.classify.relevance import EPSILON, double_copy, explain, relevance_of
from mlcore.classify.zennit_compat import Activation, AvgPool, Composite, Convolution, Epsilon, Linear, Pass
from mlcore.config import Network

from .conftest import CLASSES, SMALL, untrained


def network(classes=3):
    torch.manual_seed(2)
    model = STFTClassifier(2, classes, Network(width=2, blocks=1)).double().eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.3)
    nn.init.normal_(model.logits.weight, std=0.5)
    return model


def maps_of_network(inputs):
    return torch.rand(inputs, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


# Eq. 1 of Jiang et al. 2024 as slow loops. Each function takes a layer, its input a and its output's relevance, and
# returns its input's relevance and what its biases took.


def sign(z):
    return -1.0 if z < 0 else 1.0


def loops_linear(layer, a, relevance):
    w, b, a, relevance = layer.weight.tolist(), layer.bias.tolist(), a.tolist(), relevance.tolist()
    shares, biases = [0.0] * len(a), 0.0
    for k, r in enumerate(relevance):
        z = b[k] + sum(a[j] * w[k][j] for j in range(len(a)))
        z += EPSILON * sign(z)
        biases += b[k] / z * r
        for j in range(len(a)):
            shares[j] += a[j] * w[k][j] / z * r
    return torch.tensor(shares, dtype=torch.float64), biases


def loops_convolution(layer, a, relevance):
    """3 × 3 with a border of zeros."""
    w, b = layer.weight.tolist(), layer.bias.tolist()
    shares, biases = torch.zeros_like(a), 0.0
    channels, height, width = a.shape
    for k in range(len(w)):
        for y in range(height):
            for x in range(width):
                inputs = [
                    (c, y + i - 1, x + j - 1, w[k][c][i][j])
                    for c in range(channels)
                    for i in range(3)
                    for j in range(3)
                    if 0 <= y + i - 1 < height and 0 <= x + j - 1 < width
                ]
                z = b[k] + sum(float(a[c, v, u]) * weight for c, v, u, weight in inputs)
                z += EPSILON * sign(z)
                r = float(relevance[k, y, x])
                biases += b[k] / z * r
                for c, v, u, weight in inputs:
                    shares[c, v, u] += float(a[c, v, u]) * weight / z * r
    return shares, biases


def loops_maximum(a, relevance):
    """The winner of each 2 × 2 takes all."""
    shares = torch.zeros_like(a)
    for c, y, x in np.ndindex(*relevance.shape):
        cells = [(2 * y + i, 2 * x + j) for i in range(2) for j in range(2)]
        v, u = max(cells, key=lambda cell: float(a[c, cell[0], cell[1]]))
        shares[c, v, u] += relevance[c, y, x]
    return shares


def loops_average(pool, a, relevance):
    """Adaptive: cell i of n covers rows floor(i·h/n) to ceil((i+1)·h/n)."""
    (rows, columns), (channels, height, width) = pool.output_size, a.shape
    shares = torch.zeros_like(a)
    for c, i, j in np.ndindex(channels, rows, columns):
        cells = [
            (y, x)
            for y in range(i * height // rows, -(-(i + 1) * height // rows))
            for x in range(j * width // columns, -(-(j + 1) * width // columns))
        ]
        z = sum(float(a[c, y, x]) for y, x in cells) / len(cells)
        z += EPSILON * sign(z)
        for y, x in cells:
            shares[c, y, x] += a[c, y, x] / len(cells) / z * relevance[c, i, j]
    return shares


def loops_network(model, x, target):
    """→ relevance of x (channels, freq, time), and what all biases took"""
    (member,) = model.members
    layers = [*member.features[0], member.pool, *member.head, model.logits]
    inputs = [x]
    for layer in layers:
        inputs.append(layer(inputs[-1].unsqueeze(0)).squeeze(0).detach())
    relevance = torch.zeros_like(inputs[-1])
    relevance[target] = inputs[-1][target]
    biases = 0.0
    for layer, a in zip(reversed(layers), reversed(inputs[:-1]), strict=True):
        taken = 0.0
        if isinstance(layer, nn.Linear):
            relevance, taken = loops_linear(layer, a, relevance)
        elif isinstance(layer, nn.Conv2d):
            relevance, taken = loops_convolution(layer, a, relevance)
        elif isinstance(layer, nn.MaxPool2d):
            relevance = loops_maximum(a, relevance)
        elif isinstance(layer, nn.AdaptiveAvgPool2d):
            relevance = loops_average(layer, a, relevance)
        elif isinstance(layer, nn.Flatten):
            relevance = relevance.reshape(a.shape)
        biases += taken
    return relevance, biases


def test_maps_equal_the_papers_equation_written_as_slow_loops():
    model, x = network(), maps_of_network((2, 2, 9, 7))
    maps, _, _, biases, _ = relevance_of(model, x, torch.tensor([[0, 2], [1, 0]]))
    for window, column, target in [(0, 0, 0), (0, 1, 2), (1, 0, 1), (1, 1, 0)]:
        expected, taken = loops_network(model, x[window], target)
        torch.testing.assert_close(maps[window, column], expected, rtol=1e-9, atol=1e-12)
        assert float(biases[window, column]) == pytest.approx(taken, rel=1e-9)


def test_maps_equal_those_of_zennits_own_rules():
    model, x = network(), maps_of_network((3, 2, 9, 7))
    maps, *_ = relevance_of(model, x, torch.tensor([[0, 2], [1, 0], [2, 1]]))
    types = {Activation: Pass(), AvgPool: Epsilon(EPSILON), Convolution: Epsilon(EPSILON), Linear: Epsilon(EPSILON)}

    def rule(context, name, module):
        return next((hook for kind, hook in types.items() if isinstance(module, kind)), None)

    for column, target in [(0, [0, 1, 2]), (1, [2, 0, 1])]:
        with Composite(module_map=rule).context(model) as hooked:
            inputs = x.clone().requires_grad_()
            logits = hooked(inputs)
            seed = logits.detach() * nn.functional.one_hot(torch.tensor(target), 3)
            (theirs,) = torch.autograd.grad(logits, inputs, seed)
        torch.testing.assert_close(maps[:, column], theirs, rtol=1e-10, atol=1e-10 * float(theirs.abs().max()))


def test_captums_lrp_agrees():
    model, x = network(), maps_of_network((3, 2, 9, 7))
    maps, *_ = relevance_of(model, x, torch.tensor([[1], [1], [1]]))
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.AdaptiveAvgPool2d):
            layer.rule = EpsilonRule(epsilon=EPSILON)
        elif isinstance(layer, nn.Flatten | nn.ModuleList):
            layer.rule = EpsilonRule(epsilon=1e-15)  # captum has no rule that only reshapes, or for an empty list
    theirs = LRP(model).attribute(x, target=1).detach()
    torch.testing.assert_close(maps[:, 0], theirs, rtol=1e-6, atol=1e-6 * float(theirs.abs().max()))


def test_map_and_biases_and_stabiliser_add_up_to_the_logit(classifier):
    windows = np.random.default_rng(0).uniform(-1, 1, (5, 3, SMALL.preprocessing.window_samples))
    found = explain(classifier, windows, np.tile(np.arange(4), (5, 1)))
    assert found.maps.shape == (5, 4, *classifier.inputs(windows).shape[1:])
    assert found.maps.dtype == np.float64
    accounted = found.maps.sum((2, 3, 4)) + found.biases + found.stabiliser
    np.testing.assert_allclose(accounted, found.logits, rtol=1e-9)
    assert (found.error <= 1e-9 * np.abs(found.logits)).all()
    assert (np.abs(found.biases) > 1e-3).all(), "biases must have a share, or the test proves nothing"


def test_a_model_of_several_members_with_cells_and_attributes_is_explained_whole():
    recipe = replace(SMALL, network=replace(SMALL.network, cells=((4, 8), (2, 2)), attributes=True))
    torch.manual_seed(1)
    model = network_for(recipe, len(CLASSES), members=2)
    nn.init.normal_(model.logits.weight, std=0.3)
    classifier = Classifier.from_files(
        model_files(model, {"classes": CLASSES, "recipe": recipe.to_dict(), "members": 2})
    )
    windows = np.random.default_rng(6).uniform(-1, 1, (9, 3, SMALL.preprocessing.window_samples))
    found = explain(classifier, windows, np.tile([0, 2], (9, 1)))
    assert found.attributes.shape == (9, 2, len(classifier.attribute_names))
    assert np.abs(found.attributes).max() > 1e-3
    assert (found.error <= 1e-9).all()
    np.testing.assert_allclose(found.logits, classifier.predict(windows).logits[:, [0, 2]], rtol=1e-4, atol=1e-5)


def test_the_explained_logits_are_those_of_the_prediction(classifier):
    windows = np.random.default_rng(1).uniform(-1, 1, (4, 3, SMALL.preprocessing.window_samples))
    found = explain(classifier, windows, np.tile(np.arange(4), (4, 1)))
    np.testing.assert_allclose(found.logits, classifier.predict(windows).logits, rtol=1e-4, atol=1e-6)


def test_the_map_of_a_difference_is_the_difference_of_maps(classifier):
    windows = np.random.default_rng(5).uniform(-1, 1, (3, 3, SMALL.preprocessing.window_samples))
    found = explain(classifier, windows, np.array([[0, 2], [3, 1], [1, 0]])).against(0, 1)
    assert found.maps.shape[1] == 1
    assert (found.error <= 1e-9).all()
    # LRP with a seed of +logit for one class and −logit for the other, which is what linearity claims
    for row, (first, second) in enumerate([(0, 2), (3, 1), (1, 0)]):
        network = double_copy(classifier.model)
        network.logits = nn.Sequential(network.logits, nn.Linear(len(CLASSES), 1, bias=False)).double()
        with torch.no_grad():
            network.logits[1].weight.zero_()
            network.logits[1].weight[0, first], network.logits[1].weight[0, second] = 1, -1
        network.requires_grad_(False)
        maps, *_ = relevance_of(network, classifier.inputs(windows[row : row + 1]), torch.tensor([[0]]))
        theirs = maps[0, 0].numpy()
        # its last layer has an ε of its own, which takes a millionth of the difference
        np.testing.assert_allclose(found.maps[row, 0], theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def test_a_silent_window_has_no_relevance_and_the_biases_take_all(classifier):
    found = explain(classifier, np.zeros((1, 3, SMALL.preprocessing.window_samples)), np.array([[0]]))
    assert not found.maps.any()
    np.testing.assert_allclose(found.biases + found.stabiliser, found.logits, rtol=1e-9)


def test_threads_that_share_a_classifier_get_the_maps_of_one_thread(classifier):
    rng = np.random.default_rng(2)
    jobs = [rng.uniform(-1, 1, (2, 3, SMALL.preprocessing.window_samples)) for _ in range(24)]
    targets = np.array([[0, 3], [1, 2]])
    alone = [explain(classifier, windows, targets) for windows in jobs]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda windows: explain(classifier, windows, targets), jobs))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.maps, other.maps, rtol=1e-12)


def test_explaining_leaves_the_classifier_as_it_was(classifier):
    windows = np.random.default_rng(3).uniform(-1, 1, (2, 3, SMALL.preprocessing.window_samples))
    before = classifier.predict(windows).logits
    explain(classifier, windows, np.array([[0], [1]]))
    assert np.array_equal(before, classifier.predict(windows).logits)
    assert not any(module._forward_hooks for module in classifier.model.modules())


def test_dropout_does_not_disturb_an_explanation_even_in_a_model_left_in_training_mode():
    classifier = untrained()
    windows = np.random.default_rng(4).uniform(-1, 1, (1, 3, SMALL.preprocessing.window_samples))
    calm = explain(classifier, windows, np.array([[0]]))
    classifier.model.train()
    assert np.array_equal(calm.maps, explain(classifier, windows, np.array([[0]])).maps)


def test_targets_must_name_classes_for_every_window(classifier):
    windows = np.zeros((2, 3, SMALL.preprocessing.window_samples))
    with pytest.raises(ValueError, match=r"must be \(2 windows, classes to explain\)"):
        explain(classifier, windows, np.array([0, len(CLASSES) - 1]))
