"""What the review page shows of one event at one station: the waveform, the very STFT that was classified, the reasons.

A panel is a safetensors file. Tensors: `waveform` (components, samples), `stft` (components, freq, time), `relevance`
(targets, components, freq, time), `mask` (components, samples), `frequencies_hz` (freq,), `times_s` (time,). Its header
has one entry, `panel`: JSON of the facts that `panels` lists. The map of the difference of two targets is not stored:
it is the first map minus the second, and float32 loses nothing of it that a colour could show.
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
from torch import Tensor

from mlcore.classify.explanations import explanations
from mlcore.classify.predict import Classifier
from mlcore.classify.relevance import Relevance, explain
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

    Facts: station, components, starttime, sampling_rate_hz, window_s, band_hz, input (magnitude or log: what the STFT
    is), unit (of the tensor `waveform`), scale (per component: waveform · scale is the filtered recording in
    `recorded_unit`), event_start, event_end, classes, probabilities, model_sha256, problems, targets, `explanations`
    (one per target), and `difference` (of the first target against the second; None where there is one only); see
    `mlcore.classify.explanations` for their keys.
    Raises ValueError for a target that the model does not know.
    """
    if not requests:
        return []
    windows = np.stack([request.window.data for request in requests])
    relevance = explain(classifier, windows, _target_indices(classifier, requests))
    inputs, attributes = classifier.inputs(windows), classifier.attributes(windows)
    probabilities = classifier.predict(windows).probabilities
    return [
        _panel(
            classifier,
            request,
            (inputs[row], attributes[row]),
            relevance.window(row, len(request.targets)),
            probabilities[row],
        )
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
    given: tuple[Tensor, Tensor],
    relevance: Relevance,
    probabilities: NDArray[np.float64],
) -> Panel:
    preprocessing, window = classifier.recipe.preprocessing, request.window
    frequencies_hz, times_s = stft_axes(preprocessing)
    told = explanations(classifier, request.targets, relevance, given, _event_s(request))
    facts = {
        "station": request.station,
        "components": list(preprocessing.components),
        "starttime": iso(window.starttime),
        "sampling_rate_hz": preprocessing.sampling_rate_hz,
        "window_s": preprocessing.window_s,
        "band_hz": list(preprocessing.band_hz),
        "input": preprocessing.input,
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
        "explanations": [each for each in told if each["against"] is None],
        "difference": next((each for each in told if each["against"] is not None), None),
    }
    return Panel(
        waveform=window.data.astype(np.float32),
        stft=given[0].numpy(),
        relevance=relevance.maps[0].astype(np.float32),
        mask=window.mask.astype(np.uint8),
        frequencies_hz=frequencies_hz,
        times_s=times_s,
        facts=facts,
    )


def _event_s(request: PanelRequest) -> tuple[float, float]:
    """The event's start and end in seconds from the window's start."""
    start = request.window.starttime
    return (request.event_start - start).total_seconds(), (request.event_end - start).total_seconds()
