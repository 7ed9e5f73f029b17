"""What networks that never saw them say of a model's training events: figures, calibration, and doubtful labels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.classify.calibration import average_by_unit, softmax, unit_rows
from mlcore.classify.folds import Learned
from mlcore.classify.label_errors import label_scores
from mlcore.classify.own_noise import with_own_noise
from mlcore.config import Recipe
from mlcore.datasets import EventWindows
from mlcore.metrics import classification_report, reliability


@dataclass(frozen=True)
class Judgement:
    """By networks that never saw an event; empty where there was only one network, which saw all but a few."""

    metrics: dict[str, Any]
    out_of_fold: dict[str, dict[str, float]] = field(default_factory=dict)  # {unit: {class: probability}}
    suspicion: dict[str, float] = field(default_factory=dict)  # {unit: 0…1}, larger: its label is more likely wrong


def judgement(learned: Learned, windows: EventWindows, classes: Sequence[str], recipe: Recipe) -> Judgement:
    """What the parts of a network say of the units that they did not learn from; a unit is the mean of its windows."""
    if not len(learned.judged):
        return Judgement({})
    judged = windows.select(learned.judged)
    rows = unit_rows(judged.event_ids)
    units = list(dict.fromkeys(judged.event_ids))
    label_of = dict(zip(judged.event_ids, judged.labels, strict=True))
    labels = np.array([list(classes).index(label_of[unit]) for unit in units])
    before = average_by_unit(softmax(learned.raw_logits), rows)
    after = average_by_unit(softmax(learned.logits), rows)
    calibration = {
        "temperature": learned.temperature,
        "linear_share": learned.linear_share,
        "before": reliability(before, labels),
        "after": reliability(after, labels),
    }
    if recipe.training.folds < 2:
        return Judgement({"calibration": calibration})
    said = [classes[int(number)] for number in after.argmax(axis=1)]
    report = classification_report([classes[number] for number in labels], said, classes)
    natural = with_natural_shares(after, labels, recipe)
    doubts = label_scores(labels, with_own_noise(natural, judged, classes, recipe, labels))
    return Judgement(
        {"calibration": calibration, "out_of_fold": {"units": len(units), **report}},
        {
            unit: {name: float(p) for name, p in zip(classes, row, strict=True)}
            for unit, row in zip(units, after, strict=True)
        },
        {unit: float(doubt) for unit, doubt in zip(units, doubts, strict=True)},
    )


def with_natural_shares(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], recipe: Recipe
) -> NDArray[np.float64]:
    """Probabilities (n, K) of a model for which classes count alike, as they are where classes are as frequent as here.

    p_k · n_k, normalised: Saerens et al. 2002, eq. 2.4.
    """
    if recipe.training.class_balance == "none":
        return probabilities
    natural = probabilities * np.bincount(labels, minlength=probabilities.shape[1])
    return np.asarray(natural / natural.sum(axis=1, keepdims=True))
