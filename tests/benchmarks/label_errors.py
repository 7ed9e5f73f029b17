"""Finding labels that were made wrong, on real recordings: our score and its rivals, as shared/data/…/TASK.md says.

python -m tests.benchmarks.label_errors [--classes four|each] [--flips uniform|look-alikes] [--seeds N] [--epochs N]

A tenth of the units get another class: any, or one that looks alike. Networks, rivals and random forest see the same
wrong labels and split by event alike; what is printed is the mean over seeds. In `four`, the kinds of mass movement are
one class, so that exchanging them changes nothing: they are left alone there.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

import mlcore.classify
from mlcore.attributes import attributes
from mlcore.classify import label_errors as le
from mlcore.classify.calibration import average_by_unit, fit_temperature, softmax, unit_rows
from mlcore.classify.folds import out_of_fold
from mlcore.classify.rank_labels import suspicion
from mlcore.config import Recipe
from mlcore.datasets import EventWindows, load_event_windows, read_catalogue
from mlcore.metrics import ranking_report
from mlcore.splits import folds_by_event, group_of
from tests.environment import DATA

FOLDER = DATA / "mass_movements"
RECIPE = Path(mlcore.classify.__file__).parent / "recipes" / "mass_movements.toml"
SHARE = 0.1
FAINT = 5.0  # signal-to-noise ratio
LOOK_ALIKES = [{"earthquake", "explosion"}, {"rockfall", "slide", "debris_flow"}]


@dataclass(frozen=True)
class Task:
    """Units, their true classes, and what each may be taken for."""

    windows: EventWindows
    classes: list[str]
    recipe: Recipe
    true: NDArray[np.int64]  # (units,)
    look_alikes: list[list[int]]  # of each unit


def load(classes: str, recipe: Recipe) -> Task:
    if classes == "each":
        recipe = replace(recipe, catalogue=replace(recipe.catalogue, classes={}))
    entries, _ = read_catalogue(FOLDER / "catalogue.csv", recipe.catalogue)
    windows, _ = load_event_windows(entries, FOLDER / "waveforms", recipe)
    names = sorted(set(windows.labels))
    label_of = dict(zip(windows.event_ids, windows.labels, strict=True))
    loudest = signal_to_noise()
    alike = [look_alikes(label, loudest[group_of(unit)] < FAINT, names) for unit, label in label_of.items()]
    return Task(windows, names, recipe, np.array([names.index(label) for label in label_of.values()]), alike)


def signal_to_noise() -> dict[str, float]:
    """Of each event at its clearest station."""
    found: dict[str, float] = {}
    with (FOLDER / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["event_id"]] = max(found.get(row["event_id"], 0.0), float(row["snr"] or 0))
    return found


def look_alikes(label: str, faint: bool, classes: list[str]) -> list[int]:
    found = set().union(*(group - {label} for group in LOOK_ALIKES if label in group))
    if faint:
        found |= set(classes) - {"noise"} if label == "noise" else {"noise"}
    return sorted(classes.index(name) for name in found if name in classes)


def flipped(task: Task, flips: str, seed: int) -> NDArray[np.int64]:
    """The units' classes, a tenth of them wrong. → (units,)"""
    rng = np.random.default_rng(seed)
    anything = [[k for k in range(len(task.classes)) if k != true] for true in task.true]
    choices = anything if flips == "uniform" else task.look_alikes
    labels = task.true.copy()
    candidates = [unit for unit, choice in enumerate(choices) if choice]
    for unit in rng.choice(candidates, round(SHARE * len(labels)), replace=False):
        labels[unit] = rng.choice(choices[unit])
    return labels


def relabelled(task: Task, labels: NDArray[np.int64]) -> EventWindows:
    rows = unit_rows(task.windows.event_ids)
    return replace(task.windows, labels=tuple(task.classes[labels[row]] for row in rows))


