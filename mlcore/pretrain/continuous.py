"""A pool from continuous recordings: all windows that were recorded, or so many of them, drawn by chance.

Headers tell which windows there are. Where a pool is to have only some, these are drawn first, and no other part of the
recordings is read.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mlcore.archive import Archive
from mlcore.catalogues import Skipped
from mlcore.datasets import EDGE_S
from mlcore.errors import Cancelled, SeisloopError, UnusableWaveform
from mlcore.pretrain.config import Pool as Section
from mlcore.pretrain.cutting import piece_at
from mlcore.pretrain.drawing import EPOCH, MICROSECOND, Numbers, Places, in_order_of_chance, needed, readings
from mlcore.pretrain.pool import Facts, Piece, Pool, normalised, prepare, recorded_channels, stack
from mlcore.traces import Waveform, iso
from mlcore.training import Progress, ProgressCallback, StopCallback, never, say_nothing

READ_S = 3600.0  # of one station, held at once where all windows are read
EDGE = timedelta(seconds=EDGE_S)


def pool_of_archive(
    archive: Archive,
    section: Section,
    *,
    stations: Sequence[str] = (),
    most: int = 0,
    seed: int = 0,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> tuple[Pool, list[Skipped]]:
    """Windows one step apart over all that stations (or all of them) recorded, and what could not be read.

    Where there are more than `most`, so many are drawn evenly by chance, and only these are read; one that turns out
    not to be usable is replaced by the next. A channel of which more than `maximum_gap` is missing or dead counts as
    not recorded, and a window without any is left out. The same headers, settings and seed give the same windows.
    Raises Cancelled when `should_stop` says so, UnusableWaveform where nothing can be used.
    """
    reading = _Reading(archive, section, stations or archive.stations, progress, should_stop)
    places = Places.of(
        ((number, *span) for number, station in enumerate(reading.stations) for span in archive.spans(station)),
        section.window_s,
        section.step_samples / section.sampling_rate_hz,
    )
    reads_all = not most or len(places) <= most
    pieces = reading.all() if reads_all else reading.drawn(places, most, np.random.default_rng(seed))
    if not pieces:
        raise UnusableWaveform(reading.why_nothing(len(places)))
    return stack(pieces, section.sampling_rate_hz), reading.skipped


@dataclass
class _Reading:
    """Windows on their way out of an archive."""

    archive: Archive
    section: Section
    stations: Sequence[str]
    progress: ProgressCallback
    should_stop: StopCallback
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def window(self) -> timedelta:
        return timedelta(seconds=self.section.window_s)

    def all(self) -> list[Piece]:
        """Every window, by station and time."""
        spans = [span for station in self.stations for span in _spans(self.archive, station, self.section)]
        pieces: list[Piece] = []
        for number, (station, start, end) in enumerate(spans, start=1):
            self._check()
            try:
                pieces += _windows(self.archive, station, start, end, self.section)
            except SeisloopError as error:
                self._skip(station, start, error)
            self._tell(number / len(spans), len(pieces), len(pieces))
        return pieces

    def drawn(self, places: Places, most: int, draw: np.random.Generator) -> list[Piece]:
        """The first `most` usable windows of all in an order of chance, or all that are usable."""
        order = in_order_of_chance(len(places), most, draw)
        found: dict[int, Piece] = {}  # by their turns
        drawn = 0
        while drawn < len(order) and len(found) < most:
            turns = slice(drawn, drawn + needed(most - len(found), drawn, len(found)))
            for turn, piece in self._read_each(drawn, *places.at(order[turns])):
                found[turn] = piece
                self._tell(min(len(found) / most, 1.0), len(found), len(places))
            drawn = turns.stop
        return [found[turn] for turn in sorted(found)[:most]]

    def _read_each(self, first: int, owners: Numbers, starts: Numbers) -> Iterator[tuple[int, Piece]]:
        """Those of some windows that are usable, with their turns, counted from `first`; in the order of the files."""
        for owner, rows in groupby(np.lexsort((starts, owners)).tolist(), key=lambda row: int(owners[row])):
            turns = list(rows)
            times = [EPOCH + int(starts[row]) * MICROSECOND for row in turns]
            for group in readings(self.archive, self.stations[owner], times, self.window, EDGE):
                self._check()
                for number, piece in self._read(self.stations[owner], [times[each] for each in group]):
                    yield first + turns[group[number]], piece

    def _read(self, station: str, starts: Sequence[datetime]) -> Iterator[tuple[int, Piece]]:
        """The usable ones of windows of a station that are read at once, with their numbers."""
        components = self.section.components or self.archive.components(station)
        try:
            record = self.archive.read(station, starts[0] - EDGE, starts[-1] + self.window + EDGE, components)
        except SeisloopError as error:
            if len(starts) == 1:
                self._skip(station, starts[0], error)
                return
            for number, start in enumerate(starts):  # what spoils one need not spoil the others
                yield from ((number, piece) for _, piece in self._read(station, [start]))
            return
        for numbers in self._near(starts):
            try:
                yield from self._cut(record, starts, numbers)
            except SeisloopError as error:
                self._skip(station, starts[numbers[0]], error)

    def _near(self, starts: Sequence[datetime]) -> Iterator[list[int]]:
        """Windows that are prepared together: they overlap, with what is read beyond them."""
        group: list[int] = []
        for number, start in enumerate(starts):
            if group and start > starts[number - 1] + self.window + 2 * EDGE:
                yield group
                group = []
            group.append(number)
        yield group

    def _cut(self, record: Waveform, starts: Sequence[datetime], numbers: Sequence[int]) -> Iterator[tuple[int, Piece]]:
        part = record.slice(starts[numbers[0]] - EDGE, starts[numbers[-1]] + self.window + EDGE)
        prepared = prepare(part, self.section)
        for number in numbers:
            try:
                yield number, piece_at(prepared, prepared.sample_at(starts[number]), self.section)
            except UnusableWaveform:  # a gap, of which headers say nothing
                continue

    def why_nothing(self, places: int) -> str:
        """Why no window can be used, in words."""
        said = f"No whole window of {self.section.window_s:g} s can be used of the {places:,} that headers tell of."
        reasons = Counter(item.reason for item in self.skipped).most_common(1)
        return f"{said} The most common reason: {reasons[0][0]}" if reasons else f"{said} All are gaps, or dead."

    def _check(self) -> None:
        if self.should_stop():
            raise Cancelled("Reading the pool was cancelled.")

    def _skip(self, station: str, start: datetime, error: SeisloopError) -> None:
        self.skipped.append(Skipped(f"{station} from {iso(start)}", str(error)))

    def _tell(self, fraction: float, windows: int, of: int) -> None:
        figures = {"windows": float(windows), "of": float(of)}
        self.progress(Progress("reading the pool", fraction, figures, f"{windows} windows"))


def _spans(archive: Archive, station: str, section: Section) -> Iterator[tuple[str, datetime, datetime]]:
    """What a station recorded, in parts of READ_S; each begins a step after the last window of the one before."""
    step, window = timedelta(seconds=section.step_s), timedelta(seconds=section.window_s)
    part = max(round(READ_S / section.step_s), 1) * step
    for start, end in archive.spans(station):
        while start + window <= end:
            yield station, start, min(start + part - step + window, end)
            start += part


def _windows(archive: Archive, station: str, start: datetime, end: datetime, section: Section) -> Iterator[Piece]:
    components = section.components or archive.components(station)
    prepared = prepare(archive.read(station, start - EDGE, end + EDGE, components), section).slice(start, end)
    if prepared.samples < section.window_samples:
        return
    data, mask = (
        sliding_window_view(each, section.window_samples, axis=-1)[:, :: section.step_samples].swapaxes(0, 1)
        for each in (prepared.data, prepared.mask)
    )
    for number, (samples, present) in enumerate(zip(data, mask, strict=True)):
        recorded = recorded_channels(present, section)
        if recorded.any():
            window = normalised(samples, present & recorded[:, None], section)
            yield window, recorded, Facts(station, prepared.time_of(number * section.step_samples))
