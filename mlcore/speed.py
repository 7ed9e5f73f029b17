"""What makes training fast on a few cores, and changes no result beyond rounding.

Channels-last convolutions, and bfloat16 where the CPU multiplies it: `python -m tests.benchmarks training` measures it.
Preparing the next batch meanwhile hides what cutting and transforming costs.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

Item = TypeVar("Item")

NATIVE = ("avx512_bf16", "amx_bf16")  # as torch names instructions that multiply in bfloat16


def reduced_precision(model: nn.Module) -> AbstractContextManager[object]:
    """The forward pass of a convolutional network in bfloat16, where the CPU multiplies it natively; else float32.

    Weights, loss, and optimizer stay in float32, and prediction and explanation do not come here.
    """
    if _convolves(model) and next(model.parameters()).device.type == "cpu" and has_bfloat16():
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()


def has_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16 (avx512_bf16, amx); without them it would be slower."""
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in NATIVE)


def laid_out(inputs: Tensor, model: nn.Module) -> Tensor:
    """Inputs as a CPU convolves them fastest: images with their channels last. Values stay as they are."""
    if inputs.ndim == 4 and _convolves(model):
        return inputs.contiguous(memory_format=torch.channels_last)
    return inputs


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The items, each made in another thread while its predecessor is used; their order stays, errors come through."""
    iterator, done = iter(items), object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        coming = thread.submit(next, iterator, done)
        while (item := coming.result()) is not done:
            coming = thread.submit(next, iterator, done)
            yield item  # type: ignore[misc]


def _convolves(model: nn.Module) -> bool:
    return any(isinstance(module, nn.Conv2d) for module in model.modules())
