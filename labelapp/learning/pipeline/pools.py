"""The pool that a pretraining learns from: windows from all over a site's recordings, kept beside the checkpoint.

So a run that was killed sees the same windows again, whatever was ingested or changed meanwhile.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import Observation, Recording, Site, Trace
from labelapp.learning.pipeline.recipes import pool_size, pretraining_recipe
from labelapp.learning.pipeline.records import require_unchanged
from labelapp.learning.tracking import Job
from mlcore.archive import Archive
from mlcore.checkpoint import write_atomically
from mlcore.errors import UnreadableRecording, UnusableWaveform
from mlcore.pretrain.config import Pretraining
from mlcore.pretrain.continuous import pool_of_archive
from mlcore.pretrain.pool import FACTS, Pool
from mlcore.traces import TraceHeader
from mlcore.training import Progress

RECIPE = "pretraining.json"
SAID = 20  # reasons that are logged one by one
NONE = np.zeros(0)


def kept_pool(job: Job, share: float) -> tuple[Pool, Pretraining]:
    """The run's pool and recipe: those that it began with, else made now, up to `share` of its progress."""
    folder = job.run.checkpoint_folder / "pool"
    if (folder / FACTS).is_file() and (folder / RECIPE).is_file():
        recipe = Pretraining.from_dict(json.loads((folder / RECIPE).read_text(encoding="utf-8")))
        job.log("goes on with the windows that it began with")
        return Pool.load(folder), recipe
    recipe = pretraining_recipe(job.run.site, job.run.parameters)
    write_atomically(folder / RECIPE, json.dumps(recipe.to_dict()).encode())
    _read(job, recipe, share).save(folder)
    return Pool.load(folder), recipe


def _read(job: Job, recipe: Pretraining, share: float) -> Pool:
    """Windows of what the site's recordings hold. Raises Invalid where none can be used."""

    def tell(progress: Progress) -> None:
        figures = {"windows": round(progress.metrics.get("windows", 0)), "of": round(progress.metrics.get("of", 0))}
        job.progress("reading recordings", share * progress.fraction, figures)

    archive = archive_of(job)
    most = pool_size(recipe, job.run.parameters.get("windows"))
    try:
        pool, skipped = pool_of_archive(
            archive, recipe.pool, most=most, seed=recipe.training.seed, progress=tell, should_stop=job.should_stop
        )
    except UnusableWaveform as error:
        raise Invalid(
            f"Nothing in the recordings of {job.run.site} can be used: no recording that can be read holds a window of "
            f"{recipe.pool.window_s:g} s. Ingest longer ones, or choose a shorter window. {error}"
        ) from error
    finally:
        job.log(*left_out(Counter(archive.lost.values()), "file"))
    job.log(*left_out(Counter(item.reason for item in skipped if item.reason not in archive.lost.values())))
    return pool


def left_out(reasons: Counter[str], what: str = "part") -> list[str]:
    """What was not read and why: a line for each of the most common reasons, and one for the rest."""
    said = reasons.most_common(SAID)
    lines = [f"left out {count} {what}{'s' * (count != 1)} of the recordings: {reason}" for reason, count in said]
    rest = reasons.total() - sum(count for _, count in said)
    return [*lines, f"left out {rest} more for other reasons"] if rest else lines


@dataclass(frozen=True)
class Ingested(Archive):
    """A site's recordings. A file is compared with what was ingested when it is about to be read, not before."""

    recordings: dict[Path, Recording]
    lost: dict[Path, str] = field(default_factory=dict)  # those that are gone or changed, and what there is to say

    def usable(self, paths: Sequence[Path]) -> Sequence[Path]:
        """Those of some files that are as they were ingested. Raises UnreadableRecording where none is."""
        found, failure = [], None
        for path in paths:
            try:
                require_unchanged(self.recordings[path])
                found.append(path)
            except UnreadableRecording as error:
                failure, self.lost[path] = error, str(error)
        if failure and not found:
            raise failure
        return found


def archive_of(job: Job) -> Ingested:
    """The recordings of a site by what was ingested of them. No file is looked at."""
    headers: list[tuple[TraceHeader, Path]] = []
    recordings: dict[Path, Recording] = {}
    traces = Trace.objects.filter(recording__site=job.run.site).select_related("recording", "station")
    for trace in traces.order_by("recording__path", "pk").iterator():
        path = Path(trace.recording.path)
        headers.append((_header(recordings.setdefault(path, trace.recording), trace), path))
    return Ingested(tuple(headers), {}, recordings)


def _header(recording: Recording, trace: Trace) -> TraceHeader:
    station = trace.station
    samples = round((trace.endtime - trace.starttime).total_seconds() * trace.sampling_rate_hz) + 1
    return TraceHeader(
        network=station.network,
        station=station.code,
        location=station.location,
        channel=trace.channel,
        starttime=trace.starttime,
        endtime=trace.endtime,
        sampling_rate_hz=trace.sampling_rate_hz,
        samples=samples,
        gaps=trace.gaps,
        format=recording.format,
    )


def events_within(site: Site, pool: Pool, window_s: float) -> list[str]:
    """Ids of the site's events that lie, wholly or in part, in a window of the pool at a station that observed them."""
    starts = _starts_by_station(pool)
    found = set()
    observations = Observation.objects.filter(event__site=site, event__merged_into__isnull=True)
    for observation in observations.select_related("event", "station").iterator():
        own = starts.get(observation.station.seed_id, NONE)
        begin, end = observation.starttime.timestamp() - window_s, observation.endtime.timestamp()
        if np.searchsorted(own, end, "left") > np.searchsorted(own, begin, "right"):
            found.add(observation.event.event_id)
    return sorted(found)


def _starts_by_station(pool: Pool) -> dict[str, NDArray[np.float64]]:
    """When the windows of each station begin, in s since 1970, rising."""
    times: dict[str, list[float]] = {}
    for fact in pool.facts:
        if fact.starttime is not None:
            times.setdefault(fact.station, []).append(fact.starttime.timestamp())
    return {station: np.sort(np.array(own)) for station, own in times.items()}
