"""Train a classifier on labelled events, and measure it on events that it never saw.

python -m mlcore.classify.train --catalogue CSV --waveforms DIR --out MODEL_DIR [--recipe FILE.toml]
"""

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mlcore.checkpoint import Description, model_files, save_model
from mlcore.classify.command import print_json, run, show_progress
from mlcore.classify.evaluate import evaluate_events
from mlcore.classify.losses import class_weights, weighted_cross_entropy
from mlcore.classify.model import STFTClassifier
from mlcore.classify.predict import Classifier, channels_last, network_inputs
from mlcore.config import Recipe
from mlcore.datasets import (
    EventWindows,
    Side,
    load_event_windows,
    missing_components,
    read_catalogue,
    require_windows,
    split_by_event,
)
from mlcore.errors import BadConfiguration
from mlcore.training import Progress, ProgressCallback, StopCallback, TensorExamples, fit, never, say_nothing


@dataclass(frozen=True)
class TrainedClassifier:
    """A network with all that is known about it."""

    model: nn.Module
    description: Description  # classes, recipe, metrics on test events, history, …: what model.json holds
    splits: dict[str, Side]  # the side of every event
    out_of_fold: dict[str, dict[str, float]] = field(default_factory=dict)  # {unit: {class: p}}, by who never saw it
    suspicion: dict[str, float] = field(default_factory=dict)  # {unit: 0…1}, larger: its label is more likely wrong

    @property
    def files(self) -> dict[str, bytes]:
        """The model's files by name, for any storage."""
        return model_files(self.model, self.description)


