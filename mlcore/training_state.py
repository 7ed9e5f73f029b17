"""A training between two epochs as one safetensors file: weights, best weights, Adam's moments; the rest as JSON."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mlcore.checkpoint import write_atomically


def write_state(
    path: Path | str,
    fingerprint: str,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor],
    facts: dict[str, Any],
) -> None:
    """Replace the checkpoint at `path`. `facts` must be what JSON can hold."""
    moments = optimizer.state_dict()["state"]
    tensors = {
        **{f"model/{name}": tensor for name, tensor in model.state_dict().items()},
        **{f"best/{name}": tensor for name, tensor in best.items()},
        **{f"optimizer/{number}/{key}": value for number, state in moments.items() for key, value in state.items()},
    }
    rate = optimizer.param_groups[0]["lr"]
    header = {"fingerprint": fingerprint, "facts": json.dumps({**facts, "learning_rate": rate})}
    write_atomically(Path(path), save({k: t.detach().cpu().contiguous() for k, t in tensors.items()}, header))


def read_state(
    path: Path | str, fingerprint: str, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Put model and optimizer where the checkpoint left them. → (facts, best weights)

    None, with nothing touched, where there is no checkpoint, it cannot be read, or it is of another training.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (FileNotFoundError, SafetensorError):
        return None
    if header.get("fingerprint") != fingerprint:
        return None
    facts = json.loads(header["facts"])
    model.load_state_dict(_under(tensors, "model/"))
    _restore(optimizer, _under(tensors, "optimizer/"), facts.pop("learning_rate"))
    return facts, _under(tensors, "best/")


def _restore(optimizer: torch.optim.Optimizer, moments: dict[str, Tensor], learning_rate: float) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in moments.items():
        number, key = name.split("/")
        state.setdefault(int(number), {})[key] = _like(parameters[int(number)], tensor)
    groups = optimizer.state_dict()["param_groups"]
    groups[0]["lr"] = learning_rate
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _like(parameter: Tensor, moment: Tensor) -> Tensor:
    """The moment laid out in memory as its parameter: a fused Adam reads both as they lie."""
    return torch.empty_like(parameter).copy_(moment) if moment.shape == parameter.shape else moment


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
