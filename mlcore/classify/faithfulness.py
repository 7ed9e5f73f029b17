"""Does a map say the truth? Remove what it calls relevant, and see whether the network misses it.

The deletion check (Samek et al. 2017, section III): cells of the network's input are removed in the order of their
relevance, and the logit is followed. The faster it falls, against a random order, the better the map.

To remove a cell is to set it to its component's and frequency's own quiet level: the lowest tenth over this window's
time. Zero would be further away than silence: no recording has it, the network never saw it but where a component is
missing, and in logarithmic input it means nothing in particular. Attributes beside the map stay as they are.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

SHARES = (0.03, 0.1, 0.4)  # of the cells that are removed; beyond half, cells speak against the class
TOLD = 0.1  # the share that the sentence speaks of
QUIET = 0.1  # quantile over time
RANDOM_ORDERS = 2  # thousands of cells: one order says nearly what another does

Floats = NDArray[np.floating]


def deletion_check(
    network: nn.Module, inputs: Tensor, maps: Floats, seeds: Floats, attributes: Tensor | None = None
) -> list[dict[str, Any]]:
    """How fast what each of t maps explains falls, of one window.

    inputs (channels, freq, time), maps (t, channels, freq, time), seeds (t, classes): map i explains logits · seeds[i],
    such as one logit (one 1) or the difference of two (1 and −1). attributes (a,) are given beside the inputs.
    Each answer has `shares` of cells removed, from 0; `ours` and `random`, what is left of the logit then (random: the
    mean over some orders, the same for every window); their means over the curve `area` and `random_area` (trapezoids);
    and a `text`. One batch for all curves.
    """
    orders = [np.argsort(-each.ravel(), kind="stable") for each in maps] + _random_orders(inputs.numel())
    flat, quiet = inputs.flatten(), quiet_level(inputs).flatten()
    variants = [flat] + [
        _without(flat, quiet, order[: round(share * len(order))]) for order in orders for share in SHARES
    ]
    batch = torch.stack(variants).reshape(-1, *inputs.shape).contiguous(memory_format=torch.channels_last)
    beside = [] if attributes is None or not len(attributes) else [attributes.expand(len(batch), -1)]
    with torch.inference_mode():
        logits = network(batch, *beside).double().numpy()
    curves = logits[1:].reshape(len(orders), len(SHARES), -1)
    return [
        _answer(seed, logits[0] @ seed, curves[row] @ seed, (curves[len(maps) :] @ seed).mean(axis=0))
        for row, seed in enumerate(seeds)
    ]


def quiet_level(inputs: Tensor) -> Tensor:
    """What each component and frequency carries when nothing happens. (channels, freq, time) → the same shape"""
    return inputs.quantile(QUIET, dim=-1, keepdim=True).expand_as(inputs)


def _random_orders(cells: int) -> list[NDArray[np.int64]]:
    return [np.random.default_rng(seed).permutation(cells) for seed in range(RANDOM_ORDERS)]


def _without(flat: Tensor, quiet: Tensor, cells: NDArray[np.int64]) -> Tensor:
    changed = flat.clone()
    index = torch.as_tensor(cells)
    changed[index] = quiet[index]
    return changed


def _answer(seed: Floats, whole: float, ours: Floats, random: Floats) -> dict[str, Any]:
    shares = [0.0, *SHARES]
    curves = [float(whole), *map(float, ours)], [float(whole), *map(float, random)]
    area, random_area = (float(np.trapezoid(curve, shares)) / SHARES[-1] for curve in curves)
    what = "the logit" if (seed >= 0).all() else "the difference of the logits"
    return {
        "shares": shares,
        "ours": curves[0],
        "random": curves[1],
        "area": area,
        "random_area": random_area,
        "text": _sentence(what, *curves, better=area < random_area),
    }


def _sentence(what: str, ours: list[float], random: list[float], *, better: bool) -> str:
    at = 1 + SHARES.index(TOLD)
    whole, left, by_chance = (f"{number:.2f}".replace("-", "−") for number in (ours[0], ours[at], random[at]))
    text = (
        f"without the {TOLD:.0%} of cells that this map calls most relevant, {what} goes from {whole} to {left}; "
        f"without {TOLD:.0%} at random, to {by_chance}."
    )
    return text if better else f"{text} The map is no better than chance here: do not lean on it."
