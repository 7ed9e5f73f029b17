"""A scan of a site's continuous recordings, station by station, across file boundaries and gaps, in bounded memory."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.conf import settings

from labelapp.catalogue.errors import Invalid, Refused
from labelapp.catalogue.models import Event, Station
from labelapp.catalogue.services import add_detection
from labelapp.learning.pipeline.classification import Classifying, model_of
from labelapp.learning.pipeline.records import read_span
from labelapp.learning.tracking import Job
from mlcore.archive import Span, joined
from mlcore.classify.detect import Done, Options
from mlcore.classify.detect import detect as events_in
from mlcore.classify.postprocess import Detection
from mlcore.classify.predict import Classifier
from mlcore.errors import UnusableWaveform
from mlcore.waveform import Waveform

EARLIEST, LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


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
    work.compare()
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
    """When a station recorded at one rate, within `starttime` and `endtime` of the parameters."""
    low = _time(parameters.get("starttime"), EARLIEST)
    high = _time(parameters.get("endtime"), LATEST)
    for start, end in joined(station.traces.values_list("starttime", "endtime", "sampling_rate_hz")):
        if max(start, low) < min(end, high):
            yield max(start, low), min(end, high)


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
        components = self.classifier.recipe.preprocessing.components

        def read(starttime: datetime, endtime: datetime) -> Waveform:
            try:
                return read_span(station, starttime, endtime, components)
            except Refused as error:
                raise UnusableWaveform(str(error)) from error

        yield from events_in(
            read,
            span,
            self.classifier,
            watch=lambda done: self._tell(station, done),
            should_stop=self.job.should_stop,
            # A second thread would need a database connection of its own.
            options=Options(ahead=False, float32=settings.SCAN_FLOAT32),
        )

    def _tell(self, station: Station, done: Done) -> None:
        """How far the scan is, and why a piece was left out."""
        if done.problem:
            self.job.log(f"{station} {done.begin:%Y-%m-%dT%H:%M:%SZ}: {done.problem}")
            self.counts[done.problem] += 1
        self.windows += done.windows
        self.scanned_s += _seconds((done.begin, done.end))
        figures = {"windows": self.windows, "new events": self.new}
        self.job.progress(f"scanning {station}", self.scanned_s / self.total_s, figures)


def _seconds(span: Span) -> float:
    return (span[1] - span[0]).total_seconds()


def _time(text: str | None, default: datetime) -> datetime:
    return datetime.fromisoformat(text) if text else default
