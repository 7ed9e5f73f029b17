"""Representations that are alive, and planted ones that have collapsed."""

import numpy as np
import pytest
import torch

from mlcore.pretrain.health import collapse_warning, effective_rank, health, mean_covariance, spread


def random(rows=64, columns=16, seed=0):
    return torch.randn(rows, columns, dtype=torch.float64, generator=torch.manual_seed(seed))


def test_spread_and_covariance_equal_their_definitions_written_as_loops():
    x = random(10, 4) @ random(4, 4, seed=1)
    table = x.numpy()
    covariance = np.cov(table.T)
    off = [covariance[i, j] ** 2 for i in range(4) for j in range(4) if i != j]
    assert np.allclose(spread(x), table.std(axis=0))
    assert np.isclose(mean_covariance(x), np.sqrt(np.mean(off)))


@pytest.mark.parametrize("rank", [1, 3, 16])
def test_equal_directions_count_fully(rank):
    basis = torch.linalg.qr(random(64, rank + 1))[0]
    basis = basis - basis.mean(dim=0)
    columns = torch.linalg.qr(basis[:, :rank])[0]  # centred and orthonormal: all singular values are 1
    features = torch.zeros(64, 16, dtype=torch.float64)
    features[:, :rank] = columns
    assert torch.isclose(effective_rank(features), torch.tensor(float(rank), dtype=torch.float64))


def test_effective_rank_is_the_exponential_of_the_entropy_of_the_singular_values():
    x = random(30, 5) * torch.tensor([5.0, 3, 1, 0.5, 0.1])
    singular = np.linalg.svd(x.numpy() - x.numpy().mean(axis=0), compute_uv=False)
    p = [s / sum(singular) for s in singular]
    assert np.isclose(effective_rank(x), np.exp(-sum(each * np.log(each) for each in p)))


def test_a_constant_has_no_rank():
    assert effective_rank(torch.full((8, 4), 3.0)) == 0


def test_a_living_representation_gives_no_warning():
    y = torch.relu(random() + 1)
    assert collapse_warning(health(y, random())) == ""


def test_a_representation_that_is_the_same_for_all_inputs_is_told():
    y = torch.full((64, 16), 2.0) + 1e-3 * random().float()
    assert "representation has collapsed: it differs by" in collapse_warning(health(y, random()))


def test_a_representation_along_one_line_is_told():
    y = random(64, 1) @ random(1, 16)
    assert "collapsed to 1.0 dimensions" in collapse_warning(health(y, random()))


def test_a_representation_of_zeros_is_told():
    assert collapse_warning(health(torch.zeros(8, 4), torch.zeros(8, 4)))


def test_embeddings_far_smaller_than_their_method_aims_at_are_told():
    figures = health(torch.relu(random() + 1), 0.05 * random())
    assert "embedding has collapsed" in collapse_warning(figures, target_std=1.0)
    assert collapse_warning(figures) == ""
