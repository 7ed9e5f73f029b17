import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

import numpy as np
import pytest

from mlcore.classify.postprocess import (
    Detection,
    decide_at,
    detections,
    drop_crowded_noise,
    gaussian_kernel,
    highest_peak,
    post_process,
)
from mlcore.config import PostProcessing, Recipe

RECIPE = Recipe()
POST = RECIPE.post_processing
CLASSES = ["quake", "earthquake", "rockfall", "noise"]
START = datetime(2026, 1, 1, tzinfo=UTC)


def times(count):
    return [START + timedelta(seconds=i) for i in range(count)]


def scan(count, *bumps):
    """Probabilities of `count` steps: noise, but for (class, first, end, probability)."""
    probabilities = np.zeros((count, 4))
    for name, first, end, probability in bumps:
        probabilities[first:end, CLASSES.index(name)] = probability
    probabilities[:, 3] = 1 - probabilities[:, :3].sum(axis=1)
    return probabilities


def loops(values, post):
    """One class through section 4.4 of Jiang et al. 2024, step by step."""
    n = len(values)
    kept = [v if v >= post.threshold else 0.0 for v in values]
    half = post.median // 2
    steady = [median(kept[j] if 0 <= j < n else 0.0 for j in range(i - half, i + half + 1)) for i in range(n)]
    half = post.gaussian_length // 2
    weights = [math.exp(-(o**2) / (2 * post.gaussian_sigma**2)) for o in range(-half, half + 1)]
    return [
        sum(w * steady[i + o] for o, w in zip(range(-half, half + 1), weights, strict=True) if 0 <= i + o < n)
        / sum(weights)
        for i in range(n)
    ]


def test_the_filters_equal_the_papers_steps_written_as_loops():
    probabilities = np.random.default_rng(0).dirichlet([0.3] * 4, 200)
    for post in (POST, PostProcessing(threshold=0.7, median=3, gaussian_length=9, gaussian_sigma=4.0)):
        smooth = post_process(probabilities, post)
        for column in range(4):
            np.testing.assert_allclose(smooth[:, column], loops(probabilities[:, column].tolist(), post), atol=1e-15)


def test_the_gaussian_kernel_sums_to_one_and_has_the_papers_length():
    kernel = gaussian_kernel(POST)
    assert len(kernel) == 15
    assert kernel.sum() == pytest.approx(1)
    assert kernel[7] / kernel[2] == pytest.approx(math.exp(0.5))  # one σ off the centre


def test_the_highest_peak_names_the_event_not_the_most_frequent_class():
    smooth = np.array([[0.3, 0.0, 0.2, 0.9], [0.3, 0.0, 0.8, 0.1], [0.3, 0.0, 0.1, 0.9]])
    assert highest_peak(smooth, CLASSES, POST) == ("rockfall", 0.8)


@pytest.mark.parametrize(("peak", "expected"), [(0.18, "noise"), (0.181, "quake")])
def test_a_peak_at_or_below_the_noise_level_is_noise(peak, expected):
    assert highest_peak(np.array([[peak, 0, 0, 0.5]]), CLASSES, POST)[0] == expected


def test_an_event_of_twenty_seconds_is_detected_once_where_it_is():
    (found,) = detections(times(120), scan(120, ("rockfall", 40, 60, 0.9)), CLASSES, RECIPE)
    assert (found.class_code, found.probability) == ("rockfall", pytest.approx(0.9))
    # windows 40…59 speak for their centres, 7.5 s later; half a step on either side
    assert abs((found.starttime - START).total_seconds() - 47) <= 1
    assert abs((found.endtime - START).total_seconds() - 67) <= 1


def test_single_steps_and_low_probabilities_are_no_events():
    probabilities = scan(120, ("quake", 20, 22, 0.99), ("rockfall", 60, 90, 0.49))
    assert detections(times(120), probabilities, CLASSES, RECIPE) == []


def test_of_two_classes_in_one_stretch_the_higher_peak_wins():
    probabilities = scan(120, ("quake", 40, 50, 0.7), ("rockfall", 50, 62, 0.95))
    assert [d.class_code for d in detections(times(120), probabilities, CLASSES, RECIPE)] == ["rockfall"]


def test_a_short_weak_stretch_is_noise_and_dropped_near_an_event_only():
    weak = ("quake", 20, 23, 0.55)  # its peak stays below 0.18
    alone = detections(times(300), scan(300, weak), CLASSES, RECIPE)
    assert [d.class_code for d in alone] == ["noise"]
    near = detections(times(300), scan(300, weak, ("rockfall", 50, 70, 0.9)), CLASSES, RECIPE)
    assert [d.class_code for d in near] == ["rockfall"]
    far = detections(times(300), scan(300, weak, ("rockfall", 160, 180, 0.9)), CLASSES, RECIPE)
    assert [d.class_code for d in far] == ["noise", "rockfall"]


def test_without_a_noise_class_a_weak_stretch_is_dropped():
    probabilities = scan(100, ("quake", 20, 23, 0.55))[:, :3]
    assert detections(times(100), probabilities, CLASSES[:3], RECIPE) == []


def test_the_isolation_of_noise_is_counted_in_seconds_from_edge_to_edge():
    def span(name, start, end):
        return Detection(START + timedelta(seconds=start), START + timedelta(seconds=end), name, 0.5)

    event = span("quake", 100, 110)
    noise = [span("noise", 60, 70), span("noise", 60, 71), span("noise", 140, 150), span("noise", 139, 150)]
    kept = drop_crowded_noise([event, *noise], POST)
    assert kept == [event, noise[0], noise[2]]


def test_a_catalogued_second_is_decided_from_ten_seconds_before_to_twenty_after():
    probabilities = scan(200, ("quake", 100, 120, 0.9))
    wide_median = replace(RECIPE, post_processing=replace(POST, gaussian_length=1))
    decide = [
        decide_at(START + timedelta(seconds=s), times(200), probabilities, CLASSES, wide_median)[0] for s in range(200)
    ]
    # the windows' centres with an event: 107.5 … 126.5 s
    expected = ["quake" if any(s - 10 <= i + 7.5 <= s + 20 for i in range(100, 120)) else "noise" for s in range(200)]
    assert decide == expected


def test_an_empty_scan_has_no_detections():
    assert detections([], np.zeros((0, 4)), CLASSES, RECIPE) == []
