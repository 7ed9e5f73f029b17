import math
from typing import get_args

import pytest
import torch

from mlcore.errors import BadConfiguration
from mlcore.pretrain.config import Method, MethodName
from mlcore.pretrain.losses.barlow_twins import barlow_twins, cross_correlation
from mlcore.pretrain.losses.tnc import correlation, discrimination
from mlcore.pretrain.losses.vibcreg import decorrelation, vibcreg
from mlcore.pretrain.losses.vicreg import covariance, invariance, variance, vicreg
from mlcore.pretrain.losses.vnibcreg import OF_EMBEDDINGS, Encoded, loss_terms

# more features than rows, and fewer: products of rows and products of columns tell the same
SHAPES = [(5, 8), (9, 4)]


def pair(shape, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(shape, dtype=torch.float64, generator=draw) * 2 + 1 for _ in range(2))


def mean(values):
    return sum(values) / len(values)


def columns(z):
    return z.T.tolist()


def deviations(values):
    return [value - mean(values) for value in values]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def pearson(a, b):
    a, b = deviations(a), deviations(b)
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def slow_invariance(z_a, z_b):
    """Eq. 3 of Lee et al. 2022."""
    return mean([sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) for a, b in zip(z_a, z_b, strict=True)])


def slow_variance(z, gamma, epsilon):
    """Eq. 4."""
    spreads = [math.sqrt(dot(d, d) / (len(d) - 1) + epsilon) for d in map(deviations, columns(z))]
    return mean([max(0.0, gamma - spread) for spread in spreads])


def slow_decorrelation(z):
    """Eqs. 5 and 6."""
    f = columns(z)
    return sum(pearson(f[i], f[j]) ** 2 for i in range(len(f)) for j in range(len(f)) if i != j) / len(f) ** 2


def slow_covariance(z):
    """Dias et al. 2023, section 2, with the denominator inside C."""
    f = [deviations(column) for column in columns(z)]
    total = 0.0
    for i in range(len(f)):
        for j in range(len(f)):
            if i != j:
                total += (dot(f[i], f[j]) / (len(z) - 1)) ** 2
    return total / len(f)


def slow_tnc(near, far):
    """Eq. 7, first braces, with the sign mended."""
    sigmoid = [1 / (1 + math.exp(-value)) for value in near.tolist()], [1 / (1 + math.exp(-v)) for v in far.tolist()]
    return mean([-math.log(d) for d in sigmoid[0]]) + mean([-math.log(1 - d) for d in sigmoid[1]])


def slow_correlation(y_t, y_l, y_k):
    """Eq. 7, second braces, rows by rows."""
    near = [(1 - pearson(a, b)) ** 2 for a, b in zip(y_t.tolist(), y_l.tolist(), strict=True)]
    far = [pearson(a, b) ** 2 for a, b in zip(y_t.tolist(), y_k.tolist(), strict=True)]
    return mean(near) + mean(far)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_invariance_term_equals_equation_3_with_and_without_the_mean_over_features(shape):
    z_a, z_b = pair(shape)
    expected = slow_invariance(z_a.tolist(), z_b.tolist())
    assert float(invariance(z_a, z_b, mean=False)) == pytest.approx(expected)
    assert float(invariance(z_a, z_b)) == pytest.approx(expected / shape[1])


@pytest.mark.parametrize(("gamma", "epsilon"), [(1.0, 1e-4), (2.2, 0.3)])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_variance_term_equals_equation_4_written_as_loops(shape, gamma, epsilon):
    z = pair(shape)[0]
    assert float(variance(z, gamma, epsilon)) == pytest.approx(slow_variance(z, gamma, epsilon))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_covariance_terms_equal_their_definitions_written_as_loops(shape):
    z = pair(shape)[0]
    assert float(decorrelation(z)) == pytest.approx(slow_decorrelation(z))
    assert float(covariance(z)) == pytest.approx(slow_covariance(z))


