"""Small pools and recipes to try things on."""

import numpy as np

from mlcore.pretrain.config import Encoder, Evaluation, Method, Pretraining, Spectrogram, Training, Views
from mlcore.pretrain.config import Pool as PoolSection
from mlcore.pretrain.pool import Facts, Pool
from tests.mlcore.recordings import START

RATE_HZ = 50.0
CLASSES = ("hum", "pulse", "rise")


def small_recipe(**sections):
    """VNIbCReg with everything small: 20 s windows at 50 Hz, a narrow encoder."""
    defaults = {
        "pool": PoolSection(sampling_rate_hz=RATE_HZ, window_s=20.0, step_s=20.0, normalise="window"),
        "spectrogram": Spectrogram(window_s=0.64, overlap=0.5, logarithm="relative", height=0),
        "views": Views(crop_share=0.2),
        "encoder": Encoder("stft_cnn", width=0.5),
        "method": Method(projector=32, groups=4),
        "training": Training(epochs=2, batch_size=16, precision="float32", checkpoint_every=1),
        "evaluation": Evaluation(epochs=8, shares=(0.2, 0.8), seeds=(0, 1)),
    }
    return Pretraining(**{**defaults, **sections})


def small_pool(count=48, channels=2, seed=0, labelled=True):
    """Windows of three kinds: a tone throughout, a short burst, and a tone that rises."""
    draw = np.random.default_rng(seed)
    times = np.arange(round(20 * RATE_HZ)) / RATE_HZ
    windows = np.empty((count, channels, len(times)), dtype=np.float32)
    for row in range(count):
        signal = _signal(CLASSES[row % 3], times, draw)
        for channel in range(channels):
            windows[row, channel] = signal * draw.uniform(0.5, 1) + draw.normal(0, 0.1, len(times))
    windows /= np.abs(windows).max(axis=(1, 2), keepdims=True)
    facts = tuple(
        Facts("XX.AAA.00", START, f"e{row // 6 * 3 + row % 3}", CLASSES[row % 3] if labelled else "")
        for row in range(count)
    )
    return Pool(windows, np.ones((count, channels), dtype=bool), RATE_HZ, facts)


def _signal(kind, times, draw):
    middle, phase = draw.uniform(6, 14), draw.uniform(0, 6)
    if kind == "hum":
        return np.sin(2 * np.pi * draw.uniform(3, 6) * times + phase)
    if kind == "pulse":
        return draw.normal(size=len(times)) * np.exp(-(((times - middle) / 1.0) ** 2))
    return np.sin(2 * np.pi * (2 + 0.4 * times) * times + phase)
