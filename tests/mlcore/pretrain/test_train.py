"""Pretraining: its loss falls, it can be watched, cancelled, killed and resumed, and a collapse is told."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mlcore.errors import BadConfiguration, Cancelled, SeisloopError
from mlcore.pretrain import bounds, train
from mlcore.pretrain.config import Method, Training, Views
from mlcore.pretrain.model import Pretrained, encoder_from_files
from mlcore.pretrain.pool import Pool
from mlcore.pretrain.spectrogram import spectrogram
from mlcore.pretrain.train import pretrain
from mlcore.pretrain.views import crops_at
from tests.mlcore.pretrain.examples import small_pool, small_recipe

TERMS = {"invariance", "variance", "covariance", "discrimination", "correlation"}


class Killed(BaseException):
    """What a process that is killed never hears of."""


def losses(learned):
    return [figures["loss"] for figures in learned.history]


def test_the_loss_falls_and_its_terms_add_up_to_it():
    heard = []
    recipe = small_recipe(training=replace(small_recipe().training, epochs=6))
    learned = pretrain(small_pool(), recipe, progress=heard.append)
    found = losses(learned)
    assert found[-1] < 0.95 * found[0]
    for figures in learned.history:
        assert set(figures) >= TERMS
        assert figures["loss"] == pytest.approx(sum(figures[name] for name in TERMS), rel=1e-5)
    told = [report.metrics for report in heard if report.metrics]
    assert told == learned.history
    fractions = [report.fraction for report in heard]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_learning_rates_fall_along_a_half_cosine():
    recipe = small_recipe(training=replace(small_recipe().training, epochs=4))
    learned = pretrain(small_pool(), recipe)
    steps = 48 // 16
    last = [recipe.training.learning_rate * (1 + np.cos(np.pi * (e + 2 / steps) / 4)) / 2 for e in range(4)]
    assert [figures["learning_rate"] for figures in learned.history] == pytest.approx(last)


def test_the_same_seed_gives_the_same_encoder_whatever_was_drawn_before():
    first = pretrain(small_pool(), small_recipe())
    torch.rand(5)
    again = pretrain(small_pool(), small_recipe())
    other = pretrain(small_pool(), small_recipe(training=replace(small_recipe().training, seed=1)))
    assert first.files == again.files
    assert losses(first) != losses(other)


@pytest.mark.parametrize("after", [1, 2])
def test_a_run_that_was_killed_resumes_to_exactly_the_losses_of_one_that_was_not(tmp_path, after):
    recipe = small_recipe(training=replace(small_recipe().training, epochs=4))
    whole = pretrain(small_pool(), recipe)
    path = tmp_path / "training.safetensors"

    def kill(report):
        if f"epoch {after + 1}, batch 2" in report.message:
            raise Killed

    with pytest.raises(Killed):
        pretrain(small_pool(), recipe, progress=kill, checkpoint_path=path)
    heard = []
    resumed = pretrain(small_pool(), recipe, progress=heard.append, checkpoint_path=path)
    assert heard[0].message == f"resumed after epoch {after}"
    assert resumed.history == whole.history
    assert resumed.files == whole.files


def test_a_checkpoint_of_another_pool_or_recipe_is_not_resumed_from(tmp_path):
    path = tmp_path / "training.safetensors"
    recipe = small_recipe()
    pretrain(small_pool(), recipe, checkpoint_path=path)
    for pool, changed in (
        (small_pool(seed=1), recipe),
        (small_pool(), small_recipe(views=Views(crop_share=0.15))),
    ):
        heard = []
        pretrain(pool, changed, progress=heard.append, checkpoint_path=path)
        assert "resumed" not in heard[0].message


def test_pretraining_can_be_cancelled_before_any_batch():
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        pretrain(small_pool(), small_recipe(), should_stop=lambda: next(asked))


def test_a_planted_collapse_is_told():
    alone = Method.of("vicreg", variance=0.0, covariance=0.0, projector=16)
    training = Training(epochs=20, batch_size=16, learning_rate=1e-2, precision="float32")
    heard = []
    learned = pretrain(small_pool(), small_recipe(method=alone, training=training), progress=heard.append)
    assert "has collapsed" in heard[-1].message
    assert "has collapsed" in learned.facts["notes"][0]


def test_a_healthy_run_is_not_said_to_collapse():
    training = Training(epochs=6, batch_size=16, precision="float32")
    learned = pretrain(small_pool(), small_recipe(training=training))
    assert learned.facts["notes"] == []


@pytest.mark.parametrize("method", [Method.of("vibcreg", projector=32, groups=4), Method.of("barlow_twins")])
@pytest.mark.parametrize("crop", ["random", "neighbouring"])
def test_every_method_learns_from_either_crop(method, crop):
    recipe = small_recipe(method=method, views=Views(crop=crop, crop_share=0.2))
    assert np.isfinite(losses(pretrain(small_pool(), recipe))).all()


def test_a_crop_cut_from_the_samples_is_the_image_of_that_stretch_alone(monkeypatch):
    seen = []
    monkeypatch.setattr(train, "crops_at", lambda *given: seen.append((given, crops_at(*given))) or seen[-1][1])
    shown = []
    forward = Pretrained.forward
    monkeypatch.setattr(Pretrained, "forward", lambda self, crops: shown.append(crops) or forward(self, crops))
    recipe = small_recipe(views=Views(crop_share=0.2, cut="samples"), training=Training(epochs=1, batch_size=16))
    pretrain(small_pool(), recipe)
    (samples, starts, _), _ = seen[0]
    begin = int(starts.k[3])
    stretch = samples[3, 1, 0, begin : begin + 200]  # a fifth of 1000 samples, of the second sensor
    assert shown[0].k.shape[1:] == (1, *recipe.spectrogram.shape(200, 50.0))
    torch.testing.assert_close(shown[0].k[3, 0], spectrogram(stretch, recipe.spectrogram, 50.0))


def test_the_encoder_is_two_files_without_pickles_that_give_the_same_representation():
    learned = pretrain(small_pool(), small_recipe())
    network, recipe, description = encoder_from_files(learned.files)
    image = torch.rand(2, 1, 17, 20)
    learned.model.eval()
    torch.testing.assert_close(network(image), learned.model.encoder(image))
    assert recipe == small_recipe()
    assert description["pool"]["windows"] == 48
    assert description["pool"]["stations"] == {"XX.AAA.00": 48}
    assert len(description["pool"]["events"]) == 24
    json.loads(learned.files["model.json"])


def test_a_classifier_is_not_taken_for_an_encoder():
    files = pretrain(small_pool(), small_recipe()).files
    description = json.loads(files["model.json"])
    files["model.json"] = json.dumps({**description, "kind": "classifier"}).encode()
    with pytest.raises(BadConfiguration, match="made by pretraining"):
        encoder_from_files(files)


def test_sensors_that_did_not_record_are_never_shown(monkeypatch):
    pool = small_pool(channels=3)
    recorded = pool.recorded.copy()
    recorded[:, 1] = False
    windows = pool.windows.copy()
    windows[:, 1] = np.nan
    learned = pretrain(Pool(windows, recorded, pool.sampling_rate_hz, pool.facts), small_recipe())
    assert np.isfinite(losses(learned)).all()


def test_a_pool_too_small_is_refused():
    with pytest.raises(BadConfiguration, match="1 windows, too few"):
        pretrain(small_pool(1), small_recipe())


def test_a_loss_that_is_no_number_ends_the_run(monkeypatch):
    monkeypatch.setattr(bounds, "FASTEST_LEARNING", 1e30)
    recipe = small_recipe(
        method=Method.of("vicreg"), training=Training(epochs=5, batch_size=16, learning_rate=1e25, precision="float32")
    )
    with pytest.raises(SeisloopError, match="loss became"):
        pretrain(small_pool(), recipe)


def test_the_command_trains_from_a_pool_on_disk_and_says_what_it_did(tmp_path, capsys):
    small_pool().save(tmp_path / "pool")
    (tmp_path / "recipe.toml").write_text(small_recipe().to_toml())
    arguments = ["--pool", tmp_path / "pool", "--recipe", tmp_path / "recipe.toml", "--out", tmp_path / "encoder"]
    train.main([*map(str, arguments), "--epochs", "1", "--device", "cpu"])
    told = json.loads(capsys.readouterr().out)
    assert told["last"]["epoch"] == 1
    assert sorted(p.name for p in (tmp_path / "encoder").iterdir()) == ["model.json", "weights.safetensors"]


def test_the_command_wants_one_source(tmp_path):
    (tmp_path / "recipe.toml").write_text(small_recipe().to_toml())
    with pytest.raises(BadConfiguration, match="from nowhere"):
        train.main(["--recipe", str(tmp_path / "recipe.toml"), "--out", str(tmp_path)])


def test_views_made_as_sounds_are_learned_from_too():
    views = Views(crop="random", sensors="one", augment="sound")
    recipe = small_recipe(views=views, method=Method.of("vicreg", projector=32))
    plain = replace(recipe, views=replace(views, augment="none"))
    assert losses(pretrain(small_pool(), recipe)) != losses(pretrain(small_pool(), plain))


def test_views_made_as_sounds_are_refused_where_several_processes_learn(monkeypatch):
    monkeypatch.setattr(train, "processes", lambda: 2)
    views = Views(crop="random", sensors="one", augment="sound")
    with pytest.raises(BadConfiguration, match="only one process draws"):
        pretrain(small_pool(), small_recipe(views=views, method=Method.of("vicreg", projector=32)))
