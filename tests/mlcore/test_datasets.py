from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mlcore.catalogues import read_catalogue
from mlcore.config import Catalogue, Placement, Preprocessing, Recipe, Training
from mlcore.datasets import (
    EventWindows,
    labelled_windows,
    load_event_windows,
    missing_components,
    reach,
)
from mlcore.errors import Cancelled
from mlcore.waveform import Waveform, write_mseed

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
PREPROCESSING = Preprocessing(
    sampling_rate_hz=50.0, band_hz=(1.0, 20.0), window_s=10.0, stft_length=32, stft_hop=16, components=("Z", "N")
)
RECIPE = Recipe(preprocessing=PREPROCESSING)


def record(seconds=60, station="AAA", seed=0, rate=50.0):
    """Noise with one pulse in the middle."""
    t = np.arange(int(seconds * rate)) / rate
    pulse = 40 * np.exp(-((t - seconds / 2) ** 2)) * np.sin(2 * np.pi * 6 * t)
    data = np.random.default_rng(seed).normal(size=(2, len(t))) + pulse
    return Waveform("XX", station, "00", "HH", ("Z", "N"), rate, START, data, np.ones(data.shape, dtype=bool))


def at(seconds):
    return START + timedelta(seconds=seconds)


def window_of(waveform, start=28, end=32):
    times = {"starttime": at(start), "endtime": at(end)}
    (window,) = labelled_windows(waveform, event_id="e1", label="quake", **times, recipe=RECIPE)
    return window


def catalogue(tmp_path, text):
    path = tmp_path / "catalogue.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_window_that_does_not_move_is_the_window_of_the_event():
    labelled = window_of(record())
    windows = EventWindows.stack([labelled], PREPROCESSING)
    np.testing.assert_allclose(windows.moved([0], [0], PREPROCESSING)[0], labelled.window.data, atol=1e-6)


def test_a_moved_window_is_the_record_itself_some_samples_later():
    windows = EventWindows.stack([window_of(record(), 28, 32)], PREPROCESSING)
    moved = EventWindows.stack([window_of(record(), 28 + 1, 32 + 1)], PREPROCESSING)
    np.testing.assert_allclose(windows.moved([0], [50], PREPROCESSING)[0], moved.windows[0], atol=1e-6)


def test_a_window_never_moves_beyond_the_record_or_the_margin():
    at_the_edge = EventWindows.stack([window_of(record(), 0, 2)], PREPROCESSING)
    assert at_the_edge.before == (0,)
    np.testing.assert_array_equal(
        at_the_edge.moved([0], [-99], PREPROCESSING)[0], at_the_edge.moved([0], [0], PREPROCESSING)[0]
    )
    inside = EventWindows.stack([window_of(record())], PREPROCESSING)
    assert inside.surroundings[0].shape == (2, 500 + 2 * 100)
    np.testing.assert_array_equal(
        inside.moved([0], [999], PREPROCESSING)[0], inside.moved([0], [100], PREPROCESSING)[0]
    )


def test_a_window_never_moves_into_a_gap():
    waveform = record()
    waveform.mask[0, : 24 * 50] = False  # one second before the window begins at 25 s
    labelled = window_of(waveform)
    assert labelled.before == 50
    waveform.mask[0, 29 * 50 : 30 * 50] = False  # a gap within: it stays where it is
    stays = window_of(waveform)
    assert stays.surroundings.shape == (2, 500)
    windows = EventWindows.stack([stays], PREPROCESSING)
    np.testing.assert_array_equal(windows.moved([0], [50], PREPROCESSING), windows.windows)


def test_a_component_that_was_never_recorded_does_not_keep_a_window_from_moving():
    waveform = record()
    waveform.mask[1] = False
    assert window_of(waveform).before == 100


def test_unusable_entries_are_skipped_with_their_reason_and_the_rest_goes_on(tmp_path):
    write_mseed(record(), tmp_path / "good.mseed")
    write_mseed(record(seconds=4), tmp_path / "short.mseed")
    (tmp_path / "broken.mseed").write_bytes(b"not a recording")
    entries, _ = read_catalogue(
        catalogue(
            tmp_path,
            "event_id,event_class,file,network,station\n"
            "a,quake,good.mseed,XX,AAA\nb,quake,short.mseed,XX,AAA\nc,noise,broken.mseed,XX,AAA\n"
            "d,noise,gone.mseed,XX,AAA\ne,noise,good.mseed,XX,ZZZ\nf,noise,good.mseed,,\n",
        )
    )
    fractions = []
    windows, skipped = load_event_windows(entries, tmp_path, RECIPE, progress=lambda p: fractions.append(p.fraction))
    assert (windows.event_ids, windows.labels) == (("a", "f"), ("quake", "noise"))
    assert windows.stations == ("XX.AAA.00", "XX.AAA.00")
    assert windows.windows.shape == (2, 2, 500)
    assert [s.item for s in skipped] == ["b at XX.AAA", "c at XX.AAA", "d at XX.AAA", "e at XX.ZZZ"]
    assert "10 s" in skipped[0].reason
    assert fractions[-1] == 1.0


