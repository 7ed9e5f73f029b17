"""Training windows per second, against the plainest loop on the same network: eager, float32, one batch after another.

python -m tests.benchmarks.training
"""

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional as F

from mlcore.classify.model import STFTClassifier
from mlcore.classify.predict import channels_last, network_inputs
from mlcore.config import Recipe, Training
from mlcore.stft import stft_magnitude
from mlcore.training import TensorExamples, fit
from tests.benchmarks.timing import compare

RECIPE = Recipe()
CLASSES = 4
WINDOWS = 512


class FreshInputs(TensorExamples):
    """Windows whose STFT is computed anew for every batch, as of windows that move."""

    def batch(self, indices, generator=None):
        return network_inputs(self.inputs.numpy()[indices], RECIPE), self.targets[indices]


def network() -> STFTClassifier:
    torch.manual_seed(0)
    return STFTClassifier(len(RECIPE.preprocessing.components), CLASSES, RECIPE.network)


def ours(examples: TensorExamples) -> None:
    none = TensorExamples(examples.inputs[:0], examples.targets[:0])
    training = replace(Training(), epochs=1, early_stopping=0)
    fit(channels_last(network()), F.cross_entropy, examples, none, training)


def plain(examples: TensorExamples, *, transform: bool) -> None:
    """The loop that everyone writes first."""
    model = network().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=7e-4)
    for indices in torch.randperm(len(examples)).split(Training().batch_size):
        inputs = examples.inputs[indices]
        if transform:
            inputs = stft_magnitude(inputs, RECIPE.preprocessing)
        optimizer.zero_grad()
        F.cross_entropy(model(inputs.contiguous()), examples.targets[indices]).backward()
        optimizer.step()


def main() -> None:
    p = RECIPE.preprocessing
    rng = np.random.default_rng(0)
    windows = rng.standard_normal((WINDOWS, len(p.components), p.window_samples)).astype(np.float32)
    targets = torch.from_numpy(rng.integers(0, CLASSES, WINDOWS))
    still = TensorExamples(network_inputs(windows, RECIPE), targets)
    moving = FreshInputs(torch.from_numpy(windows), targets)
    named = "plain eager float32"
    compare(
        "Training, STFTs kept", WINDOWS, "windows", lambda: ours(still), lambda: plain(still, transform=False), named
    )
    compare(
        "Training, STFTs anew for every batch",
        WINDOWS,
        "windows",
        lambda: ours(moving),
        lambda: plain(moving, transform=True),
        named,
    )


if __name__ == "__main__":
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; fastest of 5 epochs")
    main()
