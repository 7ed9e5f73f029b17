"""How well a classifier does on labelled units: its stations' probabilities are averaged.

A unit is an event, or the noise around one where the model's recipe cuts it. The catalogue is read as that recipe says:
its classes are the model's, and rows that it leaves out are said.

python -m mlcore.classify.evaluate MODEL_DIR --catalogue CSV --waveforms DIR [--unseen] [--predictions]
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.classify.predict import Classifier, combine_stations
from mlcore.command import print_json, run, show_progress
from mlcore.datasets import EventWindows, load_event_windows, missing_components, read_catalogue, require_windows
from mlcore.errors import BadConfiguration
from mlcore.metrics import classification_report, reliability
from mlcore.splits import group_of


@dataclass(frozen=True)
class EventPrediction:
    """What a classifier says of one unit, all stations together."""

    event_id: str
    label: str
    predicted: str
    probabilities: dict[str, float]
    stations: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "label": self.label,
            "predicted": self.predicted,
            "probability": self.probabilities[self.predicted],
            "probabilities": self.probabilities,
            "stations": list(self.stations),
        }


def predict_events(classifier: Classifier, windows: EventWindows) -> list[EventPrediction]:
    """One prediction per unit, in the order in which units first appear."""
    probabilities = classifier.predict(windows.windows).probabilities
    rows: dict[str, list[int]] = {}
    for row, event in enumerate(windows.event_ids):
        rows.setdefault(event, []).append(row)
    return [_prediction(classifier.classes, windows, probabilities, chosen) for chosen in rows.values()]


def evaluate_events(classifier: Classifier, windows: EventWindows) -> dict[str, Any]:
    """The figures of `classification_report` and `reliability` per unit, with the number of units and windows.

    Units whose label the model does not know are counted under `unknown_labels` and left out.
    """
    known = [i for i, label in enumerate(windows.labels) if label in classifier.classes]
    unknown = [windows.labels[i] for i in range(len(windows)) if windows.labels[i] not in classifier.classes]
    return report_on(predict_events(classifier, windows.select(known)), classifier.classes, len(known), unknown)


def report_on(
    predictions: Sequence[EventPrediction], classes: Sequence[str], windows: int, unknown: Sequence[str] = ()
) -> dict[str, Any]:
    """The report of some units' predictions. `events` are the units that are not the noise around one."""
    report = classification_report([p.label for p in predictions], [p.predicted for p in predictions], classes)
    events = sum(p.event_id == group_of(p.event_id) for p in predictions)
    probabilities = np.array([[p.probabilities[name] for name in classes] for p in predictions])
    targets = [list(classes).index(p.label) for p in predictions]
    return {
        "events": events,
        "units": len(predictions),
        "windows": windows,
        **report,
        "reliability": reliability(probabilities.reshape(len(predictions), len(classes)), targets),
        "unknown_labels": {label: unknown.count(label) for label in sorted(set(unknown))},
    }


def _prediction(
    classes: Sequence[str], windows: EventWindows, probabilities: NDArray[np.float64], rows: list[int]
) -> EventPrediction:
    combined = combine_stations(probabilities[rows])
    return EventPrediction(
        event_id=windows.event_ids[rows[0]],
        label=windows.labels[rows[0]],
        predicted=classes[int(combined.argmax())],
        probabilities={name: float(p) for name, p in zip(classes, combined, strict=True)},
        stations=tuple(windows.stations[row] for row in rows),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlcore.classify.evaluate", description=__doc__.split("\n")[0])
    parser.add_argument("model_dir")
    parser.add_argument("--catalogue", required=True, help="CSV; columns as mlcore.catalogues says")
    parser.add_argument("--waveforms", required=True, help="the folder that the catalogue's file column starts from")
    parser.add_argument("--unseen", action="store_true", help="only events that did not train or validate the model")
    parser.add_argument("--predictions", action="store_true", help="add every unit's prediction")
    options = parser.parse_args(arguments)

    classifier = Classifier.from_directory(options.model_dir)
    recipe = classifier.recipe
    entries, unreadable = read_catalogue(options.catalogue, recipe.catalogue)
    seen = {e for e, side in classifier.description.get("splits", {}).items() if side != "test"}
    if options.unseen:
        entries = [entry for entry in entries if entry.event_id not in seen]
        if not entries:
            raise BadConfiguration("Every event of the catalogue trained or validated the model. Give other events.")
    windows, skipped = load_event_windows(entries, options.waveforms, recipe, progress=show_progress)
    require_windows(windows, [*unreadable, *skipped])
    report = evaluate_events(classifier, windows)
    report["events_seen_in_training"] = len(seen & set(windows.groups))
    report["windows_without_component"] = missing_components(windows, recipe.preprocessing)
    report["skipped"] = [item.to_dict() for item in [*unreadable, *skipped]]
    if options.predictions:
        report["predictions"] = [p.to_dict() for p in predict_events(classifier, windows)]
    print_json(report)


if __name__ == "__main__":
    run(main)
