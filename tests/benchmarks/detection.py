"""python -m tests.benchmarks.detection [--day]: a long record to its detections, against a plain loop over its windows.

The record is synthetic, 250 Hz, three components in one miniSEED file, with an event or a noise every five minutes; the
network is the default one with the paper's parameters, trained for seconds on other synthetic events. Each way runs in
a process of its own and reads the file itself. The plain loop goes over the first minutes only: its rate is compared.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from scipy import signal
from torch.nn import functional as F

from mlcore.archive import Archive
from mlcore.checkpoint import load_model, save_model
from mlcore.classify.calibration import softmax
from mlcore.classify.detect import Options, detect
from mlcore.classify.postprocess import Detection, detections
from mlcore.classify.predict import Classifier, build, network_inputs
from mlcore.config import Recipe
from mlcore.datasets import EventWindows, labelled_windows
from mlcore.synthetic import CLASSES, START, STATIONS, continuous_record, synthetic_slope
from mlcore.waveform import preprocess, read, write_mseed
from mlcore.windows import sliding_windows

RECIPE = Recipe()
EVERY_S = 300.0  # the 857 of the paper's three days come as often
EVENTS, EPOCHS, BATCH = 240, 15, 32
SHARING = {"40": "", "50": ", hop 50 (divides the step)"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.detection")
    parser.add_argument("--day", action="store_true", help="24 hours and 48, not 1 and 2")
    parser.add_argument("--way", choices=["ours", "float32", "plain"], help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.way, *options.paths)))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare_ways(Path(folder), 24 if options.day else 1, part_s=1800.0 if options.day else 600.0)


def compare_ways(folder: Path, hours: int, part_s: float) -> None:
    """Print ratio, memory and growth."""
    print(f"{hours} h at 250 Hz, three components; {torch.get_num_threads()} threads; load {os.getloadavg()[0]:.1f}")
    write_record(folder / "once.mseed", hours)
    write_record(folder / "twice.mseed", 2 * hours)
    write_record(folder / "part.mseed", hours, until_s=part_s)
    train(folder / "40", RECIPE)
    network, description = load_model(folder / "40", build)
    hop_50 = replace(RECIPE, preprocessing=replace(RECIPE.preprocessing, stft_hop=50))
    save_model(folder / "50", network, {**description, "recipe": hop_50.to_dict()})
    whole = {}
    for model, named in SHARING.items():
        plain, fast, float32 = (run(way, folder / model, folder / "part") for way in ("plain", "ours", "float32"))
        whole[model] = run("ours", folder / model, folder / "once")
        rate, plain_rate = (told["windows"] / told["seconds"] for told in (whole[model], plain))
        spent, plain_spent = (told["cpu_seconds"] / told["windows"] for told in (whole[model], plain))
        print(
            f"Detection{named}: {hours} h in {whole[model]['seconds']:.1f} s, {rate:,.0f} windows/s, "
            f"{rate / plain_rate:.1f} × one scipy.signal.stft and one eager float32 forward a window "
            f"({plain_rate:,.0f} windows/s over {part_s / 60:.0f} minutes), "
            f"{plain_spent / spent:.1f} × in CPU time, "
            f"{float32['windows'] / float32['seconds'] / plain_rate:.1f} × without bfloat16. In these minutes it finds "
            f"{_same(plain, fast)}, without bfloat16 {_same(plain, float32)}; {len(whole[model]['events'])} in all",
            flush=True,
        )
    once, twice = whole["40"], run("ours", folder / "40", folder / "twice")
    print(
        f"{2 * hours} h: {twice['cpu_seconds'] / once['cpu_seconds']:.2f} × the CPU time of {hours} h; peak memory "
        f"{once['peak_mb']:,.0f} MB and {twice['peak_mb']:,.0f} MB; {once['before_mb']:,.0f} MB before any scan"
    )


def _same(plain: dict, other: dict) -> str:
    """Whether two ways found the same, and how alike their probabilities are."""
    if [event[:3] for event in plain["events"]] != [event[:3] for event in other["events"]]:
        return "OTHERS"
    apart = max((abs(a[3] - b[3]) for a, b in zip(plain["events"], other["events"], strict=True)), default=0.0)
    return f"the same {len(plain['events'])}, probabilities within {apart:.0e}"


def run(way: str, model: Path, record: Path) -> dict:
    """What `measure` says in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.detection", "--way", way, model, record.with_suffix(".mseed")]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(way: str, model: Path, record: Path) -> dict:
    """Seconds from file to detections, and the largest memory, of this process."""
    classifier = Classifier.from_directory(model)
    before_mb, start, busy = peak_mb(), time.perf_counter(), time.process_time()
    if way == "plain":
        found, windows = plainly(record, classifier)
    else:
        found, windows = by_scanner(record, classifier, float32=way == "float32")
    elapsed = time.perf_counter() - start
    return {
        "seconds": elapsed,
        "cpu_seconds": time.process_time() - busy,
        "windows": windows,
        "events": [
            [one.starttime.isoformat(), one.endtime.isoformat(), one.class_code, one.probability] for one in found
        ],
        "peak_mb": peak_mb(),
        "before_mb": before_mb,
    }


