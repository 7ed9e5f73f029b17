"""Confusion matrices of any two: the catalogue at two moments, a model and the catalogue, two models."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import Event, EventClass, ModelVersion, Site
from labelapp.pages.figures import Scores, changes, kappa, overall_changes, scores_of
from labelapp.pages.site import for_viewers, get_site, page_of, site_page
from labelapp.review import comparing
from labelapp.review.comparing import IMPORTED, JUDGING, MODEL, NOW, UNSEEN, Opinion, Pair

CLASSIFIER = ModelVersion.Kind.CLASSIFIER
AT = "at"
NO_LABEL = "none"  # in addresses
BOTH = ("before", "after")


class ComparisonForm(forms.Form):
    """What is compared. Each opinion is a choice; "at a time" takes the time beside it."""

    def __init__(self, data: Any, *, site: Site) -> None:
        super().__init__(data)
        models = site.models.filter(kind=CLASSIFIER).order_by("-number").values_list("number", flat=True)
        known = [(IMPORTED, "catalogue as imported"), (NOW, "catalogue now"), (AT, "catalogue at the time")]
        known += [(f"{MODEL}{n}", f"model {n}") for n in models]
        for name, label, first in (
            ("before", "Before", IMPORTED),
            ("after", "After", NOW),
            ("against", "Both held against", ""),
        ):
            choices = known if first else [("", "nothing"), *known]
            self.fields[name] = forms.ChoiceField(label=label, required=False, choices=choices, initial=first)
            self.fields[f"{name}_at"] = forms.CharField(
                label=f"{label}: time (UTC)", required=False, max_length=40, widget=_time()
            )
        self.fields["judging"] = forms.ChoiceField(label="Models judge", required=False, choices=[*JUDGING.items()])

    def name_of(self, side: str) -> str:
        """What `comparing.opinion` calls the choice; "" where nothing was chosen."""
        chosen = str(self.data.get(side) or self.fields[side].initial or "")
        return str(self.data.get(f"{side}_at", "")).strip() if chosen == AT else chosen

    @property
    def judging(self) -> str:
        """How models are asked."""
        given = self.data.get("judging", "")
        return given if given in JUDGING else UNSEEN


def _time() -> forms.TextInput:
    return forms.TextInput({"placeholder": "2026-03-01T06:00", "size": 18, "list": "moments"})


@for_viewers
def matrices(request: HttpRequest, site_id: int) -> HttpResponse:
    site = get_site(site_id)
    form = ComparisonForm(_complete(request), site=site)
    context: dict[str, Any] = {"form": form, "moments": _moments(site)}
    try:
        opinions = _opinions(site, form)
    except Invalid as error:
        return site_page(request, "matrices", site, **context, refusal=str(error))
    classes = {each.code: each for each in site.classes.all()}
    found = comparing.pairs(*opinions)
    context |= {
        "opinions": dict(zip(("before", "after", "against"), opinions, strict=False)),
        "names": {f"{side}": form.name_of(side) for side in ("before", "after", "against") if form.name_of(side)},
        "judging": form.judging,
        "events": len(found),
        "has_models": any(each.model for each in opinions),
        "both": _matrix(found, "both", opinions, classes),
        "figures": _figures(found, classes),
        "held": _held(found, opinions, classes) if len(opinions) == 3 else None,
        "cell": _cell(request, found, opinions, classes),
    }
    return site_page(request, "matrices", site, **context)


def _axes(side: str, opinions: list[Opinion]) -> tuple[str, str]:
    """Which two of a pair's opinions a matrix shows: (rows, columns). A catalogue that is judged is in the rows."""
    if side not in BOTH or len(opinions) < 3:
        return BOTH
    is_judged = opinions[2].model is not None and opinions[BOTH.index(side)].model is None
    return (side, "against") if is_judged else ("against", side)


def _complete(request: HttpRequest) -> dict[str, str]:
    """The parameters, with the defaults where the address says nothing."""
    return {"before": IMPORTED, "after": NOW, **request.GET.dict()}


def _opinions(site: Site, form: ComparisonForm) -> list[Opinion]:
    names = [form.name_of(side) for side in ("before", "after")]
    names += [name] if (name := form.name_of("against")) or form.data.get("against") == AT else []
    return [comparing.opinion(site, name, form.judging) for name in names]


def _moments(site: Site) -> list[tuple[str, str]]:
    """Times worth choosing: when each model was made, and when the last days of decisions began."""
    models = site.models.filter(kind=CLASSIFIER).order_by("-number").values_list("created_at", "number")[:10]
    days = site.relabels.order_by("-decided_at__date").values_list("decided_at__date", flat=True).distinct()[:10]
    found = [(f"{at:%Y-%m-%dT%H:%M:%S}", f"model {number} was made") for at, number in models]
    return found + [(f"{day:%Y-%m-%d}T00:00:00", "before this day’s decisions") for day in days]


