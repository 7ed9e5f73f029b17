"""Units are scored whole: the mean over a unit's windows, whatever their order."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from mlcore.classify.evaluate import evaluate_events, predict_events, report_on
from mlcore.datasets import EventWindows
from tests.mlcore.classify.conftest import CLASSES

UNITS = ("a", "a", "a", "a/noise", "b", "b/noise", "b/noise", "c")
LABELS = ("quake", "quake", "quake", "noise", "rockfall", "noise", "noise", "tremor")


@pytest.fixture
def windows(classifier):
    preprocessing = classifier.recipe.preprocessing
    shape = (len(UNITS), len(preprocessing.components), preprocessing.window_samples)
    data = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    return EventWindows(data, UNITS, tuple(f"XX.S{i}.00" for i in range(len(UNITS))), LABELS)


def test_a_units_probabilities_are_the_mean_over_its_windows(classifier, windows):
    found = {p.event_id: p for p in predict_events(classifier, windows)}
    assert list(found) == ["a", "a/noise", "b", "b/noise", "c"]
    for unit, prediction in found.items():
        rows = [i for i, name in enumerate(UNITS) if name == unit]
        alone = [classifier.predict(windows.windows[[row]]).probabilities[0] for row in rows]
        expected = [sum(float(p[k]) for p in alone) / len(alone) for k in range(len(CLASSES))]
        np.testing.assert_allclose(list(prediction.probabilities.values()), expected, atol=1e-5)
        assert prediction.predicted == CLASSES[int(np.argmax(expected))]


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(len(UNITS))))
def test_the_order_of_stations_and_events_changes_nothing(classifier, windows, order):
    first = {p.event_id: p.probabilities for p in predict_events(classifier, windows)}
    other = {p.event_id: p.probabilities for p in predict_events(classifier, windows.select(order))}
    assert first.keys() == other.keys()
    for unit, probabilities in first.items():
        np.testing.assert_allclose(list(probabilities.values()), list(other[unit].values()), atol=1e-5)


def test_a_report_counts_events_units_windows_and_labels_that_the_model_does_not_know(classifier, windows):
    report = evaluate_events(classifier, windows)
    assert (report["events"], report["units"], report["windows"]) == (2, 4, 7)
    assert report["unknown_labels"] == {"tremor": 1}
    assert report["reliability"]["count"] == 4
    assert sum(map(sum, report["confusion_matrix"])) == 4


def test_figures_are_scikit_learns_on_units(classifier, windows):
    some = predict_events(classifier, windows.select(range(7)))
    wanted = [replace(p, predicted=label) for p, label in zip(some, ["quake", "noise", "quake", "noise"], strict=True)]
    report = report_on(wanted, CLASSES, 7)
    labels, predicted = [p.label for p in wanted], [p.predicted for p in wanted]
    assert report["macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro", zero_division=0))
    assert report["accuracy"] == 0.75
    assert report_on([], CLASSES, 0)["reliability"]["count"] == 0
