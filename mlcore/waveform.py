"""Recordings in and out of files: scan headers, read a station's time span, write miniSEED. The only user of obspy.

Whatever obspy reads can be read here, except pickles, which would run code that a file brings along, and archives.
Nothing is filled in: what was not recorded is masked, and everything odd about a recording is said in `problems`.
"""

import bz2
import glob
import gzip
import io
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

import numpy as np
import obspy
from obspy import UTCDateTime
from obspy.core.util.base import ENTRY_POINTS, buffered_load_entry_point
from obspy.io.mseed import InternalMSEEDWarning
from obspy.io.mseed.util import get_record_information

from mlcore.errors import NotARecording, UnreadableRecording, UnusableWaveform
from mlcore.mseed import parts_within
from mlcore.preprocessing import preprocess
from mlcore.traces import Segment, TraceHeader, Waveform, assemble, header_of, iso, same_rate, stretches

__all__ = ["TraceHeader", "Waveform", "preprocess", "read", "read_channels", "scan", "stretches", "write_mseed"]

PIECE = 64 * 2**20  # bytes of a large miniSEED file held at once; a multiple of every record length
LARGEST_UNPACKED = 2**30  # bytes; a small compressed file may unpack to more than any disk holds
LONGEST_TRACE_S = 1e9  # 30 years: what claims more has a broken header
UNSAFE_FORMATS = {"PICKLE"}
HEADERS_FALL_SHORT = {"REFTEK130"}  # headers read alone miss packets after a gap
FORMATS = [name for name in ENTRY_POINTS["waveform"] if name not in UNSAFE_FORMATS]
SPAN_OPTIONS = ("starttime", "endtime")  # obspy's
COMPRESSED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open}

# Warnings are caught by swapping state that all threads share, so one thread at a time asks obspy.
_obspy_lock = threading.Lock()


def scan(path: Path | str) -> list[TraceHeader]:
    """What a file holds, one header per channel and sampling rate, without its samples where the format allows.

    Raises UnreadableRecording where the file is missing, empty, of no known format, or broken throughout.
    """
    segments, file_format, problems = _segments(Path(path), headers_only=True)
    channels: dict[tuple[str, str, str, str], list[list[Segment]]] = {}
    for segment in segments:
        key = (segment.network, segment.station, segment.location, segment.channel)
        rates = channels.setdefault(key, [])
        alike = next((r for r in rates if same_rate(r[0].sampling_rate_hz, segment.sampling_rate_hz)), None)
        if alike is None:
            rates.append([segment])
        else:
            alike.append(segment)
    headers = []
    for rates in channels.values():
        changed = [f"{rates[0][0].channel} changes its sampling rate"] if len(rates) > 1 else []
        headers += [header_of(group, file_format, [*problems, *changed]) for group in rates]
    return headers


def read(
    paths: Path | str | Iterable[Path | str],
    *,
    station: str | None = None,
    starttime: datetime | None = None,
    endtime: datetime | None = None,
    components: Sequence[str] = ("Z", "N", "E"),
) -> Waveform:
    """One station's components from one or more files, from `starttime` to before `endtime`, on one time axis.

    `station` is NET.STA.LOC, or NET.STA for any location; it may be left out where the files hold one station.
    Components that were not recorded, gaps, overlaps that disagree and non-numbers are masked and said.
    Raises UnreadableRecording where no file can be read, and UnusableWaveform where the files have nothing of that
    station, time or component, mix sampling rates, or hold more than can be read at once.
    """
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    segments, problems, failures = [], [], []
    for path in files:
        try:
            found, _, said = _segments(path, starttime=starttime, endtime=endtime)
        except UnreadableRecording as error:
            failures.append(error)
            continue
        segments += found
        problems += said
    if failures and len(failures) == len(files):
        raise failures[0]
    chosen = _of_station(segments, station, files, starttime, endtime)
    waveform = assemble(chosen, components, [*problems, *map(str, failures)])
    if starttime is None and endtime is None:
        return waveform
    return waveform.slice(starttime or waveform.starttime, endtime or datetime.max.replace(tzinfo=UTC))


