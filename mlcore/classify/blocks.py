"""The windows of a prepared record, some hundred at a time, as the network's input."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor

from mlcore.classify.predict import network_attributes, network_inputs
from mlcore.config import Recipe
from mlcore.frames import Layout, SharedFrames
from mlcore.stft import stft_input
from mlcore.traces import Waveform
from mlcore.windows import normalise

BLOCK = 600  # windows; each block transforms the frames at its edge again, and holds all of its frames


class Block:
    """n windows one step apart, from window `first` of a record. Their input is made when it is asked for."""

    def __init__(self, waveform: Waveform, first: int, count: int, recipe: Recipe):
        self.first, self.recipe, preprocessing = first, recipe, recipe.preprocessing
        length, step = preprocessing.window_samples, preprocessing.step_samples
        part = np.s_[:, first * step : (first + count - 1) * step + length]
        data, mask = waveform.data[part], waveform.mask[part]
        self.windows = sliding_window_view(data, length, axis=-1)[:, ::step].swapaxes(0, 1)
        self.masks = sliding_window_view(mask, length, axis=-1)[:, ::step].swapaxes(0, 1)
        recorded = _count(mask, length, step)
        anywhere = _count(np.asarray(mask.any(axis=0, keepdims=True)), length, step)[0]
        self.usable = 1 - anywhere / length <= preprocessing.maximum_gap
        # gaps change what a mean is
        self.own: NDArray[np.bool_] = np.asarray(((recorded > 0) & (recorded < length)).any(axis=0))
        self.shared = None
        if Layout.of(preprocessing).pays:
            self.shared = SharedFrames(data, preprocessing)
            self.own |= self.shared.plain

    def __len__(self) -> int:
        return len(self.usable)

    def inputs(self, rows: NDArray[np.intp]) -> Tensor:
        """The map that the network is given for these windows, float32 (n, components, freq, time)."""
        if self.shared is None or self.own[rows].all():
            return self._plain(rows)
        inputs = stft_input(self.shared.inputs(rows), self.recipe.preprocessing)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        own = np.flatnonzero(self.own[rows])
        if own.size:
            inputs[torch.as_tensor(own)] = self._plain(rows[own])
        return inputs

    def attributes(self, rows: NDArray[np.intp]) -> Tensor:
        """What the network is given beside the map, (n, a); a is 0 for a network that takes none."""
        if not self.recipe.network.attributes:
            return torch.zeros(len(rows), 0)
        return network_attributes(self.normalised(rows), self.recipe)

    def normalised(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """These windows as `sliding_windows` gives them, (n, components, samples)."""
        return normalise(self.windows[rows], self.recipe.preprocessing, self.masks[rows])

    def _plain(self, rows: NDArray[np.intp]) -> Tensor:
        return network_inputs(self.normalised(rows), self.recipe)


def blocks(waveform: Waveform, recipe: Recipe) -> Iterator[Block]:
    """All windows of a prepared record; none where it is shorter than a window."""
    length, step = recipe.preprocessing.window_samples, recipe.preprocessing.step_samples
    total = (waveform.samples - length) // step + 1 if waveform.samples >= length else 0
    for first in range(0, total, BLOCK):
        yield Block(waveform, first, min(BLOCK, total - first), recipe)


def _count(mask: NDArray[np.bool_], length: int, step: int) -> NDArray[np.int64]:
    """How many samples of each window are True. mask (rows, samples) → (rows, windows)"""
    sums = np.zeros((len(mask), mask.shape[1] + 1), dtype=np.int64)
    np.cumsum(mask, axis=1, out=sums[:, 1:])
    return np.asarray(sums[:, length::step] - sums[:, : sums.shape[1] - length : step])
