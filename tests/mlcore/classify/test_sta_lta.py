import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy.signal.trigger import classic_sta_lta, recursive_sta_lta, trigger_onset

from mlcore.classify.sta_lta import Onsets, StaLta
from mlcore.config import Trigger

OBSPYS = {"classic": classic_sta_lta, "recursive": recursive_sta_lta}


def bursts(seed, samples=6000):
    rng = np.random.default_rng(seed)
    data = rng.standard_normal(samples)
    for start in rng.integers(0, samples, 6):
        data[start : start + rng.integers(5, 400)] *= rng.uniform(2, 30)
    return data


def in_parts(data, cuts):
    return np.split(data, sorted(cuts))


@given(
    seed=st.integers(0, 999),
    average=st.sampled_from(["classic", "recursive"]),
    cuts=st.lists(st.integers(0, 6000), max_size=6),
    longest=st.sampled_from([40, 10**6]),
)
@settings(max_examples=40)
def test_ratio_and_triggers_equal_obspys_in_however_many_parts_they_come(seed, average, cuts, longest):
    data = bursts(seed)
    expected = OBSPYS[average](data, 50, 1000)
    ours = StaLta(Trigger(average=average, sta_s=0.5, lta_s=10.0), 100.0)
    ratio = np.concatenate([ours.ratio(part) for part in in_parts(data**2, cuts)])
    # obspy's running sums round, and do so more after the loudest burst.
    np.testing.assert_allclose(ratio, expected, rtol=1e-6, atol=1e-9)
    onsets = Onsets(2.5, 1.2, longest)
    triggers = [pair for part in in_parts(expected, cuts) for pair in onsets.closed(part)] + onsets.broken()
    theirs = trigger_onset(expected, 2.5, 1.2, max_len=longest)
    assert triggers == [tuple(pair) for pair in np.asarray(theirs).tolist()]


def test_both_averages_equal_their_definitions_written_as_loops():
    energy = bursts(1, 400) ** 2
    short = long = 0.0
    recursive = []
    for i, value in enumerate(energy):
        if i:
            short, long = value / 5 + short * 4 / 5, value / 40 + long * 39 / 40
        recursive.append(short / long if i >= 40 else 0)
    classic = [energy[i - 4 : i + 1].mean() / energy[i - 39 : i + 1].mean() if i >= 39 else 0 for i in range(400)]
    for average, expected in (("recursive", recursive), ("classic", classic)):
        ours = StaLta(Trigger(average=average, sta_s=0.5, lta_s=4.0), 10.0)
        np.testing.assert_allclose(ours.ratio(energy), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("average", ["classic", "recursive"])
def test_silence_never_triggers(average):
    ratio = StaLta(Trigger(average=average, sta_s=0.5, lta_s=4.0), 10.0).ratio(np.zeros(500))
    assert not ratio.any()
