"""Which labels of a catalogue to look at again: all of its units, the most suspicious label first.

python -m mlcore.classify.rank_labels --recipe FILE.toml --catalogue CSV --waveforms DIR

Networks are trained on all folds but one and judge the events of that one, so that none judges what it learnt. They
learn with the natural share of classes: a class that is made to count more looks more probable than it is, and labels
of the others look wrong. Where noise was cut around events, it is heard whether an event is louder. `label_scores` asks
how often labels like each one are wrong. What a round finds wrong is left out of the next round's training; the last
round's judgement counts.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlcore.classify.calibration import average_by_unit, fit_temperature, softmax, unit_rows
from mlcore.classify.label_errors import label_scores, worth_learning
from mlcore.classify.own_noise import with_own_noise
from mlcore.command import print_json, run, show_progress
from mlcore.config import Recipe
from mlcore.datasets import EventWindows, load_event_windows, read_catalogue, require_windows
from mlcore.training import ProgressCallback, StopCallback, never, say_nothing

ROUNDS = 3  # of training
CAUTIOUS = 0.2  # how far the linear part's weights may go at most: those that go far follow wrong labels
QUICK = 10  # times fewer epochs in all rounds but the last, where a linear part carries them

OutOfFold = Callable[[Recipe, Tensor], NDArray[np.floating]]  # recipe, targets (n, K) → logits (n, K)


@dataclass(frozen=True)
class RankedLabel:
    """A unit's label, and how probably it is wrong."""

    event_id: str
    label: str
    predicted: str  # by networks that never saw the unit
    score: float  # probability that the label is wrong

    def to_dict(self) -> dict[str, Any]:
        return {"event_id": self.event_id, "label": self.label, "predicted": self.predicted, "score": self.score}


def rank_labels(
    windows: EventWindows,
    classes: Sequence[str],
    recipe: Recipe,
    *,
    rounds: int = ROUNDS,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> list[RankedLabel]:
    """All units of `windows`, the most suspicious label first. Deterministic by `recipe.training.seed`.

    Raises BadConfiguration as training does; Cancelled when `should_stop` says so.
    """
    from mlcore.classify.folds import out_of_fold

    def judged(natural: Recipe, targets: Tensor) -> NDArray[np.floating]:
        return out_of_fold(
            windows, classes, natural, targets=targets, progress=progress, should_stop=should_stop
        ).logits

    scores, probabilities = suspicion(windows, classes, recipe, judged, rounds)
    units = list(dict.fromkeys(windows.event_ids))
    label_of = dict(zip(windows.event_ids, windows.labels, strict=True))
    return [
        RankedLabel(units[i], label_of[units[i]], classes[int(probabilities[i].argmax())], float(scores[i]))
        for i in np.argsort(-scores, kind="stable")
    ]


def suspicion(
    windows: EventWindows, classes: Sequence[str], recipe: Recipe, judged: OutOfFold, rounds: int = ROUNDS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How probably each unit's label is wrong (units,), and the units' out-of-fold probabilities (units, K).

    `judged` trains and predicts out of fold; it is asked once a round.
    """
    natural = _cautious(recipe)
    rows = unit_rows(windows.event_ids)
    targets = np.array([list(classes).index(label) for label in windows.labels])
    labels = targets[np.unique(rows, return_index=True)[1]]
    worth = np.ones(len(labels))
    for number in range(rounds):
        asked = natural if number == rounds - 1 else _quick(natural)
        wanted = np.eye(len(classes), dtype=np.float32)[targets] * worth[rows, None].astype(np.float32)
        logits = judged(asked, torch.from_numpy(wanted))
        # fitted on all units: without those left out, the networks would seem never to be wrong
        temperature = fit_temperature(logits, targets, windows.event_ids)
        probabilities = average_by_unit(softmax(logits / temperature), rows)
        probabilities = with_own_noise(probabilities, windows, classes, recipe, labels, worth)
        scores = label_scores(labels, probabilities)
        worth = worth_learning(scores)
    return scores, probabilities


def _cautious(recipe: Recipe) -> Recipe:
    """A recipe for labels that may be wrong: natural shares of classes, and no weight far from zero."""
    return replace(
        recipe,
        training=replace(recipe.training, class_balance="none"),
        network=replace(recipe.network, strength=min(recipe.network.strength, CAUTIOUS)),
    )


def _quick(recipe: Recipe) -> Recipe:
    """A recipe good enough to find what is grossly wrong."""
    if not recipe.network.has_linear_part:
        return recipe
    return replace(recipe, training=replace(recipe.training, epochs=max(recipe.training.epochs // QUICK, 1)))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlcore.classify.rank_labels", description=__doc__.split("\n")[0])
    parser.add_argument("--recipe", metavar="FILE.toml", help="settings; those of Jiang et al. 2024 if not given")
    parser.add_argument("--catalogue", required=True, help="CSV; columns as mlcore.catalogues says")
    parser.add_argument("--waveforms", required=True, help="the folder that the catalogue's file column starts from")
    options = parser.parse_args(arguments)

    recipe = Recipe.from_toml(options.recipe) if options.recipe else Recipe()
    entries, unreadable = read_catalogue(options.catalogue, recipe.catalogue)
    windows, skipped = load_event_windows(entries, options.waveforms, recipe, progress=show_progress)
    require_windows(windows, [*unreadable, *skipped])
    ranked = rank_labels(windows, sorted(set(windows.labels)), recipe, progress=show_progress)
    print_json([each.to_dict() for each in ranked])


if __name__ == "__main__":
    run(main)
