"""From the probabilities of a sliding window to events: Jiang et al. 2024, section 4.4.

Threshold, median, Gaussian, highest peak. The final noise decision (0.18) is the authors' script's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, median_filter

from mlcore.config import PostProcessing, Recipe

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Detection:
    """A span that the network calls an event, or noise that resembles one."""

    starttime: datetime
    endtime: datetime
    class_code: str
    probability: float  # the highest smoothed probability within the span
    station: str = ""  # NET.STA.LOC, where the caller knows it


def post_process(probabilities: Floats, post: PostProcessing) -> NDArray[np.float64]:
    """Softmax outputs of consecutive steps, cleaned and smoothed class by class. (n, classes) → (n, classes)

    1. values below `threshold` become zero; 2. a median over `median` steps; 3. a Gaussian kernel of
    `gaussian_length` steps and `gaussian_sigma`, summing to 1. Beyond both ends of the record is zero.
    """
    kept = np.where(probabilities >= post.threshold, probabilities, 0.0).astype(np.float64)
    steady = median_filter(kept, size=(post.median, 1), mode="constant", cval=0.0)
    smooth: NDArray[np.float64] = convolve1d(steady, gaussian_kernel(post), axis=0, mode="constant", cval=0.0)
    return smooth


def gaussian_kernel(post: PostProcessing) -> NDArray[np.float64]:
    """`gaussian_length` weights that sum to 1."""
    offsets = np.arange(post.gaussian_length) - post.gaussian_length // 2
    weights = np.exp(-0.5 * (offsets / post.gaussian_sigma) ** 2)
    kernel: NDArray[np.float64] = weights / weights.sum()
    return kernel


def highest_peak(smooth: Floats, classes: Sequence[str], post: PostProcessing) -> tuple[str, float]:
    """The class of a stretch of smoothed probabilities (n, classes), and its peak.

    The event class with the highest peak wins; where none rises above `noise_level`, it is noise, with the peak that
    was not enough. A model without a noise class always names an event.
    """
    events = _events(classes, post)
    peaks = smooth[:, events].max(axis=0, initial=0.0)
    winner = int(peaks.argmax())
    if peaks[winner] <= post.noise_level and post.noise_class in classes:
        return post.noise_class, float(peaks[winner])
    return classes[events[winner]], float(peaks[winner])


def decide_at(
    second: datetime, starttimes: Sequence[datetime], probabilities: Floats, classes: Sequence[str], recipe: Recipe
) -> tuple[str, float]:
    """The scan at a catalogued second: the highest peak from `noise_before_s` before it to `noise_after_s` after.

    starttimes (n,) of the windows and their raw probabilities (n, classes) → class, peak
    """
    post = recipe.post_processing
    centres = np.array([(t - second).total_seconds() for t in starttimes]) + recipe.preprocessing.window_s / 2
    near = (centres >= -post.noise_before_s) & (centres <= post.noise_after_s)
    return highest_peak(post_process(probabilities, post)[near], classes, post)


def detections(
    starttimes: Sequence[datetime], probabilities: Floats, classes: Sequence[str], recipe: Recipe
) -> list[Detection]:
    """The events in a scan, in time order. starttimes (n,), one step apart; probabilities (n, classes)

    Each window speaks for its centre. A stretch of steps in which some event class is above zero after smoothing is
    one event; the highest peak names it, and it lasts while its class (for noise: any class) stays at or above half
    that peak. A peak too low is called noise, and dropped where the model has no such class.
    """
    post = recipe.post_processing
    smooth = post_process(probabilities, post)
    highest = smooth[:, _events(classes, post)].max(axis=1, initial=0.0)
    centre, half_step = recipe.preprocessing.window_s / 2, recipe.preprocessing.step_s / 2
    found = []
    for first, end in _stretches(highest > 0):
        name, peak = highest_peak(smooth[first:end], classes, post)
        noise = name == post.noise_class
        if not noise and peak <= post.noise_level:
            continue
        curve = highest if noise else smooth[:, classes.index(name)]
        loud = first + np.flatnonzero(curve[first:end] >= peak / 2)
        start = starttimes[loud[0]] + timedelta(seconds=centre - half_step)
        last = starttimes[loud[-1]] + timedelta(seconds=centre + half_step)
        found.append(Detection(start, last, name, peak))
    return drop_crowded_noise(found, post)


def drop_crowded_noise(found: Sequence[Detection], post: PostProcessing) -> list[Detection]:
    """Without the noise that lies within `isolation_s` of an event: it is that event's flank."""
    near = timedelta(seconds=post.isolation_s)
    events = [one for one in found if one.class_code != post.noise_class]

    def crowded(one: Detection) -> bool:
        return any(e.starttime - one.endtime < near and one.starttime - e.endtime < near for e in events)

    return [one for one in found if one.class_code != post.noise_class or not crowded(one)]


def _events(classes: Sequence[str], post: PostProcessing) -> list[int]:
    """The columns that are not noise."""
    return [i for i, name in enumerate(classes) if name != post.noise_class]


def _stretches(true: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First index and end (exclusive) of each run of True."""
    edges = np.flatnonzero(np.diff(true.astype(np.int8), prepend=0, append=0))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
