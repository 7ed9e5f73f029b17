"""Reads of the catalogue."""

from collections.abc import Mapping

from django.core.files.storage import default_storage
from django.db.models import F, OuterRef, QuerySet, Subquery

from labelapp.catalogue import checksums
from labelapp.catalogue.errors import Invalid, Refused
from labelapp.catalogue.models import Event, Explanation, ModelVersion, Prediction, Site, TrainingExample


def find_site(name: str) -> Site:
    """The site of that name. Raises Invalid, naming the sites there are."""
    site = Site.objects.filter(name=name).first() or Site.objects.filter(name__iexact=name).first()
    if site is None:
        names = ", ".join(Site.objects.values_list("name", flat=True)) or "none"
        raise Invalid(f"There is no site {name!r}. Sites: {names}. Make one with `manage.py create_site NAME`.")
    return site


def model_files(model: ModelVersion) -> dict[str, bytes]:
    """A network's files by name. Raises Refused when they are missing or not what was stored."""
    try:
        names = default_storage.listdir(model.folder)[1]
        files = {name: _content(f"{model.folder}/{name}") for name in names}
    except OSError as error:
        raise Refused(f"The files of {model} cannot be read: {error}. Restore {model.folder} from a backup.") from error
    if checksums.of_files(files) != model.sha256:
        raise Refused(f"The files of {model} are not those that were stored. Restore {model.folder} from a backup.")
    return files


def require_classifier(model: ModelVersion) -> None:
    """Raises Refused for a pretrained encoder: it has no classes, so it can say nothing of an event."""
    if model.kind == ModelVersion.Kind.ENCODER:
        raise Refused(
            f"{model} is a pretrained encoder, which knows no classes. Train a classifier that begins with it: "
            f"`manage.py train SITE --from {model.pk}`."
        )


def panel_bytes(explanation: Explanation) -> bytes:
    """The stored panel. Raises Refused when it is missing or not what was stored."""
    try:
        content = _content(str(explanation.panel.name))
    except OSError as error:
        raise Refused(
            f"The panel {explanation.panel.name} cannot be read: {error}. Classify the event again."
        ) from error
    if checksums.of_bytes(content) != explanation.sha256:
        raise Refused(f"The panel {explanation.panel.name} is not the one that was stored.")
    return content


def _content(name: str) -> bytes:
    with default_storage.open(name) as file:
        return file.read()


def catalogue_events(site: Site | None = None, *, merged: bool = False) -> QuerySet[Event]:
    """Events for lists, oldest first, each with `predicted_class`, `predicted_probability` of its newest prediction.

    Events that were merged into others only with `merged`.
    """
    events = Event.objects.all() if merged else Event.objects.current()
    events = events.filter(site=site) if site else events
    return events.select_related("site", "station", "label", "catalogue_label").annotate(
        predicted_class=newest_prediction("event_class__code"),
        predicted_probability=newest_prediction("probability"),
    )


def newest_prediction(field: str) -> Subquery:
    """A field of an event's newest prediction, for annotations of events."""
    newest = Prediction.objects.filter(event=OuterRef("pk")).order_by("-created_at", "-pk")
    return Subquery(newest.values(field)[:1])


def latest_prediction(event: Event, model: ModelVersion | None = None) -> Prediction | None:
    """The newest prediction of an event, of one model or of any."""
    predictions = event.predictions.filter(model=model) if model else event.predictions.all()
    return predictions.select_related("model", "event_class").order_by("-created_at", "-pk").first()


def latest_panels(prediction: Prediction) -> list[Explanation]:
    """The newest panel of a prediction at each station, in the order of the stations."""
    newest: dict[int, Explanation] = {}
    for explanation in prediction.explanations.select_related("station").order_by("created_at", "pk"):
        newest[explanation.station_id] = explanation
    return sorted(newest.values(), key=lambda e: e.station.seed_id)


def examples(model: ModelVersion | int) -> QuerySet[TrainingExample]:
    """What a model learned from or was tested on, the most suspicious label first, those without a suspicion last."""
    rows = TrainingExample.objects.filter(model=model).select_related("event__label", "event_class")
    return rows.order_by(F("suspicion").desc(nulls_last=True), "pk")


def most_probable(probabilities: Mapping[str, float] | None) -> tuple[str, float] | tuple[None, None]:
    """The first class with its probability; (None, None) where there is none."""
    if not probabilities:
        return None, None
    code = max(probabilities, key=lambda code: probabilities[code])
    return code, probabilities[code]


def prediction_checksum(prediction: Prediction) -> str:
    """SHA-256 of everything a prediction says, by whom, of what."""
    return checksums.of_facts(
        {
            "event": prediction.event_id,
            "model": prediction.model.sha256,
            "event_class": prediction.event_class.code,
            "probability": prediction.probability,
            "probabilities": prediction.probabilities,
            "by_station": prediction.by_station,
            "left_out": prediction.left_out,
            "input_sha256": prediction.input_sha256,
        }
    )
