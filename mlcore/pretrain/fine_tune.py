"""A classifier on an encoder, learned from some of a pool's labelled windows; and an encoder's features of them.

Whole spectrograms are shown, not crops. In training a window is seen through one of its channels, drawn anew each
epoch; where it is judged, its channels' log-probabilities are averaged, as in the authors' code of Lee et al. 2022.
"""

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from mlcore.errors import Cancelled
from mlcore.pretrain.config import Pretraining
from mlcore.pretrain.encoders import encoder_of
from mlcore.pretrain.model import representation_size
from mlcore.pretrain.pool import Pool
from mlcore.pretrain.probes import Floats, Rows, balanced_weights
from mlcore.pretrain.spectrogram import spectrogram
from mlcore.pretrain.train import precision
from mlcore.speed import laid_out
from mlcore.training import StopCallback, never

AT_ONCE = 64  # images in evaluation


class Classifier(nn.Module):
    """x (batch, 1, freq, time) → logits (batch, classes): an encoder and one linear layer."""

    def __init__(self, network: nn.Module, classes: int):
        super().__init__()
        self.encoder = network
        self.head = nn.Linear(representation_size(network), classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))  # type: ignore[no-any-return]


def untrained(recipe: Pretraining, seed: int) -> nn.Module:
    """RandInit: the recipe's encoder with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return encoder_of(recipe)


def features(
    network: nn.Module, pool: Pool, recipe: Pretraining, *, device: torch.device | str = "cpu"
) -> tuple[Rows, Floats]:
    """An encoder's representation of every recorded channel of every window. → window of each row (m,), y (m, F)"""
    windows, channels = np.nonzero(pool.recorded)
    return windows, _applied(network, pool, windows, channels, recipe, torch.device(device))


def fine_tune(
    network: nn.Module,
    pool: Pool,
    rows: Sequence[int] | Rows,
    classes: Sequence[str],
    recipe: Pretraining,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    should_stop: StopCallback = never,
) -> Classifier:
    """A classifier learned from these windows of a pool; `network` itself is left as it is.

    Adam with a cosine, at a learning rate for the encoder and another for the linear layer, cross-entropy with classes
    weighed alike: Lee et al. 2022, section 4.1. Raises Cancelled when `should_stop` says so.
    """
    device, settings = torch.device(device), recipe.evaluation
    rows = np.asarray(rows, dtype=np.intp)
    targets = torch.tensor([classes.index(pool.labels[row]) for row in rows])
    batches = _batch_sizes(len(rows), settings.batch_size)
    draw = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)  # of the head's weights, and of dropout
        model = Classifier(deepcopy(network), len(classes))
        model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        loss = nn.CrossEntropyLoss(balanced_weights(targets, len(classes)).to(device))
        optimizer, schedule = _optimizer(model, recipe, settings.epochs * len(batches))
        _set_training(model, settings.norms)
        for _ in range(settings.epochs):
            for part in torch.randperm(len(rows), generator=draw).split(batches):
                if should_stop():
                    raise Cancelled("Fine-tuning was cancelled.")
                images = _drawn_images(pool, rows[part.numpy()], recipe, device, draw)
                optimizer.zero_grad(set_to_none=True)
                with precision(device, recipe.training.precision):
                    logits = model(laid_out(images, model))
                loss(logits.float(), targets[part].to(device)).backward()
                optimizer.step()
                schedule.step()
    return model.eval()


def _set_training(model: Classifier, norms: str) -> None:
    """Training mode, but "kept" leaves every BatchNorm that has seen batches as it is in evaluation mode."""
    model.train()
    for part in model.modules():
        if norms == "kept" and isinstance(part, nn.BatchNorm2d) and part.num_batches_tracked:
            part.eval()


def _optimizer(
    model: Classifier, recipe: Pretraining, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Adam, slower on the encoder than on the new layer, and a half cosine to 0 for both."""
    groups = [
        {"params": model.encoder.parameters(), "lr": recipe.evaluation.encoder_learning_rate},
        {"params": model.head.parameters(), "lr": recipe.evaluation.classifier_learning_rate},
    ]
    optimizer = torch.optim.Adam(groups, fused=True)
    cosine = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2)
    return optimizer, cosine


def scores(model: Classifier, pool: Pool, recipe: Pretraining, *, device: torch.device | str = "cpu") -> Floats:
    """Log-probabilities (n, classes) of a pool's windows, averaged over each window's recorded channels."""
    windows, channels = np.nonzero(pool.recorded)
    logits = _applied(model, pool, windows, channels, recipe, torch.device(device))
    return mean_of_windows(torch.from_numpy(logits).log_softmax(dim=1).numpy(), windows, len(pool))


def mean_of_windows(values: Floats, windows: Rows, count: int) -> Floats:
    """values (m, …) of channels, averaged over those of each window → (count, …)"""
    sums = np.zeros((count, *values.shape[1:]))
    np.add.at(sums, windows, values)
    return np.asarray(sums / np.maximum(np.bincount(windows, minlength=count), 1)[:, None])


def _applied(
    network: nn.Module, pool: Pool, windows: Rows, channels: Rows, recipe: Pretraining, device: torch.device
) -> Floats:
    """What a network makes of the spectrograms of these channels, in evaluation mode. → (m, …)"""
    network = network.to(device).eval()
    outputs = []
    with torch.inference_mode():
        for first in range(0, len(windows), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            images = _images(pool, windows[part], channels[part], recipe, device)
            outputs.append(network(laid_out(images, network)).double().cpu())
    return np.asarray(torch.cat(outputs).numpy())


def _images(pool: Pool, windows: Rows, channels: Rows, recipe: Pretraining, device: torch.device) -> Tensor:
    """Spectrograms of one channel of each window. → (n, 1, freq, time)"""
    samples = torch.from_numpy(np.ascontiguousarray(pool.windows[windows, channels])).to(device)
    return spectrogram(samples, recipe.spectrogram, pool.sampling_rate_hz)[:, None]


def _drawn_images(
    pool: Pool, windows: Rows, recipe: Pretraining, device: torch.device, draw: torch.Generator
) -> Tensor:
    recorded = torch.from_numpy(pool.recorded[windows]).float()
    channels = torch.multinomial(recorded, 1, generator=draw)[:, 0].numpy()
    return _images(pool, windows, channels, recipe, device)


def _batch_sizes(count: int, size: int) -> list[int]:
    """Sizes of batches of about `size`; none is of one window, whose variance BatchNorm could not tell."""
    sizes = [min(size, count - first) for first in range(0, count, size)]
    if len(sizes) > 1 and sizes[-1] == 1:
        sizes[-2:] = [sizes[-2] + 1]
    return sizes


def channel_rows(windows: Rows, chosen: Rows) -> Iterator[int]:
    """The rows of `features` that belong to these windows."""
    wanted = set(chosen.tolist())
    yield from (row for row, window in enumerate(windows.tolist()) if window in wanted)
