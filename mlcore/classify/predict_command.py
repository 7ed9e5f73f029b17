"""The command line of `predict`: files in; for each station's recording its class and its detections out."""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mlcore.catalogues import Skipped
from mlcore.classify.command import print_json, show_progress
from mlcore.classify.detect import scan
from mlcore.classify.postprocess import detections
from mlcore.classify.predict import Classifier
from mlcore.errors import SeisloopError, UnusableWaveform
from mlcore.traces import TraceHeader, Waveform, iso
from mlcore.waveform import preprocess, read
from mlcore.waveform import scan as scan_file
from mlcore.windows import event_window

TOGETHER = timedelta(seconds=60)  # files of one station closer than this are one recording


@dataclass
class Recording:
    """What belongs together: one station's files that follow or overlap each other in time."""

    station: str
    starttime: datetime
    endtime: datetime
    paths: list[Path] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlcore.classify.predict", description=__doc__)
    parser.add_argument("model_dir")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings in any format that obspy reads")
    options = parser.parse_args(arguments)

    classifier = Classifier.from_directory(options.model_dir)
    recordings, skipped = group(options.files)
    results = []
    for recording in recordings:
        try:
            results.append(_result(recording, classifier))
        except SeisloopError as error:
            skipped.append(Skipped(f"{recording.station} in {', '.join(map(str, recording.paths))}", str(error)))
    print_json({"model": classifier.checksum, "recordings": results, "skipped": [s.to_dict() for s in skipped]})
    if not results:
        raise UnusableWaveform(f"None of the {len(options.files)} files could be classified; see `skipped`.")


def group(paths: Iterable[Path]) -> tuple[list[Recording], list[Skipped]]:
    """The recordings in files, a component each or all in one; and the files that cannot be read."""
    headers: list[tuple[TraceHeader, Path]] = []
    skipped = []
    for path in paths:
        try:
            headers += [(header, path) for header in scan_file(path)]
        except SeisloopError as error:
            skipped.append(Skipped(str(path), str(error)))
    recordings: list[Recording] = []
    for header, path in sorted(headers, key=lambda pair: (pair[0].station_id, pair[0].starttime)):
        last = recordings[-1] if recordings else None
        if last is None or last.station != header.station_id or header.starttime - last.endtime > TOGETHER:
            last = Recording(header.station_id, header.starttime, header.endtime)
            recordings.append(last)
        last.endtime = max(last.endtime, header.endtime)
        if path not in last.paths:
            last.paths.append(path)
    return recordings, skipped


def _result(recording: Recording, classifier: Classifier) -> dict[str, Any]:
    """Raises SeisloopError where the recording cannot serve."""
    waveform = read(
        recording.paths,
        station=recording.station,
        starttime=recording.starttime,
        endtime=recording.endtime + timedelta(seconds=1),  # the end is exclusive
        components=classifier.recipe.preprocessing.components,
    )
    scanned = scan(waveform, classifier, progress=show_progress)
    found = detections(scanned.starttimes, scanned.probabilities, classifier.classes, classifier.recipe)
    return {
        "station": waveform.station_id,
        "files": [str(path) for path in recording.paths],
        "starttime": iso(waveform.starttime),
        "endtime": iso(waveform.endtime),
        "problems": list(waveform.problems),
        "strongest_window": _strongest_window(waveform, classifier),
        "detections": [
            {
                "starttime": iso(one.starttime),
                "endtime": iso(one.endtime),
                "class": one.class_code,
                "probability": one.probability,
            }
            for one in found
        ],
    }


def _strongest_window(waveform: Waveform, classifier: Classifier) -> dict[str, Any]:
    """The classification of the recording as one event: of its most energetic window."""
    preprocessing = classifier.recipe.preprocessing
    window = event_window(preprocess(waveform, preprocessing), waveform.starttime, waveform.endtime, preprocessing)
    (probabilities,) = classifier.predict(window.data[None]).probabilities
    return {
        "starttime": iso(window.starttime),
        "class": classifier.classes[int(probabilities.argmax())],
        "probabilities": {name: float(p) for name, p in zip(classifier.classes, probabilities, strict=True)},
    }
