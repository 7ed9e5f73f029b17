"""Learning a network so that each event is also judged by one that never saw it.

Events are divided into folds. For each fold a member learns from the others, and says what it thinks of this one. Those
out-of-fold logits weigh the linear part against the convolutions, calibrate, and find wrong labels; the network is all
members together. With fewer than two folds there is one member, and validation events take the place of the fold.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlcore.classify.calibration import average_by_unit, fit_temperature, log_loss, softmax, unit_rows
from mlcore.classify.examples import altered_examples, examples, one_hot
from mlcore.classify.linear import LinearPart, fit_linear
from mlcore.classify.losses import class_weights, classification_loss
from mlcore.classify.model import Standardised, STFTClassifier
from mlcore.classify.predict import channels_last, network_attributes, network_for, network_inputs
from mlcore.config import Recipe
from mlcore.datasets import EventWindows, folds_by_event, split_by_event
from mlcore.training import Progress, ProgressCallback, StopCallback, apply_in_batches, fit, never, say_nothing

LINEAR_SHARES = np.linspace(0, 1, 11)  # of the linear part in the logits, tried
SEEDS_APART = 1000  # members of one seed must not be those of the next

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Learned:
    """A network, and what was said of each window by a part of it that never saw its event."""

    model: STFTClassifier
    judged: Rows  # (m,), the windows of which something was said: all, or those of validation events
    logits: Floats  # (m, classes), calibrated
    raw_logits: Floats  # (m, classes), before
    temperature: float
    linear_share: float
    history: list[dict[str, float]]  # of every epoch of every member
    began_with: tuple[str, ...] = ()  # which parts of each member began with an encoder's weights


@dataclass(frozen=True, eq=False)
class Round:
    """Which windows one member learns from, by which it is stopped, and of which it is asked."""

    name: str
    learned: Rows
    stopped_by: Rows
    asked: Rows


@dataclass(frozen=True)
class Watch:
    """How a caller follows and ends the learning, and where it is resumed from."""

    progress: ProgressCallback = say_nothing
    should_stop: StopCallback = never
    checkpoint_path: Path | None = None
    fingerprint: str = ""

    def of_round(self, number: int, rounds: int, name: str) -> "Watch":
        """The same, for one of several rounds."""

        def tell(report: Progress) -> None:
            done = (number + report.fraction) / rounds
            self.progress(Progress("training", done, report.metrics, f"{name}: {report.message}"))

        if rounds == 1:
            return self
        path = self.checkpoint_path and self.checkpoint_path.with_stem(f"{self.checkpoint_path.stem}-{number}")
        return replace(self, progress=tell, checkpoint_path=path)


def out_of_fold(
    windows: EventWindows,
    classes: Sequence[str],
    recipe: Recipe,
    *,
    targets: Tensor | None = None,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> Learned:
    """What networks that never saw an event say of its windows, in the windows' order.

    `targets` (n, classes) take the place of the labels: a row that sums to less than one teaches so much less. Where
    the recipe asks for fewer than two folds, five are made. Raises BadConfiguration for labels that are no class.
    """
    training = recipe.training
    recipe = replace(recipe, training=replace(training, folds=training.folds if training.folds > 1 else 5))
    return learn(windows, classes, recipe, targets=targets, watch=Watch(progress, should_stop))


def learn(
    windows: EventWindows,
    classes: Sequence[str],
    recipe: Recipe,
    *,
    targets: Tensor | None = None,
    validation: Sequence[str] = (),
    start: Mapping[str, Tensor] | None = None,
    watch: Watch | None = None,
) -> Learned:
    """A network of `classes`, from all windows. `validation` names the events that stop it where there are no folds.

    With `start`, what `mlcore.stft_cnn.member_weights` gives, every member begins with these weights.
    """
    watch = watch or Watch()
    targets = one_hot(windows, classes) if targets is None else targets
    rounds = list(_folds(windows, recipe) if recipe.training.folds > 1 else _single(windows, validation))
    said = np.zeros((2, len(windows), len(classes)))  # by convolutions, by the linear part
    features = _linear_features(windows, recipe)
    members, history = [], []
    for number, round_ in enumerate(rounds):
        watched = watch.of_round(number, len(rounds), round_.name)
        member, epochs, began_with = _member(windows, targets, classes, recipe, number, round_, start, watched)
        members.append(member)
        history += [{"fold": number + 1, **epoch} for epoch in epochs] if len(rounds) > 1 else epochs
        asked = examples(windows.select(round_.asked), targets[round_.asked], recipe)
        if len(asked):
            said[0, round_.asked] = apply_in_batches(member, asked, recipe.training.batch_size).numpy()
        if features:
            linear = _fit_linear(features, targets, round_.learned, recipe)
            said[1, round_.asked] = linear.logits(_joined(features[0], round_.asked)).numpy()
    judged = np.unique(np.concatenate([round_.asked for round_ in rounds]))
    share, temperature = _weighed(said[:, judged], windows.select(judged), targets[judged], recipe)
    linear_part = _fit_linear(features, targets, np.arange(len(windows)), recipe) if features else None
    raw = (1 - share) * said[0, judged] + share * said[1, judged]
    model = _together(members, linear_part, share, temperature, recipe, len(classes))
    if model.attributes is not None:
        _standardise(model.logits, model.attributes, features[0][-1])
    return Learned(model, judged, raw / temperature, raw, temperature, share, history, tuple(began_with))


def _folds(windows: EventWindows, recipe: Recipe) -> Iterator[Round]:
    training = recipe.training
    fold_of = folds_by_event(windows.event_ids, windows.labels, training.folds, training.seed)
    fold = np.array([fold_of[event] for event in windows.event_ids])
    for number in range(training.folds):
        others = windows.select(np.flatnonzero(fold != number))
        sides = split_by_event(others.event_ids, others.labels, (0.0, training.validation_share), training.seed)
        stops = np.array([sides.get(event) == "validation" for event in windows.event_ids]) & (fold != number)
        name = f"fold {number + 1} of {training.folds}"
        learned = (fold != number) & ~stops
        if learned.any():  # else all events are in this fold
            yield Round(name, np.flatnonzero(learned), np.flatnonzero(stops), np.flatnonzero(fold == number))


def _single(windows: EventWindows, validation: Sequence[str]) -> Iterator[Round]:
    held = np.isin(np.array(windows.event_ids), list(validation))
    yield Round("", np.flatnonzero(~held), np.flatnonzero(held), np.flatnonzero(held))


def _member(
    windows: EventWindows,
    targets: Tensor,
    classes: Sequence[str],
    recipe: Recipe,
    number: int,
    round_: Round,
    start: Mapping[str, Tensor] | None,
    watch: Watch,
) -> tuple[STFTClassifier, list[dict[str, float]], list[str]]:
    """One convolutional network, trained, its epochs, and what of it began with `start`."""
    training = replace(recipe.training, seed=recipe.training.seed + SEEDS_APART * number)
    chosen = windows.select(round_.learned)
    learned = examples(chosen, targets[round_.learned], recipe)
    inputs: Tensor = learned.inputs  # type: ignore[assignment]
    model, began_with = _untrained(recipe, len(classes), training.seed, inputs, start)
    epochs = fit(
        model,
        classification_loss(training, learned.targets, len(classes)),
        altered_examples(chosen, targets[round_.learned], recipe),
        examples(windows.select(round_.stopped_by), targets[round_.stopped_by], recipe),
        training,
        measure=accuracy,
        progress=watch.progress,
        should_stop=watch.should_stop,
        checkpoint_path=watch.checkpoint_path,
        fingerprint=f"{watch.fingerprint} {number}",
    )
    return model.cpu(), epochs, began_with


def _untrained(
    recipe: Recipe, classes: int, seed: int, inputs: Tensor, start: Mapping[str, Tensor] | None
) -> tuple[STFTClassifier, list[str]]:
    """A member before it learns, the same for the same seed, and what of it is pretrained: that is not scaled."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = network_for(recipe, classes, linear=False)
    model.fit_scale(inputs)
    began_with = model.begin_with(start) if start is not None else []
    channels_last(model)
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), began_with


