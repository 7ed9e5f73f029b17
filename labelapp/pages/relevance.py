"""What a model looks at, on average over its stored maps: bands, components, time; whether the maps are faithful."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from labelapp.catalogue.models import EventClass, Explanation, ModelVersion
from labelapp.pages.evidence import measured

# The newest; more would change a mean by nothing that is seen.
MOST_MAPS = 2_000
MOMENTS = ("before", "within", "after")


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
    "checks": "Checks",
}


@measured
def _first_map(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The map of the class that is held against the label, each group as {column: value}."""
    target = summary["targets"][0]
    found = {each["target"]: each for each in summary["explanations"]}[target]
    return {
        "target": target,
        "bands": {f"{band['low_hz']:g}–{band['high_hz']:g} Hz": float(band["share"]) for band in found["bands"]},
        "components": {name: float(share) for name, share in found["components"].items()},
        "moments": {name: float(found["moments"][name]) for name in MOMENTS},
        "checks": {"for the class": float(found["positive"])},
    }


def _row(
    code: str, event_class: EventClass | None, maps: list[dict[str, Any]], columns: Mapping[str, Iterable[str]]
) -> dict[str, Any]:
    cells = [
        {"share": _mean([each[name].get(column) for each in maps]), "first": place == 0}
        for name in GROUPS
        for place, column in enumerate(columns[name])
    ]
    return {"code": code, "event_class": event_class, "cells": cells, "maps": len(maps)}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
