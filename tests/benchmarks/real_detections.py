"""python -m tests.benchmarks.real_detections [--out docs]: detections on real records, with their maps, as pictures.

Trains and detects by the commands that users have, on Luhu's hour and on the rockfalls of Séchilienne (SEISLOOP_DATA or
../shared/data), prints what was hit, missed and added, and draws it. docs/detections.md says what is to be seen.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import obspy

from mlcore.matching import CatalogueEvent, matching_report
from mlcore.traces import iso
from mlcore.waveform import read, write_mseed
from tests.benchmarks import real_pictures as pictures

DATA = Path(os.environ.get("SEISLOOP_DATA", Path(__file__).parents[3] / "shared" / "data"))
RECIPES = Path(__file__).parents[2] / "mlcore/classify/recipes"
START, MIDDLE, END = (datetime(2020, 3, 28, hour, minute, tzinfo=UTC) for hour, minute in [(12, 59), (13, 37), (14, 1)])
STATIONS = ["LH01", "LH02", "LH03", "LH04", "LH05"]
LEAST_PROBABILITY, TOLERANCE_S = 0.3, 5.0  # 0.3: what RockNet's authors associate by
LONGEST_MAPPED = timedelta(seconds=60)  # a window says little of a longer one
LUHU = """
[preprocessing]
sampling_rate_hz = 100.0
band_hz = [5.0, 45.0]  # RockNet's
stft_length = 64
stft_hop = 20
[network]
width = 8
[training]
epochs = 60
batch_size = 32
early_stopping = 0
validation_share = 0.0
test_share = 0.0
folds = 0
time_shift_s = 4.0
"""


@dataclass
class Half:
    """A part of the hour, and the model that has learned from the other part."""

    start: datetime
    end: datetime
    learned: list[CatalogueEvent]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.real_detections")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        luhu(Path(folder), options.out)
        sechilienne(Path(folder), options.out)


def luhu(folder: Path, out: Path) -> None:
    """Each half of the hour is scanned by a model that has learned from the published outputs of the other half."""
    records = stations_as_files(folder)
    published = published_events()
    halves = [
        Half(START, MIDDLE, [e for e in published if e.starttime >= MIDDLE]),
        Half(MIDDLE, END, [e for e in published if e.starttime < MIDDLE]),
    ]
    (folder / "luhu.toml").write_text(LUHU)
    found: list[dict[str, Any]] = []
    for number, half in enumerate(halves):
        model = folder / f"luhu{number}"
        learn(model, folder / "luhu.toml", write_rows(folder / f"{number}.csv", half), folder)
        answer = command("detect", model, *records.values(), "--start", iso(half.start), "--end", iso(half.end))
        found += [{**one, "model": model} for one in answer["detections"] if one["class"] != "noise"]
    for name in STATIONS:
        told = matching_report(published, events_of(found, name), TOLERANCE_S)
        print(f"Luhu {name}: {json.dumps({k: told[k] for k in KEYS})}")
    together = agreed(found)
    print(f"Luhu, two stations or more: {json.dumps(matching_report(published, together, TOLERANCE_S))}")
    pictures.hour(records, published, found, together, (START, END), out / "detections-luhu.png")
    pictures.maps(chosen(found, published, records), out / "detections-luhu-maps.png")


def sechilienne(folder: Path, out: Path) -> None:
    """Rockfalls of a slope that no model here has learned from."""
    source, data = DATA / "sechilienne", DATA / "mass_movements"
    models = {"mass_movements": folder / "mass_movements", "luhu": folder / "luhu1"}
    learn(models["mass_movements"], RECIPES / "mass_movements.toml", data / "catalogue.csv", data / "waveforms")
    files, rows = sorted((source / "waveforms").glob("*.mseed")), []
    for name, model in models.items():
        answer = command("detect", model, *files)
        truth = [
            CatalogueEvent(start, start + timedelta(seconds=float(row["duration_s"])), row["event_class"])
            for row in csv.DictReader((source / "catalogue.csv").open())
            for start in [datetime.fromisoformat(row["onset"])]
        ]
        found = [{**one, "model": model} for one in answer["detections"]]
        print(f"Séchilienne by {name}: {json.dumps([(d['class'], d['starttime'], d['endtime']) for d in found])}")
        rows.append((name, truth, found))
    pictures.rockfalls(files, rows, out / "detections-sechilienne.png")
    best = [
        (file, max(own, key=lambda one: one["probability"]), f"by {name}")
        for name, _, found in rows
        for file in files
        if (own := [one for one in found if inside(one, file) and one["class"] != "noise"])
    ]
    pictures.maps(best, out / "detections-sechilienne-maps.png")


KEYS = ("hits", "misses", "false_alarms", "confusion")


def command(name: str, *arguments: object) -> dict[str, Any]:
    """What one of mlcore's commands answers."""
    words = [sys.executable, "-m", f"mlcore.classify.{name}", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}\n{done.stderr}")
    return json.loads(done.stdout)


