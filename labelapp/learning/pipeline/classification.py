"""What a model says of events, why it says so where an expert should look, and the queue that follows from it."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import Event, ModelVersion, Prediction
from labelapp.catalogue.services import store_explanation, store_prediction
from labelapp.learning.models import Run
from labelapp.learning.pipeline.neighbours import Features, update
from labelapp.learning.pipeline.recipes import load_classifier
from labelapp.learning.pipeline.windows import EventReading, Reasons, events_in_chunks, read_event
from labelapp.learning.tracking import Job
from labelapp.review.judging import Judgement, judgements
from labelapp.review.services import fill_queue
from mlcore.classify.panels import PanelRequest, panel_bytes, panels
from mlcore.classify.predict import Classifier, combine_stations


def classify(job: Job) -> None:
    """Predict events, all of the site or those named, explain what to look at, and fill the queue as it goes."""
    run = job.run
    work = Classifying(job, model_of(run), explain_all=bool(run.parameters.get("explain_all")))
    run.model = work.model
    events = run.site.events.current()
    if "events" in run.parameters:
        events = events.filter(pk__in=run.parameters["events"])
    pks = list(events.values_list("pk", flat=True))
    if not pks:
        raise Invalid(f"{run.site} has no events to classify. Import a catalogue, or detect events.")
    work.classify(pks, 0.0, 1.0)
    work.compare()
    if not work.predicted:
        raise Invalid(f"None of the {len(pks)} events can be used. The most common reason: {work.reasons.most_common}")
    job.progress("done", 1.0, {"verdict": work.verdict}, work.verdict)


def model_of(run: Run) -> ModelVersion:
    """The model that a run asks for, else its site's active one. Raises Invalid where there is none."""
    if pk := run.parameters.get("model"):
        return ModelVersion.objects.get(pk=pk, site=run.site)
    if run.site.active_model is None:
        raise Invalid(f"{run.site} has no active model. Train one, or promote one.")
    return run.site.active_model


@dataclass
class Classifying:
    """Classifying some events with one model, and what came of it so far."""

    job: Job
    model: ModelVersion
    explain_all: bool = False
    looked_at: int = 0
    predicted: int = 0
    explained: int = 0
    queued: Counter[str] = field(default_factory=Counter)
    features: Features = field(default_factory=Features)

    def __post_init__(self) -> None:
        self.classifier: Classifier = load_classifier(self.model)
        self.reasons = Reasons(self.job)

    @property
    def verdict(self) -> str:
        queued = ", ".join(f"{count} {reason}" for reason, count in sorted(self.queued.items())) or "nothing to ask"
        return f"{self.predicted} events classified by {self.model}, {self.explained} explained; queue: {queued}"

    def classify(self, pks: Sequence[int], begin: float, end: float) -> None:
        """Classify events by primary key, while the run's progress goes from `begin` to `end`."""
        done = 0
        for chunk in events_in_chunks(self.job.run.site, pks):
            readings = []
            for event in chunk:
                self.job.check()
                readings.append(read_event(event, self.classifier.recipe))
                self.reasons.add(readings[-1])
            self._chunk([reading for reading in readings if reading.windows])
            done += len(chunk)
            self.looked_at += len(chunk)
            left_out = self.looked_at - self.predicted
            figures = {"classified": self.predicted, "explained": self.explained, "left out": left_out}
            self.job.progress("classifying", begin + (end - begin) * done / len(pks), {**figures, **self.queued})

    def compare(self) -> None:
        """Find which labelled events are most like those that were classified."""
        self.job.check()
        self.job.progress("finding similar events", self.job.run.progress)
        self.job.log(f"similar events found for {update(self.model, self.features)} events")

    def _chunk(self, readings: list[EventReading]) -> None:
        predictions = predict(self.classifier, self.model, readings, self.features)
        judged = judgements(self.job.run.site, predictions)
        for reading, prediction in zip(readings, predictions, strict=True):
            self.job.check()
            judgement, label = judged[reading.event.pk], reading.event.label
            is_asked = judgement.asks(label.code if label else None)
            if (self.explain_all or is_asked) and not is_explained(reading, prediction):
                explain(self.classifier, reading, prediction, explained_classes(judgement, reading.event))
                self.explained += 1
        self.predicted += len(predictions)
        # After its panels: an expert may take an item the moment that it is there.
        self.queued += Counter(fill_queue(site=self.job.run.site, predictions=predictions))


def predict(
    classifier: Classifier, model: ModelVersion, readings: Sequence[EventReading], features: Features | None = None
) -> list[Prediction]:
    """Store what the model says of each event: the mean over its stations. `features` takes what lies behind it."""
    windows = [window.window.data for reading in readings for window in reading.windows.values()]
    if not windows:
        return []
    said = classifier.predict_with_features(np.stack(windows))
    predictions, row = [], 0
    for reading in readings:
        rows = said.probabilities[row : row + len(reading.windows)]
        if features is not None and said.features is not None:
            features.add(reading.event.pk, said.features[row : row + len(reading.windows)])
        row += len(rows)
        predictions.append(
            store_prediction(
                event=reading.event,
                model=model,
                probabilities=_named(classifier, combine_stations(rows)),
                by_station={s.seed_id: _named(classifier, p) for s, p in zip(reading.windows, rows, strict=True)},
                left_out=reading.left_out,
                input_sha256=input_checksum(reading),
            )
        )
    return predictions


def explain(classifier: Classifier, reading: EventReading, prediction: Prediction, targets: tuple[str, ...]) -> None:
    """Store a panel for each station: why the class that is held against the label, and why the label."""
    spans = {o.station_id: (o.starttime, o.endtime) for o in reading.event.observations.all()}
    requests = [
        PanelRequest(window.window, station.seed_id, targets, *spans[station.pk])
        for station, window in reading.windows.items()
    ]
    for station, panel in zip(reading.windows, panels(classifier, requests), strict=True):
        summary = {
            "targets": list(targets),
            "explanations": panel.facts["explanations"],
            "difference": panel.facts["difference"],
            "problems": panel.facts["problems"],
        }
        store_explanation(prediction=prediction, station=station, panel=panel_bytes(panel), summary=summary)


def is_explained(reading: EventReading, prediction: Prediction) -> bool:
    """Whether there is a panel for each station: a worker may have died between two of them."""
    return {s.pk for s in reading.windows} <= set(prediction.explanations.values_list("station_id", flat=True))


def explained_classes(judgement: Judgement, event: Event) -> tuple[str, ...]:
    """The judged class; then the label's where it differs and the model knows it, else the second most probable."""
    ranked = sorted(judgement.probabilities, key=lambda code: -judgement.probabilities[code])
    label = judgement.called(event.label.code) if event.label else None
    return (ranked[0], label if label and label in ranked[1:] else ranked[1])


def input_checksum(reading: EventReading) -> str:
    """SHA-256 of the windows that go in, station by station."""
    digest = hashlib.sha256()
    for station, window in sorted(reading.windows.items(), key=lambda item: item[0].seed_id):
        digest.update(f"{station.seed_id} {window.window.starttime.isoformat()}\n".encode())
        digest.update(window.window.data.astype(np.float32).tobytes())
    return digest.hexdigest()


def _named(classifier: Classifier, probabilities: np.ndarray) -> dict[str, float]:
    return {code: float(p) for code, p in zip(classifier.classes, probabilities, strict=True)}