def read_channels(path: Path | str) -> list[Segment]:
    """Every channel of a file with its samples, in the file's order and whatever it is called, or not called at all.

    For arrays such as the 24 nameless channels of a SEG-2 file. Raises UnreadableRecording where nothing can be read.
    """
    return _segments(Path(path))[0]


def write_mseed(waveforms: Waveform | Iterable[Waveform], path: Path | str) -> None:
    """Write the recorded stretches of waveforms as miniSEED: STEIM2 where all samples are whole numbers, else float64.

    The file appears whole or not at all. Raises UnusableWaveform where nothing was recorded.
    """
    waveforms = [waveforms] if isinstance(waveforms, Waveform) else list(waveforms)
    traces = [trace for waveform in waveforms for trace in _traces(waveform)]
    if not traces:
        raise UnusableWaveform(f"There is nothing to write to {path}: no sample was recorded.")
    whole = all(np.array_equal(t.data, np.rint(t.data)) and np.abs(t.data).max() < 2**29 for t in traces)
    for trace in traces:
        trace.data = trace.data.astype(np.int32 if whole else np.float64)
    buffer = io.BytesIO()
    obspy.Stream(traces).write(buffer, format="MSEED", encoding="STEIM2" if whole else "FLOAT64")
    partial = Path(f"{path}.partial")
    partial.write_bytes(buffer.getvalue())
    partial.replace(path)


def _traces(waveform: Waveform) -> Iterator[obspy.Trace]:
    for row, component in enumerate(waveform.components):
        for part in stretches(waveform.mask[row]):
            yield obspy.Trace(
                np.ascontiguousarray(waveform.data[row, part]),
                {
                    "network": waveform.network,
                    "station": waveform.station,
                    "location": waveform.location,
                    "channel": waveform.band_code + component,
                    "sampling_rate": waveform.sampling_rate_hz,
                    "starttime": UTCDateTime(waveform.time_of(part.start)),
                },
            )


def _of_station(
    segments: list[Segment],
    station: str | None,
    files: list[Path],
    starttime: datetime | None,
    endtime: datetime | None,
) -> list[Segment]:
    """The segments of `station`. Raises UnusableWaveform, naming what there is instead."""
    where = str(files[0]) if len(files) == 1 else f"{len(files)} files"
    if not segments:
        span = f"between {iso(starttime) if starttime else 'the start'} and {iso(endtime) if endtime else 'the end'}"
        raise UnusableWaveform(f"{where}: nothing was recorded {span}. Choose a time inside the recording.")
    stations = sorted({f"{s.network}.{s.station}.{s.location}" for s in segments})
    if station is None and len({(s.network, s.station) for s in segments}) == 1:
        return segments
    if station is None:
        raise UnusableWaveform(f"{where}: holds stations {', '.join(stations)}. Say which one to read.")
    wanted = station.strip().split(".")
    chosen = [s for s in segments if [s.network, s.station, s.location][: len(wanted)] == wanted]
    if not chosen or len(wanted) < 2:
        raise UnusableWaveform(
            f"{where}: station {station} is not in it, at least at that time; it holds {', '.join(stations)}. "
            "Choose one of these (NET.STA.LOC)."
        )
    return chosen


