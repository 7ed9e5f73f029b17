"""How every network here learns: Adam, a falling learning rate, early stopping, and a checkpoint after each epoch.

Each epoch draws its randomness from (seed, epoch) alone. So a run that was killed and resumed ends with the weights of
one that was not. How fast it goes is the business of mlcore/speed.py.
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
from mlcore.speed import ahead, laid_out, reduced_precision
from mlcore.training_state import read_state, write_state

Inputs = Tensor | tuple[Tensor, ...]  # what the network is called with
Loss = Callable[[Tensor, Tensor], Tensor]
Measure = Callable[[Tensor, Tensor], dict[str, float]]
Judge = Callable[[dict[str, float]], float]  # of an epoch's figures; smaller is better


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
    """What `fit` learns from. One that has `order(generator) → indices` says which examples an epoch shows."""

    def __len__(self) -> int: ...

    def batch(self, indices: Tensor, generator: torch.Generator | None = None) -> tuple[Inputs, Tensor]:
        """Inputs and targets of these examples; augmented by the generator's draws where one is given."""
        ...


@dataclass(frozen=True)
class TensorExamples:
    """Examples that are the same in every epoch. inputs (n, …), or several such; targets (n, …)"""

    inputs: Inputs
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: Tensor, generator: torch.Generator | None = None) -> tuple[Inputs, Tensor]:
        if isinstance(self.inputs, tuple):
            return tuple(each[indices] for each in self.inputs), self.targets[indices]
        return self.inputs[indices], self.targets[indices]


@dataclass
class Learning:
    """The state of one training: all that a resumed run needs besides the weights."""

    epoch: int = 0  # epochs done
    best_loss: float = math.inf  # or what the judge says in its place
    reference: float = math.inf  # the last that improved significantly
    stale: int = 0  # epochs since then
    history: list[dict[str, float]] = field(default_factory=list)


def fit(
    model: nn.Module,
    loss: Loss,
    train_data: Examples,
    validation_data: Examples,
    training: Training,
    *,
    measure: Measure | None = None,
    judge: Judge | None = None,
    significant: float = 0.0,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
    checkpoint_path: Path | str | None = None,
    fingerprint: str = "",
) -> list[dict[str, float]]:
    """Train `model` in place and leave it with the weights of its best epoch. → one dict of figures per epoch

    Adam (with `weight_decay`, AdamW), with the learning rate multiplied by `plateau_factor` when the validation loss
    has not improved for `plateau_patience` epochs (Jiang et al. 2024, section 5.1). The best epoch is that of the
    smallest validation loss, or of the smallest `judge` of the epoch's figures; `early_stopping` epochs that improve it
    by no more than `significant` end training. Without validation examples the training loss decides. A checkpoint
    with the same `fingerprint` is resumed from; another is started over.

    Raises Cancelled when `should_stop` says so (asked before every batch), SeisloopError when the loss is not finite.
    """
    optimizer, schedule = _optimizer(model, training)
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
        schedule.step(_decisive(figures))
        if _note(learning, {"learning_rate": rate, **figures}, judge or _decisive, significant):
            best = _weights(model)
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
            outputs.append(_outputs(model, examples.batch(indices)[0], device).cpu())
    return torch.cat(outputs)


def _optimizer(
    model: nn.Module, training: Training
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.ReduceLROnPlateau]:
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=training.plateau_factor, patience=training.plateau_patience
    )
    return optimizer, schedule


def _outputs(model: nn.Module, inputs: Inputs, device: torch.device) -> Tensor:
    several = inputs if isinstance(inputs, tuple) else (inputs,)
    return model(*(laid_out(each, model).to(device) for each in several))  # type: ignore[no-any-return]


def _at_least_float32(outputs: Tensor) -> Tensor:
    return outputs.float() if outputs.dtype == torch.bfloat16 else outputs


def _note(learning: Learning, figures: dict[str, float], judge: Judge, significant: float) -> bool:
    """Enter an epoch. → whether it is the best so far"""
    learning.epoch += 1
    learning.history.append({"epoch": learning.epoch, **figures})
    value = judge(figures)
    learning.stale = 0 if value < learning.reference - significant else learning.stale + 1
    if learning.stale == 0:
        learning.reference = value
    better = value < learning.best_loss
    learning.best_loss = min(value, learning.best_loss)
    return better


def _decisive(figures: dict[str, float]) -> float:
    return figures.get("validation_loss", figures["loss"])


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
    order = _order(data, generator)
    prepared = ahead(data.batch(indices, generator) for indices in batches(len(order), training.batch_size, order))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)  # dropout draws from the global generator
        for inputs, targets in prepared:
            _stop_if_asked(should_stop)
            optimizer.zero_grad(set_to_none=True)
            with reduced_precision(model):
                outputs = _outputs(model, inputs, device)
            value = loss(_at_least_float32(outputs), targets.to(device))
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += _finite(value.item(), training) * len(targets)
    return total / len(order)


def _order(data: Examples, generator: torch.Generator) -> Tensor:
    """Which examples an epoch shows, and in which order: all, shuffled, unless the examples say otherwise."""
    own = getattr(data, "order", None)
    return own(generator) if own else torch.randperm(len(data), generator=generator)


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
