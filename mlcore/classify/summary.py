"""A relevance map in numbers and one sentence, in physical terms: which frequencies, when, which component."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.config import Recipe
from mlcore.stft import stft_axes


def summarise(
    relevance: NDArray[np.float64], recipe: Recipe, event_s: tuple[float, float], speaks_for: str = "the class"
) -> dict[str, Any]:
    """Shares of |relevance| of one map (components, freq, time), each 0 to 1.

    `event_s` is the event's start and end in seconds from the window's start. `components` and `moments` (before,
    within, after the event, by the frames' centres) each sum to 1; `bands` are those of the recipe, and need not. Bands
    that share no frequency with the model's own are not told of but in `bands_left_out`, and what is relevant outside
    of the model's band (where its filter left little, but not nothing) is `outside_band`. `positive` is the share that
    speaks for the class (`speaks_for` in words). A map of zeros has shares of 0.
    """
    frequencies, times = stft_axes(recipe.preprocessing)
    size = np.abs(relevance)
    total = float(size.sum())

    def share(part: NDArray[np.float64]) -> float:
        return float(part.sum()) / total if total else 0.0

    components = {name: share(size[row]) for row, name in enumerate(recipe.preprocessing.components)}
    own_low, own_high = recipe.preprocessing.band_hz
    heard = [low < own_high and high > own_low for low, high in recipe.explanation.bands_hz]
    bands = [
        {"low_hz": low, "high_hz": high, "share": share(size[:, (frequencies >= low) & (frequencies < high)])}
        for (low, high), is_heard in zip(recipe.explanation.bands_hz, heard, strict=True)
        if is_heard
    ]
    before, after = times < event_s[0], times > event_s[1]
    moments = {
        "before": share(size[..., before]),
        "within": share(size[..., ~before & ~after]),
        "after": share(size[..., after]),
    }
    positive = share(np.maximum(relevance, 0))
    text = (
        _sentence(components, bands, moments, positive, speaks_for) if total else "Nothing in this window was relevant."
    )
    return {
        "components": components,
        "bands": bands,
        "bands_left_out": [
            list(band) for band, is_heard in zip(recipe.explanation.bands_hz, heard, strict=True) if not is_heard
        ],
        "outside_band": share(size[:, (frequencies < own_low) | (frequencies > own_high)]),
        "moments": moments,
        "positive": positive,
        "text": text,
    }


def _sentence(
    components: dict[str, float],
    bands: list[dict[str, float]],
    moments: dict[str, float],
    positive: float,
    speaks_for: str,
) -> str:
    parts = []
    if bands:
        band = max(bands, key=lambda b: b["share"])
        parts.append(f"{band['share']:.0%} of the relevance at {band['low_hz']:g}–{band['high_hz']:g} Hz")
    parts.append(f"{moments['within']:.0%} within the event")
    if len(components) > 1:
        loudest = max(components, key=lambda name: components[name])
        parts.append(f"{loudest} carries {components[loudest]:.0%}")
    return ", ".join(parts) + f"; {positive:.0%} speaks for {speaks_for}."
