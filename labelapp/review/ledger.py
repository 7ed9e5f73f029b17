"""The ledger of decisions: written in one place, verified, replayed. See `chain` for how rows hang together."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from labelapp.catalogue import selectors as catalogue
from labelapp.catalogue.errors import Invalid, Refused
from labelapp.catalogue.models import Event, EventClass, Explanation, ModelVersion, Prediction, Site
from labelapp.catalogue.text import iso
from labelapp.review import chain, triggers
from labelapp.review.chain import Problem
from labelapp.review.checking import check_merges, check_spans
from labelapp.review.details import clean
from labelapp.review.models import Relabel, ReviewItem
from labelapp.review.standing import standing

# In `shown` of a blind decision: {NET.STA.LOC: sha256 of the panel} whose waveform and STFT were on the page.
WAVEFORMS = "waveform_and_stft"


def facts(row: Relabel) -> dict[str, Any]:
    """Every fact of a row that its hash covers; also what an export writes, beside the hash.

    `details` only where there are any: rows from before they were kept have their hash without them.
    """
    return {
        "site": row.site_id,
        "site_name": row.site_name,
        "sequence": row.sequence,
        "event": row.event_id,
        "event_name": row.event_name,
        "item": row.item_id,
        "expert": row.expert_id,
        "expert_name": row.expert_name,
        "kind": row.kind,
        "from_class": row.from_class_id,
        "from_code": row.from_code,
        "to_class": row.to_class_id,
        "to_code": row.to_code,
        "reason": row.reason,
        "prediction": row.prediction_id,
        "shown": row.shown,
        "decided_at": iso(row.decided_at),
        "previous_hash": row.previous_hash,
        **({"details": row.details} if row.details else {}),
    }


def hashed(row: Relabel) -> dict[str, Any]:
    """A row as `chain` checks it."""
    return {**facts(row), "hash": row.hash}


@transaction.atomic
def append_to_ledger(
    *,
    site: Site,
    event: Event,
    expert: Any,
    item: ReviewItem | None,
    to_class: EventClass | None,
    reason: str,
    prediction: Prediction | None = None,
    shown: dict[str, Any] | None = None,
    kind: str | None = None,
    details: Mapping[str, Any] | None = None,
    decided_at: datetime | None = None,
) -> Relabel:
    """Add a decision to the end of the site's chain. Only services of this room call this, with the event locked.

    `kind` is found from the classes where it is not given. Raises Invalid for details that are none.
    """
    row = Relabel(
        event=event,
        item=item,
        kind=kind or kind_of(event.label, to_class),
        from_class=event.label,
        to_class=to_class,
        reason=reason,
        details=dict(details or {}),
        prediction=prediction,
        shown=shown or {},
        decided_at=decided_at or timezone.now(),
    )
    append_rows(site=site, expert=expert, rows=[row])
    return row


@transaction.atomic
def append_rows(*, site: Site, expert: Any, rows: Sequence[Relabel]) -> None:
    """Add one expert's decisions to the end of the site's chain, in their order: the only place that writes the ledger.

    The rows come with their facts, and get place, names, codes, time and hash here. The site's row is locked, so that
    two decisions never get the same place. Raises Invalid for details that are none (see `details.clean`).
    """
    site = Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    last, now = Relabel.objects.filter(site=site).order_by("-sequence").first(), timezone.now()
    for row in rows:
        row.site, row.site_name = site, site.name
        row.sequence = last.sequence + 1 if last else 1
        row.event_name = row.event.event_id
        row.expert, row.expert_name = expert, expert.get_username()
        row.from_code = row.from_class.code if row.from_class else ""
        row.to_code = row.to_class.code if row.to_class else ""
        row.details = clean(row.details)
        row.decided_at = row.decided_at or now
        row.previous_hash = last.hash if last else chain.FIRST_PREVIOUS
        row.hash = chain.row_hash(facts(row))
        last = row
    Relabel.objects.bulk_create(rows, batch_size=500)


def kind_of(label: EventClass | None, to_class: EventClass | None) -> str:
    """Whether a decision gives the first label, confirms the one there is, or changes it."""
    if label is None:
        return Relabel.Kind.FIRST
    return Relabel.Kind.CONFIRM if label == to_class else Relabel.Kind.CORRECT


def describe_shown(prediction: Prediction | None, panels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What an expert sees with a prediction, by checksum: what it says, its model, its panels.

    `panels` {NET.STA.LOC: sha256} are those on the page, by default the newest. Raises Invalid for unknown ones.
    """
    if prediction is None:
        return {}
    if panels is None:
        panels = {e.station.seed_id: e.sha256 for e in catalogue.latest_panels(prediction)}
    elif strangers := set(panels.items()) - _stored_panels(prediction):
        raise Invalid(
            f"Panels of {', '.join(sorted(s for s, _ in strangers))} are not those stored. Load the item again."
        )
    return {
        "prediction": {"id": prediction.pk, "sha256": catalogue.prediction_checksum(prediction)},
        "model": {"number": prediction.model.number, "sha256": prediction.model.sha256},
        "panels": dict(panels),
    }


