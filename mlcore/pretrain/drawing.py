"""Which windows of recordings there are, told by headers alone; which of them are drawn; and what is read at once."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlcore.archive import Archive

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# Windows to choose from that are numbered all; of more, so many are drawn, or so many times those asked for.
FEW, DRAWN_TIMES = 4_000_000, 20
APART = timedelta(seconds=300)  # between windows that are read at once
HELD = 20_000_000  # samples of all channels that are read at once, at most: 0.2 GB

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Places:
    """All windows of spans of time by number: one each step from the beginning of a span on, span after span."""

    owners: Numbers  # (spans,) whose each is
    starts: Numbers  # (spans,) microseconds since 1970
    counts: Numbers  # (spans,) windows
    step_us: float

    @classmethod
    def of(cls, spans: Iterable[tuple[int, datetime, datetime]], window_s: float, step_s: float) -> "Places":
        """The whole windows of spans (owner, start, end), whose ends are exclusive."""
        rows = [(owner, (start - EPOCH) // MICROSECOND, (end - EPOCH) // MICROSECOND) for owner, start, end in spans]
        owners, starts, ends = np.array(rows, dtype=np.int64).reshape(-1, 3).T
        # Thousandths of a microsecond, lest rounding takes the last window of a span that is a multiple of the step.
        counts = (ends - starts - round(window_s * 1e6) + 1e-3) // (step_s * 1e6) + 1
        return cls(owners, starts, np.maximum(counts, 0).astype(np.int64), step_s * 1e6)

    def __len__(self) -> int:
        return int(self.counts.sum())

    def at(self, numbers: Numbers) -> tuple[Numbers, Numbers]:
        """numbers (n,) → whose each window is (n,), and when it begins, microseconds since 1970 (n,)"""
        after = np.cumsum(self.counts)
        span = np.searchsorted(after, numbers, side="right")
        steps = np.rint((numbers - (after - self.counts)[span]) * self.step_us).astype(np.int64)
        return self.owners[span], self.starts[span] + steps


def in_order_of_chance(count: int, most: int, draw: np.random.Generator) -> Numbers:
    """Numbers below `count` in an order of chance, none twice: all, or of very many so many that `most` are among them.

    A part from the beginning on is drawn evenly from all.
    """
    if count <= max(FEW, most):
        return draw.permutation(count)
    numbers = draw.integers(count, size=max(FEW, DRAWN_TIMES * most))
    return numbers[np.sort(np.unique(numbers, return_index=True)[1])]


def needed(lacking: int, drawn: int, usable: int) -> int:
    """How many windows to draw so that about `lacking` can be used, when `usable` of those drawn so far could."""
    return math.ceil(lacking * (drawn + 1) / (usable + 1))


def readings(
    archive: Archive, station: str, starts: Sequence[datetime], window: timedelta, edge: timedelta
) -> Iterator[list[int]]:
    """Windows of a station, in time order, that are read at once, by their numbers.

    They lie near each other, or have a file in common that cannot be read but whole: so each file is read once, but
    for those that hold more than HELD samples.
    """
    longest = timedelta(seconds=HELD / archive.samples_per_s(station))
    group: list[int] = []
    files: set[Path] = set()
    for number, start in enumerate(starts):
        own = set(filter(archive.is_read_whole, archive.files(station, start - edge, start + window + edge)))
        if group and (
            start + window + 2 * edge > starts[group[0]] + longest
            or (files.isdisjoint(own) and start > starts[number - 1] + window + APART)
        ):
            yield group
            group, files = [], set()
        group.append(number)
        files |= own
    if group:
        yield group
