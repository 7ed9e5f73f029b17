"""Models as files: weights in safetensors, everything else in JSON beside them. Nothing is ever unpickled.

A model is `weights.safetensors` and `model.json`. The JSON carries what the caller describes (classes, recipe,
metrics, …) plus `format_version` and the weights' checksum, so that the two files cannot be mixed up unnoticed.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from mlcore.errors import BadConfiguration

FORMAT_VERSION = 1
WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"

Description = dict[str, Any]
Builder = Callable[[Description], nn.Module]


def model_files(model: nn.Module, description: Description) -> dict[str, bytes]:
    """The model's two files by name, for any storage."""
    weights = save({name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()})
    facts = {**description, "format_version": FORMAT_VERSION, "weights_sha256": sha256(weights)}
    return {WEIGHTS: weights, DESCRIPTION: json.dumps(facts, indent=2, ensure_ascii=False).encode()}


def model_from_files(files: Mapping[str, bytes], build: Builder) -> tuple[nn.Module, Description]:
    """The model that `build` makes from the description, with the stored weights, ready to predict.

    Raises BadConfiguration when a file is missing or broken, when the two do not belong together, or when the weights
    do not fit the network that the description asks for.
    """
    tensors, description = tensors_from_files(files)
    model = build(description)
    load_weights(model, tensors)
    return model.eval(), description


def tensors_from_files(files: Mapping[str, bytes]) -> tuple[dict[str, Tensor], Description]:
    """A model's weights by name, without a network to put them in, and its description. Raises BadConfiguration."""
    for name in (WEIGHTS, DESCRIPTION):
        if name not in files:
            raise BadConfiguration(f"The model has no {name}. A model is {WEIGHTS} and {DESCRIPTION}: give both.")
    description = _parse(files[DESCRIPTION])
    found, expected = sha256(files[WEIGHTS]), description["weights_sha256"]
    if found != expected:
        raise BadConfiguration(
            f"{WEIGHTS} has checksum {found[:12]}…, but {DESCRIPTION} names {str(expected)[:12]}…: the file was "
            "damaged or belongs to another model. Restore the two files that were saved together."
        )
    return tensors_from_bytes(files[WEIGHTS]), description


def save_model(directory: Path | str, model: nn.Module, description: Description) -> None:
    """Write the model's files. Each replaces its predecessor at once; the description, which vouches, comes last."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in model_files(model, description).items():
        write_atomically(directory / name, content)


def load_model(directory: Path | str, build: Builder) -> tuple[nn.Module, Description]:
    """The model in a folder. Raises BadConfiguration as `model_from_files` does, and when the folder has no model."""
    return model_from_files(files_in(directory), build)


def files_in(directory: Path | str) -> dict[str, bytes]:
    """The two files of the model in a folder, by name. Raises BadConfiguration where it has none."""
    directory = Path(directory)
    missing = [name for name in (WEIGHTS, DESCRIPTION) if not (directory / name).is_file()]
    if missing:
        raise BadConfiguration(f"{directory} holds no model: {' and '.join(missing)} not found. Choose a model folder.")
    return {name: (directory / name).read_bytes() for name in (WEIGHTS, DESCRIPTION)}


def weights_checksum(directory: Path | str) -> str:
    """SHA-256 of the weights file in a model's folder: the model's identity in the ledger."""
    return sha256((Path(directory) / WEIGHTS).read_bytes())


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors into the model. Raises BadConfiguration naming a tensor that is missing, extra or misshapen."""
    expected = model.state_dict()
    for name in expected.keys() | tensors.keys():
        ours = tuple(expected[name].shape) if name in expected else "no such tensor"
        theirs = tuple(tensors[name].shape) if name in tensors else "no such tensor"
        if ours != theirs:
            raise BadConfiguration(
                f"Weights do not fit the network: {name} is {theirs} in the file, but the network has {ours}. "
                "Choose weights that were trained with this recipe."
            )
    model.load_state_dict(dict(tensors))


def tensors_from_bytes(content: bytes) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises BadConfiguration where it is none."""
    try:
        return load(content)
    except (SafetensorError, ValueError) as error:
        raise BadConfiguration(f"{WEIGHTS} cannot be read: {error}. Restore it from where it was saved.") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old content or the new, never a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def sha256(content: bytes) -> str:
    """Checksum as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _parse(content: bytes) -> Description:
    try:
        description = json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadConfiguration(f"{DESCRIPTION} is not JSON: {error}. Restore it from where it was saved.") from error
    if not isinstance(description, dict) or description.get("format_version") != FORMAT_VERSION:
        version = description.get("format_version") if isinstance(description, dict) else None
        raise BadConfiguration(
            f"{DESCRIPTION} has format version {version}, but this program reads {FORMAT_VERSION}. "
            "Use the program that wrote the model, or train again."
        )
    if "weights_sha256" not in description:
        raise BadConfiguration(f"{DESCRIPTION} names no weights_sha256. Restore it from where it was saved.")
    return description
