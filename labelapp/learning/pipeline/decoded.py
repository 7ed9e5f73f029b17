"""Spans of record that were decoded lately: another filter, or a step to the side, costs no reading."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from labelapp.catalogue.models import Station
from labelapp.learning.pipeline.records import read_span, recordings_covering
from mlcore.errors import UnusableWaveform
from mlcore.traces import STAND_INS, Waveform

MOST_BYTES = 128 * 2**20  # of samples and masks that are kept
MARGIN_S = 30.0  # read beyond what is asked, on both sides: filters settle there
MOST_SAMPLES = 20_000_000  # read at once, of all components: 180 MB
LETTERS = "ZNE"

Files = tuple[tuple[str, int, int], ...]  # path, size, time of writing


@dataclass(frozen=True)
class Span:
    """What was decoded of a station, and of which files as they were then."""

    station: int
    starttime: datetime
    endtime: datetime
    files: Files
    waveform: Waveform

    def holds(self, station: Station, starttime: datetime, endtime: datetime, files: Files) -> bool:
        inside = self.starttime <= starttime and endtime <= self.endtime
        return self.station == station.pk and inside and set(files) <= set(self.files)

    @property
    def size(self) -> int:
        return self.waveform.data.nbytes + self.waveform.mask.nbytes


class Kept:
    """The spans asked for last, up to so many bytes. Safe to use from several threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self._spans: OrderedDict[int, Span] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, station: Station, starttime: datetime, endtime: datetime, files: Files) -> Waveform | None:
        """A waveform that holds the span, of files that are still the same."""
        with self._lock:
            for key, span in reversed(self._spans.items()):
                if span.holds(station, starttime, endtime, files):
                    self._spans.move_to_end(key)
                    return span.waveform
        return None

    def add(self, span: Span) -> None:
        """Keep a span; those that nobody asked for longest make room."""
        with self._lock:
            self._spans[id(span)] = span
            while self._spans and self.size > self.most_bytes:
                self._spans.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._spans.clear()

    @property
    def size(self) -> int:
        """Bytes of what is kept."""
        return sum(span.size for span in self._spans.values())


KEPT = Kept()


def decoded(station: Station, starttime: datetime, endtime: datetime) -> Waveform:
    """All components of a station in a span, and some seconds around it where they were recorded.

    Raises UnusableWaveform where nothing was recorded, or more than can be read at once, UnreadableRecording where
    the file is gone or has changed.
    """
    begin, end = starttime - timedelta(seconds=MARGIN_S), endtime + timedelta(seconds=MARGIN_S)
    files = _files(station, begin, end)
    if not files:
        raise UnusableWaveform(
            f"{station} has no record from {starttime:%Y-%m-%dT%H:%M:%SZ} to {endtime:%Y-%m-%dT%H:%M:%SZ}."
        )
    if (known := KEPT.find(station, begin, end, files)) is not None:
        return known
    _require_bearable(station, begin, end)
    waveform = read_span(station, begin, end, components_of(station, begin, end))
    KEPT.add(Span(station.pk, begin, end, files, waveform))
    return waveform


def _files(station: Station, starttime: datetime, endtime: datetime) -> Files:
    """The files that hold the span, as they are on disk now; one that is gone has neither size nor time."""
    found = []
    for recording in recordings_covering(station, starttime, endtime):
        try:
            facts = Path(recording.path).stat()
            found.append((recording.path, facts.st_size, facts.st_mtime_ns))
        except OSError:
            found.append((recording.path, -1, -1))
    return tuple(found)


def components_of(station: Station, starttime: datetime, endtime: datetime) -> tuple[str, ...]:
    """Letters of what a station recorded in a span: Z, N, E or what stands in for them, then all others."""
    traces = station.traces.filter(starttime__lte=endtime, endtime__gte=starttime)
    left = {channel[-1:].upper() for channel in traces.values_list("channel", flat=True)}
    letters = []
    for letter in LETTERS:
        code = next((code for code in (letter, *STAND_INS.get(letter, ())) if code in left), None)
        if code is not None:
            letters.append(letter)
            left.discard(code)
    return (*letters, *sorted(left)) or tuple(LETTERS)


def _require_bearable(station: Station, starttime: datetime, endtime: datetime) -> None:
    """Raises UnusableWaveform for more samples than a page may ask for."""
    traces = station.traces.filter(starttime__lte=endtime, endtime__gte=starttime)
    rates = dict(traces.values_list("channel", "sampling_rate_hz"))
    samples = sum(rates.values()) * (endtime - starttime).total_seconds()
    if samples > MOST_SAMPLES:
        raise UnusableWaveform(
            f"{station} recorded {samples:,.0f} samples on {len(rates)} channels in this time, but at most "
            f"{MOST_SAMPLES:,} are read for a page. Ask for a shorter time."
        )