def test_reading_can_be_cancelled(tmp_path):
    entries, _ = read_catalogue(catalogue(tmp_path, "event_id,event_class,file\na,quake,a.mseed\n"))
    with pytest.raises(Cancelled):
        load_event_windows(entries, tmp_path, RECIPE, should_stop=lambda: True)


NOISY = Recipe(
    catalogue=Catalogue(noise_class="calm", noise_span_s=(3.0, 13.0)),
    placement=Placement(rule="onset", long_s=10.0, slack_s=100.0),
    preprocessing=PREPROCESSING,
    training=Training(time_shift_s=2.0),
)


def windows_of(waveform, recipe=NOISY, gives_noise=True):
    return labelled_windows(
        waveform,
        event_id="e1",
        label="quake",
        starttime=at(0),
        endtime=at(60),
        recipe=recipe,
        gives_noise=gives_noise,
    )


def test_noise_around_an_event_is_a_unit_of_its_own_that_moves_neither_into_the_event_nor_to_the_edge():
    event, noise = windows_of(record())
    assert (event.event_id, event.label, noise.event_id, noise.label) == ("e1", "quake", "e1/noise", "calm")
    assert noise.window.starttime == at(3)
    assert noise.before == 0  # at the edge that is never used
    assert noise.surroundings.shape == (2, 500 + 100)
    close = NOISY.catalogue.from_dict({"noise_class": "calm", "noise_span_s": [12.5, 22.5]})
    event, noise = windows_of(record(), Recipe(**{**vars(NOISY), "catalogue": close}))
    gap = round((event.window.starttime - noise.window.starttime).total_seconds() * 50) - 500
    assert 0 <= gap < 100
    assert noise.surroundings.shape == (2, 100 + 500 + gap)


def test_noise_is_cut_only_where_it_is_asked_for_and_was_recorded():
    assert len(windows_of(record(), gives_noise=False)) == 1
    broken = record()
    broken.mask[:, 4 * 50 : 9 * 50] = False
    assert [window.event_id for window in windows_of(broken)] == ["e1"]


def test_units_of_a_catalogue_know_their_event_their_time_and_what_was_recorded(tmp_path):
    write_mseed(record(), tmp_path / "both.mseed")
    alone = record(station="BBB")
    alone.mask[1] = False
    write_mseed(alone, tmp_path / "z.mseed")
    path = catalogue(tmp_path, "event_id,event_class,file\na,quake,both.mseed\nb,quake,z.mseed\n")
    entries, _ = read_catalogue(path, NOISY.catalogue)
    windows, skipped = load_event_windows(entries, tmp_path, NOISY)
    assert not skipped
    assert windows.event_ids == ("a", "a/noise", "b", "b/noise")
    assert windows.groups == ("a", "a", "b", "b")
    assert windows.starttimes[1] == at(3)
    assert windows.recorded.tolist() == [[True, True], [True, True], [True, False], [True, False]]
    assert not windows.windows[2:, 1].any()
    assert missing_components(windows, PREPROCESSING) == {"N": 2}
    some = windows.select([3, 0])
    assert (some.groups, some.starttimes[0], some.recorded.tolist()) == (
        ("b", "a"),
        at(3),
        [[True, False], [True, True]],
    )
    assert missing_components(windows.select([0]), PREPROCESSING) == {}


def test_as_much_is_read_around_an_event_as_its_window_its_onset_and_its_noise_need():
    seconds = [time.total_seconds() for time in reach(RECIPE)]
    assert seconds == [10 + 2 + 10, 10 + 2 + 10]  # window, shift, settling
    seconds = [time.total_seconds() for time in reach(NOISY)]
    assert seconds == [100 + 40 + 10 + 10, 100 + 10]
    before = Recipe(preprocessing=PREPROCESSING, catalogue=Catalogue(noise_class="calm", noise_span_s=(-60, -40)))
    assert reach(before)[0].total_seconds() == 60 + 10