def accuracy(logits: Tensor, targets: Tensor) -> dict[str, float]:
    """What is watched while a network learns. logits, targets (n, classes)"""
    right = logits.argmax(dim=1) == targets.argmax(dim=1)
    return {"validation_accuracy": float(right.float().mean())}


def _linear_features(windows: EventWindows, recipe: Recipe) -> list[list[Tensor]]:
    """What the linear part is given, in parts: of the windows as they are, then of each copy moved in time."""
    if not recipe.network.has_linear_part:
        return []
    move = round(recipe.training.time_shift_s * recipe.preprocessing.sampling_rate_hz) if windows.surroundings else 0
    rows = range(len(windows))
    moved = [windows.moved(rows, [by] * len(windows), recipe.preprocessing) for by in (-move, move) if by]
    return [_parts(copy, recipe) for copy in (windows.windows, *moved)]


def _parts(windows: NDArray[np.float32], recipe: Recipe) -> list[Tensor]:
    inputs = network_inputs(windows, recipe)
    cells = [nn.functional.avg_pool2d(inputs, cell).flatten(1) for cell in recipe.network.cells]
    return [*cells, network_attributes(windows, recipe)] if recipe.network.attributes else cells


def _fit_linear(features: list[list[Tensor]], targets: Tensor, rows: Rows, recipe: Recipe) -> LinearPart:
    """The linear part learned from some windows, and from their moved copies; classes weigh as the recipe says."""
    chosen = targets[rows]
    if recipe.training.class_balance != "none":
        chosen = chosen * class_weights(chosen, chosen.shape[1])
    parts = [torch.cat([copy[part][rows] for copy in features]) for part in range(len(features[0]))]
    return fit_linear(parts, chosen.repeat(len(features), 1), recipe.network.strength)


