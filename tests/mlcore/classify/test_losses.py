import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from mlcore.classify.losses import balanced_order, class_weights, classification_loss, focal_cross_entropy, shares
from mlcore.config import Training

LOGITS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TARGETS = torch.tensor([0, 2, 1, 1, 0, 2])
WEIGHTS = torch.tensor([0.5, 1.0, 2.5], dtype=torch.float64)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_focus_it_is_torchs_weighted_and_smoothed_cross_entropy(smoothing):
    expected = F.cross_entropy(LOGITS, TARGETS, weight=WEIGHTS, label_smoothing=smoothing)
    found = focal_cross_entropy(LOGITS, TARGETS, WEIGHTS, label_smoothing=smoothing)
    assert torch.isclose(found, expected)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 4), st.floats(0, 0.9))
def test_the_focal_loss_of_soft_targets_equals_its_definition_written_as_loops(gamma, smoothing):
    targets = torch.rand(6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    total = counted = 0.0
    for logits, target in zip(LOGITS.tolist(), targets.tolist(), strict=True):
        whole = sum(math.exp(z) for z in logits)
        for k in range(3):
            p = math.exp(logits[k]) / whole
            smoothed = (1 - smoothing) * target[k] + smoothing / 3 * sum(target)
            total += smoothed * float(WEIGHTS[k]) * (1 - p) ** gamma * -math.log(p)
            counted += target[k] * float(WEIGHTS[k])
    found = focal_cross_entropy(LOGITS, targets, WEIGHTS, gamma=gamma, label_smoothing=smoothing)
    assert float(found) == pytest.approx(total / counted)


def test_an_example_with_half_a_target_counts_half_and_one_with_none_not_at_all():
    doubtful = shares(TARGETS, 3).double() * torch.tensor([1, 1, 0.5, 0, 1, 1])[:, None]
    each = F.cross_entropy(LOGITS, TARGETS, reduction="none")
    expected = (each * torch.tensor([1, 1, 0.5, 0, 1, 1])).sum() / 4.5
    assert torch.isclose(focal_cross_entropy(LOGITS, doubtful, torch.ones(3)), expected)
    assert focal_cross_entropy(LOGITS, 0 * doubtful, torch.ones(3)) == 0


def test_class_weights_are_those_of_scikit_learn_and_of_shares_alike():

    targets = torch.tensor([0, 0, 0, 2, 2, 1])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets.numpy())
    assert class_weights(targets, 3).tolist() == pytest.approx(expected.tolist())
    assert class_weights(shares(targets, 3), 3).tolist() == pytest.approx(expected.tolist())


def test_a_recipe_without_balance_and_focus_asks_for_plain_cross_entropy():
    plain = classification_loss(Training(class_balance="none"), TARGETS, 3)
    assert torch.isclose(plain(LOGITS, TARGETS), F.cross_entropy(LOGITS, TARGETS))
    weighted = classification_loss(Training(), torch.tensor([0, 0, 0, 1, 2, 2]), 3)
    expected = F.cross_entropy(LOGITS, TARGETS, weight=torch.tensor([2 / 3, 2, 1]).double())
    assert torch.isclose(weighted(LOGITS, TARGETS), expected)


def test_in_a_balanced_order_every_class_comes_equally_often_and_no_example_twice_before_all_came_once():
    targets = torch.tensor([0] * 20 + [1] * 3 + [2] * 7)
    order = balanced_order(targets, torch.Generator().manual_seed(0))
    assert targets[order].bincount().tolist() == [10, 10, 10]
    rare = order[targets[order] == 1].bincount(minlength=30)[20:23]
    assert sorted(rare.tolist()) == [3, 3, 4]
    assert order[targets[order] == 0].unique().numel() == 10
    assert torch.equal(order, balanced_order(targets, torch.Generator().manual_seed(0)))


def test_a_balanced_order_leaves_out_what_is_not_to_be_learnt_from():
    targets = shares(torch.tensor([0, 0, 1, 1]), 2) * torch.tensor([1.0, 0, 1, 1])[:, None]
    assert 1 not in balanced_order(targets, torch.Generator().manual_seed(0)).tolist()
