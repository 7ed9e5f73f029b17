import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)

from mlcore.metrics import (
    Correction,
    apply_corrections,
    classification_report,
    corrections_between,
    ranking_report,
    reliability,
    report_from_confusion,
)

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


TABLE_1 = np.array([[26, 2, 9, 9], [0, 15, 1, 2], [2, 0, 72, 0], [110, 13, 58, 538]])

# Section 5.4: 7 quakes and 1 earthquake became noise, 1 quake a rockfall, 38 noise events near others were removed.
# What they were predicted as is not written; Tables 1 and 2 leave one possibility.
CORRECTIONS = [
    Correction("quake", "noise", "noise", 7),
    Correction("earthquake", "noise", "noise", 1),
    Correction("quake", "rockfall", "rockfall", 1),
    Correction("noise", "quake", None, 15),
    Correction("noise", "earthquake", None, 2),
    Correction("noise", "rockfall", None, 21),
]


def test_jiangs_corrections_turn_the_papers_table_1_into_table_2():
    assert sum(c.count for c in CORRECTIONS if c.to_label is None) == 38
    np.testing.assert_array_equal(apply_corrections(TABLE_1, JIANG, CORRECTIONS), TABLE_2)


def test_recall_in_the_papers_brackets_before_and_after_correction():
    # Table 1 prints 97.2 % and 75.1 % where its own counts give 97.3 % (72 of 74) and 74.8 % (538 of 719)
    for table, printed in ((TABLE_1, (56.5, 83.3, 97.3, 74.8)), (TABLE_2, (68.4, 88.2, 97.3, 79.2))):
        per_class = report_from_confusion(table, JIANG)["per_class"]
        assert tuple(round(100 * per_class[name]["recall"], 1) for name in JIANG) == printed


def test_corrections_found_between_two_catalogues_give_the_second_ones_confusion_matrix():
    rng = np.random.default_rng(1)
    events = [f"e{i}" for i in range(80)]
    predicted, before, after = (dict(zip(events, rng.choice(JIANG, 80).tolist(), strict=True)) for _ in range(3))
    after = {event: label for event, label in after.items() if rng.random() < 0.8}

    def counted(catalogue):
        return confusion_matrix([*catalogue.values()], [predicted[e] for e in catalogue], labels=JIANG)

    corrections = corrections_between(before, after, predicted)
    np.testing.assert_array_equal(apply_corrections(counted(before), JIANG, corrections), counted(after))
    assert corrections[0].count == max(c.count for c in corrections)


def test_more_corrections_than_events_and_unknown_classes_are_refused():
    with pytest.raises(ValueError, match="but there are 2"):
        apply_corrections(TABLE_1, JIANG, [Correction("quake", "earthquake", "noise", 3)])
    with pytest.raises(ValueError, match="avalanche is no class"):
        apply_corrections(TABLE_1, JIANG, [Correction("quake", "quake", "avalanche")])


def test_the_reliability_diagram_agrees_with_scikit_learn_and_its_error_with_a_loop():
    rng = np.random.default_rng(4)
    p, truth = rng.dirichlet([0.6, 0.6, 0.6], 400), rng.integers(0, 3, 400)
    found = reliability(p, truth, bins=8)
    accuracy, confidence = calibration_curve(p.argmax(1) == truth, p.max(1), n_bins=8)
    np.testing.assert_allclose([b["accuracy"] for b in found["bins"]], accuracy)
    np.testing.assert_allclose([b["confidence"] for b in found["bins"]], confidence)

    error = 0.0
    for low in range(8):
        rows = [i for i in range(400) if low / 8 < p[i].max() <= (low + 1) / 8]
        if rows:
            right = sum(p[i].argmax() == truth[i] for i in rows) / len(rows)
            error += len(rows) / 400 * abs(right - sum(p[i].max() for i in rows) / len(rows))
    assert found["expected_calibration_error"] == pytest.approx(error)
    assert sum(b["count"] for b in found["bins"]) == found["count"] == 400


def test_reliability_of_no_predictions_is_zeros_not_nan():
    found = reliability(np.zeros((0, 3)), [])
    assert (found["bins"], found["expected_calibration_error"], found["accuracy"]) == ([], 0.0, 0.0)


def test_the_report_of_a_ranking_agrees_with_scikit_learn_and_with_counting():
    rng = np.random.default_rng(5)
    wrong = rng.random(200) < 0.1
    scores = rng.random(200) + 0.5 * wrong
    found = ranking_report(scores, wrong)
    assert found["average_precision"] == pytest.approx(average_precision_score(wrong, scores))
    first = sorted(range(200), key=lambda i: -scores[i])
    planted = sum(wrong)
    assert found["precision"] == pytest.approx(sum(wrong[i] for i in first[:planted]) / planted)
    looked = next(n for n in range(1, 201) if sum(wrong[i] for i in first[:n]) >= 0.9 * planted)
    assert found["reviewed"] == pytest.approx(looked / planted)


def test_a_perfect_ranking_finds_nine_tenths_after_nine_tenths():
    assert ranking_report(np.arange(100), np.arange(100) >= 80) == {
        "average_precision": 1.0,
        "precision": 1.0,
        "reviewed": 0.9,
    }
    assert ranking_report([1.0, 2.0], [False, False])["average_precision"] == 0.0
