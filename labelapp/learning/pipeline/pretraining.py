"""An encoder that learns from a site's recordings without any label, for classifiers to begin with."""

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import torch

from labelapp.catalogue.models import ModelVersion
from labelapp.catalogue.services import store_model
from labelapp.catalogue.text import iso
from labelapp.learning.pipeline.pools import events_within, kept_pool
from labelapp.learning.tracking import Job
from mlcore.pretrain.config import Pretraining
from mlcore.pretrain.health import health_of
from mlcore.pretrain.pool import Pool
from mlcore.pretrain.train import CHECKPOINT, Learned, warning_of
from mlcore.pretrain.train import pretrain as learn
from mlcore.training import Progress

# Shares of the run's progress.
READ, LEARNED = 0.15, 0.98
WELL = "none"  # of a collapse
# Of an epoch's figures, what a run calls them, and those that only the model keeps.
SHOWN = {
    "z_std": "standard deviation of the embedding",
    "z_std_smallest": "its smallest",
    "z_covariance": "covariance of the embedding",
    "z_rank": "effective rank of the embedding",
    "y_std": "standard deviation of the representation",
    "y_covariance": "covariance of the representation",
    "y_rank": "effective rank of the representation",
}
UNSHOWN = {"epoch", "learning_rate", "y_std_smallest", "y_spread", "z_spread"}


def pretrain(job: Job) -> None:
    """Pretrain by what the site's recipe asks for, and store the encoder."""
    run = job.run
    if run.model is None:  # else a worker died between storing and ending
        pool, recipe = kept_pool(job, READ)
        learned = _learn(job, pool, recipe)
        run.model = _store(job, learned, events_within(run.site, pool, recipe.pool.window_s))
    verdict = f"{run.model} is an encoder that has learned from {run.model.trained_on}. {_use_of(run.model)}"
    job.progress("done", 1.0, {"model": run.model.number, "verdict": verdict}, verdict)
    shutil.rmtree(run.checkpoint_folder, ignore_errors=True)


def _use_of(encoder: ModelVersion) -> str:
    """What can be done with it."""
    name = encoder.recipe["encoder"]["name"]
    if name == "stft_cnn":
        return f"Begin with it: train --from {encoder.pk}"
    return f"It serves maps and comparisons: a classifier begins with an stft_cnn only, not with {name}."


def _learn(job: Job, pool: Pool, recipe: Pretraining) -> Learned:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    job.log(
        f"{recipe.method.name} with {recipe.encoder.name} on {device}: {len(pool)} windows of "
        f"{recipe.pool.window_s:g} s, {recipe.training.epochs} epochs"
    )

    def tell(progress: Progress) -> None:
        epochs = progress.metrics
        figures = figures_of(epochs, recipe) if epochs else {}
        done = READ + (LEARNED - READ) * progress.fraction
        job.progress("pretraining", done, figures, progress.message if epochs else "")  # not of every batch

    return learn(
        pool,
        recipe,
        device=device,
        progress=tell,
        should_stop=job.should_stop,
        checkpoint_path=job.run.checkpoint_folder / CHECKPOINT,
    )


def figures_of(epoch: dict[str, float], recipe: Pretraining) -> dict[str, Any]:
    """What a run shows of an epoch: each term of the loss, the representation's health, and whether it collapses."""
    shown = {SHOWN.get(name, name): float(f"{value:.4g}") for name, value in epoch.items() if name not in UNSHOWN}
    of = f"{epoch['epoch']:.0f} of {recipe.training.epochs}"
    return {"epoch": of, **shown, "collapse": warning_of(epoch, recipe) or WELL}


def _store(job: Job, learned: Learned, seen: list[str]) -> ModelVersion:
    """The encoder as a row; its description names the events whose waveforms it has seen."""
    site = job.run.site
    pool = {**learned.facts["pool"], "events": seen}
    learned = replace(learned, facts={**learned.facts, "pool": pool})
    summary = _summary(pool, learned.recipe)
    parameters = sum(p.numel() for p in learned.model.encoder.parameters())
    metrics = {
        "health": health_of(learned.history[-1]),
        "notes": learned.facts["notes"],
        "parameters": parameters,
        "batch_size": learned.facts["batch_size"],
        "seed": learned.facts["seed"],
    }
    model = store_model(
        site=site,
        files=learned.files,
        description={
            "classes": [],
            "recipe": learned.recipe.to_dict(),
            "metrics": metrics,
            "history": learned.history,
        },
        trained_on=_in_words(summary, synthetic=site.synthetic),
        kind=ModelVersion.Kind.ENCODER,
        pool=summary,
    )
    job.run.model = model
    job.progress("stored", LEARNED, {}, f"stored as {model}")
    return model


def _summary(pool: dict[str, Any], recipe: Pretraining) -> dict[str, Any]:
    """What the catalogue keeps of a pool: how much of which stations, from when to when, and how many known events."""
    window_s = recipe.pool.window_s
    end = pool["endtime"] and iso(datetime.fromisoformat(pool["endtime"]) + timedelta(seconds=window_s))
    return {
        **pool,
        "endtime": end,
        "events": len(pool["events"]),
        "window_s": window_s,
        "components": list(recipe.pool.components),
    }


def _in_words(pool: dict[str, Any], *, synthetic: bool) -> str:
    count = len(pool["stations"])
    made_up = "synthetic recordings, which say nothing about real slopes; " if synthetic else ""
    return (
        f"{made_up}{pool['windows']} windows of {pool['window_s']:g} s at {count} station{'s' * (count != 1)}, "
        f"no labels; {pool['events']} catalogued events lie in them"
    )