@dataclass(frozen=True)
class MovingWindows:
    """Training examples whose windows are cut anew in every epoch, a little earlier or later, from real record."""

    windows: EventWindows
    targets: Tensor
    recipe: Recipe

    def __len__(self) -> int:
        return len(self.windows)

    def batch(self, indices: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        preprocessing = self.recipe.preprocessing
        furthest = round(self.recipe.training.time_shift_s * preprocessing.sampling_rate_hz)
        shifts = torch.randint(-furthest, furthest + 1, (len(indices),), generator=generator).tolist()
        windows = self.windows.moved(indices.tolist(), shifts, preprocessing)
        return network_inputs(windows, self.recipe), self.targets[indices]


def train_classifier(
    windows: EventWindows,
    classes: Sequence[str],
    recipe: Recipe,
    *,
    splits: Mapping[str, Side] | None = None,
    trained_on: str = "",
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
    checkpoint_path: Path | str | None = None,
) -> TrainedClassifier:
    """A classifier of `classes` (the order of its logits), with its metrics on held-out test events.

    `splits` gives the side of every event; without it, they are split by class and seed. The best epoch is chosen on
    validation events, so the test events are seen once. Deterministic by `recipe.training.seed`. With
    `checkpoint_path`, a run that was killed goes on where it was.
    Raises BadConfiguration for labels that are no class and for fewer than two classes with events; Cancelled when
    `should_stop` says so.
    """
    _require_classes(windows, classes)
    training = recipe.training
    sides = dict(splits) if splits is not None else _split(windows, recipe)
    parts = {side: _part(windows, sides, side) for side in ("train", "validation", "test")}
    progress(Progress("preparing", 0.0, {}, f"{len(windows)} windows of {len(set(windows.event_ids))} events"))
    learned, judged = (_examples(parts[side], classes, recipe) for side in ("train", "validation"))
    model = _network(learned, classes, recipe)
    weights = class_weights(_targets(parts["train"], classes), len(classes))
    history = fit(
        model,
        lambda logits, targets: weighted_cross_entropy(logits, targets, weights),
        _augmented(parts["train"], learned, recipe),
        judged,
        training,
        measure=_accuracy,
        progress=progress,
        should_stop=should_stop,
        checkpoint_path=checkpoint_path,
        fingerprint=_fingerprint(windows, classes, recipe, sides),
    )
    model = model.cpu()
    facts = {"classes": list(classes), "recipe": recipe.to_dict()}
    metrics = evaluate_events(Classifier(model, facts), parts["test"])
    description = {
        **facts,
        "trained_on": trained_on,
        "parameters": sum(p.numel() for p in model.parameters()),
        "seed": training.seed,
        "events": _event_counts(windows, sides, classes),
        "metrics": metrics,
        "notes": _notes(windows, sides, classes),
        "history": history,
        "splits": sides,
    }
    return TrainedClassifier(model, description, sides)


def _network(learned: TensorExamples, classes: Sequence[str], recipe: Recipe) -> nn.Module:
    """An untrained network, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        model = STFTClassifier(len(recipe.preprocessing.components), len(classes), recipe.network)
    model.fit_scale(learned.inputs)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return channels_last(model).to(device)


def _examples(windows: EventWindows, classes: Sequence[str], recipe: Recipe) -> TensorExamples:
    return TensorExamples(network_inputs(windows.windows, recipe), _targets(windows, classes))


def _augmented(windows: EventWindows, fixed: TensorExamples, recipe: Recipe) -> TensorExamples | MovingWindows:
    if recipe.training.time_shift_s and windows.surroundings:
        return MovingWindows(windows, fixed.targets, recipe)
    return fixed


def _split(windows: EventWindows, recipe: Recipe) -> dict[str, Side]:
    shares = (recipe.training.test_share, recipe.training.validation_share)
    times = windows.starttimes if recipe.training.split == "time" else None
    return split_by_event(windows.event_ids, windows.labels, shares, recipe.training.seed, times)


def _part(windows: EventWindows, splits: Mapping[str, Side], side: str) -> EventWindows:
    return windows.select(i for i, event in enumerate(windows.event_ids) if splits[event] == side)


def _targets(windows: EventWindows, classes: Sequence[str]) -> Tensor:
    return torch.tensor([list(classes).index(label) for label in windows.labels], dtype=torch.long)


def _accuracy(logits: Tensor, targets: Tensor) -> dict[str, float]:
    return {"validation_accuracy": float((logits.argmax(dim=1) == targets).float().mean())}


def _require_classes(windows: EventWindows, classes: Sequence[str]) -> None:
    strangers = sorted(set(windows.labels) - set(classes))
    if strangers:
        raise BadConfiguration(
            f"Events are labelled {', '.join(strangers)}, but the classes are {', '.join(classes)}. "
            "Add these classes, or correct the labels."
        )
    found = sorted(set(windows.labels))
    if len(found) < 2:
        raise BadConfiguration(
            f"There are usable events of {len(found)} class{'es' * (len(found) != 1)} ({', '.join(found) or 'none'}), "
            "but a classifier needs at least two to tell apart. Label or import events of another class."
        )


def _event_counts(
    windows: EventWindows, splits: Mapping[str, Side], classes: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Events of each class on each side."""
    label_of = dict(zip(windows.event_ids, windows.labels, strict=True))
    counts = Counter((label, splits[event]) for event, label in label_of.items())
    return {name: {side: counts[name, side] for side in ("train", "validation", "test")} for name in classes}


def _notes(windows: EventWindows, splits: Mapping[str, Side], classes: Sequence[str]) -> list[str]:
    """What a reader of the metrics must know."""
    notes = []
    for name, sides in _event_counts(windows, splits, classes).items():
        total = sum(sides.values())
        events = f"{name} has {total} event{'s' * (total != 1)}"
        if total == 0:
            notes.append(f"{events}: the model cannot recognise it")
        elif not sides["test"]:
            notes.append(f"{events}: trained on, never tested")
        elif sides["test"] < 5:
            notes.append(f"{events}, {sides['test']} of them for testing: its figures are chance")
    return notes


def _fingerprint(windows: EventWindows, classes: Sequence[str], recipe: Recipe, splits: Mapping[str, Side]) -> str:
    """Tells whether a checkpoint belongs to these data and settings."""
    facts = [recipe.to_dict(), list(classes), windows.event_ids, windows.stations, windows.labels, splits]
    digest = hashlib.sha256(json.dumps(facts).encode())
    digest.update(windows.windows.tobytes())
    return digest.hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlcore.classify.train", description=__doc__.split("\n")[0])
    parser.add_argument("--catalogue", required=True, help="CSV; columns as mlcore.catalogues says")
    parser.add_argument("--waveforms", required=True, help="the folder that the catalogue's file column starts from")
    parser.add_argument("--out", required=True, metavar="MODEL_DIR", help="where the model's two files go")
    parser.add_argument("--recipe", metavar="FILE.toml", help="settings; those of Jiang et al. 2024 if not given")
    parser.add_argument("--epochs", type=int, help="overrides the recipe's")
    parser.add_argument("--seed", type=int, help="overrides the recipe's")
    options = parser.parse_args(arguments)

    recipe = _recipe(options)
    entries, unreadable = read_catalogue(options.catalogue, recipe.catalogue)
    windows, skipped = load_event_windows(entries, options.waveforms, recipe, progress=show_progress)
    require_windows(windows, [*unreadable, *skipped])
    out = Path(options.out)
    trained = train_classifier(
        windows,
        sorted(set(windows.labels)),
        recipe,
        trained_on=f"{Path(options.catalogue).name}: {len(windows)} windows of {len(set(windows.event_ids))} events",
        progress=show_progress,
        checkpoint_path=out / "training.safetensors",
    )
    save_model(out, trained.model, trained.description)
    (out / "training.safetensors").unlink()
    shown: dict[str, Any] = {key: trained.description[key] for key in ("classes", "events", "metrics", "notes")}
    shown["windows_without_component"] = missing_components(windows, recipe.preprocessing)
    print_json({"model": str(out), **shown, "skipped": [item.to_dict() for item in [*unreadable, *skipped]]})


def _recipe(options: argparse.Namespace) -> Recipe:
    recipe = Recipe.from_toml(options.recipe) if options.recipe else Recipe()
    overrides = {name: getattr(options, name) for name in ("epochs", "seed") if getattr(options, name) is not None}
    return replace(recipe, training=replace(recipe.training, **overrides))


if __name__ == "__main__":
    run(main)
