"""Two processes that torchrun starts learn as one: the same loss, the same encoder, also after a kill."""

import json
import os
import subprocess
import sys
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


def method_terms(figures):
    known = ("loss", "invariance", "variance", "covariance", "redundancy", "discrimination", "correlation")
    return [name for name in known if name in figures]
