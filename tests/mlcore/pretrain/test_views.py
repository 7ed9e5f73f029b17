import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from mlcore.errors import BadConfiguration, UnusableWaveform
from mlcore.pretrain.config import Views
from mlcore.pretrain.views import choose_sensors, crop_starts, crops, crops_at


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def sections():
    return st.builds(Views, crop_share=st.floats(0.02, 0.27), shift_share=st.floats(0, 0.3)).filter(
        lambda section: section.crop_share * (3 + 2 * section.shift_share) <= 1
    )


@settings(max_examples=60, deadline=None)
@given(sections(), st.integers(10, 800), st.integers(0, 10_000))
def test_crops_lie_within_and_keep_the_papers_distances(section, width, seed):
    columns = section.columns(width)
    try:
        t, l, k = crop_starts(40, width, section, seeded(seed))  # noqa: E741
    except UnusableWaveform:
        assume(False)
    shift = section.shift_share * columns
    for starts in (t, l, k):
        assert int(starts.min()) >= 0
        assert int(starts.max()) <= width - columns
    assert float((l - t).abs().max()) <= shift
    assert float((k - t).abs().min()) > shift + columns  # outside: it overlaps neither reference nor any neighbour
    assert float((k - l).abs().min()) > columns - 1


@settings(max_examples=60, deadline=None)
@given(sections(), st.integers(60, 800))
def test_no_image_of_sixty_columns_is_refused_where_the_shares_fit(section, width):
    assume(section.crop_share * (3 + 2 * section.shift_share) < 0.9)
    assert section.columns(width) == max(1, int(width * section.crop_share + 1e-9))
    crop_starts(5, width, section, seeded())


def test_the_papers_crops_are_a_tenth_of_the_width_and_all_of_the_height():
    images = torch.rand(3, 2, 128, 711, generator=seeded())
    assert [tuple(crop.shape) for crop in crops(images, Views(), seeded())] == [(3, 1, 128, 71)] * 3


def test_neighbours_are_shifted_by_a_truncated_normal_of_half_the_shift():
    t, l, _ = crop_starts(20_000, 8000, Views(), seeded())  # noqa: E741
    shift = 0.25 * 800
    moved = (l - t).numpy()
    expected = stats.truncnorm(-2, 2, scale=shift / 2)
    assert moved.std() == pytest.approx(expected.std(), rel=0.02)
    assert stats.kstest(moved + np.random.default_rng(0).uniform(-0.5, 0.5, moved.size), expected.cdf).pvalue > 0.01


def test_references_and_strangers_are_uniform_over_where_they_may_lie():
    width, section = 120, Views()  # crops of 12, a shift of 3: the reference at 3…105, strangers beyond 15
    t, _, k = crop_starts(40_000, width, section, seeded())
    counts = torch.bincount(t, minlength=109)
    assert counts[:3].sum() == counts[106:].sum() == 0
    assert stats.chisquare(counts[3:106]).pvalue > 0.01
    at_30 = torch.bincount(k[t == 30], minlength=109)
    assert at_30[15:46].sum() == 0
    assert stats.chisquare(torch.cat([at_30[:15], at_30[46:]])).pvalue > 0.01


def test_random_crops_have_no_relation_and_reach_both_ends():
    starts = crop_starts(30_000, 50, Views(crop="random", crop_share=0.4), seeded())
    for a in starts:
        assert stats.chisquare(torch.bincount(a, minlength=31)).pvalue > 0.01
    assert abs(np.corrcoef([a.numpy() for a in starts])[np.triu_indices(3, 1)]).max() < 0.02


def test_the_reference_is_cut_from_the_first_sensor_and_the_others_from_the_second():
    images = torch.arange(2 * 2 * 4 * 100.0).reshape(2, 2, 4, 100)
    starts = crop_starts(2, 100, Views(), seeded(3))
    found = crops_at(images, starts, Views())
    for row in range(2):
        for crop, start, sensor in zip(found, starts, (0, 1, 1), strict=True):
            begin = int(start[row])
            assert torch.equal(crop[row, 0], images[row, sensor, :, begin : begin + 10])


def test_one_sensor_serves_for_all_three_crops():
    images = torch.rand(2, 1, 4, 100, generator=seeded())
    found, starts = crops(images, Views(), seeded(1)), crop_starts(2, 100, Views(), seeded(1))
    assert torch.equal(found.k[1, 0], images[1, 0, :, int(starts.k[1]) : int(starts.k[1]) + 10])


def test_the_same_seed_gives_the_same_crops():
    images = torch.rand(5, 2, 4, 90, generator=seeded())
    first, second = crops(images, Views(), seeded(1)), crops(images, Views(), seeded(1))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_an_image_too_narrow_for_strangers_is_refused_with_a_way_out():
    with pytest.raises(UnusableWaveform, match=r"3 columns, too few for crops of 1 .*Lengthen pool.window_s"):
        crop_starts(5, 3, Views(), seeded())


def test_crops_too_wide_to_have_strangers_are_refused_by_the_settings():
    with pytest.raises(BadConfiguration, match=r"crop_share up to 0.286"):
        Views(crop_share=0.3)
    assert Views(crop="random", crop_share=0.9).crop_share == 0.9


def test_sensors_are_drawn_evenly_among_those_that_recorded():
    recorded = torch.tensor([[True, False, True, True]]).expand(9000, -1)
    chosen = choose_sensors(recorded, Views(), seeded())
    assert chosen.shape == (9000, 2)
    pairs = torch.bincount(chosen[:, 0] * 4 + chosen[:, 1], minlength=16).reshape(4, 4)
    assert pairs[1].sum() == pairs[:, 1].sum() == 0
    assert stats.chisquare(pairs[[0, 2, 3]][:, [0, 2, 3]].flatten()).pvalue > 0.01


def test_without_sensor_invariance_both_are_the_same():
    chosen = choose_sensors(torch.ones(50, 24, dtype=torch.bool), Views(sensors="one"), seeded())
    assert torch.equal(chosen[:, 0], chosen[:, 1])
    assert chosen[:, 0].unique().numel() > 10


def test_a_window_without_a_recorded_sensor_is_refused():
    with pytest.raises(UnusableWaveform, match="no recorded channel"):
        choose_sensors(torch.zeros(2, 3, dtype=torch.bool), Views(), seeded())
