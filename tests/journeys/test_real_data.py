"""The same doors take the user's data: real recordings, from ingest to export."""

import csv
import json

import pytest

from tests.journeys.home import Home
from tests.journeys.luhu import write_luhu_catalogue

pytestmark = [pytest.mark.slow, pytest.mark.real_data]

RECIPES = {
    # As the task of these recordings says: vertical component, 20 Hz, 1–8 Hz, 36 s.
    "mass movements": """
        [preprocessing]
        sampling_rate_hz = 20.0
        components = ["Z"]
        band_hz = [1.0, 8.0]
        window_s = 36.0
        stft_length = 64
        stft_hop = 12
        [network]
        width = 8
        """,
    # Luhu is recorded at 100 Hz; RockNet's authors band-pass 5–45 Hz.
    "luhu": """
        [preprocessing]
        sampling_rate_hz = 100.0
        band_hz = [5.0, 45.0]
        stft_length = 64
        stft_hop = 20
        [network]
        width = 8
        """,
}


@pytest.fixture
def start(tmp_path, real_data):
    """start("luhu", classes) makes a home with that site, its classes, its recipe, and an expert."""

    def make(name, classes):
        home = Home(tmp_path)
        home.manage("migrate", "--verbosity", "0")
        scheme = tmp_path / "classes.json"
        scheme.write_text(json.dumps([class_row(code, number) for number, code in enumerate(classes, 1)]))
        recipe = tmp_path / "recipe.toml"
        recipe.write_text(RECIPES[name])
        home.manage("create_site", name, "--classes", scheme)
        home.manage("set_recipe", name, recipe)
        home.make_user("ana", "expert")
        return home

    return make


def class_row(code, number):
    return {"code": code, "name": code.replace("_", " "), "colour": f"#0{number}5080", "key": str(number)}


def decide_first_disagreement(home, site):
    """Take the next item over REST, as the page does, and correct it to what the model said. Returns the event's id."""
    token = home.rest("token/", body={"username": "ana", "password": "ana"})["token"]
    site_id = home.rest(f"sites/?name={site.replace(' ', '%20')}", token)["results"][0]["id"]
    item = home.rest("review-items/next/", token, {"site": site_id})["item"]
    panels = home.rest(f"events/{item['event']['id']}/panels/", token)
    assert panels, "an event in the queue must have something to look at"
    home.rest(
        f"review-items/{item['id']}/decide/",
        token,
        {
            "event_class": item["prediction"]["event_class"],
            "reason": "the relevance follows the event",
            "prediction": item["prediction"]["id"],
        },
    )
    exported = home.rest(f"catalogue.csv?site={site_id}", token)
    return item["event"]["event_id"], item["prediction"]["event_class"], list(csv.DictReader(exported.splitlines()))


def assert_proved(home, site, event_id, label, exported):
    assert {row["event_class"] for row in exported if row["event_id"] == event_id} == {label}
    rows = [json.loads(r) for r in home.manage("export_relabels", site, "--format", "jsonl").stdout.splitlines()]
    assert [(row["event_name"], row["to_code"], row["expert_name"]) for row in rows] == [(event_id, label, "ana")]
    home.manage("verify_ledger", site)


def every_ninth(catalogue, out):
    """Enough of each class to learn from, in a fraction of the time. Returns the rows that were written."""
    with catalogue.open() as file:
        rows = list(csv.DictReader(file))[::9]
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return rows


def test_mass_movements_from_files_to_an_exported_relabel(start, real_data, tmp_path):
    catalogue = tmp_path / "catalogue.csv"
    rows = every_ninth(real_data / "mass_movements" / "catalogue.csv", catalogue)
    home = start("mass movements", sorted({row["event_class"] for row in rows}))
    home.manage("ingest", "mass movements", real_data / "mass_movements" / "waveforms")
    home.manage("import_catalogue", "mass movements", catalogue)
    home.manage("train", "mass movements", "--epochs", 8, "--seed", 1, "--wait")
    home.manage("classify", "mass movements", "--wait")
    with home.serving():
        event_id, label, exported = decide_first_disagreement(home, "mass movements")
    assert {row["event_id"] for row in exported} == {row["event_id"] for row in rows}
    assert_proved(home, "mass movements", event_id, label, exported)


def test_an_hour_at_luhu_from_sac_files_to_an_exported_relabel(start, real_data, tmp_path):
    hour = real_data / "luhu" / "2020.088.13"
    home = start("luhu", ["earthquake", "rockfall", "noise"])
    catalogue = write_luhu_catalogue(hour / "published_outputs", tmp_path / "luhu.csv")
    home.manage("ingest", "luhu", hour / "waveforms")
    home.manage("import_catalogue", "luhu", catalogue)
    home.manage("train", "luhu", "--epochs", 6, "--seed", 1, "--wait")
    home.manage("classify", "luhu", "--wait")
    home.manage("detect", "luhu", "--start", "2020-03-28T13:00:00Z", "--end", "2020-03-28T13:05:00Z", "--wait")
    with home.serving():
        event_id, label, exported = decide_first_disagreement(home, "luhu")
    assert_proved(home, "luhu", event_id, label, exported)
