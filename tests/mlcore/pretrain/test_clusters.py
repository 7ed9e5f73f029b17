"""Clusters against scikit-learn and loops."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from mlcore.errors import Cancelled
from mlcore.pretrain import clusters as room
from mlcore.pretrain.clusters import centres_of, clusters


def clouds(groups, rows=400, features=6, apart=6.0, seed=0):
    """Rows in round clouds of different sizes, and the cloud of each."""
    draw = np.random.default_rng(seed)
    member = draw.choice(groups, size=rows, p=np.arange(1, groups + 1) / np.arange(1, groups + 1).sum())
    centres = draw.normal(size=(groups, features)) * apart
    return centres[member] + draw.normal(size=(rows, features)), member


@pytest.mark.parametrize("groups", [5, 9])
def test_as_many_groups_are_found_as_scikit_learn_finds_with_the_same_rows(groups):
    x, truth = clouds(groups)
    found = clusters(x)
    theirs = {k: KMeans(k, n_init=10, random_state=0).fit_predict(x) for k in range(4, 13)}
    scores = {k: silhouette_score(x, member) for k, member in theirs.items()}
    assert found.count == max(scores, key=scores.get) == groups
    assert found.silhouettes[groups] == pytest.approx(scores[groups], abs=1e-9)
    assert adjusted_rand_score(found.member, theirs[groups]) == adjusted_rand_score(found.member, truth) == 1


def test_centres_have_as_little_inertia_as_scikit_learns_where_clouds_overlap():
    x, _ = clouds(7, rows=300, apart=1.0)
    centres = centres_of(x, 6, np.random.default_rng(0))
    inertia = sum(min(((row - centre) ** 2).sum() for centre in centres) for row in x)
    assert inertia <= 1.03 * KMeans(6, n_init=10, random_state=0).fit(x).inertia_


def test_rows_beyond_those_that_centres_were_found_on_go_to_the_nearest(monkeypatch):
    monkeypatch.setattr(room, "FITTED", 150)
    monkeypatch.setattr(room, "JUDGED", 100)
    x, truth = clouds(5, rows=900)
    assert adjusted_rand_score(clusters(x).member, truth) == 1


def test_groups_are_numbered_by_size_and_the_same_each_time():
    x, _ = clouds(6)
    found = clusters(x)
    sizes = np.bincount(found.member).tolist()
    assert sizes == sorted(sizes, reverse=True)
    assert found.member.dtype == np.int16
    np.testing.assert_array_equal(found.member, clusters(x).member)


@pytest.mark.parametrize("x", [np.zeros((0, 3)), np.ones((50, 3)), np.eye(5)], ids=["nothing", "all alike", "few"])
def test_where_there_is_nothing_to_divide_all_are_one_group(x):
    found = clusters(x)
    assert found.member.tolist() == [0] * len(x)
    assert found.silhouettes == {}


def test_the_search_stops_when_it_is_told_to():
    with pytest.raises(Cancelled):
        clusters(clouds(4)[0], should_stop=lambda: True)
