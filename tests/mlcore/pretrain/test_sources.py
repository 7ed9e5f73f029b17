"""Where the commands take windows from: recordings, catalogues, pools on disk; one rate for all."""

import argparse

import numpy as np
import pytest

from mlcore.config import Preprocessing, Recipe
from mlcore.errors import BadConfiguration
from mlcore.pretrain.config import Pool as Section
from mlcore.pretrain.sources import add_source, read_both, read_recipe, read_source
from mlcore.waveform import write_mseed
from tests.mlcore.pretrain.examples import small_pool, small_recipe
from tests.mlcore.recordings import waveform


@pytest.fixture
def folder(tmp_path):
    """A recipe, a recording of 100 s, a catalogue of two events in it, and how to cut them."""
    section = Section(sampling_rate_hz=50.0, band_hz=(1.0, 20.0), window_s=20.0, step_s=20.0, normalise="window")
    (tmp_path / "recipe.toml").write_text(small_recipe(pool=section).to_toml())
    (tmp_path / "waveforms").mkdir()
    data = np.random.default_rng(0).normal(0, 1000, (3, 5000)).round()
    write_mseed(waveform(data, 50.0), tmp_path / "waveforms" / "record.mseed")
    rows = [f"e{i},{label},record.mseed,2024-05-01T00:00:{i}5Z,5" for i, label in ((1, "rockfall"), (4, "quake"))]
    (tmp_path / "catalogue.csv").write_text(
        "\n".join(["event_id,event_class,file,onset,duration_s", *rows, ""]), encoding="utf-8"
    )
    cut = Preprocessing(sampling_rate_hz=50.0, band_hz=(1.0, 20.0), window_s=20.0)
    (tmp_path / "cut.toml").write_text(Recipe(preprocessing=cut).to_toml())
    return tmp_path


def options(folder, *given):
    parser = argparse.ArgumentParser()
    add_source(parser)
    return parser.parse_args(["--recipe", str(folder / "recipe.toml"), *map(str, given)])


def catalogue(folder):
    return [
        *("--catalogue", folder / "catalogue.csv"),
        *("--waveforms", folder / "waveforms"),
        *("--cut", folder / "cut.toml"),
    ]


def test_recordings_give_all_their_windows(folder):
    pool, recipe, skipped = read_source(options(folder, "--recordings", folder / "waveforms"))
    assert pool.windows.shape == (5, 3, 1000)
    assert recipe.pool.window_s == 20
    assert skipped == []


def test_a_catalogue_gives_its_events_with_their_labels(folder):
    pool, _, _ = read_source(options(folder, *catalogue(folder)))
    assert pool.labels == ("rockfall", "quake")
    assert pool.units == ("e1", "e4")


def test_a_pool_of_recordings_stands_beside_the_labels_of_a_catalogue(folder):
    pool, labelled, _ = read_both(options(folder, "--recordings", folder / "waveforms", *catalogue(folder)))
    assert len(pool) == 5
    assert labelled.labels == ("rockfall", "quake")


def test_without_another_pool_the_labelled_windows_are_pretrained_on_too(folder):
    pool, labelled, _ = read_both(options(folder, *catalogue(folder)))
    assert len(pool) == len(labelled) == 2
    together, labelled, _ = read_both(options(folder, *catalogue(folder), "--together"))
    assert set(together.labels) == {""}
    assert len(labelled) == 2


def test_windows_of_another_rate_than_the_recipes_are_refused(folder):
    pool = small_pool(4)
    type(pool)(pool.windows, pool.recorded, 25.0, pool.facts).save(folder / "pool")
    with pytest.raises(BadConfiguration, match="sampled at 25 Hz"):
        read_source(options(folder, "--pool", folder / "pool"))


def test_a_catalogue_wants_to_know_how_events_are_cut(folder):
    with pytest.raises(BadConfiguration, match="--cut"):
        read_source(options(folder, "--catalogue", folder / "catalogue.csv"))


def test_two_sources_are_refused(folder):
    with pytest.raises(BadConfiguration, match="--pool and --aknes"):
        read_source(options(folder, "--pool", folder, "--aknes", folder))


@pytest.mark.parametrize("name", ["aknes", "mass_movements"])
def test_our_recipes_are_found_by_name(name):
    assert read_recipe(name).pool.sampling_rate_hz in (1000, 20)
