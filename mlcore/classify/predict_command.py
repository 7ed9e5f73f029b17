"""The command line of `predict`: files in; for each station's recordings their class and their detections out."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from mlcore.archive import Archive, Span
from mlcore.catalogues import Skipped
from mlcore.classify.detect import Done, detect
from mlcore.classify.pieces import Piece
from mlcore.classify.predict import Classifier
from mlcore.command import print_json, show_progress
from mlcore.config import Preprocessing
from mlcore.errors import SeisloopError, UnusableWaveform
from mlcore.traces import Waveform, iso
from mlcore.training import Progress
from mlcore.windows import Window, window_at


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlcore.classify.predict", description=__doc__)
    parser.add_argument("model_dir")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings in any format that obspy reads")
    options = parser.parse_args(arguments)

    classifier = Classifier.from_directory(options.model_dir)
    archive = Archive.of(options.files)
    skipped = [Skipped(path, why) for path, why in archive.unreadable.items()]
    results = []
    for station in archive.stations:
        for span in archive.spans(station):
            files = ", ".join(map(str, archive.files(station, *span)))
            try:
                results.append(_result(archive, station, span, classifier))
            except SeisloopError as error:
                skipped.append(Skipped(f"{station} in {files}", str(error)))
    print_json({"model": classifier.checksum, "recordings": results, "skipped": [s.to_dict() for s in skipped]})
    if not results:
        raise UnusableWaveform(f"None of the {len(options.files)} files could be classified; see `skipped`.")


@dataclass
class Strongest:
    """The most energetic window of a record: what stands for it where it is one event."""

    preprocessing: Preprocessing
    energy: float = -1.0
    window: Window | None = None
    problems: tuple[str, ...] = ()

    def see(self, piece: Piece) -> None:
        """Look at a piece's windows too."""
        waveform, p = piece.waveform, self.preprocessing
        if waveform is None:
            return
        self.problems = tuple(dict.fromkeys((*self.problems, *waveform.problems)))
        sums = np.concatenate([[0.0], np.cumsum((waveform.data**2).sum(axis=0))])
        starts = np.arange(0, waveform.samples - p.window_samples + 1, p.step_samples)
        energies = sums[starts + p.window_samples] - sums[starts]
        # a window that was hardly recorded cannot stand for anything
        for row in np.argsort(-energies, kind="stable"):
            if energies[row] <= self.energy:
                return
            try:
                self.window = window_at(waveform, int(starts[row]), p)
            except UnusableWaveform:
                continue
            self.energy = float(energies[row])
            return


def _result(archive: Archive, station: str, span: Span, classifier: Classifier) -> dict[str, Any]:
    """Raises SeisloopError where the recording cannot serve."""
    strongest = Strongest(classifier.recipe.preprocessing)
    pieces: list[Done] = []

    def watch(done: Done) -> None:
        pieces.append(done)
        share = (done.end - span[0]) / (span[1] - span[0])
        show_progress(Progress("scanning", min(share, 1.0), {}, f"{station} until {iso(done.end)}"))

    def read(start: datetime, end: datetime) -> Waveform:
        return archive.read(station, start, end, classifier.recipe.preprocessing.components)

    found = list(detect(read, span, classifier, watch=watch, see=strongest.see))
    problems = [done.problem for done in pieces if done.problem]
    if strongest.window is None:
        seconds = (span[1] - span[0]).total_seconds()
        raise UnusableWaveform(
            problems[0]
            if problems
            else f"{station} has {seconds:.2f} s, but a scan needs at least one window of "
            f"{classifier.recipe.preprocessing.window_s:g} s. Give more of the recording."
        )
    return {
        "station": station,
        "files": [str(path) for path in archive.files(station, *span)],
        "starttime": iso(span[0]),
        "endtime": iso(span[1]),
        "problems": [*strongest.problems, *problems],
        "strongest_window": _class_of(strongest.window, classifier),
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


def _class_of(window: Window, classifier: Classifier) -> dict[str, Any]:
    (probabilities,) = classifier.predict(window.data[None]).probabilities
    return {
        "starttime": iso(window.starttime),
        "class": classifier.classes[int(probabilities.argmax())],
        "probabilities": {name: float(p) for name, p in zip(classifier.classes, probabilities, strict=True)},
    }
