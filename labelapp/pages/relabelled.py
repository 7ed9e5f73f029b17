"""A model's events as they were labelled when it was trained, and as they are labelled now."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labelapp.catalogue.models import EventClass, ModelVersion, Prediction, TrainingExample
from labelapp.catalogue.selectors import examples, most_probable
from labelapp.catalogue.vocabulary import known_as
from labelapp.pages.figures import Scores, changes, overall_changes, scores_of

Split = TrainingExample.Split
# Suspected labels on the page; the export has them all.
SHOWN = 12


@dataclass(frozen=True)
class Judged:
    """An event with both labels and what a judge that never learned from it says."""

    before: str | None
    now: str | None
    predicted: str


def relabelling(judged: list[Judged], codes: list[str], classes: Mapping[str, EventClass]) -> dict[str, Any] | None:
    """Scores by the labels of the training and by those of today; None where nobody judged anything."""
    if not judged:
        return None
    before = scores_of(((row.before, row.predicted) for row in judged), codes, classes)
    after = scores_of(((row.now, row.predicted) for row in judged), codes, classes)
    changed = [row for row in judged if row.now != row.before]
    return {
        "events": len(judged),
        "changed": len(changed),
        "contradicted": sum(row.before != row.predicted for row in judged),
        "towards_the_model": sum(row.now == row.predicted for row in changed),
        "before": before,
        "after": after,
        "classes": changes(before, after),
        "overall": overall_changes(before, after),
    }


def judged_on_test(model: ModelVersion) -> list[Judged]:
    """Its test events, by its newest stored prediction of each."""
    called = _in_its_words(model)
    rows = model.examples.filter(split=Split.TEST).values_list("event_id", "event_class__code", "event__label__code")
    said = Prediction.objects.filter(model=model, event__examples__in=model.examples.filter(split=Split.TEST))
    newest = dict(said.order_by("created_at", "pk").values_list("event_id", "event_class__code"))
    return [Judged(called(before), called(now), newest[event]) for event, before, now in rows if event in newest]


def judged_out_of_fold(model: ModelVersion) -> list[Judged]:
    """The events that it learned from, by members that did not."""
    rows = model.examples.filter(out_of_fold__isnull=False).exclude(split=Split.TEST)
    found = rows.values_list("event_class__code", "event__label__code", "out_of_fold")
    called = _in_its_words(model)
    judged = ((called(before), called(now), most_probable(said)[0]) for before, now, said in found)
    return [Judged(before, now, code) for before, now, code in judged if code]


def _in_its_words(model: ModelVersion) -> Callable[[str | None], str | None]:
    """What the model calls a class of its site: its recipe may count several to one."""
    names = known_as(model.recipe, model.site.classes.values_list("code", flat=True))
    return lambda code: names.get(code, code) if code else None


def suspected(model: ModelVersion, classes: Mapping[str, EventClass]) -> list[dict[str, Any]]:
    """The most suspicious labels, with what the folds say of them."""
    rows = []
    for example in examples(model).filter(suspicion__isnull=False)[:SHOWN]:
        code, probability = most_probable(example.out_of_fold)
        changed = example.event.label_id != example.event_class_id
        rows.append(
            {"example": example, "judged": classes.get(code or ""), "probability": probability, "changed": changed}
        )
    return rows


def events_by_class(model: ModelVersion, classes: Mapping[str, EventClass]) -> dict[str, Any] | None:
    """How many events of each class it learned from, chose its best epoch by, and was tested on."""
    counts = Counter(model.examples.values_list("event_class__code", "split"))
    if not counts:
        return None
    present = {code for code, _ in counts}
    rows: list[dict[str, Any]] = [
        {"event_class": event_class, "counts": [counts[code, split] for split in Split.values]}
        for code, event_class in classes.items()
        if code in present or code in model.classes
    ]
    totals = [sum(row["counts"][i] for row in rows) for i in range(len(Split.values))]
    most = max(sum(row["counts"]) for row in rows) or 1
    for row in rows:
        row["total"] = sum(row["counts"])
        row["share"] = row["total"] / most
    return {"rows": rows, "totals": totals, "total": sum(totals)}


def scores_or_none(found: dict[str, Any] | None) -> Scores | None:
    """The scores of before, where somebody judged."""
    return found["before"] if found else None
