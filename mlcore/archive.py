"""Many files as one record: which station recorded when, and what it recorded in a time span. Only headers are held."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from mlcore.errors import SeisloopError, UnusableWaveform
from mlcore.mseed import SHORTEST
from mlcore.traces import TraceHeader, Waveform, iso, same_rate
from mlcore.waveform import read, scan

TOGETHER_S = 10.0  # a pause shorter than this does not end a span; windows across it are judged by `maximum_gap`

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Archive:
    """Recordings in files, by what their headers say."""

    headers: tuple[tuple[TraceHeader, Path], ...]
    unreadable: dict[str, str]  # {path: why}

    @classmethod
    def of(cls, paths: Iterable[Path | str]) -> "Archive":
        """The recordings in files, and in all files of folders."""
        headers, unreadable = [], {}
        for path in _files(paths):
            try:
                headers += [(header, path) for header in scan(path)]
            except SeisloopError as error:
                unreadable[str(path)] = str(error)
        return cls(tuple(headers), unreadable)

    @cached_property
    def stations(self) -> list[str]:
        """NET.STA.LOC of all that recorded."""
        return sorted({header.station_id for header, _ in self.headers})

    @cached_property
    def _by_station(self) -> dict[str, list[tuple[TraceHeader, Path]]]:
        found: dict[str, list[tuple[TraceHeader, Path]]] = {}
        for header, path in self.headers:
            found.setdefault(header.station_id, []).append((header, path))
        return found

    @cached_property
    def _formats(self) -> dict[Path, str]:
        return {path: header.format for header, path in self.headers}

    @cached_property
    def _components(self) -> dict[str, tuple[str, ...]]:
        return {
            station: tuple(sorted({header.channel[-1:].upper() for header, _ in own}))
            for station, own in self._by_station.items()
        }

    def components(self, station: str) -> tuple[str, ...]:
        """All that a station ever recorded, by the last letters of its channels."""
        return self._components.get(station, ())

    def samples_per_s(self, station: str) -> float:
        """Samples of all components of a station in a second, at the highest rate that it recorded at."""
        rates = [header.sampling_rate_hz for header, _ in self._by_station.get(station, [])]
        return max(rates, default=1.0) * max(len(self.components(station)), 1)

    def is_read_whole(self, path: Path) -> bool:
        """Whether a reader has to look at all of a file, whichever time is asked for: see `mlcore.mseed`."""
        try:
            return self._formats.get(path) != "MSEED" or path.stat().st_size < SHORTEST
        except OSError:
            return True

    def spans(self, station: str) -> list[Span]:
        """When a station recorded at one rate. Ends are exclusive."""
        own = self._by_station.get(station, [])
        return list(joined((h.starttime, h.endtime, h.sampling_rate_hz) for h, _ in own))

    def files(self, station: str, starttime: datetime, endtime: datetime) -> list[Path]:
        """The files that hold anything of a station in a time span, each once."""
        found = [
            path
            for header, path in self._by_station.get(station, [])
            if header.starttime <= endtime and header.endtime >= starttime
        ]
        return list(dict.fromkeys(found))

    def read(self, station: str, starttime: datetime, endtime: datetime, components: Sequence[str]) -> Waveform:
        """What a station recorded from `starttime` to before `endtime`, gaps masked.

        Raises UnusableWaveform where it recorded nothing, UnreadableRecording where none of its files can be read.
        """
        paths = self.files(station, starttime, endtime)
        if not paths:
            raise UnusableWaveform(
                f"{station} recorded nothing between {iso(starttime)} and {iso(endtime)}. Choose another time."
            )
        return read(self.usable(paths), station=station, starttime=starttime, endtime=endtime, components=components)

    def usable(self, paths: Sequence[Path]) -> Sequence[Path]:
        """Those of some files that may be read: here all. Raises UnreadableRecording where none may."""
        return paths


def joined(traces: Iterable[tuple[datetime, datetime, float]]) -> Iterator[Span]:
    """The spans that traces (first sample, last sample, rate) cover together, in time order. Ends are exclusive.

    Traces that touch or overlap are one span; one that follows at another sampling rate begins a new one.
    """
    current: tuple[datetime, datetime, float] | None = None
    for start, last, rate_hz in sorted(traces):
        end = last + timedelta(seconds=1 / rate_hz)
        if current is None:
            current = (start, end, rate_hz)
            continue
        follows = start >= current[1] - timedelta(seconds=1.5 / min(rate_hz, current[2]))
        apart = start > current[1] + timedelta(seconds=TOGETHER_S)
        if apart or (follows and not same_rate(rate_hz, current[2])):
            yield current[:2]
            current = (start, end, rate_hz)
        else:
            current = (current[0], max(current[1], end), current[2])
    if current:
        yield current[:2]


def _files(paths: Iterable[Path | str]) -> Iterator[Path]:
    for path in map(Path, paths):
        yield from sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
