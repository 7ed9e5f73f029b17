import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from mlcore.metrics import classification_report, report_from_confusion

JIANG = ["quake", "earthquake", "rockfall", "noise"]
TABLE_2 = np.array([[26, 2, 8, 2], [0, 15, 1, 1], [2, 0, 73, 0], [95, 11, 37, 546]])


def test_jiangs_confusion_matrix_gives_the_papers_table_to_the_digit():
    per_class = report_from_confusion(TABLE_2, JIANG)["per_class"]
    table_3 = {
        "quake": (0.21, 0.68, 0.32),
        "earthquake": (0.54, 0.88, 0.67),
        "rockfall": (0.61, 0.97, 0.75),
        "noise": (0.99, 0.79, 0.88),
    }
    for name, printed in table_3.items():
        ours = tuple(round(per_class[name][figure], 2) for figure in ("precision", "recall", "f1"))
        assert ours == printed, name


def test_figures_agree_with_scikit_learn():
    rng = np.random.default_rng(3)
    labels = rng.choice(JIANG, 200, p=[0.1, 0.2, 0.3, 0.4]).tolist()
    predicted = [label if rng.random() < 0.6 else str(rng.choice(JIANG)) for label in labels]
    report = classification_report(labels, predicted, JIANG)

    assert report["confusion_matrix"] == confusion_matrix(labels, predicted, labels=JIANG).tolist()
    theirs = np.array(precision_recall_fscore_support(labels, predicted, labels=JIANG)).T
    ours = [[report["per_class"][name][f] for f in ("precision", "recall", "f1", "support")] for name in JIANG]
    np.testing.assert_allclose(ours, theirs)
    assert report["macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert report["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert report["accuracy"] == pytest.approx(np.mean(np.array(labels) == np.array(predicted)))


def test_classes_that_never_occur_agree_with_scikit_learn_and_are_said():
    labels, predicted = ["quake", "noise", "noise"], ["quake", "quake", "noise"]
    report = classification_report(labels, predicted, JIANG)
    assert report["macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert report["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert "recall of rockfall: no event is labelled so" in report["undefined"]
    assert "precision of rockfall: never predicted" in report["undefined"]


def test_no_predictions_give_zeros_not_nan():
    report = classification_report([], [], JIANG)
    assert (report["macro_f1"], report["balanced_accuracy"], report["accuracy"]) == (0.0, 0.0, 0.0)


def test_an_unknown_class_is_refused_by_name():
    with pytest.raises(ValueError, match="avalanche"):
        classification_report(["avalanche"], ["noise"], JIANG)
