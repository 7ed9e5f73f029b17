import numpy as np
import pytest
import torch
from torch import nn

from mlcore.classify.faithfulness import QUIET, RANDOM_ORDERS, SHARES, deletion_check, quiet_level

from .conftest import CLASSES, SMALL, untrained


class Planted(nn.Module):
    """Class 0 is the sum over known cells, class 1 the sum over all: what is relevant is no secret."""

    def __init__(self, cells):
        super().__init__()
        self.cells = cells

    def forward(self, x, attributes=None):
        logits = torch.stack([x[:, self.cells].sum(1), x.flatten(1).sum(1)], 1)
        return logits if attributes is None else logits + attributes.sum(1, keepdim=True)


def planted(seed=0):
    """1 × 20 × 10 cells of noise, of which 2 % stand out and make class 0."""
    x = torch.rand(1, 20, 10, generator=torch.Generator().manual_seed(seed))
    cells = torch.zeros(1, 20, 10, dtype=torch.bool)
    cells[0, 3, 4:8] = True
    x[cells] += 5
    return Planted(cells), x


def test_a_true_map_takes_the_whole_logit_away_at_once_and_a_blind_one_does_not():
    model, x = planted()
    truth = (x * model.cells).double().numpy()
    blind = np.random.default_rng(5).random(truth.shape)
    true, guessed = deletion_check(model, x, np.stack([truth, blind]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    left = float(quiet_level(x)[model.cells].sum())
    assert true["ours"][1:] == pytest.approx([left] * len(SHARES), rel=1e-5)
    assert true["area"] < 0.2 * true["random_area"]
    assert guessed["area"] > 3 * true["area"]
    assert "do not lean on it" not in true["text"]


def test_a_map_turned_upside_down_is_called_no_better_than_chance():
    model, x = planted()
    (answer,) = deletion_check(model, x, -(x * model.cells).double().numpy()[None], np.array([[1.0, 0.0]]))
    assert answer["area"] > answer["random_area"]
    assert "do not lean on it" in answer["text"]


def test_curves_and_areas_equal_slow_loops():
    classifier = untrained()
    windows = np.random.default_rng(0).uniform(-1, 1, (1, 3, SMALL.preprocessing.window_samples))
    x = classifier.inputs(windows)[0]
    maps = np.random.default_rng(1).normal(size=(2, *x.shape))
    seeds = np.zeros((2, len(CLASSES)))
    seeds[0, 1], seeds[1, 0], seeds[1, 2] = 1, 1, -1
    answers = deletion_check(classifier.model, x, maps, seeds)

    def left(order, share, seed):
        changed = x.clone().numpy()
        for cell in list(order)[: round(share * len(order))]:
            c, f, t = np.unravel_index(cell, changed.shape)
            changed[c, f, t] = np.quantile(x[c, f].numpy(), QUIET)
        with torch.no_grad():
            return float(classifier.model(torch.as_tensor(changed)[None])[0].double().numpy() @ seed)

    for each, relevance, seed in zip(answers, maps, seeds, strict=True):
        order = sorted(range(x.numel()), key=(-relevance.ravel()).tolist().__getitem__)
        expected = [left(order, share, seed) for share in (0, *SHARES)]
        np.testing.assert_allclose(each["ours"], expected, rtol=1e-4, atol=1e-5)
        others = [np.random.default_rng(k).permutation(x.numel()) for k in range(RANDOM_ORDERS)]
        chance = [np.mean([left(other, share, seed) for other in others]) for share in (0, *SHARES)]
        np.testing.assert_allclose(each["random"], chance, rtol=1e-4, atol=1e-5)
        for curve, area in ((expected, each["area"]), (chance, each["random_area"])):
            points = [0.0, *SHARES]
            trapezoids = sum(
                (points[i + 1] - points[i]) * (curve[i] + curve[i + 1]) / 2 for i in range(len(points) - 1)
            )
            assert area == pytest.approx(trapezoids / SHARES[-1], rel=1e-3, abs=1e-4)


def test_the_sentence_tells_the_logits_at_ten_percent():
    model, x = planted()
    (answer,) = deletion_check(model, x, (x * model.cells).double().numpy()[None], np.array([[1.0, 0.0]]))
    at = answer["shares"].index(0.1)
    for number in (answer["ours"][0], answer["ours"][at], answer["random"][at]):
        assert f"{number:.2f}" in answer["text"]
    assert "the logit goes from" in answer["text"]
    (between,) = deletion_check(model, x, (x * model.cells).double().numpy()[None], np.array([[-1.0, 1.0]]))
    assert "the difference of the logits goes from" in between["text"]


def test_attributes_stay_as_they_are_while_cells_go():
    model, x = planted()
    relevance = (x * model.cells).double().numpy()[None]
    (alone,) = deletion_check(model, x, relevance, np.array([[1.0, 0.0]]))
    (beside,) = deletion_check(model, x, relevance, np.array([[1.0, 0.0]]), torch.tensor([2.0, 1.0]))
    np.testing.assert_allclose(np.array(beside["ours"]) - 3, alone["ours"], rtol=1e-5)


def test_a_silent_window_loses_nothing():
    model, x = planted()
    (answer,) = deletion_check(model, torch.zeros_like(x), np.zeros((1, *x.shape)), np.array([[1.0, 0.0]]))
    assert answer["ours"] == answer["random"] == [0.0] * (1 + len(SHARES))
