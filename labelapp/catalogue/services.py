"""Writes to the catalogue: sites, recordings, models, what models said, detections. Labels change only in review."""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Max, Model
from django.utils import timezone

from labelapp.catalogue import checksums, roles
from labelapp.catalogue.errors import Conflict, Invalid, NotAllowed, Refused
from labelapp.catalogue.models import (
    Event,
    EventClass,
    Explanation,
    ModelVersion,
    Observation,
    Prediction,
    Recording,
    Site,
    Station,
    Trace,
    TrainingExample,
)
from labelapp.catalogue.schemes import DEFAULT_CLASSES, ClassFacts
from labelapp.catalogue.selectors import require_classifier
from labelapp.catalogue.text import check_text, iso, printable


@dataclass(frozen=True)
class TraceFacts:
    """One channel's span in a file; `endtime` is the time of the last sample."""

    network: str
    station: str
    location: str
    channel: str
    starttime: datetime
    endtime: datetime
    sampling_rate_hz: float
    gaps: int = 0


@transaction.atomic
def create_site(
    *,
    name: str,
    classes: Sequence[ClassFacts] | None = None,
    recipe: dict[str, Any] | None = None,
    description: str = "",
    synthetic: bool = False,
) -> Site:
    """Make a site with its classes. Raises Conflict when the name is taken, Invalid for a bad name or class."""
    site = Site(name=name, recipe=recipe or {}, description=description, synthetic=synthetic)
    _check(site)
    check_text("description", description, 5_000)
    if Site.objects.filter(name__iexact=name).exists():
        raise Conflict(f"There is a site {name!r} already. Choose another name, or use that site.")
    site.save()
    for facts in classes or DEFAULT_CLASSES:
        event_class = EventClass(site=site, **asdict(facts))
        _check(event_class)
        event_class.save()
    return site


def get_station(*, site: Site, network: str, code: str, location: str) -> Station:
    """The site's station NET.STA.LOC, made if it is new. Raises Invalid for a name that is no SEED code."""
    _check(Station(site=site, network=network, code=code, location=location), exclude=["site"])
    return Station.objects.get_or_create(site=site, network=network, code=code, location=location)[0]


@transaction.atomic
def record_recording(
    *,
    site: Site,
    path: str | Path,
    sha256: str,
    size_bytes: int,
    format: str,
    traces: Sequence[TraceFacts],
    problems: Sequence[str] = (),
) -> tuple[Recording, bool]:
    """Register a file's channels; → (recording, whether it is new). A file known by its checksum is not added again.

    A known file that has moved gets its new path; a file whose content has changed replaces what was known of it.
    Traces with hostile names or spans are left out and said in `problems`. Raises Invalid when none is left.
    """
    path = printable(str(path))
    known = Recording.objects.select_for_update().filter(site=site, sha256=sha256).first()
    if known:
        Recording.objects.filter(site=site, path=path).exclude(pk=known.pk).delete()  # that file is there no more
        if known.path != path and not Path(known.path).exists():
            Recording.objects.filter(pk=known.pk).update(path=path)
            known.path = path
        return known, False
    usable, refused = _usable_traces(site, traces)
    if not usable:
        raise Invalid(f"{path} has no channel that can be used. {' '.join(refused)}".strip())
    replaced, _ = Recording.objects.filter(site=site, path=path).delete()
    said = [*problems, *refused, *(["The file has changed since it was first ingested."] if replaced else [])]
    recording = Recording.objects.create(
        site=site,
        path=path,
        sha256=sha256,
        size_bytes=size_bytes,
        format=printable(format)[:20],
        problems=[printable(problem) for problem in said],
    )
    for trace in usable:
        trace.recording = recording
    Trace.objects.bulk_create(usable)
    return recording, True


def _usable_traces(site: Site, traces: Sequence[TraceFacts]) -> tuple[list[Trace], list[str]]:
    usable, refused = [], []
    for facts in traces:
        seed_id = printable(f"{facts.network}.{facts.station}.{facts.location}.{facts.channel}")[:60]
        try:
            usable.append(_trace(site, facts))
        except Invalid as error:
            refused.append(f"{seed_id} is left out: {error}")
    return usable, refused


def _trace(site: Site, facts: TraceFacts) -> Trace:
    if facts.endtime < facts.starttime:
        raise Invalid(f"It ends ({facts.endtime}) before it starts ({facts.starttime}).")
    if not (math.isfinite(facts.sampling_rate_hz) and facts.sampling_rate_hz > 0):
        raise Invalid(f"Its sampling rate is {facts.sampling_rate_hz} Hz.")
    trace = Trace(
        station=get_station(site=site, network=facts.network, code=facts.station, location=facts.location),
        channel=facts.channel,
        starttime=facts.starttime,
        endtime=facts.endtime,
        sampling_rate_hz=facts.sampling_rate_hz,
        gaps=facts.gaps,
    )
    _check(trace, exclude=["recording", "station"])
    return trace


