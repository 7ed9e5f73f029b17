"""Pretrain an encoder on recordings that nobody has labelled.

python -m mlcore.pretrain.train --recipe FILE.toml --out DIR SOURCE
torchrun --nproc-per-node N -m mlcore.pretrain.train --recipe FILE.toml --out DIR SOURCE

SOURCE is --pool DIR, --recordings PATH..., --aknes DIR, or --catalogue CSV --waveforms DIR --cut FILE.toml.
"""

import argparse
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from mlcore.checkpoint import write_atomically
from mlcore.command import print_json, run, show_progress
from mlcore.errors import BadConfiguration, Cancelled, SeisloopError
from mlcore.pretrain.config import Pretraining
from mlcore.pretrain.encoders.stft_cnn import STFTEncoder
from mlcore.pretrain.health import collapse_warning, health
from mlcore.pretrain.losses.vnibcreg import Encoded, loss_terms
from mlcore.pretrain.model import Pretrained, encoder_files, first
from mlcore.pretrain.pool import Pool, together
from mlcore.pretrain.sound import augmented
from mlcore.pretrain.sources import add_source, read_source
from mlcore.pretrain.spectrogram import spectrogram
from mlcore.pretrain.together import processes, synchronised
from mlcore.pretrain.views import Crops, Starts, choose_sensors, crop_starts, crops_at
from mlcore.sections import require
from mlcore.speed import ahead, has_bfloat16, laid_out
from mlcore.stft_cnn import fit_scale
from mlcore.traces import iso
from mlcore.training import Progress, ProgressCallback, StopCallback, never, say_nothing
from mlcore.training_state import read_state, write_state

CHECKPOINT = "training.safetensors"
SCALED_ON = 256  # windows


@dataclass(frozen=True)
class Learned:
    """What pretraining leaves: the networks, and the figures of each epoch."""

    model: Pretrained
    recipe: Pretraining
    history: list[dict[str, float]]
    facts: dict[str, Any] = field(default_factory=dict)  # what the pool was, and what a reader must know

    @property
    def files(self) -> dict[str, bytes]:
        """The encoder's files by name, for any storage."""
        return encoder_files(self.model.encoder, self.recipe, {**self.facts, "history": self.history})


def pretrain(
    pool: Pool,
    recipe: Pretraining,
    *,
    device: torch.device | str = "cpu",
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
    checkpoint_path: Path | str | None = None,
) -> Learned:
    """An encoder that has learned from a pool by a recipe, with the loss's terms and its health after each epoch.

    Each epoch draws its randomness from (seed, epoch) alone, so a run that was killed and resumed from
    `checkpoint_path` ends as one that was not. Within torch.distributed, each process computes an equal part of each
    batch, BatchNorm and IterNorm take their statistics over all parts, and the loss is that of the whole batch.
    Raises Cancelled when `should_stop` says so (asked before every batch), BadConfiguration for a pool too small to
    learn from, SeisloopError when the loss is not finite.
    """
    device = torch.device(device)
    require(
        processes() == 1 or recipe.views.augment == "none",
        f"views.augment is {recipe.views.augment!r}, which only one process draws, but there are {processes()}. "
        "Start one, or choose augment = 'none'.",
    )
    size = _batch_size(pool, recipe)
    model, wrapped = _networks(pool, recipe, device)
    optimizer = torch.optim.Adam(
        model.parameters(), lr=recipe.training.learning_rate, weight_decay=recipe.training.weight_decay, fused=True
    )
    history: list[dict[str, float]] = []
    mark = fingerprint(pool, recipe)
    resumed = checkpoint_path and read_state(checkpoint_path, mark, model, optimizer)
    if resumed:
        history = resumed[0]["history"]
        progress(_report(history, recipe, f"resumed after epoch {len(history)}"))
    while len(history) < recipe.training.epochs:
        epoch = _Epoch(len(history), pool, recipe, device, size)
        history.append(epoch.learn(wrapped, optimizer, progress, should_stop))
        last = len(history) == recipe.training.epochs
        if checkpoint_path and _is_first() and (last or len(history) % recipe.training.checkpoint_every == 0):
            write_state(checkpoint_path, mark, model, optimizer, {}, {"history": history})
        progress(_report(history, recipe, _sentence(history[-1], recipe)))
    model.eval()
    return Learned(model, recipe, history, _facts(pool, recipe, size, history))


