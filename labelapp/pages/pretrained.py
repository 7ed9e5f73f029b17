"""What the pages say of pretraining: curves of its terms and its health, and what a model has seen."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from labelapp.catalogue.models import ModelVersion
from labelapp.learning.choices import ENCODERS, METHODS
from labelapp.learning.models import Run
from labelapp.pages.drawing import Curves, curves
from labelapp.pages.evidence import learning_curves, measured
from labelapp.pages.running import curves_in

# Each chart's title, and of each of its curves the name in a history, and what it is called.
CHARTS: list[tuple[str, dict[str, str]]] = [
    ("loss", {"loss": "sum of its terms"}),
    (
        "terms of the loss, with their weights",
        {
            name: name
            for name in ("invariance", "variance", "covariance", "redundancy", "discrimination", "correlation")
        },
    ),
    (
        "standard deviation over a batch",
        {
            "z std": "embedding, mean",
            "z std smallest": "embedding, smallest",
            "y std": "representation, mean",
        },
    ),
    (
        "covariance between features, root mean square",
        {"z covariance": "embedding", "y covariance": "representation"},
    ),
    ("effective rank", {"z rank": "embedding", "y rank": "representation"}),
]


def pretraining_curves(run: Run | None = None, model: ModelVersion | None = None) -> dict[str, Any] | None:
    """{"charts": [(title, Curves)], "rows"} of an encoder's history, else of a run's log; None without an epoch."""
    model = model or (run.model if run else None)
    rows = (learning_curves(model) if model else None) or (curves_in(run.log) if run else [])
    known = {row["name"].removeprefix("training "): row for row in rows}  # "training loss" of a history is its loss
    charts = [(title, chart, shown) for title, names in CHARTS for chart, shown in [_chart(names, known)] if chart]
    if not charts:
        return None
    return {
        "charts": [(title, chart) for title, chart, _ in charts],
        "rows": [{**row, "of": title} for title, _, shown in charts for row in shown],
    }


def _chart(names: Mapping[str, str], known: Mapping[str, Any]) -> tuple[Curves | None, list[dict[str, Any]]]:
    rows = [{**known[name], "name": words} for name, words in names.items() if name in known]
    return curves(rows), rows


@measured
def health(model: ModelVersion) -> dict[str, Any]:
    """What the last epoch's figures say: standard deviation of the embedding and what it should be, ranks, collapse."""
    found, method = model.metrics["health"], model.recipe["method"]
    return {
        "std": float(found["z_std"]),
        "wanted": None if method["name"] == "barlow_twins" else float(method["target_std"]),
        "rank": float(found["y_rank"]),
        "covariance": float(found["z_covariance"]),
        "collapsed": bool(model.metrics["notes"]),
    }


@measured
def pool(model: ModelVersion) -> dict[str, Any]:
    """Which recordings an encoder has seen: facts, and stations with their windows and shares, the most first."""
    found = model.pool
    most = max(found["stations"].values())
    stations = sorted(found["stations"].items(), key=lambda item: (-item[1], item[0]))
    return {
        **{name: found[name] for name in ("windows", "window_s", "sampling_rate_hz", "components", "events")},
        "band_hz": model.recipe["pool"]["band_hz"],
        **{name: datetime.fromisoformat(found[name]) for name in ("starttime", "endtime")},
        "hours": found["windows"] * found["window_s"] / 3600,
        "stations": [{"name": name, "windows": count, "share": count / most} for name, count in stations],
    }


@measured
def method_in_words(model: ModelVersion) -> str:
    """The names of the method and of the encoder, as their papers have them."""
    method, encoder = (model.recipe[section]["name"] for section in ("method", "encoder"))
    return f"{METHODS.get(method, method)} with {ENCODERS.get(encoder, encoder)}"


def origin(model: ModelVersion) -> dict[str, Any] | None:
    """Of a classifier that began with an encoder: that, and the pool that it has seen through it."""
    encoder = model.started_from
    return None if encoder is None else {"encoder": encoder, "pool": pool(encoder), "method": method_in_words(encoder)}
