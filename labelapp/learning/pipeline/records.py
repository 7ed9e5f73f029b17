"""What a station recorded in a time span. Needs no torch: the web process reads here what a page asks to see."""

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from labelapp.catalogue.models import Recording, Station
from labelapp.learning.pipeline.ingesting import checksum
from mlcore.errors import UnreadableRecording, UnusableWaveform
from mlcore.waveform import Waveform, read


def read_span(station: Station, starttime: datetime, endtime: datetime, components: tuple[str, ...]) -> Waveform:
    """What a station recorded from `starttime` to `endtime`, from however many files, gaps masked.

    A file that is gone or has changed is left out, and said in `problems`, where others hold all that it held.
    Raises UnusableWaveform where nothing was recorded, UnreadableRecording where such a file is the only one.
    """
    usable, lost = [], {}
    for recording in recordings_covering(station, starttime, endtime):
        try:
            require_unchanged(recording)
            usable.append(recording)
        except UnreadableRecording as error:
            lost[recording] = error
    if not usable and not lost:
        raise UnusableWaveform(
            f"{station} has no recording between {starttime:%Y-%m-%dT%H:%M:%SZ} and {endtime:%Y-%m-%dT%H:%M:%SZ}. "
            "Ingest one that covers this time."
        )
    for recording, reason in lost.items():
        if not _held_by_others(recording, usable, station, starttime, endtime):
            raise reason
    paths = [recording.path for recording in usable]
    waveform = read(paths, station=station.seed_id, starttime=starttime, endtime=endtime, components=components)
    return replace(waveform, problems=(*waveform.problems, *map(str, lost.values())))


def _held_by_others(
    recording: Recording, others: list[Recording], station: Station, starttime: datetime, endtime: datetime
) -> bool:
    """Whether for each channel of a recording another holds all that it holds of a station in a span."""
    theirs = list(station.traces.filter(recording__in=others))
    return all(
        any(
            other.channel == trace.channel
            and other.starttime <= max(trace.starttime, starttime)
            and other.endtime >= min(trace.endtime, endtime)
            for other in theirs
        )
        for trace in station.traces.filter(recording=recording, starttime__lte=endtime, endtime__gte=starttime)
    )


def recordings_covering(station: Station, starttime: datetime, endtime: datetime) -> list[Recording]:
    """Recordings that hold anything of a station in a span, by path."""
    traces = station.traces.filter(starttime__lte=endtime, endtime__gte=starttime)
    return list(Recording.objects.filter(traces__in=traces).distinct().order_by("path"))


def require_unchanged(recording: Recording) -> None:
    """Raises UnreadableRecording where the file is gone, or no longer what was ingested."""
    try:
        facts = Path(recording.path).stat()
    except OSError as error:
        raise UnreadableRecording(
            f"{recording.path} was ingested on {recording.ingested_at:%Y-%m-%d} and cannot be found now: "
            f"{error.strerror}. Bring it back, or ingest it from where it is."
        ) from error
    if facts.st_size != recording.size_bytes or _checksum(recording.path, facts.st_mtime_ns) != recording.sha256:
        raise UnreadableRecording(
            f"{recording.path} has changed since it was ingested on {recording.ingested_at:%Y-%m-%d}. "
            "Bring the old content back, or ingest it again."
        )


@lru_cache(maxsize=100_000)
def _checksum(path: str, modified_ns: int) -> str:
    """A file's checksum, computed once for each time that it was written."""
    return checksum(Path(path))
