"""What stations recorded around an event or at any time, as bytes for a page to draw.

A safetensors file. Its header has one entry, `context`: JSON of the facts that `Pack` writes. For each station that
recorded, number i in `stations`: `i.waveform` (components, samples) int16 and `i.mask` (components, samples) uint8;
waveform · scale is in the recording's unit. Where samples were left out to keep the answer small, also `i.outline`
(components, 2, bins) int16: smallest and largest value of all samples in each bin, -32768 where none was recorded.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import asin, ceil, cos, log2, radians, sin, sqrt
from typing import Any

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray
from safetensors.numpy import save

from labelapp.catalogue.models import Event, Station, Trace
from labelapp.learning.pipeline.decoded import decoded
from mlcore.display import ORDER, band_passed, halved, outline, spectrogram, without_mean
from mlcore.errors import SeisloopError, UnusableWaveform
from mlcore.traces import Waveform, iso

MOST_BYTES = 200_000  # of an answer, compressed
START_SAMPLES = 200_000  # recorded, of all stations; more would hardly fit, compressed or not
MOST_UNPACKED = 1_000_000  # samples, recorded or not
OUTLINE_VALUES = 40_000  # of all stations' outlines
FULL = 8191  # steps of int16 from zero to the peak: finer than any screen, and a sixth smaller than all of them
NOT_RECORDED = -32768
MOST_STATIONS = 40
LONGEST_S = 3_600.0
EARTH_KM = 6371.0


@dataclass(frozen=True)
class Band:
    """Corners of the filter; without any, waveforms are raw but for their mean."""

    low_hz: float | None = None
    high_hz: float | None = None

    @property
    def facts(self) -> dict[str, Any] | None:
        if self.low_hz is None and self.high_hz is None:
            return None
        return {"low_hz": self.low_hz, "high_hz": self.high_hz, "order": ORDER, "zero_phase": True}


@dataclass
class Shown:
    """A station's part of an answer: a waveform, or why there is none."""

    station: Station
    distance_km: float | None = None
    full: Waveform | None = None  # every sample, as long as it is needed
    thin: Waveform | None = None  # what goes over the line
    means: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    outline: tuple[NDArray[np.float64], float] | None = None
    problems: tuple[str, ...] = ()


def around_event(
    event: Event, stations: Sequence[Station], before_s: float, after_s: float, band: Band, components: str = ""
) -> bytes:
    """What stations recorded from so long before an event until so long after it, nearest stations first.

    Raises UnusableWaveform where none recorded anything.
    """
    starttime, endtime, said = event_span(event, before_s, after_s)
    placed, place = by_distance(event, stations)
    if len(placed) > MOST_STATIONS:  # then there is no room for those that have nothing to show
        recording = set(_recording(stations, starttime, endtime))
        silent = sum(station.pk not in recording for station, _ in placed)
        placed = [each for each in placed if each[0].pk in recording] or placed
        said.append(f"{silent} of {len(stations)} stations have no record of this time")
    if len(placed) > MOST_STATIONS:
        said.append(f"the first {MOST_STATIONS} of {len(placed)} stations are shown")
    shown = [see(s, starttime, endtime, band, components, km) for s, km in placed[:MOST_STATIONS]]
    facts = {"event_start": iso(event.starttime), "event_end": iso(event.endtime), "distance_from": place}
    return packed(shown, starttime, endtime, band, {**facts, "problems": said})


def _recording(stations: Sequence[Station], starttime: datetime, endtime: datetime) -> QuerySet[Trace, int]:
    """Keys of the stations that recorded anything then."""
    traces = Trace.objects.filter(station__in=stations, starttime__lte=endtime, endtime__gte=starttime)
    return traces.values_list("station", flat=True).distinct()


def of_record(station: Station, starttime: datetime, endtime: datetime, band: Band, components: str = "") -> bytes:
    """What a station recorded from `starttime` to `endtime`, at most an hour. Raises UnusableWaveform for nothing."""
    shown = [see(station, starttime, endtime, band, components)]
    facts: dict[str, Any] = {"event_start": None, "event_end": None, "distance_from": None, "problems": []}
    return packed(shown, starttime, endtime, band, facts)


def event_span(event: Event, before_s: float, after_s: float) -> tuple[datetime, datetime, list[str]]:
    """From when to when an event's surroundings go, at most an hour, and what is to be said of it."""
    starttime, endtime = event.starttime - timedelta(seconds=before_s), event.endtime + timedelta(seconds=after_s)
    latest = starttime + timedelta(seconds=LONGEST_S)
    if endtime <= latest:
        return starttime, endtime, []
    return starttime, latest, [f"only the first {LONGEST_S / 60:g} min are shown: the event is long"]


