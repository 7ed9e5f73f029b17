"""Small made-up events that a network learns in seconds: quakes ring at 3 Hz, rockfalls at 15 Hz."""

from datetime import UTC, datetime, timedelta

import numpy as np

from mlcore.config import Network, Preprocessing, Recipe, Training
from mlcore.datasets import EventWindows, labelled_windows
from mlcore.waveform import Waveform

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
PITCH_HZ = {"quake": 3.0, "rockfall": 15.0}
RECIPE = Recipe(
    preprocessing=Preprocessing(
        sampling_rate_hz=50.0, band_hz=(1.0, 20.0), window_s=10.0, stft_length=32, stft_hop=16, components=("Z", "N")
    ),
    network=Network(width=4, blocks=2),
    training=Training(
        epochs=12, batch_size=16, learning_rate=5e-3, early_stopping=0, time_shift_s=1.0, folds=1, seed=3
    ),
)


def record(*events, seconds=30, station="AAA", seed=0, rate=50.0):
    """A recording of noise with ringing `events`: (class, second)."""
    t = np.arange(int(seconds * rate)) / rate
    data = np.random.default_rng(seed).normal(size=(2, len(t)))
    for label, second in events:
        data += 30 * np.exp(-(((t - second) / 1.5) ** 2)) * np.sin(2 * np.pi * PITCH_HZ[label] * t)
    return Waveform("XX", station, "00", "HH", ("Z", "N"), rate, START, data, np.ones(data.shape, dtype=bool))


def event_windows(**counts):
    """`counts` events of each class, each at two stations."""
    items = [
        window
        for label, count in counts.items()
        for number in range(count)
        for station in ("AAA", "BBBB")
        for window in labelled_windows(
            record((label, 15), station=station, seed=1000 * number + len(station + label)),
            event_id=f"{label} {number}",
            label=label,
            starttime=START + timedelta(seconds=13),
            endtime=START + timedelta(seconds=17),
            recipe=RECIPE,
        )
    ]
    return EventWindows.stack(items, RECIPE.preprocessing)
