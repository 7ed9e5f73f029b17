"""Windows at chosen places of a record, against those of a pool and those of a classifier."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mlcore.config import Placement
from mlcore.datasets import labelled_windows, reach
from mlcore.errors import UnusableWaveform
from mlcore.pretrain.config import Pool as Section
from mlcore.pretrain.cutting import cutting_recipe, event_piece, piece_at
from mlcore.pretrain.pool import prepare
from mlcore.waveform import Waveform

START = datetime(2026, 3, 1, 6, 0, 0, 123457, tzinfo=UTC)
SECTION = Section(
    sampling_rate_hz=50.0, components=("Z", "N"), band_hz=(1.0, 20.0), window_s=4.0, step_s=4.0, normalise="window"
)


@pytest.fixture
def record():
    data = np.random.default_rng(0).normal(size=(2, 4000))
    data[:, 2000:2100] *= 30
    mask = np.ones(data.shape, dtype=bool)
    return Waveform("XX", "AAA", "00", "HH", ("Z", "N"), 100.0, START, data, mask)


def test_a_window_holds_the_samples_of_its_time_normalised(record):
    prepared = prepare(record, SECTION)
    window, recorded, facts = piece_at(prepared, 137, SECTION)
    part = prepared.data[:, 137:337]
    centred = part - part.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(window, centred / np.abs(centred).max(), atol=1e-6)
    assert recorded.all()
    assert facts.starttime == START + timedelta(seconds=2.74)


def test_an_event_has_the_window_that_a_classifier_of_the_same_settings_has(record):
    recipe = cutting_recipe(SECTION, Placement())
    begin, end = START + timedelta(seconds=20), START + timedelta(seconds=21)
    theirs = labelled_windows(record, event_id="e", label="", starttime=begin, endtime=end, recipe=recipe)[0].window
    window, _, facts = event_piece(prepare(record, SECTION), begin, end, SECTION, Placement())
    np.testing.assert_allclose(window, theirs.data, atol=1e-6)
    assert facts.starttime == theirs.starttime
    assert min(reach(recipe)) >= timedelta(seconds=4)


def test_a_channel_with_too_long_a_gap_counts_as_not_recorded_and_a_window_without_any_is_refused(record):
    record.mask[1, 200:1000] = False
    window, recorded, _ = piece_at(prepare(record, SECTION), 100, SECTION)
    assert recorded.tolist() == [True, False]
    assert not window[1].any()
    record.mask[0, 200:1000] = False
    with pytest.raises(UnusableWaveform, match="more than 20% of the 4 s from 2026-03-01T06:00:02"):
        piece_at(prepare(record, SECTION), 100, SECTION)


@pytest.mark.parametrize("start", [-1, 1801])
def test_a_window_that_the_record_does_not_hold_is_refused(record, start):
    with pytest.raises(UnusableWaveform, match="does not hold the 4 s"):
        piece_at(prepare(record, SECTION), start, SECTION)


def test_a_pool_without_a_band_can_place_events_too(record):
    section = Section(sampling_rate_hz=50.0, window_s=4.0, step_s=4.0)
    begin = START + timedelta(seconds=20)
    _, recorded, facts = event_piece(prepare(record, section), begin, begin, section, Placement())
    assert facts.starttime == begin - timedelta(seconds=2)
    assert recorded.tolist() == [True, True]