def _matrix(found: list[Pair], side: str, opinions: list[Opinion], classes: Mapping[str, EventClass]) -> dict[str, Any]:
    """Rows and columns of the classes that occur, without a label last; each cell knows its address."""
    down, across = _axes(side, opinions)
    counts = Counter((getattr(pair, down), getattr(pair, across)) for pair in found)
    met = {code for pair in counts for code in pair}
    codes: list[str | None] = [code for code in classes if code in met] + ([None] if None in met else [])
    rows = [_matrix_row(code, codes, counts, classes) for code in codes]
    totals = [sum(counts[row, code] for row in codes) for code in codes]
    columns = [{"event_class": classes.get(code or ""), "total": n} for code, n in zip(codes, totals, strict=True)]
    words = dict(zip((*BOTH, "against"), [each.words for each in opinions], strict=False))
    return {"side": side, "rows": rows, "columns": columns, "total": counts.total(), "down": words[down],
            "across": words[across]}  # fmt: skip


def _matrix_row(
    code: str | None, codes: list[str | None], counts: Any, classes: Mapping[str, EventClass]
) -> dict[str, Any]:
    total = sum(counts[code, column] for column in codes)
    cells = [
        {"count": counts[code, column], "share": counts[code, column] / (total or 1), "diagonal": code == column,
         "row": code or NO_LABEL, "column": column or NO_LABEL}
        for column in codes
    ]  # fmt: skip
    return {"event_class": classes.get(code or ""), "cells": cells, "total": total}


def _scores(said: list[tuple[str | None, str | None]], classes: Mapping[str, EventClass]) -> Scores:
    """Of (row, column) pairs; those without a label on either side are left out."""
    met = {code for pair in said for code in pair}
    return scores_of(((a, b) for a, b in said if b), [code for code in classes if code in met], classes)


def _figures(found: list[Pair], classes: Mapping[str, EventClass]) -> dict[str, Any]:
    scores = _scores([(pair.before, pair.after) for pair in found], classes)
    changed = sum(pair.before != pair.after for pair in found)
    return {"scores": scores, "kappa": kappa(scores), "changed": changed, "labelled": scores.events}


def _held(found: list[Pair], opinions: list[Opinion], classes: Mapping[str, EventClass]) -> dict[str, Any]:
    """Before and after, each held against the third: matrices, figures, and what they changed by.

    Only events that have a class in all three are counted, so that both stand on the same events.
    """
    same = _in_all(found)
    known = {code: each for code, each in classes.items() if any(code in pair[1:] for pair in same)}
    before, after = (_held_scores(same, _axes(side, opinions), known) for side in BOTH)
    return {
        "events": len(same),
        "matrices": [(_matrix(same, side, opinions, classes), side) for side in BOTH],
        "overall": {**overall_changes(before, after), "kappa": _by(kappa(before), kappa(after))},
        "classes": changes(before, after),
    }


def _held_scores(same: list[Pair], axes: tuple[str, str], known: Mapping[str, EventClass]) -> Scores:
    down, across = axes
    return scores_of(((getattr(p, down), getattr(p, across)) for p in same), list(known), known)


def _in_all(found: list[Pair]) -> list[Pair]:
    return [pair for pair in found if None not in pair[1:]]


def _by(before: float | None, after: float | None) -> dict[str, float | None]:
    return {"before": before, "after": after, "by": None if before is None or after is None else after - before}


def _cell(
    request: HttpRequest, found: list[Pair], opinions: list[Opinion], classes: Mapping[str, EventClass]
) -> dict[str, Any] | None:
    """The events behind the cell that the address names."""
    side, row, column = (request.GET.get(name, "") for name in ("of", "row", "column"))
    down, across = _axes(side, opinions)
    known = {*classes, NO_LABEL}
    if row not in known or column not in known or (side in BOTH and len(opinions) < 3):
        return None
    wanted = [None if code == NO_LABEL else code for code in (row, column)]
    found = _in_all(found) if side in BOTH else found
    chosen = [pair for pair in found if [getattr(pair, down), getattr(pair, across)] == wanted]
    page = page_of(request, chosen)
    events = Event.objects.select_related("station", "label").in_bulk([pair.event for pair in page.object_list])
    rows = [
        (events[pair.event], [classes.get(code or "") for code in pair[1 : len(opinions) + 1]])
        for pair in page.object_list
    ]
    titles = ("before", "after", "against")[: len(opinions)]
    ends = {"row": classes.get(row), "column": classes.get(column)}
    return {"page": page, "rows": rows, "titles": titles, "down": down, "across": across, "number": len(chosen), **ends}
