"""What a run's page draws of its figures over time: from the model that it stored, else from its log."""

import re
from typing import Any

from labelapp.learning.models import Run
from labelapp.pages.drawing import Curves, curves
from labelapp.pages.evidence import learning_curves

# 2026-03-01T06:00:00Z  fold 1 of 3: epoch 2 of 8: loss 1.387, validation loss 1.402
EPOCH = re.compile(r"^\S+ +(?:(?P<of>[^:\n]+): )?epoch (?P<epoch>\d+) of \d+: (?P<figures>.+)$", re.MULTILINE)
FIGURE = re.compile(r"(?P<name>[a-z][\w -]*?) (?P<value>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?=[,;]|$)", re.IGNORECASE)


def drawn_curves(run: Run) -> dict[str, Any] | None:
    """{"losses", "scores": drawing.Curves or None, "rows": …} of a training; None where no epoch is done."""
    rows = (learning_curves(run.model) if run.model else None) or curves_in(run.log)
    if not rows:
        return None
    losses, scores = ([row for row in rows if row["is_loss"] == wanted] for wanted in (True, False))
    upper = curves(losses)
    return {"charts": _charts(upper, curves(scores, first_hue=len(upper.names) if upper else 0)), "rows": rows}


def _charts(losses: Curves | None, scores: Curves | None) -> list[tuple[str, Curves]]:
    return [(title, chart) for title, chart in (("losses", losses), ("scores", scores)) if chart]


def curves_in(log: str) -> list[dict[str, Any]]:
    """The curves in a log: name, of (which fold), is_loss, x (epochs), y. Of an epoch told twice, the later counts."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    for line in EPOCH.finditer(log):
        for figure in FIGURE.finditer(line["figures"]):
            curve = found.setdefault((figure["name"], line["of"] or ""), {})
            curve[int(line["epoch"])] = float(figure["value"])
    return [
        {
            "name": name,
            "of": of,
            "is_loss": "loss" in name,
            "x": sorted(epochs),
            "y": [epochs[x] for x in sorted(epochs)],
        }
        for (name, of), epochs in found.items()
    ]
