from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.classify.augment import (
    augment_inputs,
    augment_windows,
    blanks,
    change_gains,
    drop_channels,
    mix_noise,
    mix_pairs,
)
from mlcore.config import Preprocessing, Recipe, Training
from mlcore.windows import normalise

PREPROCESSING = Preprocessing(sampling_rate_hz=50, band_hz=(1, 20), window_s=4, stft_length=32, stft_hop=16)
EVERYTHING = Training(amplitude=0.5, noise_mixing=0.5, channel_drop=0.5, time_mask_s=1, frequency_mask_hz=5)


def some(count, seed=0):
    draws = np.random.default_rng(seed).standard_normal((count, 3, 200))
    return normalise(draws, PREPROCESSING).astype(np.float32)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_with_all_settings_at_zero_nothing_changes_and_nothing_is_drawn():
    used = generator()
    windows, inputs = some(4), torch.rand(4, 3, 17, 13)
    assert augment_windows(windows, Training(), PREPROCESSING, used, some(3)) is windows
    assert augment_inputs(inputs, Recipe(preprocessing=PREPROCESSING), used) is inputs
    assert mix_pairs(inputs, torch.eye(4), 0.0, used) == (inputs, pytest.approx(torch.eye(4)))
    assert torch.equal(used.get_state(), generator().get_state())


def test_the_same_generator_draws_the_same_and_another_does_not():
    def altered(seed):
        return augment_windows(some(8), EVERYTHING, PREPROCESSING, generator(seed), some(5, seed=1))

    np.testing.assert_array_equal(altered(1), altered(1))
    assert not np.array_equal(altered(1), altered(2))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_altered_windows_are_normalised_and_what_was_not_recorded_stays_empty(seed):
    windows = some(6)
    windows[0, 1] = 0
    windows[1, :, 50:60] = 0
    altered = augment_windows(windows, EVERYTHING, PREPROCESSING, generator(seed), some(5, seed=1))
    assert altered.dtype == np.float32
    assert not altered[0, 1].any()
    assert not altered[1, :, 50:60].any()
    np.testing.assert_allclose(np.abs(altered).max(axis=(1, 2)), 1, rtol=1e-6)


def test_noise_is_mixed_in_at_a_ratio_between_0_and_20_decibels_into_the_share_asked_for():
    windows, noise = some(400), some(3, seed=1)
    mixed = mix_noise(windows, noise, 0.3, np.random.default_rng(0))
    added = mixed.astype(float) - windows
    touched = added.any(axis=(1, 2))
    assert touched.mean() == pytest.approx(0.3, abs=0.07)
    ratios = 10 * np.log10((windows[touched] ** 2).sum(axis=(1, 2)) / (added[touched] ** 2).sum(axis=(1, 2)))
    assert ratios.min() >= -1e-3
    assert ratios.max() <= 20 + 1e-3
    assert ratios.std() == pytest.approx(20 / np.sqrt(12), rel=0.2)  # of a uniform distribution


def test_what_is_mixed_in_is_a_piece_of_the_noise_given():
    windows, noise = some(1), some(1, seed=1)
    added = mix_noise(windows, noise, 1.0, np.random.default_rng(3))[0].astype(float) - windows[0]
    likeness = [np.corrcoef(added.ravel(), np.roll(noise[0], shift, axis=-1).ravel())[0, 1] for shift in range(200)]
    assert max(np.abs(likeness)) == pytest.approx(1, abs=1e-4)


def test_a_dropped_component_leaves_another():
    windows = some(300)
    windows[:100, 1:] = 0  # vertical only
    dropped = drop_channels(windows, 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(dropped[:100], windows[:100])
    left = dropped[100:].any(axis=-1).sum(axis=1)
    assert set(left) == {2, 3}
    assert (left == 2).mean() == pytest.approx(0.5, abs=0.1)
    assert len(set(dropped[100:].any(axis=-1)[left == 2].argmin(axis=1))) == 3  # each of them, some time


def test_gains_run_straight_from_one_draw_to_another():
    gains = change_gains(np.ones((50, 3, 200), dtype=np.float32), 0.4, np.random.default_rng(0))
    np.testing.assert_allclose(np.diff(gains, 2, axis=-1), 0, atol=1e-6)
    ends = gains[..., [0, -1]]
    assert ends.min() >= 0.6
    assert ends.max() <= 1.4
    assert np.unique(ends.round(5)).size > 290


def test_blanks_are_one_run_of_at_most_the_width_anywhere():
    found = blanks(500, 20, 6.2, np.random.default_rng(0))
    starts = np.diff(found.astype(int), axis=1, prepend=0) == 1
    assert starts.sum(axis=1).max() == 1
    assert set(found.sum(axis=1)) == set(range(7))
    assert found.any(axis=0).all()
    assert blanks(50, 3, 100.0, np.random.default_rng(0)).sum(axis=1).max() == 3


def test_a_blank_in_the_stft_holds_the_components_least_value_in_all_components_alike():
    inputs = torch.rand(40, 3, 17, 13) - 5  # as logarithms would be
    recipe = Recipe(preprocessing=PREPROCESSING, training=replace(EVERYTHING, time_mask_s=1.3, frequency_mask_hz=6))
    found = augment_inputs(inputs, recipe, generator())
    changed = found != inputs
    least = inputs.amin(dim=(-2, -1), keepdim=True).expand_as(inputs)
    assert torch.equal(found[changed], least[changed])
    whole_frames = changed.all(dim=2)  # but the cell that is the least already
    assert whole_frames.sum(dim=-1).max() <= round(1.3 * 50 / 16)
    assert changed.any(dim=1).float().mean() > 0.1


def test_mixed_pairs_are_the_mean_by_the_same_weights_of_inputs_and_targets():
    inputs = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 2, 3, 4)
    mixed, targets = mix_pairs(inputs, torch.eye(5), 0.4, generator())
    np.testing.assert_allclose(targets.sum(dim=1), 1, rtol=1e-6)
    np.testing.assert_allclose(mixed[:, 0, 0, 0], targets @ torch.arange(5.0), rtol=1e-5)
    assert (targets.diagonal() >= 0.5).all()
