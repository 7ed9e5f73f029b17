import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.classify.label_errors import (
    confusion_rates,
    disagreement,
    label_scores,
    neighbour_probabilities,
    normalised_margin,
    self_confidence,
    true_probabilities,
    worth_learning,
)
from mlcore.metrics import ranking_report

CLASSES = 4


def catalogue(count=600, *, look_alikes=False, seed=0):
    """Events of four classes, what a network says of them, and labels of which a tenth were made wrong.

    → labels, probabilities, which labels are wrong. Look-alikes: only classes 0 and 1 are exchanged, which the network
    tells apart less well.
    """
    rng = np.random.default_rng(seed)
    shares, places = np.array([0.5, 0.05, 0.2, 0.25]), 2.5 * np.eye(CLASSES)
    places[1] = 0.6 * places[0] + 0.4 * places[1]
    true = rng.choice(CLASSES, count, p=shares)
    seen = places[true] + rng.standard_normal((count, CLASSES))
    p = shares * np.exp(seen @ places.T - np.square(places).sum(axis=1) / 2)  # Bayes' rule
    labels = true.copy()
    candidates = np.flatnonzero(true < 2) if look_alikes else np.arange(count)
    chosen = rng.choice(candidates, count // 10, replace=False)
    labels[chosen] = 1 - true[chosen] if look_alikes else (true[chosen] + rng.integers(1, 4, len(chosen))) % 4
    return labels, p / p.sum(axis=1, keepdims=True), labels != true


def precision(scores, wrong):
    return ranking_report(scores, wrong)["average_precision"]


@pytest.mark.parametrize("seed", range(3))
def test_label_scores_find_more_than_the_rivals_where_look_alikes_were_exchanged(seed):
    labels, p, wrong = catalogue(look_alikes=True, seed=seed)
    ours = precision(label_scores(labels, p), wrong)
    for rival in (disagreement, self_confidence, normalised_margin):
        assert ours > precision(rival(labels, p), wrong) + 0.02


@pytest.mark.parametrize("seed", range(3))
def test_label_scores_lose_nothing_where_any_class_was_exchanged_for_any(seed):
    labels, p, wrong = catalogue(seed=seed)
    ours = precision(label_scores(labels, p), wrong)
    assert ours > precision(disagreement(labels, p), wrong)
    assert ours > precision(self_confidence(labels, p), wrong) - 0.01


def test_scores_are_bayes_rule_written_as_a_loop():
    labels, p, _ = catalogue(50)
    rates = confusion_rates(labels, p)
    scores = label_scores(labels, p)
    for i in range(50):
        joint = [p[i, k] * rates[k, labels[i]] for k in range(CLASSES)]
        assert scores[i] == pytest.approx(1 - joint[labels[i]] / sum(joint), abs=1e-7)


def test_the_rates_of_many_events_are_those_by_which_labels_were_exchanged():
    rng = np.random.default_rng(0)
    rates = np.array([[0.8, 0.2, 0.0], [0.05, 0.95, 0.0], [0.0, 0.1, 0.9]])
    true = rng.integers(0, 3, 6000)
    labels = np.array([rng.choice(3, p=rates[k]) for k in true])
    p = 0.9 * np.eye(3)[true] + 0.1 / 3
    np.testing.assert_allclose(confusion_rates(labels, p), rates, atol=0.05)


def test_true_probabilities_follow_the_network_where_labels_tell_nothing_and_the_label_where_it_is_never_wrong():
    labels, p, _ = catalogue(20)
    np.testing.assert_allclose(true_probabilities(labels, p, np.full((4, 4), 0.25)), p, atol=1e-6)
    np.testing.assert_allclose(true_probabilities(labels, p, np.eye(4)), np.eye(4)[labels])


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(CLASSES)), st.integers(0, 99))
def test_neither_the_order_of_classes_nor_that_of_events_matters_to_the_rivals(order, seed):
    labels, p, _ = catalogue(40, seed=seed)
    renamed = np.argsort(order)[labels]
    shuffled = np.random.default_rng(seed).permutation(40)
    for rival in (disagreement, self_confidence, normalised_margin):
        expected = rival(labels, p)
        np.testing.assert_allclose(rival(renamed, p[:, order]), expected)
        np.testing.assert_allclose(rival(labels[shuffled], p[shuffled]), expected[shuffled])


def test_the_rivals_are_as_cleanlab_defines_them():
    # printed by cleanlab 2.9.0: get_label_quality_scores, of which the rivals are one minus
    labels, p = [0, 1, 2], np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.45, 0.5, 0.05]])
    np.testing.assert_allclose(self_confidence(labels, p), 1 - np.array([0.7, 0.3, 0.05]))
    np.testing.assert_allclose(normalised_margin(labels, p), 1 - np.array([0.75, 0.4, 0.275]))


def test_disagreement_puts_all_that_disagree_before_all_that_agree_each_the_most_telling_first():
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.1, 0.9], [0.55, 0.45]])
    assert np.argsort(-disagreement([0, 0, 0, 0], p)).tolist() == [2, 1, 3, 0]


def test_neighbours_vote_by_nearness_and_an_events_own_group_has_no_voice():
    features = np.array([[1.0, 0], [1, 0.01], [1, -0.01], [-1, 0.02], [-1, 0]])
    found = neighbour_probabilities([0, 1, 1, 0, 0], features, 2, groups=["a", "a", "b", "c", "d"])
    assert found[0].argmax() == 1  # event 2 is near; event 1 is nearer, but of its group
    np.testing.assert_allclose(found.sum(axis=1), 1)
    alone = neighbour_probabilities([0, 1, 1, 0, 0], features, 2, groups=["a"] * 5)
    np.testing.assert_allclose(alone.sum(axis=1), 2 / 7)  # nobody to ask


def test_neighbours_help_where_the_network_is_unsure():
    labels, p, wrong = catalogue(seed=3)
    true = np.where(wrong, p.argmax(axis=1), labels)
    features = np.eye(CLASSES)[true] + 0.3 * np.random.default_rng(0).standard_normal((len(p), CLASSES))
    unsure = p**0.2 / (p**0.2).sum(axis=1, keepdims=True)
    assert precision(label_scores(labels, unsure, features), wrong) > precision(label_scores(labels, unsure), wrong)


def test_what_is_wrong_with_a_probability_of_a_third_is_not_learnt_from_again():
    assert worth_learning([0.1, 0.6, 0.2]).tolist() == [1, 0, 1]


def test_arrays_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="expected \\(n,\\)"):
        label_scores([0, 1], np.ones((3, 2)) / 2)
