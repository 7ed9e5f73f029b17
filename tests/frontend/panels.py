"""Panels for the page tests, made as the worker makes them: by a network (untrained) on events of our own."""

from datetime import timedelta
from functools import cache

import numpy as np

CLASSES = ["earthquake", "quake", "rockfall", "noise"]
RATE_HZ = 250.0


@cache
def classifier():
    """A small network with seeded random weights."""
    import torch

    from mlcore.checkpoint import model_files
    from mlcore.classify.model import STFTClassifier
    from mlcore.classify.predict import Classifier
    from mlcore.config import Network, Recipe

    recipe = Recipe(network=Network(width=4, blocks=2))
    torch.manual_seed(7)
    network = STFTClassifier(3, len(CLASSES), recipe.network)
    network.fit_scale(torch.full((1, 3, 65, 95), 0.01))
    description = {"classes": CLASSES, "recipe": recipe.to_dict()}
    return Classifier.from_files(model_files(network, description))


def window(number, starttime, missing=(), gap_s=None):
    """A window of 15 s with a burst in its middle; `missing` components did not record, `gap_s` none did."""
    from mlcore.windows import Window

    rng = np.random.default_rng(number)
    t = np.arange(3750) / RATE_HZ
    burst = np.where(t > 6, np.exp(-(t - 6) / 1.5), 0)
    pitches = 8 + 8 * rng.random(3)
    data = np.stack([burst * np.sin(2 * np.pi * f * t) for f in pitches]) + 0.03 * rng.normal(size=(3, 3750))
    mask = np.ones(data.shape, bool)
    mask[list(missing)] = False
    if gap_s:
        mask[:, int(gap_s[0] * RATE_HZ) : int(gap_s[1] * RATE_HZ)] = False
    data = np.where(mask, data, 0)
    problems = tuple(f"component {'ZNE'[row]} is missing" for row in missing)
    return Window(data / np.abs(data).max(), starttime, mask, np.full(3, 12_345.0), problems)


def panel_of(station, event, window, targets):
    """The bytes that the worker would store."""
    from mlcore.classify.panels import PanelRequest, panel_bytes, panels

    request = PanelRequest(window, station.seed_id, tuple(targets), event.starttime, event.endtime)
    return panel_bytes(panels(classifier(), [request])[0])


def start_of(event):
    return event.starttime - timedelta(seconds=6)
