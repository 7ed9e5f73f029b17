"""The recipes of the mass-movement task, against the task as it is written, with obspy, scipy and loops."""

import csv
import math
import tomllib
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import obspy
import pytest
from scipy import signal

from mlcore.config import Recipe
from mlcore.datasets import EventWindows, load_event_windows, read_catalogue

RECIPES = Path(__file__).resolve().parents[3] / "mlcore/classify/recipes"
TASK = ("mass_movements", "mass_movements_four_nopfo", "mass_movements_quake_explosion", "mass_movements_esec_subclass")
MASS_MOVEMENTS = {"rockfall", "slide", "debris_flow", "snow_avalanche"}
HZ = 20

# {variant: the class of a row; None where it is not used}
VARIANTS = {
    "mass_movements": lambda row: "mass_movement" if row["event_class"] in MASS_MOVEMENTS else row["event_class"],
    "mass_movements_four_nopfo": lambda row: None if row["source"] == "AZ.PFO" else VARIANTS["mass_movements"](row),
    "mass_movements_quake_explosion": lambda row: row["event_class"] if row["source"] == "PNSN" else None,
    "mass_movements_esec_subclass": lambda row: row["event_class"] if row["event_class"] in MASS_MOVEMENTS else None,
}


def test_jiangs_recipe_writes_out_every_setting():
    assert Recipe.from_toml(RECIPES / "jiang2024.toml") == Recipe()
    written = tomllib.loads((RECIPES / "jiang2024.toml").read_text(encoding="utf-8"))
    assert {section: list(values) for section, values in written.items()} == {
        section: list(values) for section, values in tomllib.loads(Recipe().to_toml()).items()
    }


@pytest.mark.parametrize("name", TASK)
def test_the_variants_of_the_task_differ_in_their_catalogue_only(name):
    first, variant = (Recipe.from_toml(RECIPES / f"{file}.toml") for file in ("mass_movements", name))
    assert variant.placement == first.placement
    data = ("sampling_rate_hz", "band_hz", "filter_order", "zero_phase", "detrend", "taper", "window_s")
    for setting in data:
        assert getattr(variant.preprocessing, setting) == getattr(first.preprocessing, setting)
    assert variant.preprocessing.components[0] == "Z"  # that which places windows


def prepared_slowly(path):
    """The vertical component of a file as the task prepares it."""
    (trace,) = obspy.read(path).select(component="Z").merge()
    values = signal.detrend(trace.data.astype(float) - trace.data.mean())
    ratio = Fraction(HZ) / Fraction(trace.stats.sampling_rate).limit_denominator(1000)
    values = signal.resample_poly(values, ratio.numerator, ratio.denominator)
    return signal.sosfiltfilt(signal.butter(4, [1, 8], "bandpass", fs=HZ, output="sos"), values)


def rms(values, first, last):
    return math.sqrt(sum(v * v for v in values[first:last].tolist()) / (last - first))


def start_slowly(values):
    """Where the event's window begins, step by step as TASK.md says."""
    begin, end = 3 * HZ, len(values) - 3 * HZ
    peak = max(range(begin, end - 2 * HZ + 1), key=lambda start: rms(values, start, start + 2 * HZ))
    onset = peak
    if peak >= 23 * HZ:
        onset = max(
            range(max(peak - 40 * HZ, 23 * HZ), peak + 1),
            key=lambda start: rms(values, start, start + 2 * HZ) / rms(values, start - 20 * HZ, start),
        )
    return min(max(onset - 5 * HZ, begin), end - 36 * HZ)


def window_slowly(values, start):
    part = values[start : start + 36 * HZ]
    part = part - part.mean()
    return part / np.abs(part).max()


@pytest.fixture(scope="module")
def task(real_data):
    folder = real_data / "mass_movements"
    if not folder.is_dir():
        pytest.skip(f"No mass_movements in {real_data}.")
    return folder


@pytest.fixture(scope="module")
def rows(task):
    with (task / "catalogue.csv").open() as file:
        return list(csv.DictReader(file))


def load(task, recipe):
    entries, skipped = read_catalogue(task / "catalogue.csv", recipe.catalogue)
    windows, unusable = load_event_windows(entries, task / "waveforms", recipe)
    assert not unusable
    return windows, skipped


@pytest.fixture(scope="module")
def four(task) -> EventWindows:
    """All windows of the task, of the vertical component alone."""
    recipe = Recipe.from_toml(RECIPES / "mass_movements.toml")
    return load(task, replace(recipe, preprocessing=replace(recipe.preprocessing, components=("Z",))))[0]


@pytest.mark.real_data
def test_windows_equal_the_task_written_again(task, rows, four):
    chosen = [row for row in rows if row["source"] != "IRIS ESEC"][::40] + [r for r in rows if r["source"] != "PNSN"][
        ::40
    ]
    found = {(e, s): w for e, s, w in zip(four.event_ids, four.stations, four.windows, strict=True)}
    for row in chosen:
        station = f"{row['network']}.{row['station']}.{row['location']}"
        values = prepared_slowly(task / "waveforms" / row["file"])
        start = start_slowly(values)
        np.testing.assert_allclose(found[row["event_id"], station][0], window_slowly(values, start), atol=1e-5)
        noise = found.get((f"{row['event_id']}/noise", station))
        assert (noise is not None) == (row["source"] in ("IRIS ESEC", "PNSN") and start >= 39 * HZ)
        if noise is not None:
            np.testing.assert_allclose(noise[0], window_slowly(values, 3 * HZ), atol=1e-5)


@pytest.mark.real_data
@pytest.mark.parametrize("name", TASK)
def test_units_of_each_class_are_as_many_as_the_task_has(task, rows, four, name):
    windows, skipped = load(task, Recipe.from_toml(RECIPES / f"{name}.toml"))
    wanted = {row["event_id"]: VARIANTS[name](row) for row in rows if VARIANTS[name](row)}
    units = dict(zip(windows.event_ids, windows.labels, strict=True))
    assert {unit: label for unit, label in units.items() if not unit.endswith("/noise")} == wanted
    noises = {unit for unit in four.event_ids if unit.endswith("/noise")} if name in TASK[:2] else set()
    assert {unit for unit, label in units.items() if label == "noise"} == noises
    assert sum(item.rows for item in skipped) == sum(VARIANTS[name](row) is None for row in rows)


@pytest.mark.real_data
def test_noise_is_cut_before_the_events_of_two_sources_alone(rows, four):
    source = {row["event_id"]: row["source"] for row in rows}
    cut = Counter(source[group] for group, label in zip(four.groups, four.labels, strict=True) if label == "noise")
    assert set(cut) == {"IRIS ESEC", "PNSN"}
    assert four.labels.count("noise") == cut.total() == 376  # counted by another program that follows TASK.md