def _segments(
    path: Path, *, headers_only: bool = False, starttime: datetime | None = None, endtime: datetime | None = None
) -> tuple[list[Segment], str, list[str]]:
    """Segments of a file, its format, and its problems. Raises UnreadableRecording."""
    _require_file(path)
    span = {key: UTCDateTime(t) for key, t in zip(SPAN_OPTIONS, (starttime, endtime), strict=True) if t is not None}
    with _unpacked(path) as plain, _obspy_lock:
        file_format = _format_of(plain, path)
        options: list[dict[str, Any]] = [span]
        if headers_only and file_format not in HEADERS_FALL_SHORT:
            options.insert(0, {"headonly": True})  # some formats cannot; then read on
        for option in options:
            segments, problems = _ask_obspy(plain, file_format, option)
            if segments:
                break
        problems += _unfinished(plain, file_format)
    if not segments and not span:
        why = "; ".join(problems) or "no samples are in it"
        raise UnreadableRecording(f"{path}: is broken or empty ({file_format}): {why}. Get the file again.")
    return segments, file_format, problems


def _ask_obspy(path: Path, file_format: str, options: dict[str, Any]) -> tuple[list[Segment], list[str]]:
    """Segments and problems of what obspy makes of a file. Never raises for what the file holds."""
    segments: list[Segment] = []
    problems: list[str] = []
    with _hearing(problems):
        for source in _pieces(path, file_format, options):
            found, said, reason = _one_piece(source, file_format, options)
            if reason and file_format == "MSEED":
                found, said = _whole_records(source, options)
                reason = f"broken records are left out: {reason}"
            segments += found
            problems += [*said, reason] if reason else said
    return segments, list(dict.fromkeys(problems))


@contextmanager
def _hearing(problems: list[str]) -> Iterator[None]:
    """What obspy would print while it reads is added to problems."""

    def hear(unraisable: "sys.UnraisableHookArgs") -> None:
        # obspy stumbles over the text of its own messages where a header's text is broken, and cannot raise there.
        if isinstance(unraisable.exc_value, UnicodeDecodeError):
            problems.append("a record's header holds bytes that are no text; the record is left out")
        else:
            usual(unraisable)

    usual, sys.unraisablehook = sys.unraisablehook, hear
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            # Samples that fail their record's own check are no data; the record is then left out.
            warnings.filterwarnings("error", "(?s).*integrity", InternalMSEEDWarning)
            yield
    finally:
        sys.unraisablehook = usual
    problems += [str(w.message).strip() for w in caught if not issubclass(w.category, DeprecationWarning)]


def _one_piece(
    source: Path | bytes, file_format: str, options: dict[str, Any]
) -> tuple[list[Segment], list[str], str | None]:
    """Segments and problems of a piece, and why obspy could not read it, if so."""
    # obspy would take [ ] * ? in a file's name for a pattern.
    argument = io.BytesIO(source) if isinstance(source, bytes) else glob.escape(str(source))
    said: list[str] = []
    try:
        stream = obspy.read(argument, format=file_format, check_compression=False, **options)
        return list(_usable(stream, said, headers_only="headonly" in options)), said, None
    # obspy's readers let any exception through on corrupt bytes: struct, index, value, memory, their own.
    except Exception as error:  # noqa: BLE001
        return [], said, f"{type(error).__name__}: {' '.join(str(error).split()) or 'no further reason'}"


def _whole_records(source: Path | bytes, options: dict[str, Any]) -> tuple[list[Segment], list[str]]:
    """What can be read of broken miniSEED, record by record, so that one bad record costs no more than itself."""
    content = source if isinstance(source, bytes) else source.read_bytes()
    length = _record_length(content)
    segments: list[Segment] = []
    problems: list[str] = []
    for first in range(0, len(content) - length + 1, length):
        found, said, _ = _one_piece(content[first : first + length], "MSEED", options)
        segments += found
        problems += said
    return segments, problems


def _record_length(content: bytes) -> int:
    """Bytes of a record, from the first header that can be read."""
    for first in range(0, len(content), 512):
        try:
            return int(get_record_information(io.BytesIO(content[first:]))["record_length"])
        except Exception:  # noqa: BLE001, S112  # as above: anything may come out of corrupt bytes
            continue
    return 512


