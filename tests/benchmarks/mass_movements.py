"""python -m tests.benchmarks.mass_movements: how well events are told apart on real recordings, beside two rivals.

The four variants of the task that comes with the recordings (mass_movements/TASK.md), five folds by event, three seeds;
all rivals on the same windows, folds and units. The score is macro-F1 over units, probabilities averaged over stations.

ours      the recipes of mlcore/classify/recipes as `python -m mlcore.classify.train` follows them
forest    scikit-learn's random forest, 500 trees, balanced classes, on the hand-made attributes of mlcore.attributes
CNN       the network of Jiang et al. 2024 alone: STFT magnitudes, one network, stopped early on validation events
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score

from mlcore.attributes import attributes
from mlcore.catalogues import read_catalogue
from mlcore.classify.calibration import average_by_unit, unit_rows
from mlcore.classify.folds import learn
from mlcore.classify.predict import Classifier
from mlcore.config import Network, Recipe, Training
from mlcore.datasets import EventWindows, folds_by_event, load_event_windows
from tests.environment import DATA

RECIPES = "mlcore/classify/recipes"
VARIANTS = {
    "four": "mass_movements.toml",
    "four_nopfo": "mass_movements_four_nopfo.toml",
    "quake_explosion": "mass_movements_quake_explosion.toml",
    "esec_subclass": "mass_movements_esec_subclass.toml",
}
FOLDS, DRAWS = 5, 2000

# (what to learn from, its classes, recipe, what to judge) → probabilities (windows, classes)
Rival = Callable[[EventWindows, list[str], Recipe, EventWindows], np.ndarray]


def ours(learned: EventWindows, classes: list[str], recipe: Recipe, judged: EventWindows) -> np.ndarray:
    model = learn(learned, classes, recipe).model
    description = {"classes": classes, "recipe": recipe.to_dict(), "members": len(model.members)}
    return Classifier(model, description).predict(judged.windows).probabilities


def forest(learned: EventWindows, classes: list[str], recipe: Recipe, judged: EventWindows) -> np.ndarray:
    trees = RandomForestClassifier(500, class_weight="balanced", random_state=recipe.training.seed)
    trees.fit(attributes(learned.windows, recipe.preprocessing), learned.labels)
    said = trees.predict_proba(attributes(judged.windows, recipe.preprocessing))
    probabilities = np.zeros((len(judged), len(classes)))
    probabilities[:, [classes.index(name) for name in trees.classes_]] = said
    return probabilities


def cnn(learned: EventWindows, classes: list[str], recipe: Recipe, judged: EventWindows) -> np.ndarray:
    training = Training(
        batch_size=32, folds=1, time_shift_s=0.0, early_stopping=10, class_balance="none", seed=recipe.training.seed
    )
    plain = replace(
        recipe, preprocessing=replace(recipe.preprocessing, input="magnitude"), network=Network(), training=training
    )
    fold = folds_by_event(learned.event_ids, learned.labels, 6, training.seed)
    model = learn(learned, classes, plain, validation=[event for event, number in fold.items() if number == 0]).model
    return Classifier(model, {"classes": classes, "recipe": plain.to_dict()}).predict(judged.windows).probabilities


def without(**changes: object) -> Rival:
    """Ours with other settings of the network or of training."""

    def changed(learned: EventWindows, classes: list[str], recipe: Recipe, judged: EventWindows) -> np.ndarray:
        network = replace(recipe.network, **{k: v for k, v in changes.items() if hasattr(recipe.network, k)})
        training = replace(recipe.training, **{k: v for k, v in changes.items() if hasattr(recipe.training, k)})
        given = {k: v for k, v in changes.items() if hasattr(recipe.preprocessing, k)}
        other = replace(
            recipe, network=network, training=training, preprocessing=replace(recipe.preprocessing, **given)
        )
        return ours(learned, classes, other, judged)

    return changed


RIVALS: dict[str, Rival] = {"ours": ours, "forest": forest, "CNN": cnn}
ABLATIONS: dict[str, Rival] = {
    "without the linear part": without(cells=(), attributes=False),
    "without attributes": without(attributes=False),
    "without cells of the map": without(cells=()),
    "cells on one scale": without(cells=((1, 3),)),
    "without time shift": without(time_shift_s=0.0),
    "magnitudes instead of their logarithm": without(input="magnitude"),
    "without class weights": without(class_balance="none"),
    "with mixup 0.4": without(mixup=0.4),
    "with noise mixing 0.3": without(noise_mixing=0.3),
    "with blanks of 4 s and 1 Hz": without(time_mask_s=4.0, frequency_mask_hz=1.0),
    "with focal loss, γ = 2": without(focal_gamma=2.0),
}


def units_judged(rival: Rival, windows: EventWindows, recipe: Recipe, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Label and decision (units,) of every unit, each judged by a model that did not learn from its event."""
    classes = sorted(set(windows.labels))
    recipe = replace(recipe, training=replace(recipe.training, seed=seed))
    fold_of = folds_by_event(windows.event_ids, windows.labels, FOLDS, seed)
    fold = np.array([fold_of[event] for event in windows.event_ids])
    probabilities = np.zeros((len(windows), len(classes)))
    for number in range(FOLDS):
        held = np.flatnonzero(fold == number)
        learned = windows.select(np.flatnonzero(fold != number))
        probabilities[held] = rival(learned, classes, recipe, windows.select(held))
    rows = unit_rows(windows.event_ids)
    labels = np.array([classes.index(label) for label in windows.labels])[np.unique(rows, return_index=True)[1]]
    return labels, average_by_unit(probabilities, rows).argmax(axis=1)


