"""A sliding-window scan of a site's continuous recordings, across file boundaries and gaps, in bounded memory."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from labelapp.catalogue.errors import Invalid, Refused
from labelapp.catalogue.models import Event, Station
from labelapp.catalogue.services import add_detection
from labelapp.learning.pipeline.classification import Classifying, model_of
from labelapp.learning.pipeline.waveforms import read_span
from labelapp.learning.tracking import Job
from mlcore.classify.postprocess import Detection, detections
from mlcore.classify.predict import Classifier
from mlcore.config import Recipe
from mlcore.datasets import EDGE_S
from mlcore.errors import SeisloopError
from mlcore.preprocessing import preprocess
from mlcore.windows import sliding_windows

# Read at once: a longer piece reads faster, and takes more memory.
PIECE_S = 3600.0
# Probabilities kept at once, if nothing quiet lets go of them earlier.
LONGEST_S = 86_400.0
EARLIEST, LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

Span = tuple[datetime, datetime]


def detect(job: Job) -> None:
    """Scan each station, add what is found, classify and explain it, and fill the queue."""
    run = job.run
    model = model_of(run)
    run.model = model
    work = Classifying(job, model)
    plan = [(station, span) for station in run.site.stations.all() for span in spans(station, run.parameters)]
    if not plan:
        raise Invalid(f"{run.site} has no recordings in that time. Ingest some, or choose another time.")
    total_s = sum(_seconds(span) for _, span in plan)
    scanning, done_s = Scanning(job, work.classifier, total_s), 0.0
    for station, span in plan:
        events = _add(job, work, scanning, station, span)
        done_s += _seconds(span)
        work.classify(events, job.run.progress, max(job.run.progress, done_s / total_s))
    if not scanning.windows:
        raise Invalid(f"Nothing in the recordings can be scanned. The most common reason: {scanning.most_common}")
    verdict = f"{scanning.new} new events in {scanning.windows} windows; {work.verdict}"
    job.progress("done", 1.0, {"verdict": verdict}, verdict)


def _add(job: Job, work: "Classifying", scanning: "Scanning", station: Station, span: Span) -> list[int]:
    """Primary keys of the detected events of a span that this model has not classified yet."""
    noise = work.classifier.recipe.post_processing.noise_class
    events = []
    for found in scanning.detections(station, span):
        if found.class_code == noise:  # it resembled an event for a moment
            continue
        event, created = add_detection(
            site=job.run.site,
            station=station,
            starttime=found.starttime,
            endtime=found.endtime,
            class_code=found.class_code,
            probability=found.probability,
            model=work.model,
        )
        scanning.new += created
        if event.origin == Event.Origin.DETECTION and not event.predictions.filter(model=work.model).exists():
            events.append(event.pk)
    return events


def spans(station: Station, parameters: dict) -> Iterator[Span]:
    """When a station recorded, within `starttime` and `endtime` of the parameters; touching files are one span."""
    low = _time(parameters.get("starttime"), EARLIEST)
    high = _time(parameters.get("endtime"), LATEST)
    current: Span | None = None
    for start, end, rate_hz in station.traces.order_by("starttime").values_list(
        "starttime", "endtime", "sampling_rate_hz"
    ):
        start, end = max(start, low), min(end + timedelta(seconds=1 / rate_hz), high)
        if end <= start:
            continue
        if current and start <= current[1] + timedelta(seconds=EDGE_S):
            current = (current[0], max(current[1], end))
        else:
            if current:
                yield current
            current = (start, end)
    if current:
        yield current


@dataclass
class Scanning:
    """Scanning stations one after the other, and what came of it so far."""

    job: Job
    classifier: Classifier
    total_s: float
    scanned_s: float = 0.0
    windows: int = 0
    new: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def most_common(self) -> str:
        return self.counts.most_common(1)[0][0] if self.counts else "no record is as long as a window"

    def detections(self, station: Station, span: Span) -> Iterator[Detection]:
        """The events of a station in a span, in time order."""
        recipe = self.classifier.recipe
        kept = Kept(span[0], recipe, self.classifier.classes)
        for begin, end in _pieces(span, recipe):
            self.job.check()
            try:
                self._piece(station, begin, min(end, span[1]), span, kept)
            except (SeisloopError, Refused) as error:
                self.job.log(f"{station} {begin:%Y-%m-%dT%H:%M:%SZ}: {error}")
                self.counts[str(error)] += 1
            self.scanned_s += (min(end, span[1]) - begin).total_seconds()
            figures = {"windows": self.windows, "new events": self.new}
            self.job.progress(f"scanning {station}", self.scanned_s / self.total_s, figures)
            yield from kept.let_go(end)
        yield from kept.let_go(None)

    def _piece(self, station: Station, begin: datetime, end: datetime, span: Span, kept: "Kept") -> None:
        """Probabilities of the windows that start from `begin` to before `end`."""
        preprocessing = self.classifier.recipe.preprocessing
        window, edge = timedelta(seconds=preprocessing.window_s), timedelta(seconds=EDGE_S)
        waveform = read_span(station, begin - edge, end + window + edge, preprocessing.components)
        prepared = preprocess(waveform, preprocessing)
        first = kept.next_start(max(begin, prepared.starttime))
        last = min(end - timedelta(seconds=preprocessing.step_s) + window, span[1])
        if last - first < window or prepared.endtime < first:
            return
        for times, windows, usable in sliding_windows(prepared.slice(first, last), preprocessing):
            self.job.check()
            kept.add(times, self.classifier.predict(windows).probabilities * usable[:, None])
            self.windows += int(usable.sum())


class Kept:
    """Probabilities on one grid of steps, kept until a quiet stretch lets events before it go whole."""

    def __init__(self, origin: datetime, recipe: Recipe, classes: list[str]) -> None:
        self.origin, self.recipe, self.classes = origin, recipe, classes
        self.step_s = recipe.preprocessing.step_samples / recipe.preprocessing.sampling_rate_hz
        self.first = 0  # the step that row 0 stands for
        self.rows: NDArray[np.float64] = np.zeros((0, len(classes)))
        post = recipe.post_processing
        reach = post.median + post.gaussian_length
        # Beyond this, neither smoothing nor the isolation of noise reaches across.
        self.quiet_steps = 2 * reach + round(post.isolation_s / self.step_s) + 1

    def time_of(self, step: int) -> datetime:
        return self.origin + timedelta(seconds=step * self.step_s)

    def next_start(self, time: datetime) -> datetime:
        """The first step of the grid at or after a time."""
        return self.time_of(int(np.ceil((time - self.origin).total_seconds() / self.step_s - 1e-6)))

    def add(self, times: list[datetime], probabilities: NDArray[np.float64]) -> None:
        """Probabilities (n, classes) of windows one step apart, later than all before; steps left out count as 0."""
        start = round((times[0] - self.origin).total_seconds() / self.step_s) - self.first
        missing = np.zeros((max(start - len(self.rows), 0), len(self.classes)))
        self.rows = np.concatenate([self.rows, missing, probabilities])

    def let_go(self, until: datetime | None) -> Iterator[Detection]:
        """The events before the last quiet stretch (all of them for None), and forget what came before it."""
        end = len(self.rows) if until is None else self._quiet_end()
        if not end:
            return
        times = [self.time_of(self.first + row) for row in range(end)]
        yield from detections(times, self.rows[:end], self.classes, self.recipe)
        self.rows, self.first = self.rows[end:], self.first + end

    def _quiet_end(self) -> int:
        """Up to which row all can go: into the last stretch of `quiet_steps` in which no class of event spoke."""
        events = [i for i, code in enumerate(self.classes) if code != self.recipe.post_processing.noise_class]
        loud = np.flatnonzero((self.rows[:, events] >= self.recipe.post_processing.threshold).any(axis=1))
        edges = np.concatenate([[-1], loud, [len(self.rows)]])
        wide = np.flatnonzero(np.diff(edges) > self.quiet_steps)
        if wide.size:
            return int((edges[wide[-1]] + edges[wide[-1] + 1]) // 2)
        return len(self.rows) if len(self.rows) * self.step_s > LONGEST_S else 0


def _pieces(span: Span, recipe: Recipe) -> Iterator[Span]:
    """The span in pieces of whole steps."""
    steps = max(round(PIECE_S / recipe.preprocessing.step_s), 1)
    length = timedelta(seconds=steps * recipe.preprocessing.step_samples / recipe.preprocessing.sampling_rate_hz)
    begin = span[0]
    while begin < span[1]:
        yield begin, begin + length
        begin += length


def _seconds(span: Span) -> float:
    return (span[1] - span[0]).total_seconds()


def _time(text: str | None, default: datetime) -> datetime:
    return datetime.fromisoformat(text) if text else default
