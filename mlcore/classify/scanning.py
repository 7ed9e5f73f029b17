"""What a classifier says along a prepared record, at the least cost that leaves the detections as they are.

Three savings, none of which changes a detection:
- Overlapping windows share their STFT frames (see `mlcore.frames`).
- The median over m steps (Jiang et al. 2024, section 4.4) is zero unless (m + 1) / 2 of them reach the threshold. So of
  every m windows (m − 1) / 2 may wait; where one of the others comes near the threshold, those around it are asked.
- Where the CPU multiplies bfloat16 itself, the network is asked in bfloat16 which windows come near the threshold, and
  these are asked again in float32. Every probability that counts is float32's; predictions and explanations of events
  are never bfloat16.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from torch import nn

from mlcore.classify.blocks import Block, blocks
from mlcore.classify.calibration import softmax
from mlcore.classify.predict import BATCH, Classifier
from mlcore.classify.quick import quick_copy
from mlcore.traces import Waveform

NEAR = 0.1  # below the threshold: bfloat16's probabilities are off by less
BUSY = 0.5  # share of windows asked twice, above which asking all once is cheaper
CPU_FACTS = Path("/proc/cpuinfo")

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Scanned:
    """n windows one step apart, from window `first` of the record."""

    first: int
    probabilities: NDArray[np.float64]  # (n, classes); rows sum to 1, or are 0 where nothing was said
    usable: NDArray[np.bool_]  # (n,); False where more than `maximum_gap` is missing


class Scanner:
    """A classifier that goes along records. `float32` refuses bfloat16 where the CPU has it. For one thread."""

    def __init__(self, classifier: Classifier, *, float32: bool = False):
        self.classifier = classifier
        self.bfloat16 = not float32 and multiplies_bfloat16()
        self.compared = False  # whether bfloat16 was compared with float32 on this record's windows
        self.busy = False
        post = classifier.recipe.post_processing
        self.threshold, self.median = post.threshold, post.median
        self.events = [i for i, name in enumerate(classifier.classes) if name != post.noise_class]

    @cached_property
    def quick(self) -> nn.Module:
        """The network that is asked in bfloat16."""
        return quick_copy(self.classifier.model)

    def everything(self, waveform: Waveform) -> Iterator[Scanned]:
        """The probabilities of every usable window of a prepared record, in float32."""
        for block in blocks(waveform, self.classifier.recipe):
            yield Scanned(block.first, self._answers(block, block.usable), block.usable)

    def what_counts(self, waveform: Waveform) -> Iterator[Scanned]:
        """As `everything`, but 0 for windows that post-processing sets to 0: it makes the same detections of both."""
        for block in blocks(waveform, self.classifier.recipe):
            probabilities = self._answers(block, block.usable) if self.busy else self._near_the_threshold(block)
            spoke = np.asarray((probabilities[:, self.events] >= self.threshold).any(axis=1))
            self.busy = float(around(spoke, self.median).mean()) > BUSY  # the next block is likely as busy
            yield Scanned(block.first, probabilities, block.usable)

    def _near_the_threshold(self, block: Block) -> NDArray[np.float64]:
        """The probabilities of the windows that come near the threshold, where a median may be above zero."""
        bfloat16 = self.bfloat16
        first = block.usable & asked_first(len(block), self.median)
        answers = self._answers(block, first, bfloat16=bfloat16)
        waited = around(self._reach(answers, bfloat16), self.median) & block.usable & ~first
        answers += self._answers(block, waited, bfloat16=bfloat16)
        if not bfloat16:
            return answers
        wanted = self._reach(answers, bfloat16)
        if not self.compared:
            wanted[np.flatnonzero(first)[:BATCH]] = True
        exact = self._answers(block, wanted)
        if not self._errs(answers, exact, wanted):
            return exact
        self.bfloat16 = False
        return self._near_the_threshold(block)

    def _reach(self, answers: NDArray[np.float64], bfloat16: bool) -> NDArray[np.bool_]:
        """Which windows some event class brings to the threshold, or so near that bfloat16 does not tell, (n,)."""
        likeliest = answers[:, self.events].max(axis=1, initial=0.0)
        return np.asarray(likeliest >= self.threshold - (NEAR if bfloat16 else 0.0))

    def _answers(self, block: Block, wanted: NDArray[np.bool_], *, bfloat16: bool = False) -> NDArray[np.float64]:
        """The network's probabilities of the wanted windows, (n, classes); 0 for the others."""
        probabilities, rows = np.zeros((len(block), len(self.classifier.classes))), np.flatnonzero(wanted)
        probabilities[rows] = ask(self.classifier, block, rows, quick=self.quick if bfloat16 else None)
        return probabilities

    def _errs(self, answers: NDArray[np.float64], exact: NDArray[np.float64], wanted: NDArray[np.bool_]) -> bool:
        """Whether bfloat16 errs by so much that it might pass over a window."""
        self.compared = True
        both = wanted & answers.any(axis=1)
        return float(np.abs(answers[both] - exact[both]).max(initial=0.0)) > NEAR / 2

    def _nothing(self, block: Block) -> NDArray[np.float64]:
        return np.zeros((len(block), len(self.classifier.classes)))


def ask(classifier: Classifier, block: Block, rows: Rows, *, quick: nn.Module | None = None) -> NDArray[np.float64]:
    """The network's probabilities of some windows of a block, (rows, classes); in bfloat16 by a quick copy if given."""
    network = quick or classifier.model
    answers = np.zeros((len(rows), len(classifier.classes)))
    for start in range(0, len(rows), BATCH):
        part = slice(start, start + BATCH)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16) if quick else nullcontext():
            logits = network(block.inputs(rows[part]), block.attributes(rows[part]))
        answers[part] = softmax(logits.float().numpy())
    return answers


def asked_first(count: int, median: int) -> NDArray[np.bool_]:
    """Which of `count` windows to ask: so many that every median above zero sees one that was asked, (count,).

    The first and last windows are all asked: their medians see another block too.
    """
    row = np.arange(count)
    return np.asarray((row % median <= median // 2) | (row < median - 1) | (row >= count - median + 1))


def around(true: NDArray[np.bool_], median: int) -> NDArray[np.bool_]:
    """Whether a window shares a median with one that is True, (n,)."""
    return np.asarray(maximum_filter1d(true.astype(np.int8), 2 * median - 1, mode="constant"), dtype=bool)


@cache
def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16; where it only emulates them, float32 is faster."""
    try:
        facts = set(CPU_FACTS.read_text(encoding="utf-8").split())
    except OSError:
        return False
    return bool(facts & {"avx512_bf16", "amx_bf16"})