@dataclass(frozen=True)
class _Epoch:
    """One pass over the pool. All it draws follows from (seed, number), whatever the device and the processes."""

    number: int
    pool: Pool
    recipe: Pretraining
    device: torch.device
    batch_size: int

    @property
    def steps(self) -> int:
        return len(self.pool) // self.batch_size

    def learn(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: ProgressCallback, should_stop: StopCallback
    ) -> dict[str, float]:
        """Train for an epoch. → mean of each term and of their sum, learning rate, health of the last batch"""
        model.train()
        totals: dict[str, Tensor] = {}
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self._seed)  # dropout draws from the global generator
            for step, crops in enumerate(self._crops()):
                _stop_if_asked(should_stop, self.device)
                _set_rate(optimizer, self._rate(step))
                encoded = self._step(model, optimizer, crops, totals)
                progress(self._progress(step))
        figures = {name: value.item() / self.steps for name, value in totals.items()}
        _require_finite(figures["loss"], self.recipe)
        return {
            "epoch": self.number + 1,
            "learning_rate": self._rate(self.steps - 1),
            **figures,
            **health(*first(encoded)),
        }

    def _step(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, crops: Crops, totals: dict[str, Tensor]
    ) -> Encoded:
        optimizer.zero_grad(set_to_none=True)
        with precision(self.device, self.recipe.training.precision):
            encoded: Encoded = model(crops)
        terms = loss_terms(encoded, self.recipe.method)
        loss = torch.stack(list(terms.values())).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.training.gradient_norm:
            nn.utils.clip_grad_norm_(model.parameters(), self.recipe.training.gradient_norm)
        optimizer.step()
        for name, value in {"loss": loss, **terms}.items():
            totals[name] = totals.get(name, torch.zeros((), device=value.device)) + value.detach()
        return encoded

    def _crops(self) -> Iterator[Crops]:
        """This process's crops of each batch, as spectrograms made on the device."""
        draw = torch.Generator().manual_seed(self._seed + _OTHER_DRAWS)
        for samples, starts in ahead(self._batches()):
            seen = samples.to(self.device)
            if self.recipe.views.augment == "sound":
                seen = augmented(seen.flatten(0, 1), draw).view(seen.shape)
            yield Crops(*(laid_out(each, _ANY_CONVOLUTION) for each in self._cut(seen, starts)))

    def _cut(self, samples: Tensor, starts: Starts) -> Crops:
        """samples (n, 2, samples) → crops of their images, or images of their crops, each (n, 1, freq, columns)"""
        views = self.recipe.views
        if views.cut == "image":
            return crops_at(self._images(samples), starts, views)
        return Crops(*(self._images(each[:, :, 0]) for each in crops_at(samples[:, :, None], starts, views)))

    def _images(self, samples: Tensor) -> Tensor:
        return spectrogram(samples, self.recipe.spectrogram, self.pool.sampling_rate_hz)

    def _batches(self) -> Iterator[tuple[Tensor, Starts]]:
        """Samples of two sensors (n, 2, samples) and crop starts. All processes draw alike, and take their part."""
        draw = torch.Generator().manual_seed(self._seed)
        order = torch.randperm(len(self.pool), generator=draw)[: self.steps * self.batch_size]
        width = self._width()
        for rows in order.split(self.batch_size):
            sensors = choose_sensors(torch.from_numpy(self.pool.recorded[rows.numpy()]), self.recipe.views, draw)
            starts = crop_starts(len(rows), width, self.recipe.views, draw)
            own = _own_part(len(rows))
            samples = self.pool.windows[rows[own].numpy()[:, None], sensors[own].numpy()]
            yield torch.from_numpy(samples), Starts(*(each[own] for each in starts))

    def _width(self) -> int:
        """Of what crops are cut from: columns of an image, or samples."""
        samples = self.pool.windows.shape[-1]
        if self.recipe.views.cut == "samples":
            return samples
        return self.recipe.spectrogram.shape(samples, self.pool.sampling_rate_hz)[1]

    @property
    def _seed(self) -> int:
        return self.recipe.training.seed * 100_003 + self.number

    def _rate(self, step: int) -> float:
        """A half cosine from the learning rate to 0 over all steps of all epochs."""
        training = self.recipe.training
        done = (self.number + step / self.steps) / training.epochs
        return training.learning_rate * (1 + math.cos(math.pi * done)) / 2

    def _progress(self, step: int) -> Progress:
        done = (self.number + (step + 1) / self.steps) / self.recipe.training.epochs
        return Progress("pretraining", done, {}, f"epoch {self.number + 1}, batch {step + 1} of {self.steps}")


