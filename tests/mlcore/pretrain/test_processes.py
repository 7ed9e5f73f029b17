"""Two processes that torchrun starts learn as one: the same loss, the same encoder. And one that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from mlcore.pretrain import train
from mlcore.pretrain.config import Encoder, Method
from tests.mlcore.pretrain.examples import small_pool, small_recipe


def recipe_with(**sections):
    recipe = small_recipe(**sections)
    # small steps: Adam makes whole steps of rounding errors where a gradient is 0
    return replace(recipe, training=replace(recipe.training, epochs=2, learning_rate=1e-5))


def run_together(folder, out, count=2):
    """What `torchrun -m mlcore.pretrain.train` says. Dropout's draws are the same in all processes, by the seed."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    options = ["--pool", folder / "pool", "--recipe", folder / "recipe.toml", "--out", out, "--device", "cpu"]
    result = subprocess.run(
        [*command, "-m", "mlcore.pretrain.train", *map(str, options)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "method"),
    [
        (Encoder("resnet18", width=0.125), Method(projector=32, groups=4)),
        (Encoder("stft_cnn", width=0.5), Method.of("barlow_twins", projector=32)),
    ],
    ids=["vnibcreg", "barlow_twins"],
)
def test_two_processes_give_the_loss_of_one(tmp_path, encoder, method, capsys):
    recipe = recipe_with(encoder=encoder, method=method)
    small_pool().save(tmp_path / "pool")
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    told = run_together(tmp_path, tmp_path / "two")
    options = ["--pool", tmp_path / "pool", "--recipe", tmp_path / "recipe.toml", "--out", tmp_path / "one"]
    train.main([*map(str, options), "--device", "cpu"])
    alone = json.loads(capsys.readouterr().out)
    assert told["processes"] == 2
    assert told["batch_statistics"] == "over all processes"
    histories = [json.loads((tmp_path / name / "model.json").read_text())["history"] for name in ("one", "two")]
    for ours, theirs in zip(*histories, strict=True):
        for name in method_terms(ours):
            assert theirs[name] == pytest.approx(ours[name], rel=1e-4), name
    assert alone["processes"] == 1
    weights = [load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two")]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.slow
def test_a_command_that_was_killed_goes_on_to_the_encoder_of_one_that_was_not(tmp_path, capsys):
    recipe = small_recipe(training=replace(small_recipe().training, epochs=30))
    small_pool().save(tmp_path / "pool")
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    options = ["--pool", tmp_path / "pool", "--recipe", tmp_path / "recipe.toml", "--device", "cpu", "--out"]
    command = [sys.executable, "-m", "mlcore.pretrain.train", *map(str, options), str(tmp_path / "killed")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        checkpoint = tmp_path / "killed" / train.CHECKPOINT
        while not checkpoint.exists() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    for name in ("killed", "whole"):
        train.main([*map(str, options), str(tmp_path / name)])
        assert ("resumed after epoch" in capsys.readouterr().err) == (name == "killed")
    described = [json.loads((tmp_path / name / "model.json").read_text()) for name in ("killed", "whole")]
    assert described[0] == described[1]  # every epoch's losses, and the weights' checksum


def method_terms(figures):
    known = ("loss", "invariance", "variance", "covariance", "redundancy", "discrimination", "correlation")
    return [name for name in known if name in figures]
