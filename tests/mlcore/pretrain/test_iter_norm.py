import pytest
import torch

from mlcore.errors import BadConfiguration
from mlcore.pretrain.iter_norm import IterNorm, inverse_root


def correlated(rows=400, features=12, seed=0):
    """Features that share much of what they say, of different sizes and means."""
    draw = torch.Generator().manual_seed(seed)
    mixing = torch.randn(features, features, dtype=torch.float64, generator=draw) / features**0.5
    x = torch.randn(rows, features, dtype=torch.float64, generator=draw) @ (torch.eye(features) + mixing)
    return x * torch.linspace(0.8, 1.6, features) + 3


def covariances(x, groups):
    """Of each group's features, (groups, size, size), with 1/n."""
    return [torch.cov(part.T, correction=0) for part in x.chunk(groups, dim=1)]


def slow_whitening(x, iterations, epsilon):
    """Huang et al. 2019, algorithm 1, line by line. x (d, m) of one group"""
    d, m = x.shape
    centred = x - x.mean(dim=1, keepdim=True)
    sigma = centred @ centred.T / m + epsilon * torch.eye(d, dtype=x.dtype)
    sigma_n = sigma / torch.trace(sigma)
    p = torch.eye(d, dtype=x.dtype)
    for _ in range(iterations):
        p = 0.5 * (3 * p - p @ p @ p @ sigma_n)
    return (p / torch.trace(sigma).sqrt()) @ centred


@pytest.mark.parametrize("iterations", [1, 2, 5])
def test_it_equals_the_papers_algorithm_group_by_group(iterations):
    x = correlated()
    norm = IterNorm(12, groups=3, iterations=iterations, epsilon=1e-3).double()
    expected = torch.cat([slow_whitening(part.T, iterations, 1e-3).T for part in x.chunk(3, dim=1)], dim=1)
    torch.testing.assert_close(norm(x), expected)


def test_enough_iterations_whiten_each_group_entirely():
    y = IterNorm(12, groups=3, iterations=15, epsilon=0.0).double()(correlated())
    torch.testing.assert_close(y.mean(dim=0), torch.zeros(12, dtype=torch.float64), atol=1e-10, rtol=0)
    for covariance in covariances(y, 3):
        torch.testing.assert_close(covariance, torch.eye(4, dtype=torch.float64), atol=1e-6, rtol=0)


def test_the_papers_five_iterations_bring_the_covariance_near_the_identity():
    x = correlated()
    before = [torch.dist(c, torch.eye(4)) for c in covariances(x, 3)]
    after = [torch.dist(c, torch.eye(4)) for c in covariances(IterNorm(12, groups=3).double()(x), 3)]
    assert max(after) < 0.25
    assert all(a < b / 4 for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize(("iterations", "left"), [(5, 0.7), (9, 0.1)])
def test_of_64_groups_of_64_features_five_iterations_take_a_third_of_the_correlation_and_nine_nearly_all(
    iterations, left
):
    x = torch.randn(128, 4096, generator=torch.Generator().manual_seed(0))
    x = x + 2 * x.roll(1, dims=1)  # neighbouring features say much alike

    def correlation(z):
        return float(torch.stack([torch.corrcoef(part.T).tril(-1).norm() for part in z.chunk(64, dim=1)]).mean())

    with torch.no_grad():
        assert correlation(IterNorm(4096, iterations=iterations)(x)) < left * correlation(x)


def test_the_inverse_root_is_that_of_an_eigendecomposition_and_stays_it_however_long_it_iterates():
    sigma = torch.cov(correlated().T)
    values, vectors = torch.linalg.eigh(sigma)
    expected = vectors @ torch.diag(values.rsqrt()) @ vectors.T
    torch.testing.assert_close(inverse_root(sigma[None], 40, 0.0)[0], expected)


def test_evaluation_uses_running_means_of_the_batches_means_and_whitening_matrices():
    norm = IterNorm(4, groups=1, momentum=0.25).double()
    first, second = correlated(50, 4, seed=1), correlated(50, 4, seed=2)
    matrices = []
    for x in (first, second):
        norm(x)
        matrices.append(inverse_root(torch.cov(x.T, correction=0)[None], 5, 1e-5))
    mean = 0.75 * (0.25 * first.mean(dim=0)) + 0.25 * second.mean(dim=0)
    matrix = 0.75 * (0.75 * torch.eye(4) + 0.25 * matrices[0]) + 0.25 * matrices[1]
    norm.eval()
    torch.testing.assert_close(norm(first), (first - mean) @ matrix[0])
    assert norm.training is False
    torch.testing.assert_close(norm(first[:1]), norm(first)[:1])  # a window alone is what it is among others


def test_long_training_makes_evaluation_whiten_as_training_does():
    norm = IterNorm(12, groups=3).double()
    for _ in range(100):
        trained = norm(correlated())
    torch.testing.assert_close(norm.eval()(correlated()), trained, atol=1e-3, rtol=1e-3)


def test_gradients_equal_finite_differences():
    x = correlated(7, 4).requires_grad_()
    norm = IterNorm(4, groups=2).double()
    assert torch.autograd.gradcheck(norm, (x,))


def test_under_autocast_it_computes_in_float32():
    x = correlated().float()
    norm = IterNorm(12, groups=3)
    expected = norm(x)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(norm(x), expected)
        assert norm(x.bfloat16()).dtype == torch.float32


def test_groups_that_do_not_divide_the_features_are_refused():
    with pytest.raises(BadConfiguration, match="10 features are not divided by 4 groups"):
        IterNorm(10, groups=4)
