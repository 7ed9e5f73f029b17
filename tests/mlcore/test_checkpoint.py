import json
import re

import pytest
import torch
from torch import nn

from mlcore.checkpoint import load_model, load_weights, model_files, model_from_files, save_model, weights_checksum
from mlcore.errors import BadConfiguration


def build(description):
    return nn.Linear(description["inputs"], 2)


@pytest.fixture
def model():
    return build({"inputs": 3})


def test_a_saved_model_comes_back_with_its_weights_and_its_description(tmp_path, model):
    save_model(tmp_path, model, {"inputs": 3, "classes": ["quake", "noise"]})
    loaded, description = load_model(tmp_path, build)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), loaded.parameters(), strict=True))
    assert description["classes"] == ["quake", "noise"]
    assert description["weights_sha256"] == weights_checksum(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "weights.safetensors"]


def test_weights_of_another_model_are_refused(model):
    files = model_files(model, {"inputs": 3})
    other = model_files(build({"inputs": 3}), {"inputs": 3})
    with pytest.raises(BadConfiguration, match="belongs to another model"):
        model_from_files({**files, "weights.safetensors": other["weights.safetensors"]}, build)


def test_weights_that_do_not_fit_the_network_are_refused_by_name_and_shape(model):
    files = model_files(model, {"inputs": 4})
    with pytest.raises(BadConfiguration, match=re.escape("weight is (2, 3) in the file, but the network has (2, 4)")):
        model_from_files(files, build)
    with pytest.raises(BadConfiguration, match="bias is no such tensor in the file"):
        load_weights(model, {"weight": model.weight})


def test_a_folder_without_a_model_says_what_is_missing(tmp_path):
    with pytest.raises(BadConfiguration, match=r"holds no model: weights\.safetensors and model\.json"):
        load_model(tmp_path, build)


@pytest.mark.parametrize(
    "broken", [b"", b"\xff\xfe", b"[]", b"{}", b'{"format_version": 99}', b'{"format_version": 1}']
)
def test_a_broken_description_is_refused_with_a_way_out(model, broken):
    with pytest.raises(BadConfiguration, match=r"Restore|Use the program"):
        model_from_files({**model_files(model, {"inputs": 3}), "model.json": broken}, build)


def test_damaged_weights_are_refused_even_where_the_description_vouches_for_them(model):
    from mlcore.checkpoint import sha256

    files = model_files(model, {"inputs": 3})
    damaged = files["weights.safetensors"][:-4]
    description = {**json.loads(files["model.json"]), "weights_sha256": sha256(damaged)}
    with pytest.raises(BadConfiguration, match="cannot be read"):
        model_from_files({"weights.safetensors": damaged, "model.json": json.dumps(description).encode()}, build)
