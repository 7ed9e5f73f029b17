"""What a pretrained encoder is worth on labelled windows, beside one with random weights.

python -m mlcore.pretrain.evaluate ENCODER_DIR SOURCE [--device cpu]

Linear evaluation, k-NN and silhouette of the frozen representation, and fine-tuning at the recipe's shares of labels;
for each seed another split by event, another order and, for RandInit, other weights.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from mlcore.command import print_json, run, show_progress
from mlcore.errors import BadConfiguration
from mlcore.pretrain.config import Pretraining
from mlcore.pretrain.fine_tune import channel_rows, features, fine_tune, mean_of_windows, scores, untrained
from mlcore.pretrain.model import load_encoder
from mlcore.pretrain.pool import Pool
from mlcore.pretrain.probes import Floats, Rows, figures, knn_probe, linear_probe, silhouette, split_share, summary
from mlcore.pretrain.sources import add_source, read_source
from mlcore.training import Progress, ProgressCallback, StopCallback, never, say_nothing

Figures = dict[str, dict[str, float]]  # {"linear": {"accuracy": …}, "knn": …, "fine_tuned_5%": …}


def evaluate(
    network: nn.Module | None,
    pool: Pool,
    recipe: Pretraining,
    *,
    device: torch.device | str = "cpu",
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> dict[str, Any]:
    """Mean and standard deviation over the recipe's seeds of all figures of an encoder; None stands for RandInit."""
    runs = []
    for number, seed in enumerate(recipe.evaluation.seeds, start=1):
        chosen = untrained(recipe, seed) if network is None else network
        runs.append(evaluate_seed(chosen, pool, recipe, seed, device=device, should_stop=should_stop))
        progress(Progress("evaluating", number / len(recipe.evaluation.seeds), {}, f"seed {seed}"))
    return {name: summary([each[name] for each in runs]) for name in runs[0]}


def evaluate_seed(
    network: nn.Module,
    pool: Pool,
    recipe: Pretraining,
    seed: int,
    *,
    device: torch.device | str = "cpu",
    should_stop: StopCallback = never,
) -> Figures:
    """All figures of an encoder on a pool's labelled windows, for one split. Raises BadConfiguration, Cancelled."""
    pool = pool.labelled()
    found = frozen_figures(network, pool, require_classes(pool), recipe, seed, device=device)
    for share in recipe.evaluation.shares:
        tuned = fine_tuned_figures(network, pool, recipe, share, seed, device=device, should_stop=should_stop)
        found[f"fine_tuned_{share:.0%}"] = tuned
    return found


def fine_tuned_figures(
    network: nn.Module,
    pool: Pool,
    recipe: Pretraining,
    share: float,
    seed: int,
    *,
    device: torch.device | str = "cpu",
    should_stop: StopCallback = never,
) -> dict[str, float]:
    """Figures after fine-tuning on a share of labelled windows, and the silhouette of the representation it leaves."""
    classes = require_classes(pool)
    split = split_share(pool.units, pool.labels, share, seed=seed, test_share=recipe.evaluation.test_share)
    model = fine_tune(network, pool, split.train, classes, recipe, seed=seed, device=device, should_stop=should_stop)
    tests = pool.select(split.test)
    windows, y = features(model.encoder, tests, recipe, device=device)
    return {
        **figures(scores(model, tests, recipe, device=device), tests.labels, tests.units, classes),
        "silhouette": silhouette(mean_of_windows(y, windows, len(tests)), tests.labels),
    }


def frozen_figures(
    network: nn.Module,
    pool: Pool,
    classes: Sequence[str],
    recipe: Pretraining,
    seed: int,
    *,
    device: torch.device | str = "cpu",
) -> Figures:
    """Linear evaluation, k-NN and silhouette of a frozen encoder, for one split of labelled windows."""
    settings = recipe.evaluation
    split = split_share(pool.units, pool.labels, 1 - settings.test_share, seed=seed, test_share=settings.test_share)
    windows, y = features(network, pool, recipe, device=device)
    train, test = (np.fromiter(channel_rows(windows, side), dtype=np.intp) for side in (split.train, split.test))
    targets = np.array([classes.index(label) for label in pool.labels])[windows]
    tests = pool.select(split.test)

    def judged(values: Floats) -> dict[str, float]:
        whole = mean_of_windows(values, windows[test], len(pool))[split.test]
        return figures(whole, tests.labels, tests.units, classes)

    linear = linear_probe(
        y[train],
        targets[train],
        y[test],
        len(classes),
        epochs=settings.epochs,
        learning_rate=settings.classifier_learning_rate,
        batch_size=settings.batch_size,
        seed=seed,
    )
    nearest = knn_probe(y[train], targets[train], y[test], len(classes), neighbours=settings.neighbours)
    return {
        "linear": judged(linear),
        "knn": judged(nearest),
        "silhouette": {"silhouette": silhouette(*_of_windows(y, windows, split.test, pool))},
    }


def _of_windows(y: Floats, windows: Rows, chosen: Rows, pool: Pool) -> tuple[Floats, list[str]]:
    """Each chosen window's mean representation and its label."""
    return mean_of_windows(y, windows, len(pool))[chosen], [pool.labels[row] for row in chosen]


def require_classes(pool: Pool) -> list[str]:
    """The classes of labelled windows. Raises BadConfiguration for fewer than two."""
    classes = sorted(set(pool.labels) - {""})
    if len(classes) < 2:
        raise BadConfiguration(
            f"The windows have labels of {len(classes)} class{'es' * (len(classes) != 1)}, but an evaluation needs at "
            "least two to tell apart. Give labelled windows, as with --catalogue."
        )
    return classes


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlcore.pretrain.evaluate", description=__doc__.split("\n")[0])
    parser.add_argument("encoder", metavar="ENCODER_DIR", help="what mlcore.pretrain.train wrote")
    add_source(parser, recipe=False)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    network, recipe, _ = load_encoder(options.encoder)
    pool, recipe, skipped = read_source(options, recipe)
    results = {
        name: evaluate(each, pool, recipe, device=options.device, progress=show_progress)
        for name, each in (("random", None), ("pretrained", network))
    }
    print_json({"encoder": options.encoder, **results, "skipped": skipped})


if __name__ == "__main__":
    run(main)
