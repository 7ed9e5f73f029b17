"""The second training session of Jiang et al. 2024, sections 4.3 and 5.1: a model learns further, on one day's labels.

The paper first learns from hand-picked clear events, then for 50 epochs from all labelled events of one day, so that it
sees what a day really holds. Training stops when the training accuracy "did not exhibit significant improvement within
5 consecutive epochs"; significant is taken as half a per cent.

python -m mlcore.classify.train --continue MODEL_DIR --catalogue CSV --waveforms DIR --out NEW_MODEL_DIR
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from mlcore.checkpoint import Description, save_model
from mlcore.classify.examples import altered_examples, one_hot
from mlcore.classify.losses import classification_loss
from mlcore.classify.predict import Classifier
from mlcore.command import show_progress
from mlcore.config import Training
from mlcore.datasets import EventWindows, load_event_windows, read_catalogue, require_windows
from mlcore.errors import BadConfiguration
from mlcore.training import Examples, Progress, ProgressCallback, StopCallback, TensorExamples, fit, never, say_nothing

PATIENCE = 5  # epochs
SIGNIFICANT = 0.005  # of accuracy


@dataclass(frozen=True)
class WithAttributes:
    """Altered maps beside the attributes of their windows as they are."""

    maps: Examples
    attributes: Tensor  # (n, a)

    def __len__(self) -> int:
        return len(self.attributes)

    def batch(self, indices: Tensor, generator: torch.Generator | None = None) -> tuple[tuple[Tensor, Tensor], Tensor]:
        inputs, targets = self.maps.batch(indices, generator)
        return (cast(Tensor, inputs), self.attributes[indices]), targets


def continue_training(
    classifier: Classifier,
    windows: EventWindows,
    *,
    trained_on: str = "",
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> tuple[nn.Module, Description]:
    """A trained classifier further trained on new labels: the network, and its description without its old metrics.

    All members and the last layer learn together; the classifier given stays as it is. Raises BadConfiguration for
    labels that the model does not know, and without windows.
    """
    _require_known(windows, classifier.classes)
    recipe, targets = classifier.recipe, one_hot(windows, classifier.classes)
    training = replace(recipe.training, mixup=0.0)  # attributes of mixed windows are not mixed attributes
    attributes = classifier.attributes(windows.windows)
    maps = altered_examples(windows, targets, replace(recipe, training=training))
    model = copy.deepcopy(classifier.model)
    history = second_stage(
        model,
        TensorExamples((classifier.inputs(windows.windows), attributes), targets),
        len(classifier.classes),
        training,
        altered=WithAttributes(maps, attributes),
        progress=progress,
        should_stop=should_stop,
    )
    old = {key: value for key, value in classifier.description.items() if key not in ("metrics", "weights_sha256")}
    stage = {"trained_on": trained_on, "events": len(set(windows.event_ids)), "history": history}
    seen: dict[str, str] = {**old.get("splits", {}), **dict.fromkeys(windows.event_ids, "train")}
    return model, {**old, "second_stage": stage, "splits": seen}


def second_stage(
    model: nn.Module,
    unaltered: TensorExamples,
    classes: int,
    training: Training,
    *,
    altered: Examples | None = None,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
    checkpoint_path: Path | str | None = None,
    fingerprint: str = "",
) -> list[dict[str, float]]:
    """Train a trained `model` further, in place, for up to `second_stage_epochs`. → one dict of figures per epoch

    `unaltered` are the new labels' windows as they are predicted: their accuracy is judged after each epoch, and the
    model is left with the weights of the best. `altered`, the same with augmentation, is learnt from where given. No
    event is held out: measure the model on others afterwards. Resumes and stops as `fit` does.
    Raises BadConfiguration without examples.
    """
    if not len(unaltered):
        raise BadConfiguration("The second stage has no event to learn from. Give a catalogue with usable events.")
    history = fit(
        model,
        classification_loss(training, unaltered.targets, classes),
        altered or unaltered,
        unaltered,
        replace(training, epochs=training.second_stage_epochs, early_stopping=PATIENCE),
        measure=_accuracy,
        judge=lambda figures: -figures["validation_accuracy"],
        significant=SIGNIFICANT,
        progress=lambda report: progress(_renamed(report)),
        should_stop=should_stop,
        checkpoint_path=checkpoint_path,
        fingerprint=fingerprint,
    )
    return [_of_training(figures) for figures in history]


def _require_known(windows: EventWindows, classes: Sequence[str]) -> None:
    strangers = sorted(set(windows.labels) - set(classes))
    if strangers:
        raise BadConfiguration(
            f"Events are labelled {', '.join(strangers)}, but the model knows {', '.join(classes)}. "
            "Leave these events out, or train a new model with their classes."
        )


def _accuracy(logits: Tensor, targets: Tensor) -> dict[str, float]:
    labels = targets if targets.ndim == 1 else targets.argmax(dim=1)
    return {"validation_accuracy": float((logits.argmax(dim=1) == labels).to(torch.float32).mean())}


def _of_training(figures: dict[str, float]) -> dict[str, float]:
    """What `fit` calls validation is here measured on what was learnt from."""
    return {name.replace("validation_", "training_"): value for name, value in figures.items()}


def _renamed(report: Progress) -> Progress:
    message = report.message.replace("validation ", "training ")
    return replace(report, stage="second stage", metrics=_of_training(report.metrics), message=message)


def continue_model(
    model_dir: Path | str, catalogue: Path | str, waveforms: Path | str, out: Path | str
) -> dict[str, Any]:
    """Train the model of a folder further on a catalogue, prepared by its own recipe, and save it in another folder.

    → what a command prints. The new model's description has no metrics: measure it on events that it never saw.
    """
    classifier = Classifier.from_directory(model_dir)
    entries, unreadable = read_catalogue(catalogue, classifier.recipe.catalogue)
    windows, skipped = load_event_windows(entries, waveforms, classifier.recipe, progress=show_progress)
    require_windows(windows, [*unreadable, *skipped])
    told = f"{Path(catalogue).name}: {len(windows)} windows of {len(set(windows.event_ids))} events"
    model, description = continue_training(classifier, windows, trained_on=told, progress=show_progress)
    save_model(out, model, description)
    skips = [item.to_dict() for item in [*unreadable, *skipped]]
    return {"model": str(out), "classes": classifier.classes, **description["second_stage"], "skipped": skips}
