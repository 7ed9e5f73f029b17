import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mlcore.classify.own_noise import heard_against_noise, louder_than_counterpart, with_own_noise
from mlcore.config import Catalogue, Recipe
from mlcore.datasets import EventWindows


def windows_of(rows):
    """rows: (unit, station, amplitude) → windows of 8 samples with 2 samples of record on either side"""
    return EventWindows(
        windows=np.ones((len(rows), 1, 8), dtype=np.float32),
        event_ids=tuple(unit for unit, _, _ in rows),
        stations=tuple(station for _, station, _ in rows),
        labels=("noise",) * len(rows),
        surroundings=tuple(np.array([[99.0] * 2 + [a, -a] * 4 + [99.0] * 2], dtype=np.float32) for _, _, a in rows),
        before=(2,) * len(rows),
    )


def test_loudness_is_the_mean_over_stations_of_the_logarithm_of_the_amplitude_ratio():
    windows = windows_of(
        [("a", "S", 8.0), ("a", "T", 2.0), ("a/noise", "S", 2.0), ("b", "S", 5.0), ("a/noise", "T", 1.0)]
    )
    found = louder_than_counterpart(windows)
    expected = (np.log(8 / 2) + np.log(2 / 1)) / 2
    np.testing.assert_allclose(found, [expected, -expected, np.nan], rtol=1e-6)


def test_loudness_is_bounded_and_silence_has_none():
    found = louder_than_counterpart(windows_of([("a", "S", 1e6), ("a/noise", "S", 1.0), ("b", "S", 0.0)]))
    np.testing.assert_allclose(found, [4, -4, np.nan])


def test_without_the_raw_record_there_is_no_loudness():
    bare = EventWindows(np.ones((2, 1, 8), np.float32), ("a", "a/noise"), ("S", "S"), ("quake", "noise"))
    assert np.isnan(louder_than_counterpart(bare)).all()


def pairs(count=80, seed=0):
    """Units in pairs of event and noise: names, loudness, labels with 0 for noise, undecided probabilities."""
    rng = np.random.default_rng(seed)
    units = [name for i in range(count) for name in (f"e{i}", f"e{i}/noise")]
    louder = np.repeat(rng.normal(1.0, 1.0, count), 2) * np.tile([1, -1], count)
    labels = np.tile([1, 0], count)
    labels[::4] = 2
    return units, louder, labels, np.tile([0.4, 0.4, 0.2], (2 * count, 1))


def test_what_is_loud_becomes_less_probably_noise_by_what_others_show():
    units, louder, labels, p = pairs(1000)
    found = heard_against_noise(p, louder, labels, 0, units, np.ones(len(units)))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.corrcoef(found[:, 0], louder)[0, 1] < -0.8
    np.testing.assert_allclose(found[:, 1] / found[:, 2], 2)  # the other classes keep their proportion

    model = LogisticRegression(C=10).fit(louder[:, None], labels == 0)
    log_odds = model.decision_function(louder[:, None]) + np.log(0.4 / 0.6)
    np.testing.assert_allclose(np.log(found[:, 0] / (1 - found[:, 0])), log_odds, rtol=0.15, atol=0.3)


def test_an_event_and_its_noise_are_not_judged_by_what_they_taught():
    units, louder, labels, p = pairs()
    before = heard_against_noise(p, louder, labels, 0, units, np.ones(len(units)))
    labels[[6, 7]] = labels[[7, 6]]
    after = heard_against_noise(p, louder, labels, 0, units, np.ones(len(units)))
    np.testing.assert_array_equal(after[[6, 7]], before[[6, 7]])


def test_units_without_counterpart_and_catalogues_without_noise_stay_as_they_are():
    units, louder, labels, p = pairs()
    louder[5] = np.nan
    found = heard_against_noise(p, louder, labels, 0, units, np.ones(len(units)))
    assert found[5] == pytest.approx(p[5])
    same = heard_against_noise(p, louder, np.ones(len(units)), 0, units, np.ones(len(units)))
    np.testing.assert_allclose(same, p)


def test_loudness_that_parts_noise_and_events_wholly_gives_finite_probabilities():
    units, _, labels, p = pairs()
    found = heard_against_noise(p, np.where(labels == 0, -4.0, 4.0), labels, 0, units, np.ones(len(units)))
    assert np.isfinite(found).all()
    assert (found[labels == 0, 0] > 0.95).all()


def test_only_a_recipe_that_cuts_noise_lets_loudness_be_heard():
    rows = [(f"e{i}{of}", "S", amplitude) for i in range(20) for of, amplitude in (("", 5.0 + i), ("/noise", 1.0))]
    windows, labels = windows_of(rows), np.tile([1, 0], 20)
    p = np.full((40, 2), 0.5)
    silent = with_own_noise(p, windows, ["noise", "quake"], Recipe(), labels)
    np.testing.assert_array_equal(silent, p)
    heard = with_own_noise(p, windows, ["noise", "quake"], Recipe(catalogue=Catalogue(noise_class="noise")), labels)
    assert (heard.argmax(axis=1) == labels).all()
