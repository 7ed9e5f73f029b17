"""Scan continuous recordings: a window every step, its probabilities, and the events among them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from mlcore.classify.postprocess import Detection, detections
from mlcore.classify.predict import Classifier
from mlcore.errors import Cancelled, SeisloopError, UnusableWaveform
from mlcore.training import Progress, ProgressCallback, StopCallback, never, say_nothing
from mlcore.waveform import Waveform, preprocess
from mlcore.windows import sliding_windows


@dataclass(frozen=True, eq=False)
class Scan:
    """What a classifier says along a recording."""

    starttimes: list[datetime]  # (n,) of the windows
    probabilities: NDArray[np.float64]  # (n, classes); 0 where too much was not recorded
    usable: NDArray[np.bool_]  # (n,)


def detect(
    waveforms: Iterable[Waveform],
    classifier: Classifier,
    *,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
    report: Callable[[str], None] = lambda problem: None,
) -> Iterator[Detection]:
    """The events in recordings as they were read, one station and stretch each, in time order within each.

    Memory is bounded by one waveform and 64 windows. A recording that cannot serve is told to `report`, and the rest
    goes on. Raises Cancelled when `should_stop` says so.
    """
    for waveform in waveforms:
        try:
            scanned = scan(waveform, classifier, progress=progress, should_stop=should_stop)
        except SeisloopError as error:
            report(str(error))
            continue
        for found in detections(scanned.starttimes, scanned.probabilities, classifier.classes, classifier.recipe):
            yield replace(found, station=waveform.station_id)


def scan(
    waveform: Waveform,
    classifier: Classifier,
    *,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> Scan:
    """Probabilities along a recording as it was read.

    Raises UnusableWaveform where it cannot be prepared or is shorter than a window; Cancelled when asked to stop.
    """
    preprocessing = classifier.recipe.preprocessing
    prepared = preprocess(waveform, preprocessing)
    if prepared.samples < preprocessing.window_samples:
        raise UnusableWaveform(
            f"{waveform.station_id} has {prepared.samples / prepared.sampling_rate_hz:.2f} s, but a scan needs "
            f"at least one window of {preprocessing.window_s:g} s. Give more of the recording."
        )
    total = (prepared.samples - preprocessing.window_samples) // preprocessing.step_samples + 1
    starttimes: list[datetime] = []
    probabilities, usable = np.zeros((total, len(classifier.classes))), np.zeros(total, dtype=bool)
    for times, windows, good in sliding_windows(prepared, preprocessing):
        if should_stop():
            raise Cancelled("The scan was cancelled.")
        part = slice(len(starttimes), len(starttimes) + len(times))
        probabilities[part] = classifier.predict(windows).probabilities * good[:, None]
        usable[part] = good
        starttimes += times
        progress(
            Progress("scanning", len(starttimes) / total, {}, f"{waveform.station_id}: {len(starttimes)} of {total}")
        )
    return Scan(starttimes, probabilities, usable)
