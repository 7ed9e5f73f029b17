"""Train a classifier on labelled events, and measure it on events that it never saw.

python -m mlcore.classify.train --catalogue CSV --waveforms DIR --out MODEL_DIR [--recipe FILE.toml]
python -m mlcore.classify.train --from ENCODER_DIR --catalogue CSV --waveforms DIR --out MODEL_DIR [--recipe FILE.toml]
python -m mlcore.classify.train --continue MODEL_DIR --catalogue CSV --waveforms DIR --out NEW_MODEL_DIR
"""

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mlcore.checkpoint import Description, files_in, model_files, save_model, tensors_from_files
from mlcore.classify.evaluate import evaluate_events
from mlcore.classify.folds import Watch, learn
from mlcore.classify.judgement import judgement
from mlcore.classify.predict import Classifier
from mlcore.classify.randomisation import randomisation_check
from mlcore.classify.second_stage import continue_model
from mlcore.command import print_json, run, show_progress
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
from mlcore.starting import require_fits
from mlcore.stft_cnn import member_weights
from mlcore.training import Progress, ProgressCallback, StopCallback, never, say_nothing

CHECKED = 8  # windows of the randomisation check


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


def train_classifier(
    windows: EventWindows,
    classes: Sequence[str],
    recipe: Recipe,
    *,
    splits: Mapping[str, Side] | None = None,
    start: Mapping[str, Tensor] | None = None,
    trained_on: str = "",
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
    checkpoint_path: Path | str | None = None,
) -> TrainedClassifier:
    """A classifier of `classes` (the order of its logits), with its metrics on held-out test events.

    `splits` gives the side of every event; without it, they are split by class and seed. Test events are seen once, at
    the end. With folds, all others train, and each is also judged by networks that never saw it; without, the best
    epoch is chosen on validation events. With `start`, the weights that `mlcore.stft_cnn.member_weights` finds in a
    pretrained encoder, every convolutional member begins with these, unscaled; its last layer is new. Deterministic
    by `recipe.training.seed`. With `checkpoint_path`, a run that was killed goes on where it was.
    Raises BadConfiguration for labels that are no class, for fewer than two classes with events, and for a `start`
    that does not fit; Cancelled when `should_stop` says so.
    """
    _require_classes(windows, classes)
    sides = _sides(splits if splits is not None else _split(windows, recipe), recipe)
    pool, tests = _part(windows, sides, "train", "validation"), _part(windows, sides, "test")
    progress(Progress("preparing", 0.0, {}, f"{len(windows)} windows of {len(set(windows.event_ids))} events"))
    watch = Watch(
        progress,
        should_stop,
        Path(checkpoint_path) if checkpoint_path else None,
        _fingerprint(windows, classes, recipe, sides, start or {}),
    )
    validation = [event for event, side in sides.items() if side == "validation"]
    learned = learn(pool, classes, recipe, validation=validation, start=start, watch=watch)
    facts = {"classes": list(classes), "recipe": recipe.to_dict(), "members": len(learned.model.members)}
    classifier = Classifier(learned.model, facts)
    found = judgement(learned, pool, classes, recipe)
    progress(Progress("measuring", 1.0, {}, "measuring on events that it never saw"))
    metrics = {**evaluate_events(classifier, tests), **found.metrics}
    metrics["randomisation"] = randomisation_check(classifier, (tests if len(tests) else pool).windows[:CHECKED])
    description = {
        **facts,
        "trained_on": trained_on,
        "parameters": sum(p.numel() for p in learned.model.parameters()),
        "seed": recipe.training.seed,
        "began_with": list(learned.began_with),
        "events": _event_counts(windows, sides, classes),
        "metrics": metrics,
        "notes": _notes(windows, sides, classes),
        "history": learned.history,
        "splits": sides,
    }
    return TrainedClassifier(learned.model, description, sides, found.out_of_fold, found.suspicion)


def _sides(splits: Mapping[str, Side], recipe: Recipe) -> dict[str, Side]:
    """With folds nothing is kept for validation: each member is judged by the fold that it never saw."""
    if recipe.training.folds < 2:
        return dict(splits)
    return {event: "test" if side == "test" else "train" for event, side in splits.items()}


