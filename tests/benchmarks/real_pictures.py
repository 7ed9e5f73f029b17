"""Pictures of detections: an hour at several stations, whole traces, and single detections with their maps."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from mlcore.classify.predict import Classifier
from mlcore.classify.relevance import explain
from mlcore.config import Preprocessing
from mlcore.matching import CatalogueEvent
from mlcore.stft import stft_axes
from mlcore.traces import Waveform
from mlcore.waveform import preprocess, read
from mlcore.windows import event_window

mpl.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {
    "rockfall": "#c44e2b",
    "mass_movement": "#c44e2b",
    "earthquake": "#2b6cc4",
    "explosion": "#8a4fb0",
    "noise": "#999999",
}
DPI = 90


def hour(
    records: dict[str, Path],
    published: list[CatalogueEvent],
    found: list[dict[str, Any]],
    together: list[CatalogueEvent],
    span: tuple[datetime, datetime],
    path: Path,
) -> None:
    """Each station's envelope with its detections; above them what was published, and what stations agree upon."""
    figure, axes = plt.subplots(
        len(records) + 2, 1, figsize=(13, 7), sharex=True, height_ratios=[0.5, 0.5, *[1] * len(records)]
    )
    for axis, events, name in zip(axes[:2], (published, together), ("published", "two or more"), strict=True):
        for event in events:
            _span(axis, event.starttime, event.endtime, event.class_code, span[0], alpha=0.9)
        axis.set_yticks([])
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    band = Preprocessing(sampling_rate_hz=100.0, band_hz=(5.0, 45.0), stft_length=64, stft_hop=20)
    for axis, (name, record) in zip(axes[2:], records.items(), strict=True):
        waveform = preprocess(read(record), band).slice(*span)
        seconds, loudness = _envelope(waveform)
        axis.semilogy((seconds + (waveform.starttime - span[0]).total_seconds()) / 60, loudness, color="black", lw=0.5)
        for one in found:
            if f".{name}." in one["station"]:
                begin, end = (datetime.fromisoformat(one[key]) for key in ("starttime", "endtime"))
                _span(axis, begin, end, one["class"], span[0], alpha=0.45)
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
        axis.tick_params(left=False, labelleft=False)
    axes[-1].set_xlabel(f"minutes after {span[0]:%Y-%m-%d %H:%M} UTC (red: rockfall, blue: earthquake)")
    axes[-1].set_xlim(0, (span[1] - span[0]).total_seconds() / 60)
    _save(figure, path)


def rockfalls(
    files: list[Path], rows: list[tuple[str, list[CatalogueEvent], list[dict[str, Any]]]], path: Path
) -> None:
    """Whole traces with what the catalogue says (line) and what each model detected (bars)."""
    figure, axes = plt.subplots(len(files), 1, figsize=(13, 2.2 * len(files)))
    for axis, file in zip(axes, files, strict=True):
        waveform = preprocess(read(file), Preprocessing(band_hz=(1.0, 60.0)))
        axis.plot(waveform.times, waveform.data[0] / np.abs(waveform.data[0]).max(), color="black", lw=0.4)
        for number, (name, truth, found) in enumerate(rows):
            low, high = 1.1 + 0.35 * number, 1.4 + 0.35 * number
            axis.text(-0.005, low, name, va="bottom", ha="right", fontsize=8, transform=axis.get_yaxis_transform())
            for one in found:
                begin, end = (_after(datetime.fromisoformat(one[key]), waveform) for key in ("starttime", "endtime"))
                if 0 <= begin <= waveform.times[-1]:
                    axis.fill_between([begin, end], low, high, color=COLOURS[one["class"]])
                    late = end > 0.85 * waveform.times[-1]
                    said = f" {one['class']} {one['probability']:.2f} "
                    axis.text(
                        begin if late else end, low, said, va="bottom", ha="right" if late else "left", fontsize=8
                    )
            for event in truth:
                begin, end = _after(event.starttime, waveform), _after(event.endtime, waveform)
                if 0 <= begin <= waveform.times[-1]:
                    axis.plot([begin, end], [-1.1, -1.1], color=COLOURS["rockfall"], lw=4)
        axis.set_xlim(0, waveform.times[-1])
        axis.set_yticks([])
        axis.set_title(f"{waveform.station_id} {waveform.starttime:%Y-%m-%d %H:%M:%S} UTC, Z, 1–60 Hz", fontsize=9)
    axes[-1].set_xlabel("seconds (line below: the catalogue's rockfall; bars above: detections)")
    _save(figure, path)