def store_model(
    *,
    site: Site,
    files: Mapping[str, bytes],
    description: Mapping[str, Any],
    splits: Mapping[int, str] | None = None,
    labels: Mapping[int, EventClass | str] | None = None,
    out_of_fold: Mapping[int, Mapping[str, float]] | None = None,
    suspicion: Mapping[int, float] | None = None,
    trained_on: str = "",
    **facts: Any,
) -> ModelVersion:
    """Store a network's files, then its row and training examples; the files go again when the row cannot be written.

    `description` holds `classes`, `recipe`, `metrics` and `history`; `splits` {event pk: "train" | "validation" |
    "test"} and `labels` {event pk: class or its code} say what it learned from, `out_of_fold` {event pk: {class code:
    probability}} what the folds that never saw an event say of it, `suspicion` {event pk: 0…1} how likely its label is
    wrong; `facts` are more of the row: `kind`, `pool`, `started_from`. Raises Invalid for unknown classes,
    probabilities that are none, or events without a split.
    """
    folder = f"models/{site.pk}/{uuid.uuid4().hex}"
    try:
        for name, content in files.items():
            default_storage.save(f"{folder}/{name}", ContentFile(content))
        with transaction.atomic():
            model = _model_row(site, folder, files, description, trained_on=printable(trained_on), **facts)
            _add_examples(model, splits or {}, labels or {}, out_of_fold or {}, suspicion or {})
            return model
    except BaseException:
        for name in files:
            default_storage.delete(f"{folder}/{name}")
        raise


def _model_row(
    site: Site,
    folder: str,
    files: Mapping[str, bytes],
    description: Mapping[str, Any],
    **facts: Any,
) -> ModelVersion:
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    _refuse_unknown(site, classes_by_code(site), description["classes"])
    number = ModelVersion.objects.filter(site=site).aggregate(last=Max("number"))["last"] or 0
    return ModelVersion.objects.create(
        site=site,
        number=number + 1,
        folder=folder,
        sha256=checksums.of_files(dict(files)),
        classes=list(description["classes"]),
        recipe=description.get("recipe", {}),
        metrics=description.get("metrics") or {},
        history=description.get("history") or [],
        **facts,
    )


def _add_examples(
    model: ModelVersion,
    splits: Mapping[int, str],
    labels: Mapping[int, EventClass | str],
    out_of_fold: Mapping[int, Mapping[str, float]],
    suspicion: Mapping[int, float],
) -> None:
    by_code = classes_by_code(model.site)
    if strangers := (out_of_fold.keys() | suspicion.keys()) - splits.keys():
        raise Invalid(f"{len(strangers)} events are judged out of fold, but have no split. Say what each was used for.")
    for pk, probabilities in out_of_fold.items():
        _check_probabilities(f"Event {pk}, out of fold", model.site, by_code, probabilities)
    for pk, value in suspicion.items():
        if not 0 <= value <= 1:  # refuses nan as well
            raise Invalid(f"The suspicion of event {pk} is {value}, but must lie between 0 and 1.")
    TrainingExample.objects.bulk_create(
        TrainingExample(
            model=model,
            event_id=pk,
            split=split,
            event_class=_class_of(by_code, labels[pk]),
            out_of_fold=dict(out_of_fold[pk]) if pk in out_of_fold else None,
            suspicion=suspicion.get(pk),
        )
        for pk, split in splits.items()
    )


def _class_of(by_code: Mapping[str, EventClass], event_class: EventClass | str) -> EventClass:
    return by_code[event_class] if isinstance(event_class, str) else event_class


@transaction.atomic
def promote_model(*, model: ModelVersion, by: Any = None) -> Site:
    """Make a model its site's active one. `by` is the deciding manager; None where the program itself decides.

    Raises NotAllowed for other users, Refused for an encoder and for a model without figures on events it never saw.
    """
    if by is not None and not roles.is_manager(by):
        raise NotAllowed(f"{by} is not a manager. Ask a manager to promote {model}.")
    require_classifier(model)
    if not tested_events(model):
        raise Refused(f"{model} was never tested on events it had not seen. Train it on more events, then promote it.")
    site = Site.objects.select_for_update(no_key=True).get(pk=model.site_id)
    site.active_model = model
    site.save(update_fields=["active_model"])
    model.promoted_at, model.promoted_by = timezone.now(), by
    model.save(update_fields=["promoted_at", "promoted_by"])
    return site


