"""An event's own noise as reference: is an event louder than the noise that was cut around it, at the same station?

A network sees windows divided by their peak, and a faint event in noise looks like noise to it. Beside each other they
differ. This is for ranking labels of units that have a counterpart; a network that classifies a record has none to ask.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.classify.calibration import unit_rows
from mlcore.config import Recipe
from mlcore.datasets import EventWindows
from mlcore.splits import group_of, noise_of

Floats = NDArray[np.float64]

LOUDEST = 4.0  # natural logarithm of an amplitude ratio; more tells no more
PARTS = 5  # of the events, each judged by what the others show
STEPS = 25  # of Newton's method on two numbers
SMALLEST = 1e-6  # probability


def with_own_noise(
    probabilities: ArrayLike,
    windows: EventWindows,
    classes: Sequence[str],
    recipe: Recipe,
    labels: ArrayLike,
    worth: ArrayLike | None = None,
) -> Floats:
    """Probabilities (units, K) with the loudness of each unit heard, where the recipe cuts noise around events.

    Units, their `labels` and how much each is `worth` learning from are in the order in which units first appear.
    """
    p, name = np.asarray(probabilities, dtype=np.float64), recipe.catalogue.noise_class
    if name not in classes:
        return p
    units = list(dict.fromkeys(windows.event_ids))
    counted = np.ones(len(units)) if worth is None else worth
    return heard_against_noise(p, louder_than_counterpart(windows), labels, list(classes).index(name), units, counted)


def louder_than_counterpart(windows: EventWindows) -> Floats:
    """By how much each unit is louder than its counterpart, (units,) in the order in which they first appear.

    The counterpart of an event is the noise around it, that of noise its event. The logarithm of the ratio of RMS
    amplitudes within ±4, as the mean over stations that have both; NaN for a unit without counterpart.
    """
    level = _levels(windows)
    found: dict[str, list[float]] = {unit: [] for unit in windows.event_ids}
    for (unit, station), own in level.items():
        other = (noise_of(unit) if unit == group_of(unit) else group_of(unit), station)
        if other in level:
            found[unit].append(float(np.clip(own - level[other], -LOUDEST, LOUDEST)))
    return np.array([np.mean(ratios) if ratios else np.nan for ratios in found.values()])


def heard_against_noise(
    probabilities: ArrayLike,
    louder: ArrayLike,
    labels: ArrayLike,
    noise: int,
    units: Sequence[str],
    worth: ArrayLike,
) -> Floats:
    """Probabilities (units, K) with `louder` (units,) heard: by Bayes' rule, as evidence for or against noise alone.

    How loudness tells noise from events is learnt from the labels (units,) that are `worth` it, by logistic regression;
    an event and its noise are never judged by what they taught. `noise` is the class of noise. What the network says of
    the other classes among each other stays. Units without counterpart stay as they are.
    """
    p, x, said = np.array(probabilities, dtype=np.float64), np.asarray(louder), np.asarray(labels) == noise
    rows = unit_rows([group_of(unit) for unit in units])
    part = np.random.default_rng(0).permutation(int(rows.max(initial=-1)) + 1)[rows] % PARTS
    known = np.isfinite(x)
    for judged in range(PARTS):
        taught, mine = known & (part != judged) & (np.asarray(worth) > 0), known & (part == judged)
        if said[taught].any() and not said[taught].all():
            p[mine, noise] *= np.exp(_evidence(x[taught], said[taught], x[mine]))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _levels(windows: EventWindows) -> dict[tuple[str, str], float]:
    """Logarithm of the RMS amplitude of each unit at each station, where there is any."""
    found: dict[tuple[str, str], list[float]] = {}
    length = windows.windows.shape[-1]
    places = zip(windows.event_ids, windows.stations, windows.surroundings, windows.before, strict=bool(windows.before))
    for unit, station, record, before in places:
        power = np.square(record[:, before : before + length].astype(np.float64)).mean()
        if power > 0:
            found.setdefault((unit, station), []).append(0.5 * float(np.log(power)))
    return {place: float(np.mean(levels)) for place, levels in found.items()}


def _evidence(x: Floats, true: NDArray[np.bool_], asked: Floats) -> Floats:
    """Logarithm of the odds of `true` at `asked`, less that without knowing x."""
    design = np.column_stack([np.ones(len(x)), x])
    weights = np.zeros(2)
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (p - true) + 0.1 * weights * [0, 1]  # a little caution, should loudness part them wholly
        weights -= np.linalg.solve((design.T * (p * (1 - p))) @ design + 0.1 * np.eye(2), gradient)
    share = float(np.clip(true.mean(), SMALLEST, 1 - SMALLEST))
    return np.asarray(weights[0] + weights[1] * asked - np.log(share / (1 - share)))
