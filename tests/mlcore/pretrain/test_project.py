"""Places of windows in a plane, against scikit-learn and autograd."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.manifold._t_sne import _joint_probabilities

from mlcore.checkpoint import write_atomically
from mlcore.errors import Cancelled
from mlcore.pretrain import project as command
from mlcore.pretrain.project import (
    joint_probabilities,
    kl_gradient,
    picture,
    placed_among,
    principal_components,
    project,
    tsne,
)
from mlcore.pretrain.train import pretrain
from tests.mlcore.pretrain.examples import small_pool, small_recipe


def clusters(rows=90, features=8, seed=0):
    draw = np.random.default_rng(seed)
    return draw.normal(size=(rows, features)) + 8 * np.eye(3, features)[np.arange(rows) % 3]


def test_principal_components_equal_scikit_learns():
    x = clusters() * np.arange(1, 9)
    theirs = PCA(3).fit_transform(x)
    np.testing.assert_allclose(np.abs(principal_components(x, 3)), np.abs(theirs), rtol=1e-8, atol=1e-8)


def test_principal_components_of_many_rows_equal_scikit_learns_as_well(monkeypatch):
    monkeypatch.setattr(command, "AT_ONCE", 100)
    x = (clusters(310) * np.arange(1, 9) + 50).astype(np.float32)
    theirs = PCA(5).fit_transform(x.astype(np.float64))
    np.testing.assert_allclose(np.abs(principal_components(x, 5)), np.abs(theirs), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1, 1e4])
def test_joint_probabilities_equal_scikit_learns_at_any_scale(scale):
    x = clusters()
    theirs = squareform(_joint_probabilities(squareform(pdist(x, "sqeuclidean")), 10, 0))
    np.testing.assert_allclose(joint_probabilities(scale * x, 10), theirs, atol=2e-6)


def test_the_gradient_is_that_of_the_divergence():
    p = torch.from_numpy(joint_probabilities(clusters(30), 5))
    y = torch.randn(30, 2, dtype=torch.float64, generator=torch.manual_seed(0), requires_grad=True)
    kernel = 1 / (1 + (y[:, None] - y).square().sum(dim=-1)) * (1 - torch.eye(30))
    q = kernel / kernel.sum()
    off = ~torch.eye(30, dtype=torch.bool)
    (p[off] * (p[off] / q[off]).log()).sum().backward()
    torch.testing.assert_close(kl_gradient(p, y.detach()), y.grad)


def test_neighbours_stay_neighbours_as_well_as_in_scikit_learn():
    x = clusters()
    theirs = TSNE(perplexity=15, init="pca", method="exact", max_iter=500).fit_transform(x)
    found = tsne(x, 15, iterations=500)
    assert trustworthiness(x, found) > trustworthiness(x, theirs) - 0.01
    distances = squareform(pdist(found))
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(axis=1) % 3 == np.arange(90) % 3).all()


def test_the_same_windows_are_always_in_the_same_places():
    np.testing.assert_array_equal(tsne(clusters(), iterations=60), tsne(clusters(), iterations=60))


def test_more_windows_than_landmarks_are_placed_among_their_nearest(monkeypatch):
    monkeypatch.setattr(command, "LANDMARKS", 60)
    x = clusters(240)
    found = project(x, perplexity=10)
    assert np.abs(found).max() == pytest.approx(1)
    assert trustworthiness(x, found) > 0.85


def test_a_landmark_keeps_its_place():
    known, places = clusters(20), np.random.default_rng(1).normal(size=(20, 2))
    np.testing.assert_allclose(placed_among(known, known, places), places, atol=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(1, 3), (2, 3), (3, 1), (6, 1), (5, 9)])
def test_few_windows_and_few_features_are_placed_too(rows, columns):
    found = project(clusters(rows, 9)[:, :columns])
    assert found.shape == (rows, 2)
    assert np.isfinite(found).all()


def test_windows_that_are_all_alike_are_placed_too():
    assert np.isfinite(project(np.ones((10, 4)))).all()


def test_a_projection_can_be_cancelled():
    with pytest.raises(Cancelled):
        project(clusters(), should_stop=lambda: True)


def test_a_picture_has_a_point_for_each_window_and_a_line_for_each_label():
    root = ElementTree.fromstring(picture(np.zeros((3, 2)), ["a<b", "", "c"]))  # noqa: S314  # our own
    names = [child.tag.split("}")[1] for child in root]
    assert names.count("circle") == 3
    assert names.count("text") == 2


def test_the_command_writes_places_and_a_picture(tmp_path, capsys):
    for name, content in pretrain(small_pool(), small_recipe()).files.items():
        write_atomically(tmp_path / "encoder" / name, content)
    small_pool().save(tmp_path / "pool")
    out = ["--out", tmp_path / "map.json", "--picture", tmp_path / "map.svg", "--device", "cpu"]
    command.main(list(map(str, [tmp_path / "encoder", "--pool", tmp_path / "pool", *out])))
    assert json.loads(capsys.readouterr().out)["points"] == 48
    written = json.loads((tmp_path / "map.json").read_text())
    assert len(written) == 48
    assert set(written[0]) == {"x", "y", "station", "starttime", "event_id", "label"}
    assert (tmp_path / "map.svg").stat().st_size > 1000
