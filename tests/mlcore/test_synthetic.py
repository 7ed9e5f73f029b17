from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
from scipy import signal

from mlcore.errors import BadConfiguration
from mlcore.synthetic import (
    CLASSES,
    LOOK_ALIKES,
    SHARES,
    STATIONS,
    Station,
    continuous_record,
    synthetic_event,
    synthetic_slope,
    wrong_labels,
)
from mlcore.synthetic_sources import NOISES, SOURCES, Burst, Surroundings, add_burst
from mlcore.waveform import read, write_mseed

SILENT = tuple(replace(station, noise_counts=1.0) for station in STATIONS)  # counts are then signal-to-noise


def loud(kind, seed, rate_hz=250.0, stations=STATIONS):
    """Noise-free bursts of a source at each station (stations, 3, samples), and the bursts."""
    rng = np.random.default_rng(seed)
    positions = np.array([s.position_m for s in stations])
    bursts = SOURCES[kind](rng, Surroundings(positions, rate_hz / 2))
    data = np.zeros((len(stations), 3, round(30 * rate_hz)))
    for burst in bursts:
        add_burst(data, burst, 1.0, rate_hz, positions, rng)
    return data, bursts


def median_frequency(values, rate_hz):
    frequencies, power = signal.welch(values, rate_hz, nperseg=256)
    power = power.reshape(-1, len(frequencies)).sum(axis=0).cumsum()
    return frequencies[np.searchsorted(power, power[-1] / 2)]


@pytest.mark.parametrize("rate_hz", [60.0, 75.19, 100.0, 250.0, 1000.0])
@pytest.mark.parametrize("kind", [*CLASSES, *NOISES])
def test_every_kind_is_made_at_every_rate(kind, rate_hz):
    event = synthetic_event(kind, rate_hz, rng=1)
    for waveform in event.waveforms:
        assert waveform.data.shape == (3, round(15 * rate_hz))
        assert waveform.components == ("Z", "N", "E")
        assert waveform.mask.all()
        np.testing.assert_array_equal(waveform.data, np.rint(waveform.data))
        assert np.abs(waveform.data).max() < 2**23
    assert event.entry.event_class in CLASSES
    assert event.waveforms[0].starttime <= event.entry.starttime < event.entry.endtime


def test_the_same_seed_gives_the_same_slope_and_another_seed_another():
    once, again, other = (list(synthetic_slope(seed, 4, sampling_rate_hz=60)) for seed in (5, 5, 6))
    for one, two in zip(once, again, strict=True):
        assert one.entry == two.entry
        for a, b in zip(one.waveforms, two.waveforms, strict=True):
            np.testing.assert_array_equal(a.data, b.data)
    assert not np.array_equal(once[0].waveforms[0].data, other[0].waveforms[0].data)


def test_classes_come_in_their_shares():
    entries = [event.entry for event in synthetic_slope(0, 50, STATIONS[:1], 60, duration_s=5)]
    counts = {c: sum(e.event_class == c for e in entries) for c in CLASSES}
    assert counts == {c: round(50 * SHARES[c]) for c in CLASSES}
    assert len({e.event_id for e in entries}) == 50


def test_records_follow_each_other_in_time_without_overlap():
    waveforms = [event.waveforms[0] for event in synthetic_slope(0, 30, STATIONS[:1], 60)]
    assert all(one.endtime < two.starttime for one, two in pairwise(waveforms))


def test_an_event_lies_inside_its_record_with_context_before_it():
    for event in synthetic_slope(0, 20, STATIONS[:1], 60):
        record = event.waveforms[0]
        assert (event.entry.starttime - record.starttime).total_seconds() > 20
        assert event.entry.endtime <= record.time_of(record.samples)


@pytest.mark.parametrize("seed", range(5))
def test_quakes_are_short_and_below_20_hz_and_rockfalls_longer_and_above(seed):
    quakes, falls = loud("quake", seed), loud("rockfall", seed)
    assert median_frequency(quakes[0], 250) < 20 < median_frequency(falls[0], 250)
    assert len(quakes[1]) == 1 < len(falls[1])
    assert quakes[1][0].heard_s < 1.5
    assert len({burst.amplitude for burst in falls[1]}) == len(falls[1])


@pytest.mark.parametrize("seed", range(5))
def test_an_earthquake_has_p_before_s_by_its_distance_and_a_coda(seed):
    _, (p, s, coda) = loud("earthquake", seed)
    station = np.zeros((1, 3))
    distance_m = float(np.linalg.norm(p.position_m))
    expected_s = distance_m / 3200 - distance_m / 5500
    assert (s.delays_s(station) - p.delays_s(station))[0] == pytest.approx(expected_s)
    assert 1 < expected_s < 6
    assert coda.decay_s > s.decay_s