def _stored_panels(prediction: Prediction) -> set[tuple[str, str]]:
    return {(e.station.seed_id, e.sha256) for e in prediction.explanations.select_related("station")}


def describe_judgement(item: ReviewItem) -> dict[str, Any]:
    """What the page said of where the item stands: who judged the event, how, and how suspicious its label is.

    Numbers as text: the chain hashes no floats.
    """
    if item.judged_class is None:
        return {}
    said = {"class": item.judged_class.code, "probability": repr(item.judged_probability), "basis": item.basis}
    return {"judgement": {**said, "suspicion": "" if item.suspicion is None else repr(item.suspicion)}}


def replay(site: Site) -> dict[int, int]:
    """The labels that the ledger gives, {event pk: class pk}, on top of what the catalogue was imported with.

    Events without a label are not in it.
    """
    labels = dict(_imported_labels(site))
    rows = site.relabels.filter(kind__in=Relabel.SETS_LABEL).order_by("sequence")
    labels.update(rows.values_list("event_id", "to_class_id"))
    return {event: label for event, label in labels.items() if label is not None}


def _imported_labels(site: Site) -> Any:
    return site.events.filter(catalogue_label__isnull=False).values_list("pk", "catalogue_label_id")


def head(site: Site) -> str:
    """Hash of the last row: who notes it elsewhere can prove later that nothing was cut off."""
    last = site.relabels.order_by("-sequence").first()
    return last.hash if last else chain.FIRST_PREVIOUS


def verify(site: Site, *, files: bool = True, expect_head: str = "") -> list[Problem]:
    """Everything that is wrong with a site's ledger; empty where it is sound.

    Checks the database's triggers, the chain, that each row follows from those before, that the labels are what the
    replay gives, that events were moved and merged as the rows say, that closed items have their decision, and that
    what was shown is still what it was; with `files` also the stored panels and weights. Rows cut off the end show as
    labels and items without a decision; who rewrites those too is found only by a head noted elsewhere: `expect_head`.
    """
    with transaction.atomic():  # one state of everything, while experts go on deciding
        if connection.vendor == "postgresql":
            Site.objects.select_for_update(no_key=True).get(pk=site.pk)
        rows = list(site.relabels.order_by("sequence", "pk").select_related("to_class", "from_class"))
        problems = [
            *(Problem(None, f"the database lacks the trigger {name}: run `manage.py migrate`, and ask who dropped it.")
              for name in triggers.missing(connection)),
            *chain.check(hashed(row) for row in rows),
            *_check_head(rows, expect_head),
            *_check_steps(site, rows),
            *_check_labels(site, rows),
            *check_merges(site, rows),
            *check_spans(site, rows),
            *_check_items(site),
        ]  # fmt: skip
    return [*problems, *_check_shown(rows, files)]


def _check_head(rows: list[Relabel], expected: str) -> Iterator[Problem]:
    if expected and expected not in {row.hash for row in rows}:
        yield Problem(None, f"no row has the expected head {expected}: rows are missing, or were written anew.")


def _check_steps(site: Site, rows: list[Relabel]) -> Iterator[Problem]:
    """Each row must start from the label that the rows before it gave; a withdrawal must take one of them back."""
    labels: dict[int, int | None] = dict(_imported_labels(site))
    holding: dict[int, Relabel] = {}
    for row in rows:
        if labels.get(row.event_id) != row.from_class_id:
            yield Problem(
                row.sequence, f"it says {row.event_name} was {row.from_code or 'unlabelled'}, but it was not."
            )
        for code, event_class in ((row.from_code, row.from_class), (row.to_code, row.to_class)):
            if event_class and event_class.code != code:
                yield Problem(row.sequence, f"class {code} is now called {event_class.code}.")
        if row.kind == Relabel.Kind.WITHDRAW:
            yield from _check_withdrawal(row, holding)
        else:
            holding[row.sequence] = row
        if row.kind in Relabel.SETS_LABEL:
            labels[row.event_id] = row.to_class_id


