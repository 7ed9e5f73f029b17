"""What a model looks at, on average over its stored maps: bands, components, time; whether the maps are faithful."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from labelapp.catalogue.models import EventClass, Explanation, ModelVersion
from labelapp.pages.evidence import measured

# The newest; more would change a mean by nothing that is seen.
MOST_MAPS = 2_000
MOMENTS = ("before", "within", "after")
DELETED = {"most relevant": "ours", "at random": "random"}


def relevance(model: ModelVersion, classes: Mapping[str, EventClass]) -> dict[str, Any] | None:
    """Mean shares of |relevance| for each explained class; None where no map is stored.

    → {"groups": [(heading, [column, …]), …], "rows": [{event_class, code, cells, maps}, …], "maps": how many}
    """
    summaries = Explanation.objects.filter(prediction__model=model).order_by("-pk").values_list("summary", flat=True)
    maps = [found for summary in summaries[:MOST_MAPS] if (found := _first_map(summary))]
    if not maps:
        return None
    columns = {name: list(dict.fromkeys(c for each in maps for c in each[name])) for name in GROUPS}
    by_class = defaultdict(list)
    for each in maps:
        by_class[each["target"]].append(each)
    order = [code for code in classes if code in by_class] + [code for code in by_class if code not in classes]
    rows = [_row(code, classes.get(code), by_class[code], columns) for code in order]
    if len(rows) > 1:
        rows.append(_row("", None, maps, columns))
    groups = [(GROUPS[name], columns[name]) for name in GROUPS if columns[name]]
    return {"groups": groups, "rows": rows, "maps": len(maps)}


GROUPS = {
    "bands": "Share per band",
    "components": "per component",
    "moments": "before, within, after the event",
    "signs": "speaking",
    "left": "Logit left¹",
    "checks": "Maps",
}


@measured
def _first_map(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The map of the class that is held against the label, each group as {column: (part, whole)}."""
    found = summary["explanations"][0]
    return {
        "target": str(found["target"]),
        "bands": {f"{band['low_hz']:g}–{band['high_hz']:g} Hz": (float(band["share"]), 1) for band in found["bands"]},
        "components": {name: (float(found["components"][name]), 1) for name in sorted(found["components"], key=_place)},
        "moments": {name: (float(found["moments"][name]), 1) for name in MOMENTS},
        "signs": {"for it": (float(found["positive"]), 1)},
        **(_deletion(found.get("deletion")) or {"left": {}, "checks": {}}),
    }


def _place(component: str) -> tuple[int, str]:
    """Z, N, E, whatever order a database gives; then others by name."""
    return ("ZNE".find(component[:1]) % 4, component)


@measured
def _deletion(check: Mapping[str, Any]) -> dict[str, Any]:
    """How much of the logit is left when the most relevant tenth is removed, against a tenth at random."""
    tenth = check["shares"].index(0.1)
    left = {name: (float(check[key][tenth]), float(check[key][0])) for name, key in DELETED.items()}
    return {"left": left, "checks": {"better than chance": (float(check["area"] < check["random_area"]), 1)}}


def _row(
    code: str, event_class: EventClass | None, maps: list[dict[str, Any]], columns: Mapping[str, Iterable[str]]
) -> dict[str, Any]:
    cells = [
        {"share": _mean([each[name].get(column) for each in maps]), "first": place == 0}
        for name in GROUPS
        for place, column in enumerate(columns[name])
    ]
    return {"code": code, "event_class": event_class, "cells": cells, "maps": len(maps)}


def _mean(parts: list[tuple[float, float] | None]) -> float | None:
    """Σ part / Σ whole: of shares their mean, of logits no blow-up where a single one is near zero."""
    known = [pair for pair in parts if pair is not None]
    whole = sum(pair[1] for pair in known)
    return sum(pair[0] for pair in known) / whole if whole else None
