import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.config import Catalogue, Placement, Preprocessing
from mlcore.errors import UnusableWaveform
from mlcore.placement import event_place, noise_places
from mlcore.windows import event_window
from tests.mlcore.recordings import START, waveform

HZ = 20
P = Preprocessing(sampling_rate_hz=HZ, band_hz=(1, 8), window_s=36, stft_length=64, stft_hop=8, components=("Z",))
ONSET = Placement(rule="onset")
NOISE = Catalogue(noise_class="noise")


def at(seconds):
    return START + timedelta(seconds=seconds)


def signal_at(second, seconds=180.0, seed=0, strength=30.0, lasting=8.0):
    """Noise with a signal that begins at a second and dies away."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * HZ)) / HZ - second
    return rng.normal(size=len(t)) * (1 + strength * np.exp(-np.clip(t, 0, None) / lasting) * (t >= 0))


def rms(values, first, last):
    """Of values first…last−1, one by one."""
    return math.sqrt(sum(float(v) ** 2 for v in values[first:last]) / (last - first))


def start_slowly(values, first=0, end=None):
    """First sample of the window by the rule as it is written in TASK.md; the trace is values[first:end]."""
    end = len(values) if end is None else end
    loudest, peak = -1.0, 0
    for start in range(first + 3 * HZ, end - 3 * HZ - 2 * HZ + 1):
        if rms(values, start, start + 2 * HZ) > loudest:
            loudest, peak = rms(values, start, start + 2 * HZ), start
    onset, largest = peak, 0.0
    for start in range(max(peak - 40 * HZ, first + 23 * HZ), peak + 1):
        ratio = rms(values, start, start + 2 * HZ) / rms(values, start - 20 * HZ, start)
        if ratio > largest:
            largest, onset = ratio, start
    return min(max(onset - 5 * HZ, first + 3 * HZ), end - 3 * HZ - 36 * HZ)


@settings(max_examples=8)
@given(second=st.floats(0, 180), seed=st.integers(0, 1000), strength=st.sampled_from([0.0, 1.0, 30.0]))
def test_the_onset_rule_equals_slow_loops_wherever_the_signal_begins(second, seed, strength):
    values = signal_at(second, seed=seed, strength=strength)
    place = event_place(waveform(values, HZ), at(0), at(180), P, ONSET)
    assert place.start == start_slowly(values)
    assert (place.first, place.end) == (3 * HZ, len(values) - 3 * HZ)


def test_a_window_begins_five_seconds_before_the_onset():
    place = event_place(waveform(signal_at(90), HZ), at(0), at(180), P, ONSET)
    assert abs(place.start / HZ - 85) < 0.2


def test_a_peak_before_23_s_is_the_onset_and_the_window_keeps_to_what_may_be_used():
    place = event_place(waveform(signal_at(15), HZ), at(0), at(180), P, ONSET)
    assert abs(place.start / HZ - 10) < 0.5
    assert event_place(waveform(signal_at(4), HZ), at(0), at(180), P, ONSET).start == 3 * HZ
    assert event_place(waveform(signal_at(170), HZ), at(0), at(180), P, ONSET).start == (180 - 3 - 36) * HZ


def test_an_event_is_sought_within_its_span_and_its_slack_only():
    values = signal_at(60) + signal_at(140, strength=90, seed=1)
    for slack, end, expected in ((0, 100, 55), (0, 180, 135), (50, 100, 135)):
        place = event_place(waveform(values, HZ), at(20), at(end), P, replace(ONSET, slack_s=slack))
        assert abs(place.start / HZ - expected) < 0.5


def test_the_first_component_that_was_recorded_places_the_window_in_what_it_recorded():
    quiet, loud = signal_at(60), signal_at(140, strength=500)
    mask = np.ones((3, len(quiet)), dtype=bool)
    mask[1, : 12 * HZ] = False  # the second component starts 12 s late
    data = np.where(mask, np.stack([loud, quiet, loud]), 0.0)
    mask[0] = False
    three = replace(P, components=("Z", "N", "E"))
    place = event_place(waveform(data, HZ, mask), at(0), at(180), three, ONSET)
    assert place.start == start_slowly(quiet, first=12 * HZ)
    assert place.first == 15 * HZ


def test_a_gap_is_neither_quiet_before_a_signal_nor_part_of_one():
    values = signal_at(100, strength=5)
    mask = np.ones((1, len(values)), dtype=bool)
    mask[0, 60 * HZ : 62 * HZ] = False
    values[60 * HZ : 62 * HZ] = 1e9  # whatever stands there
    place = event_place(waveform(values, HZ, mask), at(0), at(180), P, ONSET)
    clean = event_place(waveform(signal_at(100, strength=5), HZ), at(0), at(180), P, ONSET)
    assert place.start == clean.start


def test_silence_before_a_signal_does_not_divide_by_zero():
    values = np.where(np.arange(180 * HZ) < 90 * HZ, 0.0, signal_at(90))
    assert event_place(waveform(values, HZ), at(0), at(180), P, ONSET).start / HZ == pytest.approx(85, abs=0.1)


@pytest.mark.parametrize(
    ("seconds", "start", "end", "why"),
    [
        (41, 0, 41, "a window takes 36 s beside 6 s at its edges"),
        (180, 0, 3, "No 2 s of the event are recorded away from the record's ends"),
        (180, 200, 300, "but the event is"),
        (180, 90, 80, "ends before"),
    ],
)
def test_a_record_that_holds_no_window_by_the_onset_rule_is_refused(seconds, start, end, why):
    with pytest.raises(UnusableWaveform, match=why):
        event_place(waveform(signal_at(20, seconds), HZ), at(start), at(end), P, ONSET)


def test_a_record_of_nothing_is_refused():
    with pytest.raises(UnusableWaveform):
        event_window(waveform(np.zeros(180 * HZ), HZ, np.zeros((1, 180 * HZ), bool)), at(0), at(180), P, ONSET)


def noise_of(values, catalogue=NOISE, placement=ONSET, start=0):
    record = waveform(values, HZ)
    event = event_place(record, at(start), at(180), P, placement)
    return event, noise_places(record, at(start), event, P, placement, catalogue)


def test_noise_is_cut_from_3_to_39_s_where_that_ends_before_the_event_window_begins():
    event, (noise,) = noise_of(signal_at(90))
    assert (noise.start, noise.first, noise.end) == (3 * HZ, 3 * HZ, event.start)
    event, found = noise_of(signal_at(44.2))
    assert event.start >= 39 * HZ
    assert len(found) == 1
    event, found = noise_of(signal_at(43))
    assert event.start < 39 * HZ
    assert not found


def test_a_longer_noise_span_holds_windows_side_by_side_up_to_the_event():
    longer = replace(NOISE, noise_span_s=(3.0, 130.0))
    assert [p.start / HZ for p in noise_of(signal_at(110), longer)[1]] == [3, 39]
    assert [p.start / HZ for p in noise_of(signal_at(120), longer)[1]] == [3, 39, 75]


def test_noise_before_an_events_span_is_counted_from_its_start_and_beginning_with_the_record():
    before = replace(NOISE, noise_span_s=(-45.0, -5.0))
    assert [p.start / HZ for p in noise_of(signal_at(100), before, Placement(), start=90)[1]] == [45]
    assert [p.start / HZ for p in noise_of(signal_at(100), before, Placement(), start=30)[1]] == []
    widened = replace(ONSET, slack_s=500)
    assert [p.start / HZ for p in noise_of(signal_at(100), NOISE, widened, start=90)[1]] == [3]


@settings(max_examples=20)
@given(second=st.floats(40, 120), gain=st.sampled_from([1e-9, 0.37, 1e6]), late=st.integers(0, 600))
def test_a_louder_record_is_placed_alike_and_a_later_event_later(second, gain, late):
    values = signal_at(second)
    place = event_place(waveform(values, HZ), at(0), at(180), P, ONSET)
    assert event_place(waveform(gain * values, HZ), at(0), at(180), P, ONSET) == place
    calm = np.random.default_rng(1).normal(size=late) * 0.1
    moved = event_place(waveform(np.concatenate([calm, values]), HZ), at(0), at(180 + late / HZ), P, ONSET)
    if place.start > place.first:  # else the record's edge held it back
        assert moved.start == place.start + late