def macro_f1(labels: np.ndarray, decided: np.ndarray) -> float:
    return float(f1_score(labels, decided, average="macro"))


def ahead(labels: np.ndarray, one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> tuple[float, float]:
    """95 % interval of the difference of macro-F1, mean over seeds, when the same units are drawn again."""
    generator = np.random.default_rng(0)
    differences = []
    for _ in range(DRAWS):
        rows = generator.integers(0, len(labels), len(labels))
        pairs = zip(one, other, strict=True)
        differences.append(
            np.mean([macro_f1(labels[rows], a[rows]) - macro_f1(labels[rows], b[rows]) for a, b in pairs])
        )
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.mass_movements", description=__doc__)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--ablations", action="store_true", help="what each part of ours brings, instead of the rivals")
    parser.add_argument("--only", nargs="+", help="of the rivals or ablations, by name")
    options = parser.parse_args(arguments)
    rivals = {"ours": ours, **ABLATIONS} if options.ablations else RIVALS
    rivals = {name: rival for name, rival in rivals.items() if name == "ours" or name in (options.only or rivals)}
    data = DATA / "mass_movements"
    for variant in options.variants:
        recipe = Recipe.from_toml(f"{RECIPES}/{VARIANTS[variant]}")
        entries, _ = read_catalogue(data / "catalogue.csv", recipe.catalogue)
        windows, _ = load_event_windows(entries, data / "waveforms", recipe)
        print(f"\n{variant}: {len(set(windows.event_ids))} units, {len(windows)} windows", flush=True)
        decided: dict[str, list[np.ndarray]] = {}
        for name, rival in rivals.items():
            judged = [units_judged(rival, windows, recipe, seed) for seed in options.seeds]
            labels, decided[name] = judged[0][0], [each for _, each in judged]
            scores = [macro_f1(labels, each) for each in decided[name]]
            line = f"  {name:40s} macro-F1 {np.mean(scores):.3f} ({', '.join(f'{score:.3f}' for score in scores)})"
            if name != "ours":
                low, high = ahead(labels, decided["ours"], decided[name])
                line += f"  ours ahead by {low:+.3f} to {high:+.3f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
