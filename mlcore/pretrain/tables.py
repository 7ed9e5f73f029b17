"""The tables of the papers, for any labelled windows: what each part of a method is worth.

python -m mlcore.pretrain.tables vnibcreg --recipe FILE.toml --out DIR SOURCE   Tables 2 and 3 of Lee et al. 2022
python -m mlcore.pretrain.tables bird --recipe FILE.toml --out DIR SOURCE       Table 3 of Dias et al. 2023

Every row is pretrained anew for each of the recipe's seeds, which also split, order and initialise. What is done is
kept in DIR: a command that was killed goes on where it was. The pool may hold the labelled windows, as in the papers.
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
from torch import nn

from mlcore.checkpoint import write_atomically
from mlcore.command import print_json, run, show_progress
from mlcore.pretrain.config import EncoderName, Method, Pretraining
from mlcore.pretrain.evaluate import Figures, evaluate_seed, fine_tuned_figures
from mlcore.pretrain.fine_tune import untrained
from mlcore.pretrain.pool import Pool
from mlcore.pretrain.probes import summary
from mlcore.pretrain.sources import add_source, read_both
from mlcore.pretrain.train import CHECKPOINT, fingerprint, pretrain
from mlcore.training import Progress, ProgressCallback, StopCallback, never, say_nothing

BIRD_ENCODERS: tuple[EncoderName, ...] = ("simplecnn", "mobilenetv3", "resnet50", "inceptionv3")
SHOWN = ("accuracy", "balanced_accuracy", "macro_f1")


@dataclass(frozen=True)
class Row:
    """A line of a table: what is pretrained. `pretrained` is False for an encoder with random weights."""

    name: tuple[str, ...]  # what stands in the first columns
    recipe: Pretraining
    pretrained: bool = True

    @property
    def folder(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", " ".join(self.name).lower()).strip("-")


def vnibcreg_rows(recipe: Pretraining) -> list[Row]:
    """The rows of Tables 2 and 3 of Lee et al. 2022: base method, crop, L†_tnc, L_tnc."""
    random, near = replace(recipe.views, crop="random"), replace(recipe.views, crop="neighbouring")
    plain = replace(recipe.method, name="vibcreg", tnc="none", iter_norm=True)
    original = replace(plain, name="vnibcreg", tnc="original")
    modified = replace(plain, name="vnibcreg", tnc="modified")
    return [
        Row(("RandInit", "x", "x", "x"), recipe, pretrained=False),
        Row(("VIbCReg", "RC", "x", "x"), replace(recipe, views=random, method=plain)),
        Row(("VIbCReg", "NC", "x", "x"), replace(recipe, views=near, method=plain)),
        Row(("VIbCReg", "NC", "o", "x"), replace(recipe, views=near, method=original)),
        Row(("VNIbCReg", "NC", "x", "o"), replace(recipe, views=near, method=modified)),
    ]


def bird_rows(recipe: Pretraining, encoders: Sequence[EncoderName] = BIRD_ENCODERS) -> list[Row]:
    """The rows of Table 3 of Dias et al. 2023, without ImageNet: encoder, method. Views are the paper's: whole windows,
    stretched, shifted, noisy."""
    found = []
    views = replace(recipe.views, crop="random", crop_share=1.0, sensors="one", augment="sound")
    for name in encoders:
        plain = replace(recipe.method, name="vibcreg", tnc="none")  # of no row: crops at random bear no L_tnc
        own = replace(recipe, views=views, method=plain, encoder=replace(recipe.encoder, name=name))
        found.append(Row((name, "random"), own, pretrained=False))
        for method in ("barlow_twins", "vicreg"):
            found.append(Row((name, method), replace(own, method=Method.of(method))))  # type: ignore[arg-type]
    return found


def fill(
    rows: Sequence[Row],
    pool: Pool,
    labelled: Pool,
    *,
    bird: bool = False,
    out: Path | None = None,
    device: torch.device | str = "cpu",
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> list[dict[str, Any]]:
    """Each row's name and the mean and deviation of its figures over the recipe's seeds. Raises Cancelled.

    With `out`, each row and seed is kept there, and taken from there where pool, labels and recipe are the same.
    """
    found = []
    for number, row in enumerate(rows):
        runs: list[Figures] = []
        for seed in row.recipe.evaluation.seeds:
            told = Progress("filling the table", number / len(rows), {}, f"{' '.join(row.name)}, seed {seed}")
            progress(told)
            runs.append(_kept(row, seed, pool, labelled, bird, out, device, progress, should_stop))
        found.append({"row": list(row.name), **{name: summary([each[name] for each in runs]) for name in runs[0]}})
    progress(Progress("filling the table", 1.0))
    return found


def _kept(
    row: Row,
    seed: int,
    pool: Pool,
    labelled: Pool,
    bird: bool,
    out: Path | None,
    device: torch.device | str,
    progress: ProgressCallback,
    should_stop: StopCallback,
) -> Figures:
    """The figures of one row and seed, from `out` where they are there already."""
    recipe = replace(row.recipe, training=replace(row.recipe.training, seed=seed))
    folder = out and out / f"{row.folder}-{seed}"
    mark = _mark(pool, labelled, recipe, bird)
    if folder and (known := _known(folder / "figures.json", mark)):
        return known
    network = untrained(recipe, seed)
    if row.pretrained:
        checkpoint = folder and folder / CHECKPOINT
        network = pretrain(
            pool, recipe, device=device, progress=progress, should_stop=should_stop, checkpoint_path=checkpoint
        ).model.encoder
    evaluated = bird_seed if bird else evaluate_seed
    figures = evaluated(network, labelled, recipe, seed, device=device, should_stop=should_stop)
    if folder:
        write_atomically(folder / "figures.json", json.dumps({"mark": mark, "figures": figures}).encode())
        (folder / CHECKPOINT).unlink(missing_ok=True)
    return figures


def bird_seed(
    network: nn.Module,
    pool: Pool,
    recipe: Pretraining,
    seed: int,
    *,
    device: torch.device | str = "cpu",
    should_stop: StopCallback = never,
) -> Figures:
    """Fine-tuning on all labels but those of the test, and the silhouette of the fine-tuned representation there."""
    share = 1 - recipe.evaluation.test_share
    found = fine_tuned_figures(network, pool.labelled(), recipe, share, seed, device=device, should_stop=should_stop)
    return {"fine_tuned": found}


def _mark(pool: Pool, labelled: Pool, recipe: Pretraining, bird: bool) -> str:
    facts = [fingerprint(pool, recipe), fingerprint(labelled, recipe), labelled.labels, recipe.to_dict(), bird]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _known(path: Path, mark: str) -> Figures | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept["figures"] if kept.get("mark") == mark else None


def vnibcreg_tables(found: Sequence[dict[str, Any]]) -> str:
    """Tables 2 and 3 of Lee et al. 2022 as text: mean (standard deviation) over the seeds."""
    shares = [name for name in found[0] if name.startswith("fine_tuned_")]
    columns = ["method", "crop", "L†tnc", "Ltnc"]
    linear = [[*row["row"], *(_cell(row["linear"][name]) for name in SHOWN)] for row in found]
    parts = ["Table 2. Linear evaluation", _text([*columns, *SHOWN], linear)]
    for name in SHOWN:
        tuned = [[*row["row"], *(_cell(row[share][name]) for share in shares)] for row in found]
        heads = [share.removeprefix("fine_tuned_") for share in shares]
        parts += [f"Table 3. Fine-tuning on n % of labels, {name.replace('_', ' ')}", _text([*columns, *heads], tuned)]
    return "\n\n".join(parts)


def bird_table(found: Sequence[dict[str, Any]]) -> str:
    """Table 3 of Dias et al. 2023 as text; the silhouette is that of the seed with the best balanced accuracy."""
    lines = []
    for row in found:
        tuned = row["fine_tuned"]
        accuracies = tuned["balanced_accuracy"]["runs"]
        best = tuned["silhouette"]["runs"][accuracies.index(max(accuracies))]
        lines.append([*row["row"], f"{best:.4f}", _cell(tuned["balanced_accuracy"])])
    return "Table 3. Fine-tuning\n\n" + _text(["encoder", "weights", "silhouette", "balanced accuracy"], lines)


def _cell(value: dict[str, Any]) -> str:
    return f"{value['mean']:.3f} ({value['std']:.3f})"


def _text(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    rows = [heads, ["-" * width for width in widths], *lines]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in rows
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlcore.pretrain.tables", description=__doc__.split("\n")[0])
    parser.add_argument("table", choices=("vnibcreg", "bird"))
    add_source(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="where what is done is kept")
    parser.add_argument("--encoders", nargs="+", choices=get_args(EncoderName), default=BIRD_ENCODERS, help="of bird")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    pool, labelled, recipe = read_both(options)
    bird = options.table == "bird"
    rows = bird_rows(recipe, options.encoders) if bird else vnibcreg_rows(recipe)
    found = fill(rows, pool, labelled, bird=bird, out=options.out, device=options.device, progress=show_progress)
    print(bird_table(found) if bird else vnibcreg_tables(found), file=sys.stderr)
    print_json({"recipe": recipe.to_dict(), "windows": len(pool), "labelled": len(labelled), "rows": found})


if __name__ == "__main__":
    run(main)
