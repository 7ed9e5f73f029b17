"""Where the commands of pretraining take their windows from, and by which recipe."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlcore.archive import Archive
from mlcore.catalogues import Skipped, read_catalogue
from mlcore.command import show_progress
from mlcore.config import Recipe
from mlcore.datasets import load_event_windows, require_windows
from mlcore.errors import BadConfiguration
from mlcore.pretrain.aknes import read_aknes
from mlcore.pretrain.config import Pretraining
from mlcore.pretrain.continuous import pool_of_archive
from mlcore.pretrain.pool import Pool, pool_of_events, together
from mlcore.sections import require

RECIPES = Path(__file__).parent / "recipes"


def add_source(parser: argparse.ArgumentParser, *, recipe: bool = True) -> None:
    """The options that say which windows, and how they are used."""
    if recipe:
        parser.add_argument("--recipe", required=True, metavar="FILE.toml", help="settings, or the name of one of ours")
    source = parser.add_argument_group("windows, from one of")
    source.add_argument("--pool", metavar="DIR", help="a folder that Pool.save wrote")
    source.add_argument("--recordings", nargs="+", metavar="PATH", help="files and folders of continuous recordings")
    source.add_argument("--aknes", metavar="DIR", help="the Åknes data set: the folder of data_dir.csv")
    add_labelled_source(source)
    parser.add_argument("--together", action="store_true", help="stations of an event, or of a time, are its sensors")
    parser.add_argument("--most", type=int, default=0, help="so many windows of the recordings, drawn by chance")


def add_labelled_source(parser: Any) -> None:
    """The options of a catalogue with labels."""
    parser.add_argument("--catalogue", metavar="CSV", help="labelled events; columns as mlcore.catalogues says")
    parser.add_argument("--waveforms", metavar="DIR", help="the folder that the catalogue's file column starts from")
    parser.add_argument("--cut", metavar="FILE.toml", help="a classifier's recipe: how events' windows are cut")


def read_source(
    options: argparse.Namespace, recipe: Pretraining | None = None
) -> tuple[Pool, Pretraining, list[dict[str, Any]]]:
    """The windows and the recipe that the options name, and what could not be used. Raises BadConfiguration."""
    recipe = recipe or read_recipe(options.recipe)
    given = [name for name in ("pool", "recordings", "aknes", "catalogue") if getattr(options, name)]
    require(
        len(given) == 1,
        f"Windows are asked for from {' and '.join(f'--{name}' for name in given) or 'nowhere'}, but must come from "
        "one of --pool, --recordings, --aknes, --catalogue.",
    )
    pool, skipped = _read(options, recipe)
    _require_rate(pool, recipe)
    return pool, recipe, [item.to_dict() for item in skipped]


def read_both(options: argparse.Namespace) -> tuple[Pool, Pool, Pretraining]:
    """A pool to pretrain on and labelled windows: those of --catalogue, or those of the pool that have a label."""
    recipe = read_recipe(options.recipe)
    if not options.catalogue or not (options.pool or options.recordings or options.aknes):
        pool, recipe, _ = read_source(options, recipe)
        return _sensors(pool, options, recipe), pool.labelled(), recipe
    labelled, _ = read_labelled(options)
    _require_rate(labelled, recipe)
    options.catalogue = None
    pool = read_source(options, recipe)[0]
    return _sensors(pool, options, recipe), labelled, recipe


def _sensors(pool: Pool, options: argparse.Namespace, recipe: Pretraining) -> Pool:
    return together(pool, within_s=recipe.pool.step_s) if options.together else pool


def _require_rate(pool: Pool, recipe: Pretraining) -> None:
    require(
        pool.sampling_rate_hz == recipe.pool.sampling_rate_hz,
        f"The windows are sampled at {pool.sampling_rate_hz:g} Hz, but the recipe says pool.sampling_rate_hz = "
        f"{recipe.pool.sampling_rate_hz:g}. Choose windows and a recipe that belong together.",
    )


def read_recipe(name: str) -> Pretraining:
    """The recipe in a file, or the one of ours with that name."""
    ours = RECIPES / f"{name}.toml"
    return Pretraining.from_toml(ours if ours.is_file() else name)


def _read(options: argparse.Namespace, recipe: Pretraining) -> tuple[Pool, Sequence[Skipped]]:
    if options.pool:
        return Pool.load(options.pool), []
    if options.recordings:
        archive = Archive.of(options.recordings)
        return pool_of_archive(
            archive, recipe.pool, most=options.most, seed=recipe.training.seed, progress=show_progress
        )
    if options.aknes:
        return read_aknes(options.aknes, progress=show_progress)
    return read_labelled(options)


def read_labelled(options: argparse.Namespace) -> tuple[Pool, list[Skipped]]:
    """The windows of a catalogue's events and of the noise around them, each with its label."""
    if not (options.waveforms and options.cut):
        raise BadConfiguration("--catalogue needs --waveforms DIR, and --cut FILE.toml to say how windows are cut.")
    cut = Recipe.from_toml(options.cut)
    entries, unreadable = read_catalogue(options.catalogue, cut.catalogue)
    windows, skipped = load_event_windows(entries, options.waveforms, cut, progress=show_progress)
    require_windows(windows, [*unreadable, *skipped])
    return pool_of_events(windows, cut.preprocessing.sampling_rate_hz), [*unreadable, *skipped]