_OTHER_DRAWS = 50_021  # so that augmentations and crops are drawn apart
_ANY_CONVOLUTION = nn.Conv2d(1, 1, 1)  # `laid_out` asks whether a network convolves; all encoders do


def precision(device: torch.device, wanted: str) -> AbstractContextManager[object]:
    """Where the networks compute: float32, or bfloat16 if that is wanted, or `auto` and the device multiplies it."""
    native = torch.cuda.is_bf16_supported() if device.type == "cuda" else has_bfloat16()
    if wanted == "bfloat16" or (wanted == "auto" and native):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def _networks(pool: Pool, recipe: Pretraining, device: torch.device) -> tuple[Pretrained, nn.Module]:
    """The networks, and the same as they are called: in step with other processes where there are any.

    What is to become a classifier's member begins as that would: scaled to its inputs.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        model = Pretrained(recipe)
    if isinstance(model.encoder, STFTEncoder) and recipe.spectrogram.image == "stft":
        few = pool.windows[:SCALED_ON][pool.recorded[:SCALED_ON]]
        images = spectrogram(torch.from_numpy(few), recipe.spectrogram, pool.sampling_rate_hz)
        fit_scale(model.encoder.member, images)
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if processes() == 1:
        return model, model
    synchronised(model)
    return model, DistributedDataParallel(model)


def _batch_size(pool: Pool, recipe: Pretraining) -> int:
    """Windows of a batch, over all processes: as the recipe says, or all there are. Raises BadConfiguration."""
    size = min(recipe.training.batch_size, len(pool)) // processes() * processes()
    if size < max(2, 2 * processes() if processes() > 1 else 2):
        raise BadConfiguration(
            f"The pool has {len(pool)} windows, too few for {processes()} processes with a batch of "
            f"{recipe.training.batch_size}. Gather more recordings."
        )
    return size


def _own_part(count: int) -> slice:
    """Which rows of a batch this process computes."""
    if processes() == 1:
        return slice(count)
    share = count // processes()
    return slice(distributed.get_rank() * share, (distributed.get_rank() + 1) * share)


def _is_first() -> bool:
    return processes() == 1 or distributed.get_rank() == 0


def _stop_if_asked(should_stop: StopCallback, device: torch.device) -> None:
    """Raises Cancelled, in all processes, where any is asked to stop."""
    asked = should_stop()
    if processes() > 1:
        vote = torch.tensor(float(asked), device=device)
        distributed.all_reduce(vote, distributed.ReduceOp.MAX)
        asked = bool(vote)
    if asked:
        raise Cancelled("Pretraining was cancelled.")


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _require_finite(loss: float, recipe: Pretraining) -> None:
    if not math.isfinite(loss):
        raise SeisloopError(
            f"The loss became {loss} at learning rate {recipe.training.learning_rate:g}. Check the recordings for "
            "extreme values, train with a smaller learning_rate, or limit gradient_norm."
        )


def _report(history: Sequence[Mapping[str, float]], recipe: Pretraining, message: str) -> Progress:
    return Progress("pretraining", len(history) / recipe.training.epochs, dict(history[-1]), message)


def _sentence(figures: dict[str, float], recipe: Pretraining) -> str:
    shown = [name for name in figures if name not in ("epoch", "learning_rate")]
    listed = ", ".join(f"{name.replace('_', ' ')} {figures[name]:.3g}" for name in shown)
    warning = warning_of(figures, recipe)
    return f"epoch {figures['epoch']:.0f} of {recipe.training.epochs}: {listed}" + (f"\n{warning}" if warning else "")


def warning_of(figures: Mapping[str, float], recipe: Pretraining) -> str:
    """A sentence where an epoch's figures tell of a collapse, else ""."""
    scaled = recipe.method.name != "barlow_twins"  # which standardises embeddings itself
    return collapse_warning(figures, recipe.method.target_std if scaled else 0.0)