def _pieces(path: Path, file_format: str, options: dict[str, Any]) -> Iterator[Path | bytes]:
    """What obspy is asked to read, in turn: the file, or of a large miniSEED file the pieces that are wanted."""
    start, end = (options[key].datetime.replace(tzinfo=UTC) if key in options else None for key in SPAN_OPTIONS)
    wanted = parts_within(path, start, end) if file_format == "MSEED" else None
    if wanted is not None:
        yield from wanted
        return
    if file_format != "MSEED" or path.stat().st_size <= PIECE:
        yield path
        return
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _usable(stream: obspy.Stream, problems: list[str], *, headers_only: bool) -> Iterator[Segment]:
    """obspy's traces as segments, without those that hold no samples."""
    for trace in stream:
        stats = trace.stats
        if not (np.isfinite(stats.sampling_rate) and stats.sampling_rate > 0):
            problems.append(f"{trace.id} has a sampling rate of {stats.sampling_rate} Hz and is left out")
        elif not 1900 <= stats.starttime.year < 2200 or stats.npts / stats.sampling_rate > LONGEST_TRACE_S:
            problems.append(f"{trace.id} claims {stats.npts} samples from {stats.starttime} and is left out")
        elif not headers_only and trace.data.dtype.kind not in "iuf":
            problems.append(f"{trace.id} holds text, not samples, and is left out")
        elif stats.npts > 0:
            yield Segment(
                network=stats.network.strip(),
                station=stats.station.strip(),
                location=stats.location.strip(),
                channel=stats.channel.strip(),
                starttime=stats.starttime.datetime.replace(tzinfo=UTC),
                sampling_rate_hz=float(stats.sampling_rate),
                samples=int(stats.npts),
                values=None if headers_only else np.asarray(trace.data),
            )


def _format_of(plain: Path, path: Path) -> str:
    """Name of the first format that recognises the file. Raises UnreadableRecording where none does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in FORMATS:
            entry_point = ENTRY_POINTS["waveform"][name]
            recognises = buffered_load_entry_point(entry_point.dist.name, f"obspy.plugin.waveform.{name}", "isFormat")
            try:
                if recognises(str(plain)):
                    return str(name)
            # A format's own check may stumble over another format's bytes; then it is not this format.
            except Exception:  # noqa: BLE001, S112
                continue
    raise NotARecording(f"{path}: is no recording in a known format. Convert it to miniSEED, or unpack it first.")


def _require_file(path: Path) -> None:
    try:
        if not path.is_file():
            raise UnreadableRecording(f"{path}: there is no such file. Check the path.")
        if path.stat().st_size == 0:
            raise UnreadableRecording(f"{path}: is empty. Get the file again.")
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise UnreadableRecording(
            f"{path!s}: cannot be opened: {error}. Check the path and its permissions."
        ) from error


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The file, or for a gzip or bzip2 file what it holds, as a file that lives as long as the context."""
    path = path.resolve()
    with path.open("rb") as file:
        start = file.read(3)
    unpack = next((opener for magic, opener in COMPRESSED.items() if start.startswith(magic)), None)
    if unpack is None:
        yield path
        return
    with NamedTemporaryFile() as plain:
        try:
            with unpack(path, "rb") as packed:
                _copy(packed, plain, path)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise UnreadableRecording(f"{path}: cannot be unpacked: {error}. Get the file again.") from error
        yield Path(plain.name)


def _copy(packed: BinaryIO, plain: Any, path: Path) -> None:
    size = 0
    while piece := packed.read(2**20):
        size += len(piece)
        if size > LARGEST_UNPACKED:
            raise UnreadableRecording(f"{path}: unpacks to more than {LARGEST_UNPACKED:,} bytes. Unpack it first.")
        plain.write(piece)
    plain.flush()


def _unfinished(path: Path, file_format: str) -> list[str]:
    """miniSEED comes in whole records, of at least 128 bytes each; obspy drops a started one without a word."""
    rest = path.stat().st_size % 128 if file_format == "MSEED" else 0
    return [f"the file ends {rest} bytes into a record; its end is missing"] if rest else []