def test_waves_arrive_later_and_weaker_at_farther_stations():
    stations = np.array([[100.0, 0, 0], [400.0, 0, 0]])
    burst = Burst(0, 20, 5, 0.01, 0.2, position_m=(0, 0, 0), speed_m_s=500, quality=30)
    assert burst.delays_s(stations) == pytest.approx([0.2, 0.8])
    near, far = burst.amplitudes(stations)
    assert far / near == pytest.approx(np.exp(-np.pi * 20 * 300 / (30 * 500)) / np.sqrt(400 / 100))
    data = np.zeros((2, 3, 500))
    add_burst(data, burst, 0.5, 250, stations, np.random.default_rng(0))
    for row, arrival_s in enumerate([0.7, 1.3]):
        assert not data[row, :, : round(arrival_s * 250)].any()
        assert data[row, :, round(arrival_s * 250) + 1].all()


@pytest.mark.parametrize("rate_hz", [60.0, 75.0])
@pytest.mark.parametrize("kind", ["earthquake", "quake", "rockfall", "footsteps", "vehicle", "rain"])
def test_at_low_rates_frequencies_stay_below_nyquist(kind, rate_hz):
    for seed in range(10):
        _, bursts = loud(kind, seed, rate_hz)
        assert all(0 < burst.frequency_hz <= 0.8 * rate_hz / 2 for burst in bursts)


def test_rockfalls_stay_above_quakes_at_60_hz():
    falls = [median_frequency(loud("rockfall", seed, 60.0)[0], 60) for seed in range(10)]
    quakes = [median_frequency(loud("quake", seed, 60.0)[0], 60) for seed in range(10)]
    assert min(falls) > max(quakes)


def test_the_background_has_its_stated_strength_and_falls_with_frequency():
    waveforms, _ = continuous_record([], 250, (Station("A", (0, 0, 0), noise_counts=40),), 0, duration_s=120)
    sections = signal.butter(8, (5, 60), "bandpass", fs=250, output="sos")
    assert signal.sosfilt(sections, waveforms[0].data[0]).std() == pytest.approx(40, rel=0.03)
    frequencies, power = signal.welch(waveforms[0].data[0], 250, nperseg=1024)
    assert power[(frequencies > 0.5) & (frequencies < 1)].mean() > 5 * power[(frequencies > 30)].mean()


def test_an_event_stands_out_as_its_entry_says():
    event = synthetic_event("quake", stations=SILENT, rng=2)
    peak = max(np.abs(w.data).max() for w in event.waveforms)
    assert peak == pytest.approx(event.entry.signal_to_noise, abs=6)  # the background adds its own peaks


def test_a_continuous_record_holds_its_schedule():
    schedule = [("rockfall", 20.0), ("quake", 60.0), ("vehicle", 80.0)]
    waveforms, entries = continuous_record(schedule, 100, SILENT, 0, duration_s=120)
    assert [e.kind for e in entries] == ["rockfall", "quake", "vehicle"]
    assert [(e.starttime - waveforms[0].starttime).total_seconds() for e in entries] == [20, 60, 80]
    high = signal.butter(4, 5, "highpass", fs=100, output="sos")
    for entry in entries[:2]:
        during = [
            np.abs(signal.sosfilt(high, w.data))[:, slice(*map(w.sample_at, (entry.starttime, entry.endtime)))]
            for w in waveforms
        ]
        assert max(part.max() for part in during) > 0.5 * entry.signal_to_noise


def test_events_beyond_the_record_do_no_harm():
    waveforms, entries = continuous_record([("quake", 500.0), ("rockfall", -50.0)], 100, duration_s=10)
    assert waveforms[0].data.shape == (3, 1000)
    assert [e.signal_to_noise for e in entries] == [0, 0]


@pytest.mark.parametrize("share", [0, 0.1, 0.25, 1])
def test_the_share_of_wrong_labels_is_exact_and_wrong_ones_are_look_alikes(share):
    catalogue = [event.entry for event in synthetic_slope(0, 40, STATIONS[:1], 60, duration_s=5)]
    labels = wrong_labels(catalogue, share, seed=1)
    wrong = [(e, labels[e.event_id]) for e in catalogue if labels[e.event_id] != e.event_class]
    assert len(wrong) == round(share * 40)
    assert all(label in LOOK_ALIKES[entry.event_class] for entry, label in wrong)
    assert labels == wrong_labels(catalogue, share, seed=1)


def test_a_slope_survives_miniseed(tmp_path):
    event = next(islice(synthetic_slope(0, 1), 1))
    write_mseed(event.waveforms, tmp_path / "event.mseed")
    for waveform in event.waveforms:
        again = read(tmp_path / "event.mseed", station=waveform.station_id)
        np.testing.assert_array_equal(again.data, waveform.data)
        assert again.starttime == waveform.starttime


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"kind": "meteorite"}, "no source 'meteorite'. Known: noise, earthquake"),
        ({"kind": "quake", "sampling_rate_hz": 20}, "below 40 Hz"),
        ({"kind": "quake", "stations": ()}, "at least one"),
    ],
)
def test_what_cannot_be_made_is_refused(wrong, why):
    with pytest.raises(BadConfiguration, match=why):
        synthetic_event(**wrong)


def test_an_impossible_share_of_wrong_labels_is_refused():
    with pytest.raises(BadConfiguration, match="between 0 and 1"):
        wrong_labels([], 1.5)
