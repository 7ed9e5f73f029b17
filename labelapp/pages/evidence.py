"""What vouches for a model, from what its training measured and wrote down.

Models differ in age: what one never measured, or wrote down in another shape, is None, and the page says so.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from labelapp.catalogue.models import EventClass, ModelVersion
from labelapp.pages.figures import Scores, scores

Given = ParamSpec("Given")
Read = TypeVar("Read")
# Of a line of the history: what tells curves apart, and what is no figure to judge the training by.
CURVES = ("member", "seed", "fold", "stage")
NO_FIGURES = {*CURVES, "epoch", "learning_rate"}


def measured(read: Callable[Given, Read]) -> Callable[Given, Read | None]:
    """`read`, or None where what it reads is missing or has another shape."""

    @wraps(read)
    def careful(*args: Given.args, **kwargs: Given.kwargs) -> Read | None:
        try:
            return read(*args, **kwargs)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return None

    return careful


@measured
def held_out(model: ModelVersion, classes: Mapping[str, EventClass]) -> Scores:
    """Scores on events that the model never saw."""
    return scores(model.metrics["confusion_matrix"], model.metrics["classes"], classes)


@measured
def out_of_fold(model: ModelVersion, classes: Mapping[str, EventClass]) -> Scores:
    """Scores on its training events, each judged by members that did not learn from it."""
    report = model.metrics["out_of_fold"]
    return scores(report["confusion_matrix"], report["classes"], classes)


@measured
def comparison(model: ModelVersion) -> dict[str, Any] | None:
    """The figures of the model and of the one that was active when it was trained, on the same unseen events."""
    found = model.metrics["comparison"]
    if not found["events"]:
        return None
    rows: list[dict[str, Any]] = [
        {"name": name, "this": float(found[key]), "other": float(found[f"active_{key}"])}
        for key, name in (("macro_f1", "macro-F1"), ("balanced_accuracy", "balanced accuracy"))
    ]
    for row in rows:
        row["by"] = row["this"] - row["other"]
    other = ModelVersion.objects.filter(site=model.site_id, number=found["model"]).first()
    return {"rows": rows, "number": found["model"], "other": other, "events": found["events"]}


@measured
def calibration(model: ModelVersion) -> dict[str, Any] | None:
    """Temperature, and what the probabilities were worth before and after it was applied; `unseen`: on test events."""
    found = model.metrics["calibration"]
    sides = {side: _reliability(found[side]) for side in ("before", "after")}
    if None in sides.values():
        return None
    return {
        "temperature": float(found["temperature"]),
        **sides,
        "unseen": _reliability(model.metrics.get("reliability")),
    }


@measured
def _reliability(side: Mapping[str, Any]) -> dict[str, Any]:
    names = {"low": "from", "high": "to", "confidence": "confidence", "accuracy": "accuracy", "count": "count"}
    bins = [{ours: float(each[theirs]) for ours, theirs in names.items()} for each in side["bins"] if each["count"]]
    return {"ece": float(side["expected_calibration_error"]), "bins": bins}


@measured
def randomisation(model: ModelVersion) -> dict[str, Any]:
    """Whether the maps depend on the weights: they must change when these are shuffled."""
    found = model.metrics["randomisation"]
    layers = [_layer(str(layer["layer"]), float(layer["similarity"])) for layer in found["layers"]]
    measure = str(found.get("measure", "")).split("; similarity_absolute")[0]  # a key that is not shown
    said = {"text": str(found["text"]), "measure": measure}
    return {"passed": bool(found["passed"]), "layers": layers, **said}


def _layer(name: str, similarity: float) -> dict[str, Any]:
    return {"name": name, "similarity": similarity, "share": min(max(similarity, 0.0), 1.0)}


@measured
def learning_curves(model: ModelVersion) -> list[dict[str, Any]] | None:
    """A curve for each figure of each fold and stage: name, of (which fold), is_loss, x (epochs), y."""
    curves: dict[tuple[str, str], dict[str, Any]] = {}
    for number, line in enumerate(model.history, start=1):
        of = ", ".join(_named(key, line[key]) for key in CURVES if line.get(key) is not None)
        for name, value in line.items():
            if name in NO_FIGURES or not isinstance(value, int | float):
                continue
            curve = curves.setdefault((name, of), _curve(name, of))
            curve["x"].append(line.get("epoch", number))
            curve["y"].append(value)
    return list(curves.values()) or None


def _named(key: str, value: Any) -> str:
    return str(value) if isinstance(value, str) else f"{key} {value}"


def _curve(name: str, of: str) -> dict[str, Any]:
    words = "training loss" if name == "loss" else name.replace("_", " ")
    return {"name": words, "of": of, "is_loss": "loss" in name, "x": [], "y": []}


def notes(model: ModelVersion) -> list[str]:
    """What a reader of the figures must know."""
    found = [model.metrics.get(name) for name in ("notes", "undefined")]
    return [str(note) for some in found if isinstance(some, list) for note in some]
