"""python -m tests.benchmarks: what Seisloop's steps cost on this machine."""

import numpy as np
import torch
from scipy import signal

from mlcore.checkpoint import Description
from mlcore.classify.model import STFTClassifier
from mlcore.classify.predict import Classifier
from mlcore.classify.relevance import explain
from mlcore.config import Recipe
from mlcore.stft import stft_magnitude
from tests.benchmarks.timing import compare

RECIPE = Recipe()
CLASSES = ["earthquake", "quake", "rockfall", "noise"]


def some_windows(count: int) -> np.ndarray:
    p = RECIPE.preprocessing
    return np.random.default_rng(0).standard_normal((count, len(p.components), p.window_samples))


def classifier() -> Classifier:
    torch.manual_seed(0)
    network = STFTClassifier(len(RECIPE.preprocessing.components), len(CLASSES), RECIPE.network)
    description: Description = {"classes": CLASSES, "recipe": RECIPE.to_dict(), "weights_sha256": "0" * 64}
    return Classifier(network, description)


def stft() -> None:
    windows = some_windows(256)
    batch = torch.as_tensor(windows)
    compare(
        "STFT magnitudes of 3 × 3,750 samples, float64",
        len(windows),
        "windows",
        lambda: stft_magnitude(batch, RECIPE.preprocessing),
        lambda: [np.abs(signal.stft(w, nperseg=128, noverlap=88, window="boxcar")[2]) for w in windows],
        "scipy.signal.stft, one window a call",
    )


def prediction() -> None:
    windows, model = some_windows(128), classifier()

    def one_by_one() -> None:
        with torch.inference_mode():
            for window in windows:
                spectrum = np.abs(signal.stft(window, nperseg=128, noverlap=88, window="boxcar")[2])
                model.model(torch.as_tensor(spectrum[None], dtype=torch.float32))

    compare(
        "Classification, waveform to probabilities",
        len(windows),
        "windows",
        lambda: model.predict(windows),
        one_by_one,
        "scipy.signal.stft and an eager forward, one window a call",
    )


def relevance() -> None:
    windows, model = some_windows(32), classifier()
    targets = np.tile([0, 1], (len(windows), 1))
    compare(
        "LRP-ε maps in float64 with the biases' account, two classes an event",
        2 * len(windows),
        "maps",
        lambda: explain(model, windows, targets),
        lambda: [explain(model, windows[i : i + 1], targets[i : i + 1, t : t + 1]) for i in range(32) for t in (0, 1)],
        "one event, one class a call",
    )


if __name__ == "__main__":
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; fastest of 5 calls")
    for benchmark in (stft, prediction, relevance):
        benchmark()
