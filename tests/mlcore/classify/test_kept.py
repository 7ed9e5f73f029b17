"""A scan that forgets the past finds what one that keeps it all finds."""

from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.classify.kept import LONGEST_S, Kept
from mlcore.classify.postprocess import detections

from .examples import START
from .listeners import CLASSES, RECIPE


def speaking(seed, steps=4000):
    rng = np.random.default_rng(seed)
    probabilities = np.tile([0.05, 0.05, 0.9], (steps, 1))
    for first in rng.choice(steps - 50, 25, replace=False):
        probabilities[first : first + rng.integers(2, 40)] = rng.permutation([0.85, 0.1, 0.05])
    return probabilities


@given(seed=st.integers(0, 999), together=st.integers(1, 300))
@settings(max_examples=20)
def test_letting_go_of_what_is_quiet_gives_the_events_of_the_whole_scan(seed, together):
    probabilities = speaking(seed)
    times = [START + timedelta(seconds=i) for i in range(len(probabilities))]
    expected = detections(times, probabilities, CLASSES, RECIPE)
    kept, found, largest = Kept(START, RECIPE, CLASSES), [], 0
    for first in range(0, len(times), together):
        found += kept.add(times[first], probabilities[first : first + together])
        largest = max(largest, len(kept.rows))
        found += kept.let_go()
    found += kept.let_go(everything=True)
    assert found == expected
    assert len(found) > 5
    assert largest < 2000


def test_steps_that_were_left_out_are_quiet_and_cost_no_memory():
    kept, loud = Kept(START, RECIPE, CLASSES), np.tile([0.9, 0.1, 0.0], (20, 1))
    found = [*kept.add(START, loud), *kept.add(START + timedelta(days=300), loud)]
    assert len(kept.rows) < 500
    found += kept.let_go(everything=True)
    assert [round((d.starttime - START).total_seconds() / 86_400) for d in found] == [0, 300]


def test_what_never_falls_silent_is_let_go_after_a_day():
    kept, hour = Kept(START, RECIPE, CLASSES), np.tile([0.9, 0.1, 0.0], (3600, 1))
    found = []
    for number in range(60):
        found += [*kept.add(START + timedelta(hours=number), hour), *kept.let_go()]
        assert len(kept.rows) <= LONGEST_S
    assert len(found) == 2
