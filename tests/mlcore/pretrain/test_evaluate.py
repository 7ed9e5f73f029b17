"""What an encoder is worth: frozen, and fine-tuned on few labels; checked on windows that a small one tells apart."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mlcore.checkpoint import write_atomically
from mlcore.errors import BadConfiguration, Cancelled
from mlcore.pretrain import evaluate as command
from mlcore.pretrain.config import Encoder, Evaluation
from mlcore.pretrain.evaluate import evaluate, evaluate_seed
from mlcore.pretrain.fine_tune import _batch_sizes, features, fine_tune, mean_of_windows, scores, untrained
from mlcore.pretrain.pool import Pool
from mlcore.pretrain.spectrogram import spectrogram
from mlcore.pretrain.train import pretrain
from tests.mlcore.pretrain.examples import CLASSES, small_pool, small_recipe

RECIPE = small_recipe(
    evaluation=Evaluation(epochs=15, shares=(0.2, 0.8), seeds=(0, 1), encoder_learning_rate=5e-3, batch_size=16)
)


def test_features_are_those_of_each_channel_by_itself():
    pool = small_pool(5)
    recorded = pool.recorded.copy()
    recorded[2, 0] = False
    pool = Pool(pool.windows, recorded, pool.sampling_rate_hz, pool.facts)
    network = untrained(RECIPE, seed=0).eval()
    windows, y = features(network, pool, RECIPE)
    assert windows.tolist() == [0, 0, 1, 1, 2, 3, 3, 4, 4]
    image = spectrogram(torch.from_numpy(pool.windows[2, 1]), RECIPE.spectrogram, pool.sampling_rate_hz)
    with torch.inference_mode():
        np.testing.assert_allclose(y[4], network(image[None, None])[0], rtol=1e-4, atol=1e-6)


def test_values_of_channels_are_averaged_over_their_windows():
    found = mean_of_windows(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 2]), 3)
    assert found[:, 0].tolist() == [2, 0, 5]


def test_fine_tuning_learns_what_it_is_shown_and_leaves_the_encoder_as_it_was():
    pool, network = small_pool(60), untrained(RECIPE, seed=0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    model = fine_tune(network, pool, range(48), CLASSES, RECIPE)
    guesses = scores(model, pool.select(range(48, 60)), RECIPE).argmax(axis=1)
    assert (guesses == np.arange(48, 60) % 3).mean() > 0.7
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, before[name])


def test_fine_tuning_is_the_same_for_the_same_seed():
    pool, network = small_pool(24), untrained(RECIPE, seed=0)
    recipe = replace(RECIPE, evaluation=replace(RECIPE.evaluation, epochs=2))
    first, again, other = (
        scores(fine_tune(network, pool, range(24), CLASSES, recipe, seed=seed), pool, recipe) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_encoder_that_has_seen_the_pool_keeps_its_statistics_where_asked():
    recipe = replace(RECIPE, encoder=Encoder("resnet18", 0.125), evaluation=Evaluation(epochs=1, norms="kept"))
    learned, random = untrained(recipe, seed=0), untrained(recipe, seed=0)
    learned(torch.randn(8, 1, 17, 20))  # BatchNorm sees a batch
    before = {name: tensor.clone() for name, tensor in learned.state_dict().items() if "running" in name}
    tuned = fine_tune(learned, small_pool(9), range(9), CLASSES, recipe).encoder.state_dict()
    assert before
    assert all(torch.equal(tuned[name], tensor) for name, tensor in before.items())
    tuned = fine_tune(random, small_pool(9), range(9), CLASSES, recipe).encoder.state_dict()
    assert not any(torch.equal(tuned[name], random.state_dict()[name]) for name in before)


def test_no_batch_is_of_one_window():
    assert _batch_sizes(10, 4) == [4, 4, 2]
    assert _batch_sizes(9, 4) == [4, 5]
    assert _batch_sizes(1, 4) == [1]


def test_fine_tuning_can_be_cancelled():
    with pytest.raises(Cancelled):
        fine_tune(untrained(RECIPE, 0), small_pool(6), range(6), CLASSES, RECIPE, should_stop=lambda: True)


def test_an_evaluation_has_all_figures_for_each_seed():
    found = evaluate(None, small_pool(), RECIPE)
    assert set(found) == {"linear", "knn", "silhouette", "fine_tuned_20%", "fine_tuned_80%"}
    assert set(found["linear"]) == {"accuracy", "balanced_accuracy", "macro_f1"}
    assert set(found["fine_tuned_20%"]) == {"accuracy", "balanced_accuracy", "macro_f1", "silhouette"}
    accuracy = found["fine_tuned_80%"]["accuracy"]
    assert len(accuracy["runs"]) == 2
    assert accuracy["mean"] == pytest.approx(np.mean(accuracy["runs"]))
    json.dumps(found)


def test_windows_without_a_label_are_not_scored():
    pool, unlabelled = small_pool(), small_pool(6, labelled=False)
    both = Pool(
        np.concatenate([pool.windows, unlabelled.windows]),
        np.concatenate([pool.recorded, unlabelled.recorded]),
        pool.sampling_rate_hz,
        pool.facts + unlabelled.facts,
    )
    recipe = replace(RECIPE, evaluation=replace(RECIPE.evaluation, epochs=2))
    network = untrained(recipe, 0)
    assert evaluate_seed(network, both, recipe, 0) == evaluate_seed(network, pool, recipe, 0)


def test_windows_of_one_class_cannot_be_evaluated():
    with pytest.raises(BadConfiguration, match="1 class,"):
        evaluate_seed(untrained(RECIPE, 0), small_pool(9).select([0, 3, 6]), RECIPE, 0)


def test_the_command_compares_an_encoder_with_a_random_one(tmp_path, capsys):
    recipe = replace(RECIPE, evaluation=replace(RECIPE.evaluation, epochs=2, seeds=(0,)))
    for name, content in pretrain(small_pool(), recipe).files.items():
        write_atomically(tmp_path / "encoder" / name, content)
    small_pool().save(tmp_path / "pool")
    command.main([str(tmp_path / "encoder"), "--pool", str(tmp_path / "pool"), "--device", "cpu"])
    told = json.loads(capsys.readouterr().out)
    assert set(told["random"]) == set(told["pretrained"])
