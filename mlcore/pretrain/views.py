"""The views that a network compares: which sensors of a window, and which crops of their spectrograms.

Lee et al. 2022, section 3 (Figs. 5 and 6) and section 4.1, augmentation. The figures not printed there (σ, shift, how
far a non-neighbour is) are those of the authors' code.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from mlcore.errors import UnusableWaveform
from mlcore.pretrain.config import Views


class Crops(NamedTuple):
    """W_t, W_l and W_k: reference, neighbour and non-neighbour; each (n, 1, freq, columns)."""

    t: Tensor
    l: Tensor  # noqa: E741  # the paper's letter
    k: Tensor


class Starts(NamedTuple):
    """First columns of the three crops, each (n,)."""

    t: Tensor
    l: Tensor  # noqa: E741
    k: Tensor


def choose_sensors(recorded: Tensor, section: Views, generator: torch.Generator) -> Tensor:
    """recorded (n, channels) bool → numbers m and n of two recorded channels, (n, 2)

    Drawn with replacement, as in the authors' code; with `sensors = "one"`, both are the same. Raises UnusableWaveform
    for a window without any recorded channel.
    """
    if not bool(recorded.any(dim=1).all()):
        raise UnusableWaveform(
            "A window of the pool has no recorded channel. Leave such windows out, or raise pool.maximum_gap."
        )
    drawn = torch.multinomial(recorded.float(), 2, replacement=True, generator=generator)
    return drawn if section.sensors == "two" else drawn[:, :1].expand(-1, 2)


def crops(images: Tensor, section: Views, generator: torch.Generator) -> Crops:
    """Images of one or two sensors, (n, sensors, freq, time) → three crops of all frequencies

    W_t is cut from the first sensor, W_l and W_k from the second. The generator is on the CPU, whatever the images'
    device, so that the same seed gives the same crops everywhere. Raises UnusableWaveform where the images are too
    narrow.
    """
    return crops_at(images, crop_starts(len(images), images.shape[-1], section, generator), section)


def crops_at(images: Tensor, starts: Starts, section: Views) -> Crops:
    """The crops that begin at these columns: `crops` without the draw, for a part of a batch that was drawn whole."""
    columns = section.columns(images.shape[-1])
    first, second = images[:, :1], images[:, -1:]
    return Crops(*(_cut(x, s, columns) for x, s in zip((first, second, second), starts, strict=True)))


def crop_starts(count: int, width: int, section: Views, generator: torch.Generator) -> Starts:
    """Where `count` triples of crops begin in images of `width` columns.

    random        each anywhere
    neighbouring  t: anywhere that leaves room for the shift; l: t plus a normal deviate of σ = shift / 2, truncated at
                  ± shift; k: anywhere further than shift + crop from t, so that it overlaps neither
    """
    columns = section.columns(width)
    last = width - columns
    if section.crop == "random":
        return Starts(*(_uniform(count, 0, last, generator) for _ in range(3)))
    shift = section.shift_share * columns
    margin, reach = math.floor(shift), math.floor(shift + columns)
    if not section.has_room(width):
        raise UnusableWaveform(
            f"A spectrogram has {width} columns, too few for crops of {columns} with neighbours within {shift:g} and "
            f"non-neighbours beyond {shift + columns:g} columns. "
            "Lengthen pool.window_s, or shrink views.crop_share."
        )
    t = _uniform(count, margin, last - margin, generator)
    neighbour = t + _truncated_normal(count, shift, generator)
    return Starts(t, neighbour, _elsewhere(t, reach, last, generator))


def _cut(images: Tensor, starts: Tensor, columns: int) -> Tensor:
    """images (n, 1, freq, time), starts (n,) → (n, 1, freq, columns)"""
    places = starts[:, None] + torch.arange(columns)  # (n, columns)
    index = places.to(images.device)[:, None, None].expand(-1, 1, images.shape[2], -1)
    return images.gather(3, index)


def _uniform(count: int, low: int, high: int, generator: torch.Generator) -> Tensor:
    """Whole numbers from low to high, both included."""
    return torch.randint(low, high + 1, (count,), generator=generator)


def _truncated_normal(count: int, shift: float, generator: torch.Generator) -> Tensor:
    """Whole numbers from a normal distribution with σ = shift / 2 between ± shift, by its inverse."""
    edge = torch.special.ndtr(torch.tensor(2.0, dtype=torch.float64))  # ± shift is ± 2 σ
    u = torch.rand(count, dtype=torch.float64, generator=generator) * (2 * edge - 1) + (1 - edge)
    drawn = torch.special.ndtri(u) * shift / 2
    return drawn.round().clamp(-math.floor(shift), math.floor(shift)).long()


def _elsewhere(t: Tensor, reach: int, last: int, generator: torch.Generator) -> Tensor:
    """Uniform among the starts 0…last that are more than `reach` from t."""
    before = (t - reach).clamp(min=0)  # starts 0 … t − reach − 1
    after = (last - t - reach).clamp(min=0)  # starts t + reach + 1 … last
    chosen = (torch.rand(len(t), dtype=torch.float64, generator=generator) * (before + after)).long()
    return torch.where(chosen < before, chosen, t + reach + 1 + chosen - before)