def learn(model: Path, recipe: Path, catalogue: Path, waveforms: Path) -> None:
    told = command("train", "--recipe", recipe, "--catalogue", catalogue, "--waveforms", waveforms, "--out", model)
    print(f"{model.name} has learned {', '.join(told['classes'])}", flush=True)


def stations_as_files(folder: Path) -> dict[str, Path]:
    """Each station's three SAC files as one miniSEED file."""
    records = {}
    for name in STATIONS:
        paths = sorted((DATA / "luhu/2020.088.13/waveforms").glob(f"*.{name}.*.sac"))
        records[name] = folder / f"{name}.mseed"
        write_mseed(read(paths), records[name])
    return records


def published_events() -> list[CatalogueEvent]:
    """Where the published network model says that a rockfall or an earthquake begins, and the 20 s that follow."""
    events = []
    for name, code in [("rfocc", "rockfall"), ("eqocc", "earthquake")]:
        trace = obspy.read(DATA / f"luhu/2020.088.13/published_outputs/Luhu.2020.088.13.sac.{name}")[0]
        on = np.concatenate([[0], trace.data > LEAST_PROBABILITY, [0]]).astype(int)
        start = trace.stats.starttime.datetime.replace(tzinfo=UTC)
        for first, last in np.flatnonzero(np.diff(on)).reshape(-1, 2):
            begin, end = (start + timedelta(seconds=float(i * trace.stats.delta)) for i in (first, last))
            events.append(CatalogueEvent(begin, end + timedelta(seconds=20), code))
    return sorted(events, key=lambda event: event.starttime)


def write_rows(path: Path, half: Half) -> Path:
    """A catalogue for training: the events of the other half, and its minutes in which nothing was published."""
    low, high = (MIDDLE, END) if half.start == START else (START, MIDDLE)
    minutes = [low + timedelta(seconds=s) for s in range(20, int((high - low).total_seconds()) - 20, 40)]
    quiet = [
        CatalogueEvent(t, t + timedelta(seconds=15), "noise")
        for t in minutes
        if all(abs((t - e.starttime).total_seconds()) > 45 for e in half.learned)
    ]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["event_id", "event_class", "file", "starttime", "endtime"])
        for number, event in enumerate([*half.learned, *quiet]):
            for name in STATIONS[:4]:  # the fifth has no published output of its own, and is ten times as loud
                writer.writerow([number, event.class_code, f"{name}.mseed", iso(event.starttime), iso(event.endtime)])
    return path


def events_of(found: list[dict[str, Any]], station: str) -> list[CatalogueEvent]:
    return [as_event(one) for one in found if f".{station}." in one["station"]]


def as_event(one: dict[str, Any]) -> CatalogueEvent:
    times = [datetime.fromisoformat(one[key]) for key in ("starttime", "endtime")]
    return CatalogueEvent(times[0], times[1], one["class"])


def agreed(found: list[dict[str, Any]], stations: int = 2) -> list[CatalogueEvent]:
    """What several stations detected at once, called as their summed probabilities say."""
    groups: list[list[dict[str, Any]]] = []
    for one in sorted(found, key=lambda d: d["starttime"]):
        if groups and as_event(one).starttime <= max(as_event(g).endtime for g in groups[-1]):
            groups[-1].append(one)
        else:
            groups.append([one])
    events = []
    for group in groups:
        if len({one["station"] for one in group}) < stations:
            continue
        votes: dict[str, float] = {}
        for one in group:
            votes[one["class"]] = votes.get(one["class"], 0.0) + one["probability"]
        spans = [as_event(one) for one in group]
        begin, end = min(s.starttime for s in spans), max(s.endtime for s in spans)
        events.append(CatalogueEvent(begin, end, max(votes, key=lambda name: votes[name])))
    return events


def chosen(
    found: list[dict[str, Any]], published: list[CatalogueEvent], records: dict[str, Path]
) -> list[tuple[Path, dict[str, Any], str]]:
    """For the maps: the likeliest hit of each class, the likeliest wrong class, the likeliest that nobody published."""

    def published_as(one: dict[str, Any]) -> str:
        event = as_event(one)
        near = [p for p in published if p.starttime <= event.endtime and p.endtime >= event.starttime]
        return min(near, key=lambda p: abs(p.starttime - event.starttime)).class_code if near else ""

    kinds = [
        lambda one: one["class"] == "rockfall" == published_as(one),
        lambda one: one["class"] == "earthquake" == published_as(one),
        lambda one: published_as(one) not in ("", one["class"]),
        lambda one: not published_as(one),
    ]
    short = [one for one in found if as_event(one).endtime - as_event(one).starttime < LONGEST_MAPPED]
    picked = [max((d for d in short if kind(d)), key=lambda d: d["probability"], default=None) for kind in kinds]
    return [
        (records[one["station"].split(".")[1]], one, f"published: {published_as(one) or 'nothing'}")
        for one in picked
        if one is not None
    ]


def inside(one: dict[str, Any], file: Path) -> bool:
    waveform = read(file)
    return waveform.starttime <= datetime.fromisoformat(one["starttime"]) <= waveform.endtime


if __name__ == "__main__":
    main()