def measured(task: Task, flips: str, seed: int) -> dict[str, dict[str, float]]:
    labels = flipped(task, flips, seed)
    wrong = labels != task.true
    windows = relabelled(task, labels)
    recipe = replace(task.recipe, training=replace(task.recipe.training, seed=seed))
    rounds: list[NDArray[np.float64]] = []

    def judged(natural: Recipe, targets: torch.Tensor) -> NDArray[np.floating]:
        logits = out_of_fold(windows, task.classes, natural, targets=targets).logits
        rounds.append(averaged(logits, windows, task.classes))
        return logits

    ours, _ = suspicion(windows, task.classes, recipe, judged)
    first, forest = rounds[0], forest_probabilities(windows, task.classes, recipe)
    scores = {
        "ours": ours,
        "ours, one round, noise unheard": le.label_scores(labels, first),
        "disagreement (the paper's rule)": le.disagreement(labels, first),
        "self-confidence": le.self_confidence(labels, first),
        "normalised margin": le.normalised_margin(labels, first),
        "disagreement, forest": le.disagreement(labels, forest),
        "self-confidence, forest": le.self_confidence(labels, forest),
        "random": np.random.default_rng(seed).random(len(labels)),
    }
    return {name: ranking_report(each, wrong) for name, each in scores.items()}


def averaged(logits: NDArray[np.floating], windows: EventWindows, classes: Sequence[str]) -> NDArray[np.float64]:
    """Calibrated probabilities of the units. (windows, K) → (units, K)"""
    targets = [list(classes).index(label) for label in windows.labels]
    temperature = fit_temperature(logits, targets, windows.event_ids)
    return average_by_unit(softmax(logits / temperature), unit_rows(windows.event_ids))


def forest_probabilities(windows: EventWindows, classes: Sequence[str], recipe: Recipe) -> NDArray[np.float64]:
    """Out of fold, of a random forest on the hand-made attributes. → (units, K)"""
    training = recipe.training
    fold_of = folds_by_event(windows.event_ids, windows.labels, training.folds, training.seed)
    fold = np.array([fold_of[event] for event in windows.event_ids])
    targets = np.array([list(classes).index(label) for label in windows.labels])
    given = attributes(windows.windows, recipe.preprocessing)
    p = np.zeros((len(windows), len(classes)))
    for out in np.unique(fold):
        forest = RandomForestClassifier(500, min_samples_leaf=2, random_state=training.seed)
        forest.fit(given[fold != out], targets[fold != out])
        p[np.ix_(fold == out, forest.classes_)] = forest.predict_proba(given[fold == out])
    return average_by_unit(p, unit_rows(windows.event_ids))


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.label_errors", description=__doc__.split("\n")[0])
    parser.add_argument("--classes", choices=("four", "each"), help="both if not given")
    parser.add_argument("--flips", choices=("uniform", "look-alikes"), help="both if not given")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="of the networks; those of the recipe if not given")
    parser.add_argument("--recipe", default=RECIPE)
    options = parser.parse_args(arguments)
    recipe = Recipe.from_toml(options.recipe)
    if options.epochs:
        recipe = replace(recipe, training=replace(recipe.training, epochs=options.epochs))
    for classes in [options.classes] if options.classes else ["four", "each"]:
        task = load(classes, recipe)
        for flips in [options.flips] if options.flips else ["uniform", "look-alikes"]:
            runs = [measured(task, flips, seed) for seed in range(options.seeds)]
            show(f"classes: {classes}, flips: {flips}, {len(task.true)} units, {options.seeds} seeds", runs)


def show(title: str, runs: list[dict[str, dict[str, float]]]) -> None:
    print(f"\n{title}\n{'':32} {'average precision':>18} {'precision':>10} {'90 % within':>12}", flush=True)
    for name in runs[0]:
        ap, precision, reviewed = (
            np.mean([run[name][figure] for run in runs]) for figure in ("average_precision", "precision", "reviewed")
        )
        print(f"{name:32} {ap:18.3f} {precision:10.3f} {reviewed:11.2f}×", flush=True)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