def maps(detections: list[tuple[Path, dict[str, Any], str]], path: Path) -> None:
    """A row for each detection: the vertical's waveform, its STFT as the network saw it, and the relevance."""
    figure, axes = plt.subplots(len(detections), 3, figsize=(13, 2.7 * len(detections)), squeeze=False)
    for row, (record, one, note) in zip(axes, detections, strict=True):
        _map(row, record, one, note)
    _save(figure, path)


def _map(row: Any, record: Path, one: dict[str, Any], note: str) -> None:
    classifier = Classifier.from_directory(one["model"])
    p = classifier.recipe.preprocessing
    start, end = (datetime.fromisoformat(one[key]) for key in ("starttime", "endtime"))
    around = timedelta(seconds=60)
    prepared = preprocess(read(record, starttime=start - around, endtime=end + around), p)
    window = event_window(prepared, start, end, p)
    target = classifier.classes.index(one["class"])
    relevance = explain(classifier, window.data[None], np.array([[target]])).maps[0, 0, 0]
    magnitude = classifier.inputs(window.data[None])[0, 0].numpy()
    frequencies, times = stft_axes(p)
    seconds = np.arange(window.data.shape[1]) / p.sampling_rate_hz
    row[0].plot(seconds, window.data[0], color="black", lw=0.5)
    row[0].set_ylim(-1.05, 1.05)
    share = relevance.clip(min=0).sum(axis=1) / max(relevance.clip(min=0).sum(), 1e-12)
    row[0].set_title(
        f"{one['station']} {window.starttime:%H:%M:%S} {one['class']} {one['probability']:.2f} {note}", fontsize=9
    )
    row[1].pcolormesh(times, frequencies, magnitude, cmap="viridis", shading="nearest", rasterized=True)
    row[1].set_title(f"STFT, {frequencies[int(magnitude.mean(axis=1).argmax())]:.1f} Hz strongest", fontsize=9)
    peak = np.quantile(np.abs(relevance), 0.998)  # a single cell must not fade the others
    row[2].pcolormesh(
        times, frequencies, relevance, cmap="RdBu_r", vmin=-peak, vmax=peak, shading="nearest", rasterized=True
    )
    centre = float((share * frequencies).sum())
    row[2].set_title(f"relevance for {one['class']}; for it: {centre:.1f} Hz in the mean", fontsize=9)
    for axis in row[1:]:
        axis.set_ylim(0, p.band_hz[1] * 1.05)
        axis.set_ylabel("Hz", fontsize=8)
    for axis in row:
        axis.tick_params(labelsize=8)
        axis.set_xlim(0, p.window_s)


def _span(axis: Any, start: datetime, end: datetime, name: str, origin: datetime, *, alpha: float) -> None:
    first, last = ((time - origin).total_seconds() / 60 for time in (start, end))
    axis.axvspan(first, last, color=COLOURS.get(name, "black"), alpha=alpha, lw=0)


def _after(time: datetime, waveform: Waveform) -> float:
    return (time - waveform.starttime).total_seconds()


def _envelope(waveform: Waveform) -> tuple[np.ndarray, np.ndarray]:
    """The largest magnitude of each second of the vertical."""
    rate = round(waveform.sampling_rate_hz)
    seconds = waveform.samples // rate
    loudness = np.abs(waveform.data[0, : seconds * rate]).reshape(seconds, rate).max(axis=1)
    return np.arange(seconds) + 0.5, np.maximum(loudness, 1e-3)


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout(pad=0.6)
    figure.savefig(path, dpi=DPI)
    plt.close(figure)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