def _split(windows: EventWindows, recipe: Recipe) -> dict[str, Side]:
    shares = (recipe.training.test_share, recipe.training.validation_share)
    times = windows.starttimes if recipe.training.split == "time" else None
    return split_by_event(windows.event_ids, windows.labels, shares, recipe.training.seed, times)


def _part(windows: EventWindows, splits: Mapping[str, Side], *sides: str) -> EventWindows:
    return windows.select(i for i, event in enumerate(windows.event_ids) if splits[event] in sides)


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


def _fingerprint(
    windows: EventWindows,
    classes: Sequence[str],
    recipe: Recipe,
    splits: Mapping[str, Side],
    start: Mapping[str, Tensor],
) -> str:
    """Tells whether a checkpoint belongs to these data and settings, and began with these weights."""
    facts = [recipe.to_dict(), list(classes), windows.event_ids, windows.stations, windows.labels, splits]
    digest = hashlib.sha256(json.dumps(facts).encode())
    digest.update(windows.windows.tobytes())
    for name, tensor in sorted(start.items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlcore.classify.train", description=__doc__.split("\n")[0])
    parser.add_argument("--catalogue", required=True, help="CSV; columns as mlcore.catalogues says")
    parser.add_argument("--waveforms", required=True, help="the folder that the catalogue's file column starts from")
    parser.add_argument("--out", required=True, metavar="MODEL_DIR", help="where the model's two files go")
    parser.add_argument("--recipe", metavar="FILE.toml", help="settings; those of Jiang et al. 2024 if not given")
    parser.add_argument("--epochs", type=int, help="overrides the recipe's")
    parser.add_argument("--seed", type=int, help="overrides the recipe's")
    parser.add_argument(
        "--continue", dest="continued", metavar="MODEL_DIR", help="train this model further, by its own recipe"
    )
    parser.add_argument(
        "--from", dest="start", metavar="ENCODER_DIR", help="begin with what mlcore.pretrain.train wrote"
    )
    options = parser.parse_args(arguments)
    if options.continued:
        if options.recipe or options.epochs or options.seed is not None or options.start:
            parser.error("--continue goes on by the model's own recipe: give no --recipe, --epochs, --seed or --from")
        print_json(continue_model(options.continued, options.catalogue, options.waveforms, options.out))
    else:
        print_json(_train(options))


def _train(options: argparse.Namespace) -> dict[str, Any]:
    """Train and save; what is told of it."""
    recipe = _recipe(options)
    start = _start(options.start, recipe)
    entries, unreadable = read_catalogue(options.catalogue, recipe.catalogue)
    windows, skipped = load_event_windows(entries, options.waveforms, recipe, progress=show_progress)
    require_windows(windows, [*unreadable, *skipped])
    out = Path(options.out)
    trained = train_classifier(
        windows,
        sorted(set(windows.labels)),
        recipe,
        start=start,
        trained_on=f"{Path(options.catalogue).name}: {len(windows)} windows of {len(set(windows.groups))} events",
        progress=show_progress,
        checkpoint_path=out / "training.safetensors",
    )
    save_model(out, trained.model, trained.description)
    for state in out.glob("training*.safetensors"):
        state.unlink()
    shown: dict[str, Any] = {key: trained.description[key] for key in ("classes", "events", "metrics", "notes")}
    shown["windows_without_component"] = missing_components(windows, recipe.preprocessing)
    return {"model": str(out), **shown, "skipped": [item.to_dict() for item in [*unreadable, *skipped]]}


def _start(folder: str | None, recipe: Recipe) -> dict[str, Tensor] | None:
    """The weights of the encoder in a folder. Raises BadConfiguration where a classifier cannot begin with it."""
    if folder is None:
        return None
    tensors, description = tensors_from_files(files_in(folder))
    require_fits(description.get("recipe", {}), recipe)
    return member_weights(tensors)


def _recipe(options: argparse.Namespace) -> Recipe:
    recipe = Recipe.from_toml(options.recipe) if options.recipe else Recipe()
    overrides = {name: getattr(options, name) for name in ("epochs", "seed") if getattr(options, name) is not None}
    return replace(recipe, training=replace(recipe.training, **overrides))


if __name__ == "__main__":
    run(main)
