import numpy as np
import pytest
from scipy.special import softmax as scipy_softmax
from sklearn.metrics import log_loss as sklearn_log_loss

from mlcore.classify.calibration import average_by_unit, fit_temperature, log_loss, softmax, unit_rows
from mlcore.errors import BadConfiguration


def overconfident(count, temperature, seed=0):
    """Logits `temperature` times too large for the labels that are drawn from them. → (count, 4), (count,)"""
    rng = np.random.default_rng(seed)
    honest = 2 * rng.standard_normal((count, 4))
    targets = [rng.choice(4, p=p) for p in scipy_softmax(honest, axis=1)]
    return temperature * honest, np.array(targets)


def test_the_temperature_is_found_that_made_the_logits_too_large():
    logits, targets = overconfident(20_000, 3.0)
    assert fit_temperature(logits, targets) == pytest.approx(3.0, rel=0.05)


def test_the_temperature_agrees_with_a_slow_grid_search():
    logits, targets = overconfident(300, 2.0, seed=1)
    tried = np.exp(np.linspace(np.log(0.2), np.log(10), 2001))
    losses = [sklearn_log_loss(targets, scipy_softmax(logits / t, axis=1), labels=range(4)) for t in tried]
    assert fit_temperature(logits, targets) == pytest.approx(tried[np.argmin(losses)], rel=2e-3)


def test_events_of_several_stations_count_once_by_their_mean_probability():
    logits, targets = overconfident(60, 4.0, seed=2)
    units = [f"e{i // 3}" for i in range(60)]
    of_event = targets.reshape(20, 3)[:, 0]
    tried = np.exp(np.linspace(np.log(0.2), np.log(20), 3001))
    losses = [
        sklearn_log_loss(of_event, scipy_softmax(logits / t, axis=1).reshape(20, 3, 4).mean(axis=1), labels=range(4))
        for t in tried
    ]
    found = fit_temperature(logits, np.repeat(of_event, 3), units)
    assert found == pytest.approx(tried[np.argmin(losses)], rel=3e-3)


def test_a_weight_of_two_is_the_unit_given_twice():
    logits, targets = overconfident(50, 2.0, seed=3)
    twice = np.r_[np.arange(50), np.arange(10)]
    weights = np.r_[np.full(10, 2.0), np.ones(40)]
    assert fit_temperature(logits, targets, weights=weights) == pytest.approx(
        fit_temperature(logits[twice], targets[twice]), rel=1e-4
    )


def test_a_network_that_is_always_right_gets_a_finite_temperature():
    assert 0 < fit_temperature(np.eye(3), [0, 1, 2]) < 0.06


def test_log_loss_and_softmax_agree_with_scikit_learn_and_scipy():
    logits, targets = overconfident(40, 1.0)
    np.testing.assert_allclose(softmax(logits), scipy_softmax(logits, axis=1))
    assert log_loss(softmax(logits), targets) == pytest.approx(
        sklearn_log_loss(targets, scipy_softmax(logits, axis=1), labels=range(4))
    )


def test_means_over_units_keep_the_order_in_which_units_appear():
    rows = unit_rows(["b", "a", "b"])
    np.testing.assert_allclose(average_by_unit([[1.0, 3], [5, 7], [3, 5]], rows), [[2, 4], [5, 7]])


def test_nothing_to_fit_on_is_refused():
    with pytest.raises(BadConfiguration, match="0 predictions"):
        fit_temperature(np.zeros((0, 3)), [])
