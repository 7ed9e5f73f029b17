"""What a scan keeps of the past: no more than an event, its smoothing and the isolation of noise can reach."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from mlcore.classify.postprocess import Detection, detections
from mlcore.config import Recipe

LONGEST_S = 86_400.0  # kept at once, if nothing quiet lets go of it earlier


@dataclass(frozen=True)
class Found:
    """What a part of a record brought: usable windows in it, and the events that are complete."""

    windows: int
    detections: list[Detection]


class Kept:
    """Probabilities on one grid of steps, kept until a quiet stretch lets events before it go whole."""

    def __init__(self, origin: datetime, recipe: Recipe, classes: Sequence[str]) -> None:
        self.origin, self.recipe, self.classes = origin, recipe, list(classes)
        self.step_s = recipe.preprocessing.step_samples / recipe.preprocessing.sampling_rate_hz
        self.first = 0  # the step that row 0 stands for
        self.rows: NDArray[np.float64] = np.zeros((0, len(classes)))
        post = recipe.post_processing
        reach = post.median + post.gaussian_length
        # Beyond this, neither smoothing nor the isolation of noise reaches across.
        self.quiet_steps = 2 * reach + round(post.isolation_s / self.step_s) + 1

    def time_of(self, step: int) -> datetime:
        return self.origin + timedelta(seconds=step * self.step_s)

    def next_start(self, time: datetime) -> datetime:
        """The first step of the grid at or after a time."""
        return self.time_of(int(np.ceil((time - self.origin).total_seconds() / self.step_s - 1e-6)))

    def add(self, starttime: datetime, probabilities: NDArray[np.float64]) -> Iterator[Detection]:
        """Probabilities (n, classes) of windows one step apart from `starttime`, later than all before.

        Steps that were left out count as 0; where they are many, what came before them is let go.
        """
        step = round((starttime - self.origin).total_seconds() / self.step_s)
        if step - self.first - len(self.rows) > self.quiet_steps:
            yield from self.let_go(everything=True)
            self.first = step - self.quiet_steps
        missing = np.zeros((max(step - self.first - len(self.rows), 0), len(self.classes)))
        self.rows = np.concatenate([self.rows, missing, probabilities])

    def let_go(self, *, everything: bool = False) -> Iterator[Detection]:
        """The events before the last quiet stretch, or all of them; and forget what came before it."""
        end = len(self.rows) if everything else self._quiet_end()
        if not end:
            return
        times = [self.time_of(self.first + row) for row in range(end)]
        found = detections(times, self.rows[:end], self.classes, self.recipe)
        self.rows, self.first = self.rows[end:], self.first + end
        yield from found

    def _quiet_end(self) -> int:
        """Up to which row all can go: into the last stretch of `quiet_steps` in which no class of event spoke."""
        post = self.recipe.post_processing
        events = [i for i, code in enumerate(self.classes) if code != post.noise_class]
        loud = np.flatnonzero((self.rows[:, events] >= post.threshold).any(axis=1))
        edges = np.concatenate([[-1], loud, [len(self.rows)]])
        wide = np.flatnonzero(np.diff(edges) > self.quiet_steps)
        if wide.size:
            return int((edges[wide[-1]] + edges[wide[-1] + 1]) // 2)
        return len(self.rows) if len(self.rows) * self.step_s > LONGEST_S else 0
