from types import SimpleNamespace

import numpy as np
import torch

from mlcore.classify.rank_labels import rank_labels, suspicion
from mlcore.config import Network, Recipe, Training
from mlcore.datasets import EventWindows

CLASSES = ["noise", "quake", "rockfall"]


def catalogue(wrong=(3, 8)):
    """30 events with two stations each, of three classes in turn; those in `wrong` carry the next class's label."""
    true = np.arange(30) % 3
    labels = true.copy()
    labels[list(wrong)] = (true[list(wrong)] + 1) % 3
    twice = np.repeat(np.arange(30), 2)
    windows = EventWindows(
        windows=np.zeros((60, 1, 8), dtype=np.float32),
        event_ids=tuple(f"e{i}" for i in twice),
        stations=("A", "B") * 30,
        labels=tuple(CLASSES[labels[i]] for i in twice),
    )
    return windows, true[twice]


def network_that_knows(true, asked):
    """Out-of-fold logits of a network that is right, but for some doubt; it notes what it was asked."""

    def judged(recipe, targets):
        asked.append((recipe, targets))
        doubt = np.random.default_rng(0).standard_normal((len(true), 3))
        return 3 * np.eye(3)[true] + 0.5 * doubt

    return judged


def test_wrong_labels_come_first_and_later_rounds_do_not_learn_them():
    windows, true = catalogue()
    asked = []
    scores, probabilities = suspicion(windows, CLASSES, Recipe(), network_that_knows(true, asked))
    assert set(np.argsort(-scores)[:2]) == {3, 8}
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)

    first, second, third = (targets.sum(dim=1) for _, targets in asked)
    assert first.tolist() == [1.0] * 60
    assert torch.equal(second, third)
    assert second.nonzero().flatten().tolist() == [i for i in range(60) if i // 2 not in (3, 8)]


def test_networks_learn_the_labels_with_their_natural_shares():
    windows, true = catalogue()
    asked = []
    suspicion(windows, CLASSES, Recipe(), network_that_knows(true, asked), rounds=1)
    recipe, targets = asked[0]
    assert recipe.training.class_balance == "none"
    assert recipe.network.strength < Recipe().network.strength  # and with caution
    assert [CLASSES[k] for k in targets.argmax(dim=1)] == list(windows.labels)


def test_only_the_last_round_is_long_where_a_linear_part_carries_the_others():
    windows, true = catalogue()
    for network, epochs in ((Network(attributes=True), [4, 4, 40]), (Network(), [40, 40, 40])):
        asked = []
        recipe = Recipe(network=network, training=Training(epochs=40))
        suspicion(windows, CLASSES, recipe, network_that_knows(true, asked))
        assert [each.training.epochs for each, _ in asked] == epochs


def test_every_unit_is_ranked_once_with_what_networks_that_never_saw_it_say(monkeypatch):
    windows, true = catalogue()
    judged = network_that_knows(true, [])

    def out_of_fold(windows, classes, recipe, *, targets, progress, should_stop):
        assert classes == CLASSES
        assert isinstance(targets, torch.Tensor)
        return SimpleNamespace(logits=judged(recipe, targets))

    monkeypatch.setattr("mlcore.classify.folds.out_of_fold", out_of_fold)
    ranked = rank_labels(windows, CLASSES, Recipe())
    assert sorted(each.event_id for each in ranked) == sorted(set(windows.event_ids))
    assert [each.score for each in ranked] == sorted((each.score for each in ranked), reverse=True)
    first = next(each for each in ranked if each.event_id == "e3")
    assert (first.label, first.predicted) == ("quake", "noise")
    assert set(first.to_dict()) == {"event_id", "label", "predicted", "score"}