def tested_events(model: ModelVersion) -> int:
    """On how many unseen events the model's metrics rest: the sum of its confusion matrix.

    Where none were held out, of the one that the folds gave: each event judged by networks that never saw it.
    """
    reports = model.metrics, model.metrics.get("out_of_fold") or {}
    counts = [sum(sum(row) for row in report.get("confusion_matrix") or []) for report in reports]
    return next((count for count in counts if count), 0)


@transaction.atomic
def store_prediction(
    *,
    event: Event,
    model: ModelVersion,
    probabilities: Mapping[str, float],
    by_station: Mapping[str, Mapping[str, float]] | None = None,
    left_out: Mapping[str, str] | None = None,
    input_sha256: str,
) -> Prediction:
    """Store what a model said of an event; the same model and windows give the row that is there already.

    Raises Invalid for classes the site does not have, or probabilities that are none.
    """
    by_code = classes_by_code(event.site)
    _check_probabilities(str(event), event.site, by_code, probabilities)
    code = max(probabilities, key=lambda c: probabilities[c])
    prediction, _ = Prediction.objects.get_or_create(
        event=event,
        model=model,
        input_sha256=input_sha256,
        defaults={
            "event_class": by_code[code],
            "probability": probabilities[code],
            "probabilities": dict(probabilities),
            "by_station": {station: dict(p) for station, p in (by_station or {}).items()},
            "left_out": {station: printable(why) for station, why in (left_out or {}).items()},
        },
    )
    return prediction


def store_explanation(*, prediction: Prediction, station: Station, panel: bytes, summary: dict) -> Explanation:
    """Store the panel of a prediction at a station; the same content is stored once."""
    sha256 = checksums.of_bytes(panel)
    known = Explanation.objects.filter(prediction=prediction, station=station, sha256=sha256).first()
    if known:
        return known
    explanation = Explanation(prediction=prediction, station=station, sha256=sha256, summary=summary)
    explanation.panel.save(f"{prediction.pk}-{station.pk}-{sha256[:12]}.safetensors", ContentFile(panel))
    return explanation


@transaction.atomic
def add_detection(
    *,
    site: Site,
    station: Station,
    starttime: datetime,
    endtime: datetime,
    class_code: str,
    probability: float,
    model: ModelVersion | None = None,
) -> tuple[Event, bool]:
    """Add a detected event without a label; → (event, whether it is new).

    An event that the station observed within the same span is matched, not added again, so that a scan may be repeated.
    """
    _refuse_unknown(site, classes_by_code(site), [class_code])
    Station.objects.select_for_update(no_key=True).get(pk=station.pk)  # two scans must not add the same event
    overlapping = Observation.objects.filter(station=station, starttime__lt=endtime, endtime__gt=starttime)
    if match := overlapping.select_related("event").order_by("starttime").first():
        return match.event.survivor, False
    event, created = Event.objects.get_or_create(
        site=site,
        event_id=f"det-{station.seed_id}-{iso(starttime)}",
        defaults={
            "starttime": starttime,
            "endtime": endtime,
            "station": station,
            "origin": Event.Origin.DETECTION,
            "source": str(model or "a model")[:300],
            "description": f"Detected as {class_code} with probability {probability:.3f}.",
        },
    )
    if created:
        Observation.objects.create(event=event, station=station, starttime=starttime, endtime=endtime)
    return event, created


def classes_by_code(site: Site) -> dict[str, EventClass]:
    """The site's classes, in the order of their keys."""
    return {event_class.code: event_class for event_class in site.classes.order_by("key")}


def _check_probabilities(
    of: str, site: Site, by_code: Mapping[str, EventClass], probabilities: Mapping[str, float]
) -> None:
    _refuse_unknown(site, by_code, probabilities)
    if not all(math.isfinite(p) and 0 <= p <= 1 for p in probabilities.values()):
        raise Invalid(f"{of}: the probabilities {dict(probabilities)} must lie between 0 and 1.")
    if not math.isclose(sum(probabilities.values()), 1, abs_tol=1e-3):
        raise Invalid(f"{of}: the probabilities {dict(probabilities)} must sum to 1.")


def _refuse_unknown(site: Site, by_code: Mapping[str, EventClass], codes: Any) -> None:
    if unknown := sorted(set(codes) - set(by_code)):
        raise Invalid(f"{site} has no class {', '.join(unknown)}. Its classes are {', '.join(by_code)}.")


def _check(row: Model, exclude: Sequence[str] = ()) -> None:
    """Django's validators, their complaint as one sentence."""
    try:
        row.clean_fields(exclude=set(exclude))
    except ValidationError as error:
        said = "; ".join(
            f"{field} {getattr(row, field, '')!r}: {' '.join(m)}" for field, m in error.message_dict.items()
        )
        raise Invalid(said) from error