def by_scanner(record: Path, classifier: Classifier, *, float32: bool) -> tuple[list[Detection], int]:
    archive, found, windows = Archive.of([record]), [], []
    for station in archive.stations:
        for span in archive.spans(station):
            read_part = lambda a, b, s=station: archive.read(s, a, b, classifier.recipe.preprocessing.components)  # noqa: E731
            watch = lambda done: windows.append(done.windows)  # noqa: E731
            found += detect(read_part, span, classifier, watch=watch, options=Options(float32=float32))
    return found, sum(windows)


def plainly(record: Path, classifier: Classifier) -> tuple[list[Detection], int]:
    """As one would write it first: everything at once, then window by window."""
    p = classifier.recipe.preprocessing
    prepared = preprocess(read(record, components=p.components), p)
    model = classifier.model.to(memory_format=torch.contiguous_format)
    starts, rows = [], []
    for times, (window,), _ in sliding_windows(prepared, p, batch=1):
        spectrum = np.abs(
            signal.stft(window, nperseg=p.stft_length, noverlap=p.stft_length - p.stft_hop, window="boxcar")[2]
        )
        with torch.inference_mode():
            rows.append(softmax(model(torch.as_tensor(spectrum[None], dtype=torch.float32)).numpy())[0])
        starts += times
    return detections(starts, np.array(rows), classifier.classes, classifier.recipe), len(rows)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_record(path: Path, hours: int, until_s: float | None = None) -> None:
    """One file, written hour by hour."""
    with path.open("wb") as file:
        for hour in range(1 if until_s else hours):
            rng = np.random.default_rng([7, hour])
            schedule = [(str(rng.choice(CLASSES)), float(s)) for s in np.arange(60, 3540, EVERY_S)]
            (waveform,), _ = continuous_record(
                schedule, 250.0, STATIONS[:1], rng, starttime=START + timedelta(hours=hour), duration_s=3600.0
            )
            if until_s:
                waveform = waveform.slice(START, START + timedelta(seconds=until_s))
            hourly = path.with_suffix(".hour")
            write_mseed(waveform, hourly)
            file.write(hourly.read_bytes())
            hourly.unlink()


def train(folder: Path, recipe: Recipe) -> None:
    """The default network after seconds of learning: it speaks where something happens, and is silent elsewhere."""
    windows = EventWindows.stack(
        [
            window
            for event in synthetic_slope(1, EVENTS, STATIONS[:1], recipe.preprocessing.sampling_rate_hz)
            for window in labelled_windows(
                event.waveforms[0],
                event_id=event.entry.event_id,
                label=event.entry.event_class,
                starttime=event.entry.starttime,
                endtime=event.entry.endtime,
                recipe=recipe,
            )
        ],
        recipe.preprocessing,
    )
    torch.manual_seed(0)
    description = {"classes": list(CLASSES), "recipe": recipe.to_dict()}
    network = build(description)
    inputs = network_inputs(windows.windows, recipe)
    targets = torch.tensor([CLASSES.index(label) for label in windows.labels])
    network.fit_scale(inputs)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(targets)).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(network(inputs[rows]), targets[rows]).backward()
            optimizer.step()
    save_model(folder, network.eval(), description)


if __name__ == "__main__":
    main()
