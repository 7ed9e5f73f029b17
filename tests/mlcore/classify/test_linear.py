import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from mlcore.classify.linear import fit_linear


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(90, 5)) * [1, 10, 0.1, 3, 1] + [0, 5, -1, 0, 100]
    labels = (x[:, 0] + 0.3 * generator.normal(size=90) > 0).astype(int) + (x[:, 1] > 12)
    return x, labels


def one_hot(labels):
    return torch.eye(3, dtype=torch.float64)[labels]


def test_the_weights_are_scikit_learns(data):
    x, labels = data
    found = fit_linear([torch.from_numpy(x)], one_hot(labels), strength=2.0)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0) / np.sqrt(5)
    reference = LogisticRegression(C=2.0, tol=1e-10, max_iter=10_000).fit(scaled, labels)
    said = found.logits(torch.from_numpy(x)).softmax(dim=1).numpy()
    np.testing.assert_allclose(said, reference.predict_proba(scaled), atol=1e-4)


def test_a_row_counts_as_much_as_it_sums_to(data):
    x, labels = data
    weights = np.random.default_rng(1).uniform(0.2, 3, len(x))
    targets = one_hot(labels) * torch.from_numpy(weights * len(x) / weights.sum())[:, None]
    found = fit_linear([torch.from_numpy(x)], targets, strength=2.0)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0) / np.sqrt(5)
    reference = LogisticRegression(C=2.0, tol=1e-10, max_iter=10_000)
    reference.fit(scaled, labels, sample_weight=weights * len(x) / weights.sum())
    said = found.logits(torch.from_numpy(x)).softmax(dim=1).numpy()
    np.testing.assert_allclose(said, reference.predict_proba(scaled), atol=1e-4)


def test_a_part_with_many_features_is_heard_no_more_than_one_with_few(data):
    x, labels = data
    few = torch.from_numpy(x)
    many = few.repeat(1, 40)
    alone, repeated = (fit_linear([part], one_hot(labels), strength=2.0) for part in (few, many))
    torch.testing.assert_close(alone.logits(few), repeated.logits(many), atol=1e-3, rtol=1e-3)


def test_a_feature_that_never_changes_weighs_nothing(data):
    x, labels = data
    with_constant = torch.from_numpy(np.hstack([x, np.full((90, 1), 7.0)]))
    found = fit_linear([with_constant], one_hot(labels), strength=2.0)
    assert torch.all(found.weight[:, 5] == 0)
    assert torch.isfinite(found.bias).all()