def _check_withdrawal(row: Relabel, holding: dict[int, Relabel]) -> Iterator[Problem]:
    """It must name a decision on its event that holds, and give back the label from before that."""
    named = row.details.get("withdraws") if isinstance(row.details, dict) else None
    taken_back = holding.pop(named, None) if isinstance(named, int) else None
    if taken_back is None or taken_back.event_id != row.event_id:
        yield Problem(row.sequence, f"it withdraws row {named}, which is no decision on {row.event_name} that holds.")
        return
    before = taken_back.from_class_id if taken_back.kind in Relabel.SETS_LABEL else row.from_class_id
    if row.to_class_id != before:
        yield Problem(row.sequence, f"it withdraws row {named}, but does not give back the label from before that.")


def _check_labels(site: Site, rows: list[Relabel]) -> Iterator[Problem]:
    codes: dict[int | None, str] = {None: "unlabelled", **dict(site.classes.values_list("pk", "code"))}
    last = {row.event_id: row.sequence for row in rows}
    replayed = replay(site)
    for pk, event_id, label in site.events.values_list("pk", "event_id", "label_id").iterator():
        if label != replayed.get(pk):
            found, expected = codes.get(label, label), codes.get(replayed.get(pk))
            yield Problem(last.get(pk), f"event {event_id} is labelled {found}, but the ledger gives {expected}.")


def _check_items(site: Site) -> Iterator[Problem]:
    decided = standing(Relabel.objects.filter(item=OuterRef("pk")).exclude(kind=Relabel.Kind.BLIND))
    undecided = site.review_items.filter(~Exists(decided), state=ReviewItem.State.DONE)
    for pk, event_id in undecided.values_list("pk", "event__event_id"):
        yield Problem(None, f"item {pk} ({event_id}) is closed, but no row decides it: rows are missing.")


def _check_shown(rows: list[Relabel], files: bool) -> Iterator[Problem]:
    """What the experts saw must still be there, unchanged."""
    yield from _check_waveforms(rows)
    wanted = {row.prediction_id for row in rows if row.prediction_id}
    model_problems: dict[int, str] = {}
    predictions = Prediction.objects.select_related("model", "event_class").in_bulk(wanted)
    panels: dict[int, list[Explanation]] = {}
    for explanation in Explanation.objects.filter(prediction__in=wanted).select_related("station"):
        panels.setdefault(explanation.prediction_id, []).append(explanation)
    for row in rows:
        if row.prediction_id is None or not isinstance(row.shown, dict):  # the hash tells of another `shown`
            continue
        prediction = predictions.get(row.prediction_id)
        if prediction is None:
            yield Problem(row.sequence, f"prediction {row.prediction_id}, which the expert saw, is gone.")
            continue
        yield from _check_prediction(row, prediction)
        yield from _check_panels(row, panels.get(prediction.pk, []), files)
        if files and (why := _model_problem(prediction.model, model_problems)):
            yield Problem(row.sequence, why)


def _check_waveforms(rows: list[Relabel]) -> Iterator[Problem]:
    """The panels of which an expert who decided blindly saw waveform and STFT."""
    shown = {row: row.shown[WAVEFORMS] for row in rows if isinstance(row.shown, dict) and WAVEFORMS in row.shown}
    wanted = {sha256 for panels in shown.values() for sha256 in panels.values()}
    known = set(Explanation.objects.filter(sha256__in=wanted).values_list("prediction__event_id", "sha256"))
    for row, panels in shown.items():
        for station, sha256 in panels.items():
            if (row.event_id, sha256) not in known:
                yield Problem(row.sequence, f"the panel of {station} that the expert saw is gone.")


def _check_prediction(row: Relabel, prediction: Prediction) -> Iterator[Problem]:
    shown = row.shown.get("prediction", {})
    if shown != {"id": prediction.pk, "sha256": catalogue.prediction_checksum(prediction)}:
        yield Problem(row.sequence, f"prediction {prediction.pk} is not what the expert saw.")
    if row.shown.get("model", {}).get("sha256") != prediction.model.sha256:
        yield Problem(row.sequence, f"{prediction.model} is not the model that the expert saw.")


def _check_panels(row: Relabel, panels: list[Explanation], files: bool) -> Iterator[Problem]:
    known = {(panel.station.seed_id, panel.sha256): panel for panel in panels}
    for shown in row.shown.get("panels", {}).items():
        if shown not in known:
            yield Problem(row.sequence, f"the panel of {shown[0]} that the expert saw is gone.")
        elif files and (why := _refusal(catalogue.panel_bytes, known[shown])):
            yield Problem(row.sequence, why)


def _model_problem(model: ModelVersion, known: dict[int, str]) -> str:
    """Read each model's files once."""
    if model.pk not in known:
        known[model.pk] = _refusal(catalogue.model_files, model)
    return known[model.pk]


def _refusal(read: Any, what: Any) -> str:
    try:
        read(what)
    except Refused as error:
        return str(error)
    return ""
