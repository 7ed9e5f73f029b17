"""A real catalogue by the recipe that ships for it: the web application cuts what the command line cuts."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command

from labelapp.catalogue.importing import import_catalogue
from labelapp.catalogue.models import Site
from labelapp.learning.pipeline.ingesting import ingest
from labelapp.learning.pipeline.recipes import site_codes, site_recipe, taught
from labelapp.learning.pipeline.windows import read_example
from mlcore.config import Recipe
from mlcore.datasets import load_event_windows, read_catalogue

RECIPE = Path(__file__).resolve().parents[3] / "mlcore/classify/recipes/mass_movements_four_nopfo.toml"
CODES = ("earthquake", "explosion", "rockfall", "slide", "debris_flow", "snow_avalanche", "mass_movement", "noise")


@pytest.fixture
def sample(real_data, tmp_path):
    """A catalogue of some twenty rows of all sources, and its recordings."""
    source = real_data / "mass_movements"
    if not source.is_dir():
        pytest.skip(f"No mass_movements in {real_data}.")
    rows = list(csv.DictReader((source / "catalogue.csv").open()))[::29]
    with (tmp_path / "some.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path / "some.csv", source / "waveforms"


@pytest.mark.real_data
def test_a_site_learns_from_the_windows_that_the_command_line_cuts(db, sample, tmp_path):
    catalogue, waveforms = sample
    (tmp_path / "classes.json").write_text(json.dumps([{"code": code} for code in CODES]))
    call_command("create_site", "real", "--classes", tmp_path / "classes.json", "--recipe", RECIPE, verbosity=0)
    site = Site.objects.get(name="real")
    files = [waveforms / row["file"] for row in csv.DictReader(catalogue.open())]
    assert not ingest(site, files).refused
    assert not import_catalogue(site=site, file=catalogue).refused

    recipe = site_recipe(site)
    assert recipe == Recipe.from_toml(RECIPE)
    assert taught(recipe, site_codes(site)) == ["earthquake", "explosion", "mass_movement", "noise"]
    found = {}
    for event in site.events.all():
        reading = read_example(event, recipe)
        assert not reading.left_out
        for window in [*reading.windows.values(), *reading.noise]:
            found[window.event_id, window.station] = window
    entries, _ = read_catalogue(catalogue, recipe.catalogue)
    expected, _ = load_event_windows(entries, waveforms, recipe)
    assert set(found) == set(zip(expected.event_ids, expected.stations, strict=True))
    for row, key in enumerate(zip(expected.event_ids, expected.stations, strict=True)):
        np.testing.assert_array_equal(found[key].window.data.astype(np.float32), expected.windows[row])
        assert found[key].label == expected.labels[row]