def by_distance(event: Event, stations: Sequence[Station]) -> tuple[list[tuple[Station, float | None]], str | None]:
    """Stations with their distance in km, the nearest first, those without a place last, by name; from what it is.

    From the event where its place is known, else from its own station; None where neither is.
    """
    origin, place = (event.latitude_deg, event.longitude_deg), "event"
    if None in origin and event.station:
        origin, place = (event.station.latitude_deg, event.station.longitude_deg), event.station.seed_id
    placed = [(s, _distance_km(origin, (s.latitude_deg, s.longitude_deg))) for s in stations]
    known = [each for each in placed if each[1] is not None]
    placed.sort(key=lambda each: (each[1] is None, each[1] or 0.0, each[0].seed_id))
    return placed, place if known else None


def _distance_km(one: tuple[float | None, float | None], other: tuple[float | None, float | None]) -> float | None:
    """Along the great circle of a sphere (haversine); None where a place is not known."""
    if None in one or None in other:
        return None
    (lat, lon), (to_lat, to_lon) = ((radians(degrees or 0.0) for degrees in place) for place in (one, other))
    half = sin((to_lat - lat) / 2) ** 2 + cos(lat) * cos(to_lat) * sin((to_lon - lon) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))


def see(
    station: Station,
    starttime: datetime,
    endtime: datetime,
    band: Band,
    components: str = "",
    distance_km: float | None = None,
) -> Shown:
    """What a station recorded in a span, filtered; or why nothing is to be seen."""
    shown = Shown(station, distance_km)
    try:
        shown.full, shown.means = waveform_of(station, starttime, endtime, band, components)
        shown.problems = shown.full.problems
    except SeisloopError as error:
        shown.problems = (str(error),)
    return shown


def waveform_of(
    station: Station, starttime: datetime, endtime: datetime, band: Band, components: str = ""
) -> tuple[Waveform, NDArray[np.float64]]:
    """What a station recorded in a span, filtered or without its mean; and the mean of the record, (components,).

    `components` are letters; without any, all that the station has. Raises UnusableWaveform or UnreadableRecording.
    """
    whole = _chosen(decoded(station, starttime, endtime), components)
    part = whole.slice(starttime, endtime)
    centred, means = without_mean(part)
    if band.facts:  # over the margins too, where the filter settles
        centred = band_passed(whole, band.low_hz, band.high_hz).slice(starttime, endtime)
    return replace(centred, problems=_problems(centred, part)), means


def _chosen(waveform: Waveform, components: str) -> Waveform:
    rows = [row for row, letter in enumerate(waveform.components) if not components or letter in components]
    if not rows:
        raise UnusableWaveform(
            f"{waveform.station_id} has components {', '.join(waveform.components)}, but none of {components}. "
            "Choose among the components it has."
        )
    letters = tuple(waveform.components[row] for row in rows)
    return replace(waveform, components=letters, data=waveform.data[rows], mask=waveform.mask[rows])


def _problems(waveform: Waveform, part: Waveform) -> tuple[str, ...]:
    """What reading said, but for missing time: that is counted anew, within the part that is shown."""
    said = [text for text in waveform.problems if " misses " not in text]
    missing: dict[str, list[str]] = {}
    for letter, mask in zip(part.components, part.mask, strict=True):
        if not mask.all():
            missing.setdefault(f"{1 - mask.mean():.2%}", []).append(letter)
    for share, letters in missing.items():
        verb = "component {} misses" if len(letters) == 1 else "components {} miss"
        said.append(f"{verb.format(', '.join(letters))} {share} of the time")
    return tuple(dict.fromkeys(said))


def packed(shown: list[Shown], starttime: datetime, endtime: datetime, band: Band, facts: dict[str, Any]) -> bytes:
    """The answer's bytes, at most MOST_BYTES when compressed: every second sample is left out until it fits.

    Raises UnusableWaveform where no station recorded anything.
    """
    seen = [each for each in shown if each.full is not None]
    if not seen:
        raise UnusableWaveform(" ".join(text for each in shown[:3] for text in each.problems) or "No station is known.")
    facts |= {"starttime": iso(starttime), "endtime": iso(endtime), "filter": band.facts, "most_bytes": MOST_BYTES}
    _thin(seen)
    while True:
        content = _bytes(shown, facts)
        if len(zlib.compress(content, 6)) <= MOST_BYTES or not _can_halve(seen):
            return content
        _outlined(seen)
        for each in seen:
            each.thin = halved(each.thin) if each.thin else None


def _thin(seen: list[Shown]) -> None:
    """Halve as often as it takes to begin with a bearable number of samples."""
    recorded = sum(int(each.full.mask.sum()) for each in seen if each.full)
    unpacked = sum(each.full.data.size for each in seen if each.full)
    times = max(0, ceil(log2(max(recorded / START_SAMPLES, unpacked / MOST_UNPACKED, 1))))
    if times:
        _outlined(seen)
    for each in seen:
        each.thin = each.full
        for _ in range(times):
            each.thin = halved(each.thin) if each.thin else None


