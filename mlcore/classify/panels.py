"""What the review page shows of one event at one station: the waveform, the very STFT that was classified, the reasons.

A panel is a safetensors file. Tensors: `waveform` (components, samples), `stft` (components, freq, time), `relevance`
(targets, components, freq, time), `mask` (components, samples), `frequencies_hz` (freq,), `times_s` (time,). Its header
has one entry, `panel`: JSON of the facts that `panels` lists.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from mlcore.classify.predict import Classifier
from mlcore.classify.relevance import Relevance, explain
from mlcore.classify.summary import summarise
from mlcore.errors import UnreadableRecording
from mlcore.stft import stft_axes
from mlcore.traces import iso
from mlcore.windows import Window

TENSORS = ("waveform", "stft", "relevance", "mask", "frequencies_hz", "times_s")
UNITS = {"window": "share of the window's peak", "component": "share of each component's peak"}


@dataclass(frozen=True, eq=False)
class Panel:
    """A window as the network saw it, and why it said what it said of each target class."""

    waveform: NDArray[np.float32]  # (components, samples), preprocessed and normalised
    stft: NDArray[np.float32]  # (components, freq, time), the network's input
    relevance: NDArray[np.float32]  # (targets, components, freq, time), computed in float64
    mask: NDArray[np.uint8]  # (components, samples), 1 where recorded
    frequencies_hz: NDArray[np.float64]  # (freq,)
    times_s: NDArray[np.float64]  # (time,), from the window's start
    facts: dict[str, Any]


@dataclass(frozen=True, eq=False)
class PanelRequest:
    """A window to explain. The event's span tells relevance within the event from relevance around it."""

    window: Window
    station: str  # NET.STA.LOC
    targets: tuple[str, ...]  # classes to explain, such as the predicted one and the catalogue's
    event_start: datetime
    event_end: datetime
    recorded_unit: str = "counts"  # of the recording, before it was normalised


def panels(classifier: Classifier, requests: Sequence[PanelRequest]) -> list[Panel]:
    """Panels for windows that were prepared by the classifier's recipe.

    Facts: station, components, starttime, sampling_rate_hz, window_s, band_hz, unit (of the tensor `waveform`), scale
    (per component: waveform · scale is the filtered recording in `recorded_unit`), event_start, event_end, classes,
    probabilities, model_sha256, problems, targets, and `explanations`, one per target: target, logit, biases,
    stabiliser, error, and `summarise`'s shares and text.
    Raises ValueError for a target that the model does not know.
    """
    if not requests:
        return []
    windows = np.stack([request.window.data for request in requests])
    relevance = explain(classifier, windows, _target_indices(classifier, requests))
    inputs = classifier.inputs(windows).numpy()
    probabilities = classifier.predict(windows).probabilities
    return [
        _panel(classifier, request, inputs[row], relevance, probabilities[row], row)
        for row, request in enumerate(requests)
    ]


def panel_bytes(panel: Panel) -> bytes:
    """The panel as a safetensors file."""
    tensors = {name: np.ascontiguousarray(getattr(panel, name)) for name in TENSORS}
    return save(tensors, {"panel": json.dumps(panel.facts, ensure_ascii=False, allow_nan=False)})


def read_panel(content: bytes) -> Panel:
    """The panel in a file's bytes. Raises UnreadableRecording where they are none."""
    try:
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        facts = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["panel"])
        return Panel(**{name: tensors[name] for name in TENSORS}, facts=facts)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UnreadableRecording(f"This is no panel: {error!r}. Explain the event again.") from error


def _target_indices(classifier: Classifier, requests: Sequence[PanelRequest]) -> NDArray[np.int64]:
    """(n, most targets); shorter lists repeat their last target, so that all fit one table."""
    most = max(len(request.targets) for request in requests)
    rows = []
    for request in requests:
        if not request.targets or not set(request.targets) <= set(classifier.classes):
            known = ", ".join(classifier.classes)
            raise ValueError(f"targets are {request.targets}, but must be among the model's classes: {known}.")
        indices = [classifier.classes.index(target) for target in request.targets]
        rows.append(indices + indices[-1:] * (most - len(indices)))
    return np.array(rows)


def _panel(
    classifier: Classifier,
    request: PanelRequest,
    stft: NDArray[np.float32],
    relevance: Relevance,
    probabilities: NDArray[np.float64],
    row: int,
) -> Panel:
    preprocessing, window = classifier.recipe.preprocessing, request.window
    frequencies_hz, times_s = stft_axes(preprocessing)
    facts = {
        "station": request.station,
        "components": list(preprocessing.components),
        "starttime": iso(window.starttime),
        "sampling_rate_hz": preprocessing.sampling_rate_hz,
        "window_s": preprocessing.window_s,
        "band_hz": list(preprocessing.band_hz),
        "unit": UNITS[preprocessing.normalise],
        "recorded_unit": request.recorded_unit,
        "scale": window.scale.tolist(),
        "event_start": iso(request.event_start),
        "event_end": iso(request.event_end),
        "classes": classifier.classes,
        "probabilities": {name: float(p) for name, p in zip(classifier.classes, probabilities, strict=True)},
        "model_sha256": classifier.checksum,
        "problems": list(window.problems),
        "targets": list(request.targets),
        "explanations": [
            _explanation(classifier, request, relevance, row, column) for column in range(len(request.targets))
        ],
    }
    return Panel(
        waveform=window.data.astype(np.float32),
        stft=stft,
        relevance=relevance.maps[row, : len(request.targets)].astype(np.float32),
        mask=window.mask.astype(np.uint8),
        frequencies_hz=frequencies_hz,
        times_s=times_s,
        facts=facts,
    )


def _explanation(
    classifier: Classifier, request: PanelRequest, relevance: Relevance, row: int, column: int
) -> dict[str, Any]:
    start = request.window.starttime
    span = tuple((time - start).total_seconds() for time in (request.event_start, request.event_end))
    return {
        "target": request.targets[column],
        "logit": float(relevance.logits[row, column]),
        "biases": float(relevance.biases[row, column]),
        "stabiliser": float(relevance.stabiliser[row, column]),
        "error": float(relevance.error[row, column]),
        **summarise(relevance.maps[row, column], classifier.recipe, (span[0], span[1])),
    }