def _facts(pool: Pool, recipe: Pretraining, size: int, history: Sequence[dict[str, float]]) -> dict[str, Any]:
    """What a reader of the encoder must know: which pool it has seen, how, and whether it is well."""
    times = sorted(fact.starttime for fact in pool.facts if fact.starttime)
    warning = warning_of(history[-1], recipe)
    return {
        "pool": {
            "windows": len(pool),
            "channels": pool.windows.shape[1],
            "sampling_rate_hz": pool.sampling_rate_hz,
            "stations": dict(Counter(fact.station for fact in pool.facts)),
            "starttime": iso(times[0]) if times else None,
            "endtime": iso(times[-1]) if times else None,
            "events": sorted({fact.event_id for fact in pool.facts if fact.event_id}),
        },
        "batch_size": size,
        "processes": processes(),
        "batch_statistics": "over all processes" if processes() > 1 else "of the one process",
        "seed": recipe.training.seed,
        "notes": [warning] if warning else [],
    }


def fingerprint(pool: Pool, recipe: Pretraining) -> str:
    """Tells whether a checkpoint belongs to this pool and these settings."""
    facts = [[f.station, f.starttime and iso(f.starttime), f.event_id] for f in pool.facts]
    settings = {key: value for key, value in recipe.to_dict().items() if key != "evaluation"}
    digest = hashlib.sha256(json.dumps([settings, facts, pool.windows.shape]).encode())
    digest.update(pool.recorded.tobytes())
    for window in pool.windows[:: max(len(pool) // 16, 1)]:  # of a pool on disk, a few windows vouch for all
        digest.update(window.tobytes())
    return digest.hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlcore.pretrain.train", description=__doc__.split("\n")[0])
    add_source(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="where the encoder's two files go")
    parser.add_argument("--epochs", type=int, help="overrides the recipe's")
    parser.add_argument("--seed", type=int, help="overrides the recipe's")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    with _together(options.device) as device:
        _train(options, device)


def _train(options: argparse.Namespace, device: torch.device) -> None:
    pool, recipe, skipped = read_source(options)
    pool = together(pool, within_s=recipe.pool.step_s) if options.together else pool
    given = {name: getattr(options, name) for name in ("epochs", "seed") if getattr(options, name) is not None}
    recipe = replace(recipe, training=replace(recipe.training, **given))
    out = Path(options.out)
    tell = show_progress if _is_first() else say_nothing
    learned = pretrain(pool, recipe, device=device, progress=tell, checkpoint_path=out / CHECKPOINT)
    if not _is_first():
        return
    for name, content in learned.files.items():
        write_atomically(out / name, content)
    (out / CHECKPOINT).unlink()
    print_json({"model": str(out), **learned.facts, "last": learned.history[-1], "skipped": skipped})


@contextmanager
def _together(device: str) -> Iterator[torch.device]:
    """Joins the processes that torchrun started, if it did. → this process's device"""
    if not distributed.is_torchelastic_launched():
        yield torch.device(device)
        return
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        number = distributed.get_rank() % max(torch.cuda.device_count(), 1)
        yield torch.device("cuda", number) if device == "cuda" else torch.device(device)
    finally:
        distributed.destroy_process_group()


if __name__ == "__main__":
    run(main)
