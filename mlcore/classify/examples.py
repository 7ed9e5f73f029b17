"""What a network learns from: labelled windows, cut and altered anew in every epoch, or as they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mlcore.classify.augment import alters_windows, augment_inputs, augment_windows, mix_pairs
from mlcore.classify.losses import balanced_order
from mlcore.classify.predict import network_inputs
from mlcore.config import Recipe
from mlcore.datasets import EventWindows
from mlcore.training import Examples, TensorExamples


@dataclass(frozen=True)
class AlteredWindows:
    """Windows cut a little earlier or later from real record, and augmented as the recipe says, anew in every epoch."""

    windows: EventWindows
    targets: Tensor  # (n, classes), shares
    recipe: Recipe
    noise: NDArray[np.float32] | None = None  # (m, components, samples), to mix in

    def __len__(self) -> int:
        return len(self.windows)

    def order(self, generator: torch.Generator) -> Tensor:
        """Which windows an epoch shows."""
        if self.recipe.training.class_balance == "sampling":
            return balanced_order(self.targets, generator)
        return torch.randperm(len(self), generator=generator)

    def batch(self, indices: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Inputs and targets; without a generator, as they are."""
        if generator is None:
            return network_inputs(self.windows.windows[indices.numpy()], self.recipe), self.targets[indices]
        preprocessing, training = self.recipe.preprocessing, self.recipe.training
        furthest = round(training.time_shift_s * preprocessing.sampling_rate_hz)
        shifts = torch.randint(-furthest, furthest + 1, (len(indices),), generator=generator).tolist()
        windows = self.windows.moved(indices.tolist(), shifts, preprocessing)
        windows = augment_windows(windows, training, preprocessing, generator, self.noise)
        inputs = augment_inputs(network_inputs(windows, self.recipe), self.recipe, generator)
        return mix_pairs(inputs, self.targets[indices], training.mixup, generator)


def examples(windows: EventWindows, targets: Tensor, recipe: Recipe) -> TensorExamples:
    """Windows as they are, with targets (n, classes)."""
    return TensorExamples(network_inputs(windows.windows, recipe), targets)


def altered_examples(windows: EventWindows, targets: Tensor, recipe: Recipe) -> Examples:
    """Windows as the recipe alters them for training; as they are where it alters nothing."""
    training = recipe.training
    noise = windows.windows[[label == recipe.post_processing.noise_class for label in windows.labels]]
    moves = bool(training.time_shift_s and windows.surroundings)
    masks = bool(training.time_mask_s or training.frequency_mask_hz or training.mixup)
    if moves or masks or alters_windows(training, noise) or training.class_balance == "sampling":
        return AlteredWindows(windows, targets, recipe, noise)
    return examples(windows, targets, recipe)


def one_hot(windows: EventWindows, classes: Sequence[str]) -> Tensor:
    """The windows' labels as shares of classes, (n, classes)."""
    numbers = [list(classes).index(label) for label in windows.labels]
    return F.one_hot(torch.tensor(numbers, dtype=torch.long), len(classes)).float()