def _joined(parts: Sequence[Tensor], rows: Rows) -> Tensor:
    return torch.cat([part[rows] for part in parts], dim=1)


def _weighed(said: Floats, windows: EventWindows, targets: Tensor, recipe: Recipe) -> tuple[float, float]:
    """The linear part's share of the logits, and the temperature, that make the labels of unseen events most likely.

    Classes weigh as the recipe says: where it lets all count alike, so do the probabilities.
    """
    counted = targets.sum(dim=1).numpy() > 0
    if not counted.any():
        return (1.0 if recipe.network.has_linear_part else 0.0), 1.0
    said, windows, targets = said[:, counted], windows.select(np.flatnonzero(counted)), targets[counted]
    truth, rows = targets.argmax(dim=1).numpy(), unit_rows(windows.event_ids)
    of_unit = truth[np.unique(rows, return_index=True)[1]]
    weights = np.ones(len(of_unit))
    if recipe.training.class_balance != "none":
        weights = class_weights(torch.from_numpy(of_unit), targets.shape[1]).numpy()[of_unit]
    found = []
    for share in LINEAR_SHARES if recipe.network.has_linear_part else [0.0]:
        logits = (1 - share) * said[0] + share * said[1]
        temperature = fit_temperature(logits, truth, windows.event_ids, weights)
        lost = log_loss(average_by_unit(softmax(logits / temperature), rows), of_unit, weights)
        found.append((lost, float(share), temperature))
    return min(found)[1:]


@torch.no_grad()
def _together(
    members: Sequence[STFTClassifier],
    linear: LinearPart | None,
    share: float,
    temperature: float,
    recipe: Recipe,
    classes: int,
) -> STFTClassifier:
    """One network whose logits are those of all parts, weighed and calibrated."""
    model = network_for(recipe, classes, len(members))
    for own, member in zip(model.members, members, strict=True):
        own.load_state_dict(member.members[0].state_dict())
    each = (1 - share) / len(members) / temperature
    weights = [each * member.logits.weight.double() for member in members]
    bias = torch.stack([each * member.logits.bias.double() for member in members]).sum(dim=0)
    if linear is not None:
        weights.append(share / temperature * linear.weight)
        bias = bias + share / temperature * linear.bias
    model.logits.weight.copy_(torch.cat(weights, dim=1))
    model.logits.bias.copy_(bias)
    return model.eval()


@torch.no_grad()
def _standardise(logits: nn.Linear, standardised: Standardised, attributes: Tensor) -> None:
    """Let a network standardise its attributes by those of its training windows (n, a); its logits stay the same."""
    standardised.fit(attributes)
    mean, spread = standardised.mean.double(), standardised.spread.double()
    weight = logits.weight[:, -len(mean) :]
    logits.bias.add_((weight.double() @ mean).float())
    weight.mul_(spread.float())
