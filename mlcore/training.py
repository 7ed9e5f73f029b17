"""How every network here learns: Adam, a falling learning rate, early stopping, and a checkpoint after each epoch.

Each epoch draws its randomness from (seed, epoch) alone. So a run that was killed and resumed ends with the weights of
one that was not.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mlcore.config import Training
from mlcore.errors import Cancelled, SeisloopError
from mlcore.training_state import read_state, write_state

Loss = Callable[[Tensor, Tensor], Tensor]
Measure = Callable[[Tensor, Tensor], dict[str, float]]


@dataclass(frozen=True)
class Progress:
    """Where a long job stands, for people and for the Run row."""

    stage: str
    fraction: float  # of this stage, 0 to 1
    metrics: dict[str, float] = field(default_factory=dict)
    message: str = ""


ProgressCallback = Callable[[Progress], None]
StopCallback = Callable[[], bool]


def say_nothing(progress: Progress) -> None:
    """For callers who do not watch."""


def never() -> bool:
    """For callers who cannot cancel."""
    return False


class Examples(Protocol):
    """What `fit` learns from."""

    def __len__(self) -> int: ...

    def batch(self, indices: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Inputs and targets of these examples; augmented by the generator's draws where one is given."""
        ...


@dataclass(frozen=True)
class TensorExamples:
    """Examples that are the same in every epoch. inputs (n, …), targets (n, …)"""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.inputs)

    def batch(self, indices: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        return self.inputs[indices], self.targets[indices]


@dataclass
class Learning:
    """The state of one training: all that a resumed run needs besides the weights."""

    epoch: int = 0  # epochs done
    best_loss: float = math.inf
    stale: int = 0  # epochs since the best
    history: list[dict[str, float]] = field(default_factory=list)


def fit(
    model: nn.Module,
    loss: Loss,
    train_data: Examples,
    validation_data: Examples,
    training: Training,
    *,
    measure: Measure | None = None,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
    checkpoint_path: Path | str | None = None,
    fingerprint: str = "",
) -> list[dict[str, float]]:
    """Train `model` in place and leave it with the weights of its best epoch. → one dict of figures per epoch

    Adam, with the learning rate multiplied by `plateau_factor` when the validation loss has not improved for
    `plateau_patience` epochs (Jiang et al. 2024, section 5.1). Stops after `early_stopping` epochs without
    improvement. Without validation examples the training loss decides. A checkpoint with the same `fingerprint` is
    resumed from; another is started over.

    Raises Cancelled when `should_stop` says so (asked before every batch), SeisloopError when the loss is not finite.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=training.learning_rate)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=training.plateau_factor, patience=training.plateau_patience
    )
    learning, best = Learning(), _weights(model)
    resumed = checkpoint_path and read_state(checkpoint_path, fingerprint, model, optimizer)
    if resumed:
        facts, best = resumed
        learning = Learning(**facts["learning"])
        schedule.load_state_dict(facts["schedule"])
        progress(_report(learning, training, {}, f"resumed after epoch {learning.epoch}"))
    while learning.epoch < training.epochs and not _gave_up(learning, training):
        rate = optimizer.param_groups[0]["lr"]
        train_loss = _train_epoch(model, loss, optimizer, train_data, training, learning.epoch, should_stop)
        figures = {"loss": train_loss, **_validate(model, loss, validation_data, training, measure, should_stop)}
        decisive = figures.get("validation_loss", train_loss)
        schedule.step(decisive)
        learning.epoch += 1
        learning.stale += 1
        learning.history.append({"epoch": learning.epoch, "learning_rate": rate, **figures})
        if decisive < learning.best_loss:
            learning.best_loss, learning.stale, best = decisive, 0, _weights(model)
        if checkpoint_path:
            facts = {"learning": asdict(learning), "schedule": schedule.state_dict()}
            write_state(checkpoint_path, fingerprint, model, optimizer, best, facts)
        progress(_report(learning, training, figures, _sentence(learning, training)))
    model.load_state_dict(best)
    model.eval()
    return learning.history


def batches(count: int, size: int, order: Tensor | None = None) -> Iterator[Tensor]:
    """Indices 0…count−1 (or `order`) in pieces of `size`."""
    yield from (torch.arange(count) if order is None else order).split(size)


def apply_in_batches(
    model: nn.Module, examples: Examples, batch_size: int, should_stop: StopCallback = never
) -> Tensor:
    """The model's outputs for all examples, in evaluation mode. → (n, …)"""
    model.eval()
    device = _device(model)
    outputs = []
    with torch.inference_mode():
        for indices in batches(len(examples), batch_size):
            _stop_if_asked(should_stop)
            outputs.append(model(examples.batch(indices)[0].to(device)).cpu())
    return torch.cat(outputs)


def _train_epoch(
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    data: Examples,
    training: Training,
    epoch: int,
    should_stop: StopCallback,
) -> float:
    """One pass over the examples in a fresh order. → mean loss"""
    model.train()
    seed = training.seed * 100_003 + epoch
    generator = torch.Generator().manual_seed(seed)
    device = _device(model)
    total = 0.0
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)  # dropout draws from the global generator
        for indices in batches(len(data), training.batch_size, torch.randperm(len(data), generator=generator)):
            _stop_if_asked(should_stop)
            inputs, targets = data.batch(indices, generator)
            optimizer.zero_grad(set_to_none=True)
            value = loss(model(inputs.to(device)), targets.to(device))
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += _finite(value.item(), training) * len(indices)
    return total / len(data)


def _validate(
    model: nn.Module,
    loss: Loss,
    data: Examples,
    training: Training,
    measure: Measure | None,
    should_stop: StopCallback,
) -> dict[str, float]:
    if not len(data):
        return {}
    outputs = apply_in_batches(model, data, training.batch_size, should_stop)
    targets = torch.cat([data.batch(indices)[1] for indices in batches(len(data), training.batch_size)])
    figures = {"validation_loss": _finite(float(loss(outputs, targets)), training)}
    return {**figures, **(measure(outputs, targets) if measure else {})}


def _report(learning: Learning, training: Training, figures: dict[str, float], message: str) -> Progress:
    return Progress("training", learning.epoch / training.epochs, figures, message)


def _finite(value: float, training: Training) -> float:
    if not math.isfinite(value):
        raise SeisloopError(
            f"The loss became {value} at learning rate {training.learning_rate:g}. "
            "Check the inputs for extreme values, or train with a smaller learning_rate."
        )
    return value


def _gave_up(learning: Learning, training: Training) -> bool:
    return bool(training.early_stopping) and learning.stale >= training.early_stopping


def _stop_if_asked(should_stop: StopCallback) -> None:
    if should_stop():
        raise Cancelled("Training was cancelled.")


def _sentence(learning: Learning, training: Training) -> str:
    figures: dict[str, Any] = {k: v for k, v in learning.history[-1].items() if k not in ("epoch", "learning_rate")}
    listed = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in figures.items())
    ended = "; no better for long enough, stopped" if _gave_up(learning, training) else ""
    return f"epoch {learning.epoch} of {training.epochs}: {listed}{ended}"


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
