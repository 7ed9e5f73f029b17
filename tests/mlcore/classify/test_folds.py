from dataclasses import replace

import numpy as np
import pytest
import torch

from mlcore.classify.examples import one_hot
from mlcore.classify.folds import learn, out_of_fold
from mlcore.classify.judgement import judgement, with_natural_shares
from mlcore.classify.predict import Classifier
from mlcore.datasets import group_of

from .examples import RECIPE, event_windows

CLASSES = ["quake", "rockfall"]
FOLDED = replace(
    RECIPE,
    network=replace(RECIPE.network, width=2),
    training=replace(RECIPE.training, folds=2, epochs=2, validation_share=0.0),
)
WITH_LINEAR = replace(FOLDED, network=replace(FOLDED.network, cells=((2, 4),), attributes=True))


@pytest.fixture(scope="module")
def windows():
    return event_windows(quake=6, rockfall=6)


@pytest.fixture(scope="module")
def learned(windows):
    return learn(windows, CLASSES, WITH_LINEAR)


def test_an_events_own_label_never_reaches_who_judges_it(windows):
    event = windows.event_ids[0]
    own = np.array([group_of(each) == event for each in windows.event_ids])
    doubted = one_hot(windows, CLASSES)
    doubted[own] = doubted[own].flip(1)
    plain = out_of_fold(windows, CLASSES, FOLDED)
    lied_to = out_of_fold(windows, CLASSES, FOLDED, targets=doubted)
    np.testing.assert_array_equal(plain.raw_logits[own], lied_to.raw_logits[own])
    assert not np.array_equal(plain.raw_logits[~own], lied_to.raw_logits[~own])


def test_every_window_is_judged_and_each_fold_adds_a_member(learned, windows):
    assert learned.judged.tolist() == list(range(len(windows)))
    assert len(learned.model.members) == 2
    assert {epoch["fold"] for epoch in learned.history} == {1, 2}


def test_logits_are_divided_by_one_temperature(learned):
    np.testing.assert_allclose(learned.logits * learned.temperature, learned.raw_logits, rtol=1e-12)


def test_a_linear_part_tells_two_pitches_apart(learned, windows):
    said = [CLASSES[number] for number in learned.logits.argmax(axis=1)]
    assert said == list(windows.labels)
    assert 0 <= learned.linear_share <= 1


def test_the_network_is_the_weighed_mean_of_its_parts(learned, windows):
    description = {"classes": CLASSES, "recipe": WITH_LINEAR.to_dict(), "members": 2}
    classifier = Classifier(learned.model, description)
    inputs, attributes = classifier.inputs(windows.windows), classifier.attributes(windows.windows)
    layer = learned.model.logits
    with torch.inference_mode():
        hidden = [member(inputs) for member in learned.model.members]
        cells = torch.nn.functional.avg_pool2d(inputs, (2, 4)).flatten(1)
        expected, first = layer.bias.clone(), 0
        spread = attributes.std(dim=0, correction=0)
        standard = (attributes - attributes.mean(dim=0)) / spread.where(spread > 1e-6, torch.ones(()))
        for part in (*hidden, cells, standard):
            expected = expected + part @ layer.weight[:, first : first + part.shape[1]].T
            first += part.shape[1]
    assert first == layer.in_features
    np.testing.assert_allclose(classifier.predict(windows.windows).logits, expected.numpy(), atol=1e-4)


def test_standardising_inside_the_network_changes_no_logit(learned, windows, monkeypatch):
    from mlcore.classify import folds

    monkeypatch.setattr(folds, "_standardise", lambda *parts: None)
    plain = learn(windows, CLASSES, WITH_LINEAR)
    description = {"classes": CLASSES, "recipe": WITH_LINEAR.to_dict(), "members": 2}
    said = [Classifier(each.model, description).predict(windows.windows).logits for each in (learned, plain)]
    np.testing.assert_allclose(*said, atol=1e-3)


def test_the_same_seed_gives_the_same_network(learned, windows):
    again = learn(windows, CLASSES, WITH_LINEAR)
    assert all(torch.equal(a, b) for a, b in zip(learned.model.parameters(), again.model.parameters(), strict=True))


def test_rows_without_a_target_teach_nothing(windows):
    none_of_the_last = one_hot(windows, CLASSES)
    none_of_the_last[-4:] = 0
    found = out_of_fold(windows, CLASSES, WITH_LINEAR, targets=none_of_the_last)
    assert np.isfinite(found.logits).all()


def test_a_wrong_label_is_the_most_suspicious(windows):
    lied = replace(windows, labels=("rockfall", "rockfall", *windows.labels[2:]))
    event = windows.event_ids[0]
    found = judgement(learn(lied, CLASSES, WITH_LINEAR), lied, CLASSES, WITH_LINEAR)
    assert max(found.suspicion, key=lambda unit: found.suspicion[unit]) == event
    assert found.out_of_fold[event]["quake"] > 0.5
    assert found.metrics["out_of_fold"]["units"] == 12
    assert {"temperature", "before", "after"} <= found.metrics["calibration"].keys()


def test_natural_shares_equal_bayes_rule_written_as_loops():
    balanced = np.array([[0.5, 0.5], [0.9, 0.1]])
    labels = np.array([0, 0, 0, 1])
    found = with_natural_shares(balanced, labels, FOLDED)
    for row in range(2):
        total = sum(balanced[row, k] * share for k, share in enumerate((0.75, 0.25)))
        for k, share in enumerate((0.75, 0.25)):
            assert found[row, k] == pytest.approx(balanced[row, k] * share / total)
