"""What a frozen representation is worth, checked against scikit-learn and loops."""

import numpy as np
import pytest
import torch
from sklearn import metrics, neighbors

from mlcore.errors import BadConfiguration
from mlcore.pretrain.probes import balanced_weights, figures, knn_probe, linear_probe, silhouette, split_share, summary

CLASSES = ["a", "b", "c"]


def clusters(rows=60, features=5, apart=3.0, seed=0):
    """Three overlapping clouds. → features (rows, features), class numbers"""
    draw = np.random.default_rng(seed)
    targets = np.arange(rows) % 3
    return draw.normal(size=(rows, features)) + apart * np.eye(3, features)[targets], targets


def named(targets):
    return [CLASSES[t] for t in targets]


def test_silhouette_equals_scikit_learns():
    x, targets = clusters(apart=1.0)
    assert np.isclose(silhouette(x, named(targets)), metrics.silhouette_score(x, targets))


def test_silhouette_of_a_class_of_one_equals_scikit_learns():
    x, targets = clusters(apart=1.0)
    targets = np.where(np.arange(len(targets)) == 7, 3, targets)
    assert np.isclose(silhouette(x, list(map(str, targets))), metrics.silhouette_score(x, targets))


def test_silhouette_of_one_class_is_none():
    assert silhouette(np.eye(3), ["a"] * 3) == 0


def test_neighbours_vote_as_scikit_learns_do(monkeypatch):
    monkeypatch.setattr("mlcore.pretrain.probes.AT_ONCE", 7)
    x, targets = clusters(apart=1.5)
    new, _ = clusters(30, apart=1.5, seed=1)
    centre = x.mean(axis=0)
    theirs = neighbors.KNeighborsClassifier(5, metric="cosine", weights=lambda d: 2 - d).fit(x - centre, targets)
    found = knn_probe(x, targets, new, 3, neighbours=5)
    np.testing.assert_allclose(np.exp(found), theirs.predict_proba(new - centre), atol=1e-6)


def test_a_linear_probe_separates_what_a_line_separates_whatever_its_scale():
    x, targets = clusters(150, apart=6.0)
    new, truth = clusters(60, apart=6.0, seed=1)
    for scale in (1e-4, 1, 1e4):
        found = linear_probe(scale * x, targets, scale * new, 3, learning_rate=1e-2)
        assert (found.argmax(axis=1) == truth).mean() > 0.95
        np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-5)


def test_a_linear_probe_is_the_same_for_the_same_seed_whatever_was_drawn_before():
    x, targets = clusters()
    first = linear_probe(x, targets, x, 3, epochs=3)
    torch.rand(7)
    np.testing.assert_array_equal(first, linear_probe(x, targets, x, 3, epochs=3))


def test_features_that_never_vary_do_no_harm():
    x, targets = clusters()
    x[:, 2] = 5.0
    assert np.isfinite(linear_probe(x, targets, x, 3, epochs=2)).all()


def test_weights_let_all_classes_count_alike():
    targets = torch.tensor([0, 0, 0, 1])
    weights = balanced_weights(targets, 3)
    assert weights.tolist() == pytest.approx([2 / 3, 2, 0])
    assert weights[targets].mean() == 1


def test_a_units_windows_are_averaged_before_it_is_scored():
    scores = np.log([[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    found = figures(scores, ["b", "b", "c"], ["e1", "e1", "e2"], CLASSES)
    assert found == {"accuracy": 1.0, "balanced_accuracy": 1.0, "macro_f1": 1.0}


def test_figures_equal_scikit_learns():
    draw = np.random.default_rng(0)
    scores, targets = draw.normal(size=(40, 3)), draw.integers(3, size=40)
    found = figures(scores, named(targets), list(map(str, range(40))), CLASSES)
    guesses = scores.argmax(axis=1)
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(targets, guesses))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(targets, guesses, average="macro"))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(targets, guesses))


EVENTS = [f"e{i}" for i in range(100) for _ in range(2)]  # two stations each
LABELS = [CLASSES[i % 3] for i in range(100) for _ in range(2)]


def units(rows):
    return {EVENTS[row] for row in rows}


def test_shares_are_nested_and_never_part_an_event_nor_touch_the_test():
    splits = [split_share(EVENTS, LABELS, share, seed=3) for share in (0.05, 0.1, 0.8)]
    taught = [units(split.train) for split in splits]
    assert taught[0] < taught[1] < taught[2]
    assert [len(each) for each in taught] == pytest.approx([5, 10, 80], abs=2)
    assert all(units(split.test) == units(splits[0].test) for split in splits)
    assert not taught[2] & units(splits[0].test)
    assert len(splits[2].train) + len(splits[2].test) == len(EVENTS)


def test_every_class_teaches_also_in_the_smallest_share():
    split = split_share(EVENTS, LABELS, 0.01, seed=0)
    assert {LABELS[row] for row in split.train} == set(CLASSES)


def test_other_seeds_choose_other_events():
    one, other = (split_share(EVENTS, LABELS, 0.1, seed=seed) for seed in (0, 1))
    assert units(one.test) != units(other.test)


def test_more_events_than_there_are_cannot_be_asked_for():
    with pytest.raises(BadConfiguration, match="smaller share"):
        split_share(EVENTS, LABELS, 0.9, seed=0)


def test_runs_are_summed_up_by_mean_and_deviation():
    found = summary([{"accuracy": 0.5}, {"accuracy": 0.7}])
    assert found["accuracy"]["mean"] == pytest.approx(0.6)
    assert found["accuracy"]["std"] == pytest.approx(0.1)