def _outlined(seen: list[Shown]) -> None:
    """Outlines of every sample, before any is left out."""
    rows = sum(len(each.full.components) for each in seen if each.full)
    bins = min(2000, max(200, OUTLINE_VALUES // (2 * rows)))
    for each in seen:
        if each.full is not None and each.outline is None:
            each.outline = outline(each.full, bins)


def _can_halve(seen: list[Shown]) -> bool:
    return any(each.thin is not None and each.thin.samples > 64 for each in seen)


def _bytes(shown: list[Shown], facts: dict[str, Any]) -> bytes:
    tensors: dict[str, NDArray[Any]] = {}
    stations = []
    for number, each in enumerate(shown):
        about: dict[str, Any] = {"station": each.station.seed_id, "distance_km": _rounded(each.distance_km)}
        about |= {"components": [], "unit": "counts", "problems": list(each.problems), "outline": None}
        if each.thin is not None and each.full is not None:
            about |= _facts_of(each, each.full, each.thin)
            tensors |= {f"{number}.{name}": values for name, values in _tensors_of(each, each.thin).items()}
        stations.append(about)
    context = json.dumps({**facts, "stations": stations}, ensure_ascii=False, allow_nan=False)
    return save(tensors, {"context": context})


def _facts_of(each: Shown, full: Waveform, thin: Waveform) -> dict[str, Any]:
    return {
        "components": list(thin.components),
        "starttime": iso(thin.starttime),
        "sampling_rate_hz": thin.sampling_rate_hz,
        "recorded_hz": full.sampling_rate_hz,
        "thinned": round(full.sampling_rate_hz / thin.sampling_rate_hz),
        "scale": _scales(each, thin).tolist(),
        "mean": each.means.tolist(),
        "outline": each.outline and {"step_s": each.outline[1]},
    }


def _tensors_of(each: Shown, thin: Waveform) -> dict[str, NDArray[Any]]:
    scale = _scales(each, thin)
    tensors: dict[str, NDArray[Any]] = {
        "waveform": np.ascontiguousarray(np.rint(thin.data / scale[:, None]).astype(np.int16)),
        "mask": np.ascontiguousarray(thin.mask.astype(np.uint8)),
    }
    if each.outline:
        values = each.outline[0] / scale[:, None, None]
        known = np.isfinite(values)
        tensors["outline"] = np.where(known, np.rint(np.where(known, values, 0)), NOT_RECORDED).astype(np.int16)
    return tensors


def _scales(each: Shown, thin: Waveform) -> NDArray[np.float64]:
    """Counts of one step of int16, (components,)."""
    peaks = np.abs(thin.data).max(axis=-1)
    if each.outline:
        peaks = np.fmax(peaks, np.nanmax(np.abs(np.nan_to_num(each.outline[0])), axis=(-2, -1)))
    return np.where(peaks > 0, peaks, 1.0) / FULL


def _rounded(distance_km: float | None) -> float | None:
    return None if distance_km is None else round(distance_km, 4)


def image_of(
    station: Station,
    component: str,
    span: tuple[datetime, datetime],
    band: Band,
    *,
    window_s: float,
    overlap: float,
    max_hz: float | None,
) -> bytes:
    """A component's spectrogram in a span, as mlcore.display.Spectrogram has it: `image`, `frequencies_hz`, `times_s`.

    The header's `spectrogram` is JSON of what the levels mean. Raises UnusableWaveform or UnreadableRecording.
    """
    waveform, _ = waveform_of(station, *span, band, component)
    letter = waveform.components[0]
    made = spectrogram(
        waveform.data[0], waveform.mask[0], waveform.sampling_rate_hz, window_s=window_s, overlap=overlap, max_hz=max_hz
    )
    facts = {
        "station": station.seed_id,
        "component": letter,
        "starttime": iso(waveform.starttime),
        "unit": "dB of counts²/Hz",
        "floor_db": made.floor_db,
        "peak_db": made.peak_db,
        "window_s": window_s,
        "overlap": overlap,
        "frames_together": made.frames_together,
        "rows_together": made.rows_together,
        "filter": band.facts,
        "problems": list(waveform.problems),
    }
    tensors: dict[str, NDArray[Any]] = {
        "image": np.ascontiguousarray(made.image),
        "frequencies_hz": made.frequencies_hz.astype(np.float32),
        "times_s": made.times_s.astype(np.float32),
    }
    return save(tensors, {"spectrogram": json.dumps(facts, ensure_ascii=False, allow_nan=False)})


def stations_of(event: Event, wanted: str) -> Iterator[Station]:
    """The event's own station, or else its first one; with "all" every station of the site; else that NET.STA.LOC."""
    stations = Station.objects.filter(site=event.site_id)
    if wanted == "all":
        yield from stations
    elif wanted:
        yield from (station for station in stations if station.seed_id == wanted)
    else:
        first = event.observations.select_related("station").first()
        own = event.station or (first.station if first else stations.first())
        if own:
            yield own
