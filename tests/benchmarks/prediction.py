"""python -m tests.benchmarks.prediction: windows per second through the STFT, and through the network."""

import numpy as np
import torch
from scipy import signal

from mlcore.classify.predict import Classifier, build
from mlcore.config import Recipe
from mlcore.stft import stft_magnitude
from tests.benchmarks.timing import compare

RECIPE = Recipe()
CLASSES = ["earthquake", "quake", "rockfall", "noise"]


def main() -> None:
    stft()
    prediction()


def some_windows(count: int) -> np.ndarray:
    p = RECIPE.preprocessing
    return np.random.default_rng(0).standard_normal((count, len(p.components), p.window_samples))


def untrained() -> Classifier:
    torch.manual_seed(0)
    description = {"classes": CLASSES, "recipe": RECIPE.to_dict(), "weights_sha256": "0" * 64}
    return Classifier(build(description), description)


def scipys(window: np.ndarray) -> np.ndarray:
    return np.abs(signal.stft(window, nperseg=128, noverlap=88, window="boxcar")[2])


def stft() -> None:
    windows = some_windows(256)
    batch = torch.as_tensor(windows)
    compare(
        "STFT magnitudes of 3 × 3,750 samples, float64",
        len(windows),
        "windows",
        lambda: stft_magnitude(batch, RECIPE.preprocessing),
        lambda: [scipys(window) for window in windows],
        "scipy.signal.stft, one window a call",
    )


def prediction() -> None:
    windows, model = some_windows(128), untrained()

    def one_by_one() -> None:
        with torch.inference_mode():
            for window in windows:
                model.model(torch.as_tensor(scipys(window)[None], dtype=torch.float32))

    compare(
        "Classification, waveform to probabilities",
        len(windows),
        "windows",
        lambda: model.predict(windows),
        one_by_one,
        "scipy.signal.stft and an eager forward, one window a call",
    )


if __name__ == "__main__":
    main()
