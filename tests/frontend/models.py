"""Models for the page tests: one with everything that can be measured, and its events."""

import itertools

CODES = ["earthquake", "quake", "rockfall", "noise"]
# Jiang et al. 2024, Table 1, in the order of CODES.
TABLE_1 = [[15, 0, 1, 2], [2, 26, 9, 9], [0, 2, 72, 0], [13, 110, 58, 538]]


def report(matrix=TABLE_1, codes=CODES):
    return {"classes": codes, "confusion_matrix": matrix}


def bins(error, sharpness):
    """As mlcore.metrics.reliability writes it down."""
    spans = [(m, {"from": m - 0.1, "to": m + 0.1, "confidence": m}) for m in (0.35, 0.55, 0.75, 0.95)]
    rows = [{**span, "accuracy": min(1, m * sharpness), "count": 310 if m > 0.9 else 10} for m, span in spans]
    return {"expected_calibration_error": error, "bins": rows}


METRICS = {
    **report(),
    "macro_f1": 0.6,
    "balanced_accuracy": 0.7,
    "accuracy": 0.76,
    "events": 857,
    "undefined": [],
    "notes": ["quake has 46 events, 9 of them for testing: its figures are chance"],
    "comparison": {
        "model": 1, "events": 120, "macro_f1": 0.71, "active_macro_f1": 0.66, "balanced_accuracy": 0.7,
        "active_balanced_accuracy": 0.73,
    },
    "calibration": {"temperature": 1.83, "before": bins(0.094, 0.8), "after": bins(0.021, 0.98)},
    "out_of_fold": report([[30, 2, 1, 0], [4, 60, 12, 9], [0, 6, 140, 2], [3, 20, 9, 300]]),
    "randomisation": {
        "passed": True,
        "text": "With shuffled weights the maps correlate by 0.08 with the true ones.",
        "layers": [{"layer": "head", "similarity": 0.31}, {"layer": "features.0", "similarity": 0.08}],
    },
    "parameters": 412_356,
}  # fmt: skip
HISTORY = [
    {"fold": fold, "epoch": epoch, "learning_rate": 7e-4, "loss": 1.4 / epoch + 0.05 * fold,
     "validation_loss": 1.5 / epoch + 0.1 * fold + 0.01 * epoch, "validation_accuracy": 0.9 - 0.5 / epoch - 0.02 * fold}
    for fold in (1, 2, 3, 4, 5) for epoch in range(1, 31)
]  # fmt: skip
RECIPE = {
    "catalogue": {
        "classes": {"earthquake": ["earthquake"], "quake": ["quake"], "rockfall": ["rockfall", "rock avalanche"]},
        "noise_class": "noise",
    },
    "preprocessing": {
        "sampling_rate_hz": 250.0,
        "components": ["Z", "N", "E"],
        "band_hz": [5.0, 60.0],
        "zero_phase": True,
        "window_s": 15.0,
    },
    "training": {"epochs": 100, "batch_size": 128, "learning_rate": 7e-4, "folds": 5, "seed": 0},
}


def explanation_of(target, other, tilt):
    """A summary as the worker stores it."""
    shares = [0.1 + tilt, 0.5 - tilt, 0.3, 0.1]
    edges = itertools.pairwise([1, 5, 20, 40, 60])
    bands = [{"low_hz": low, "high_hz": high, "share": s} for (low, high), s in zip(edges, shares, strict=True)]
    facts = {
        "bands": bands,
        "components": {"Z": 0.5 + tilt, "N": 0.3 - tilt, "E": 0.2},
        "moments": {"before": 0.1, "within": 0.8, "after": 0.1},
        "positive": 0.7,
        "text": "80% within the event.",
        "deletion": {
            "shares": [0.0, 0.1, 0.5],
            "ours": [2.0, 0.5 + tilt, 0.1],
            "random": [2.0, 1.8, 1.0],
            "area": 0.6,
            "random_area": 1.4,
        },
    }
    pairs = [(target, None), (other, None), (target, other)]
    explained = [{"target": t, "against": against, **facts} for t, against in pairs]
    return {"targets": [target, other], "explanations": explained, "problems": []}


def furnish(model, events, classes, station, predict, relabel=()):
    """Examples, predictions and maps of a model: events[0::3] tested it, of the others every fifth is suspicious.

    `relabel` {index: code} changes labels after the training. `predict(event, code, probability, model=…)`.
    """
    from labelapp.catalogue.models import Event, Explanation

    for number, event in enumerate(events):
        label = event.label.code
        other = CODES[(CODES.index(label) + 1) % 4]
        said = other if number % 5 == 0 else label
        probability = 0.97 - 0.01 * (number % 7)
        is_test = number % 3 == 0
        rest = (1 - probability) / 3
        model.examples.create(
            event=event,
            event_class=event.label,
            split="test" if is_test else "train",
            out_of_fold=None if is_test else {c: probability if c == said else rest for c in classes},
            suspicion=None if is_test else (0.99 - 0.003 * number if said == other else 0.02),
        )
        prediction = predict(event, said if is_test else label, probability, model=model)
        Explanation.objects.create(
            prediction=prediction, station=station, panel=f"{event.pk}", sha256=f"{event.pk:064x}",
            summary=explanation_of(said, other if said == label else label, 0.1 * CODES.index(said)),
        )  # fmt: skip
        if number in dict(relabel):
            Event.objects.filter(pk=event.pk).update(label=classes[dict(relabel)[number]])