def test_in_float32_with_the_papers_sizes_the_product_of_rows_equals_the_correlation_matrix():
    z = torch.randn(128, 4096, generator=torch.Generator().manual_seed(0))
    c = torch.corrcoef(z.double().T)
    expected = float((c - torch.diag(c.diagonal())).square().mean())
    assert float(decorrelation(z)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_barlow_twins_equals_equation_1_written_as_loops(shape):
    z_a, z_b = pair(shape)
    c = [[pearson(a, b) for b in columns(z_b)] for a in columns(z_a)]
    n = len(c)
    terms = barlow_twins(z_a, z_b, Method.of("barlow_twins", redundancy=0.3))
    assert float(terms["invariance"]) == pytest.approx(sum((1 - c[i][i]) ** 2 for i in range(n)))
    redundancy = sum(c[i][j] ** 2 for i in range(n) for j in range(n) if i != j)
    assert float(terms["redundancy"]) == pytest.approx(0.3 * redundancy)
    torch.testing.assert_close(cross_correlation(z_a, z_b), torch.tensor(c, dtype=torch.float64))


def test_the_terms_of_neighbourhoods_equal_equation_7_written_as_loops():
    draw = torch.Generator().manual_seed(1)
    near, far = (torch.randn(6, dtype=torch.float64, generator=draw) for _ in range(2))
    y_t, y_l, y_k = (torch.randn(6, 5, dtype=torch.float64, generator=draw) for _ in range(3))
    assert float(discrimination(near, far)) == pytest.approx(slow_tnc(near, far))
    assert float(correlation(y_t, y_l, y_k)) == pytest.approx(slow_correlation(y_t, y_l, y_k))


def test_vnibcregs_terms_carry_the_papers_weights_and_sum_to_equation_1():
    z_t, z_l = pair((6, 4))
    draw = torch.Generator().manual_seed(2)
    y = [torch.randn(6, 5, dtype=torch.float64, generator=draw) for _ in range(3)]
    near, far = (torch.randn(6, dtype=torch.float64, generator=draw) for _ in range(2))
    terms = loss_terms(Encoded(z_t, z_l, *y, near, far), Method(invariance_mean=False))
    expected = {
        "invariance": 10 * slow_invariance(z_t.tolist(), z_l.tolist()),
        "variance": 10 * (slow_variance(z_t, 1, 1e-4) + slow_variance(z_l, 1, 1e-4)),
        "covariance": 10 * (slow_decorrelation(z_t) + slow_decorrelation(z_l)),
        "discrimination": 13 * slow_tnc(near, far),
        "correlation": 13 * slow_correlation(*y),
    }
    assert {name: float(value) for name, value in terms.items()} == pytest.approx(expected)


def test_a_method_asks_for_its_own_terms_and_no_other():
    z_t, z_l = pair((6, 4))
    everything = Encoded(z_t, z_l, z_t, z_l, z_l, z_t[:, 0], z_l[:, 0])
    names = {
        name: list(loss_terms(everything, Method.of(name)))
        for name in ("vnibcreg", "vibcreg", "vicreg", "barlow_twins")
    }
    assert names == {
        "vnibcreg": ["invariance", "variance", "covariance", "discrimination", "correlation"],
        "vibcreg": ["invariance", "variance", "covariance"],
        "vicreg": ["invariance", "variance", "covariance"],
        "barlow_twins": ["invariance", "redundancy"],
    }
    original = loss_terms(everything, Method.of("vibcreg", tnc="original"))
    assert list(original) == ["invariance", "variance", "covariance", "discrimination"]


def test_recipes_can_name_every_method_and_no_other():
    assert get_args(MethodName) == tuple(OF_EMBEDDINGS)


def test_half_precision_embeddings_are_compared_in_float32():
    z_t, z_l = (z.bfloat16() for z in pair((6, 4)))
    for name, value in loss_terms(Encoded(z_t, z_l), Method.of("vicreg")).items():
        exact = vicreg(z_t.double(), z_l.double(), Method.of("vicreg"))[name]
        assert value.dtype == torch.float32
        assert float(value) == pytest.approx(float(exact), rel=1e-5)


def test_a_neighbourhood_loss_without_a_discriminator_is_refused():
    z_t, z_l = pair((6, 4))
    with pytest.raises(BadConfiguration, match=r"tnc is 'modified'.*Encode all three crops"):
        loss_terms(Encoded(z_t, z_l), Method())


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_every_loss_equal_finite_differences(shape):
    draw = torch.Generator().manual_seed(3)
    z_t, z_l = (z.requires_grad_() for z in pair(shape, seed=4))
    y = [torch.randn(shape[0], 3, dtype=torch.float64, generator=draw).requires_grad_() for _ in range(3)]
    logits = [torch.randn(shape[0], dtype=torch.float64, generator=draw).requires_grad_() for _ in range(2)]

    def total(method):
        return lambda *tensors: torch.stack(list(loss_terms(Encoded(*tensors), method).values())).sum()

    for name in ("vicreg", "barlow_twins", "vibcreg"):
        # a large γ, for a spread of 2 would have no gradient
        assert torch.autograd.gradcheck(total(Method.of(name, target_std=4.0)), (z_t, z_l))
    assert torch.autograd.gradcheck(total(Method(target_std=4.0)), (z_t, z_l, *y, *logits))


def test_a_collapsed_batch_has_finite_gradients():
    z = torch.ones(6, 4, requires_grad=True)
    terms = vibcreg(z, z, Method())
    sum(terms.values()).backward()
    assert float(terms["variance"].detach()) == pytest.approx(20 * (1 - 0.01))
    assert torch.isfinite(z.grad).all()
