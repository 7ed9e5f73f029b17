"""What a recording holds, once it is out of its file: headers, segments, and channels put on one time axis.

No file format is known here. `waveform` reads and writes files; `preprocessing` and `windows` go on from a `Waveform`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.errors import UnusableWaveform

RATE_TOLERANCE = 1e-4  # relative; file formats round rates differently
LARGEST_READ = 100_000_000  # samples held at once: 0.8 GB, more than a day of three channels at 250 Hz
CLIPPED_SAMPLES = 5  # at the largest or smallest value
CLIPPED_RANGE = 200  # quantisation steps; below, quiet channels repeat their extremes by chance

# Codes without a geographic orientation, in the slot they are used for. They are always reported.
STAND_INS = {"Z": ("3", "0"), "N": ("1",), "E": ("2",)}


@dataclass(frozen=True)
class TraceHeader:
    """One channel of a file at one sampling rate. `endtime` is the time of the last sample."""

    network: str
    station: str
    location: str
    channel: str
    starttime: datetime
    endtime: datetime
    sampling_rate_hz: float
    samples: int  # recorded; an overlap counts twice
    gaps: int
    format: str
    problems: tuple[str, ...] = ()

    @property
    def station_id(self) -> str:
        """NET.STA.LOC"""
        return f"{self.network}.{self.station}.{self.location}"


@dataclass(frozen=True, eq=False)
class Segment:
    """An unbroken piece of one channel, as the file has it. `values` is None where only headers were read."""

    network: str
    station: str
    location: str
    channel: str
    starttime: datetime
    sampling_rate_hz: float
    samples: int
    values: NDArray[Any] | None = None

    @property
    def endtime(self) -> datetime:
        return self.starttime + timedelta(seconds=(self.samples - 1) / self.sampling_rate_hz)

    @property
    def band_code(self) -> str:
        return self.channel[:-1]

    @property
    def component(self) -> str:
        return self.channel[-1:].upper()


@dataclass(frozen=True, eq=False)
class Waveform:
    """One station's components on one time axis. Samples that were not recorded are 0 in `data`, False in `mask`."""

    network: str
    station: str
    location: str
    band_code: str
    components: tuple[str, ...]
    sampling_rate_hz: float
    starttime: datetime  # of the first sample, UTC
    data: NDArray[np.float64]  # (components, samples), in the recording's unit
    mask: NDArray[np.bool_]  # (components, samples), True where recorded
    problems: tuple[str, ...] = ()

    @property
    def station_id(self) -> str:
        """NET.STA.LOC"""
        return f"{self.network}.{self.station}.{self.location}"

    @property
    def samples(self) -> int:
        return self.data.shape[-1]

    @property
    def endtime(self) -> datetime:
        """Time of the last sample."""
        return self.time_of(self.samples - 1)

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds since `starttime`, (samples,)."""
        return np.arange(self.samples) / self.sampling_rate_hz

    def time_of(self, sample: int) -> datetime:
        """UTC time of a sample, to the microsecond."""
        return self.starttime + timedelta(seconds=sample / self.sampling_rate_hz)

    def sample_at(self, time: datetime) -> int:
        """Index of the sample nearest to `time`; may lie outside the record."""
        return round((time - self.starttime).total_seconds() * self.sampling_rate_hz)

    def recorded(self, component: str) -> bool:
        """Whether any sample of `component` was recorded."""
        return component in self.components and bool(self.mask[self.components.index(component)].any())

    def slice(self, starttime: datetime, endtime: datetime) -> "Waveform":
        """The part from `starttime` up to, not including, `endtime`, as far as the record goes.

        So 15 s at 250 Hz are 3,750 samples. Raises UnusableWaveform where nothing lies between.
        """
        first, last = max(self.sample_at(starttime), 0), min(self.sample_at(endtime), self.samples)
        if last <= first:
            raise UnusableWaveform(
                f"{self.station_id} is recorded {iso(self.starttime)} to {iso(self.endtime)}, "
                f"which has nothing between {iso(starttime)} and {iso(endtime)}. Choose a time inside the record."
            )
        part = np.s_[:, first:last]
        return replace(self, starttime=self.time_of(first), data=self.data[part], mask=self.mask[part])


def iso(time: datetime) -> str:
    """UTC time as text, with microseconds and Z."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def stretches(mask: NDArray[np.bool_]) -> list[slice]:
    """The unbroken True stretches of mask (samples,), in order."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.view(np.int8), [0]))))
    return [slice(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def same_rate(one_hz: float, other_hz: float) -> bool:
    """Whether two rates differ by rounding only."""
    return abs(one_hz - other_hz) <= RATE_TOLERANCE * other_hz


def header_of(segments: Sequence[Segment], file_format: str, problems: Sequence[str] = ()) -> TraceHeader:
    """One header for the segments of one channel at one rate, with gaps counted and overlaps said."""
    ordered = sorted(segments, key=lambda s: s.starttime)
    gaps, overlaps, end = 0, 0, ordered[0].endtime
    for segment in ordered[1:]:
        silence = (segment.starttime - end).total_seconds() * segment.sampling_rate_hz
        gaps += silence > 1.5
        overlaps += silence < 0.5
        end = max(end, segment.endtime)
    first = ordered[0]
    said = [f"{first.channel} has {overlaps} overlap{'s' * (overlaps > 1)}"] if overlaps else []
    return TraceHeader(
        network=first.network,
        station=first.station,
        location=first.location,
        channel=first.channel,
        starttime=first.starttime,
        endtime=end,
        sampling_rate_hz=first.sampling_rate_hz,
        samples=sum(s.samples for s in ordered),
        gaps=gaps,
        format=file_format,
        problems=(*problems, *said),
    )


def assemble(segments: Sequence[Segment], components: Sequence[str], problems: Sequence[str] = ()) -> Waveform:
    """The segments of one station as a Waveform with `components`, in that order.

    Raises UnusableWaveform for mixed sampling rates, for none of the components, and for more than can be held.
    """
    said = list(problems)
    chosen = _choose_sensor(segments, components, said)
    slots = _assign_components(chosen, components, said)
    used = [segment for slot in slots.values() for segment in slot]
    if not used:
        raise UnusableWaveform(
            f"{_name(segments[0])} has channels {', '.join(sorted({s.channel for s in segments}))}, but none for "
            f"component {', '.join(components)}. Choose among the components it has."
        )
    rate, start, samples = _time_axis(used, len(components))
    data = np.zeros((len(components), samples))
    mask = np.zeros((len(components), samples), dtype=bool)
    for row, component in enumerate(components):
        _fill(data[row], mask[row], slots[component], start, rate, said)
        _judge(data[row], mask[row], component, said)
    first = used[0]
    return Waveform(
        network=first.network,
        station=first.station,
        location=first.location,
        band_code=first.band_code,
        components=tuple(components),
        sampling_rate_hz=rate,
        starttime=start,
        data=data,
        mask=mask,
        problems=tuple(dict.fromkeys(said)),
    )


def _name(segment: Segment) -> str:
    return f"{segment.network}.{segment.station}.{segment.location}"


def _slot_codes(component: str) -> tuple[str, ...]:
    return (component, *STAND_INS.get(component, ()))


def _choose_sensor(segments: Sequence[Segment], components: Sequence[str], said: list[str]) -> list[Segment]:
    """One location and band code: most of the components, then the longest record, then the alphabet.

    A station may record with a seismometer and an accelerometer at once; mixing them would mix units.
    """
    sensors: dict[tuple[str, str], list[Segment]] = {}
    for segment in segments:
        sensors.setdefault((segment.location, segment.band_code), []).append(segment)

    def merit(key: tuple[str, str]) -> tuple[int, int, float]:
        codes = {s.component for s in sensors[key]}
        found = sum(not codes.isdisjoint(_slot_codes(c)) for c in components)
        return found, len(codes), sum(s.samples / s.sampling_rate_hz for s in sensors[key])

    best = max(sorted(sensors), key=merit)
    others = sorted({s.channel for key in sensors if key != best for s in sensors[key]})
    if others:
        said.append(f"channels {', '.join(others)} belong to another sensor and are not used")
    return sensors[best]


def _assign_components(
    segments: Sequence[Segment], components: Sequence[str], said: list[str]
) -> dict[str, list[Segment]]:
    """Segments for each component. Codes without orientation stand in, and that is said."""
    recorded: dict[str, list[Segment]] = {}
    for segment in segments:
        recorded.setdefault(segment.component, []).append(segment)
    slots: dict[str, list[Segment]] = {}
    stand_ins = []
    for component in components:
        code = next((c for c in _slot_codes(component) if c in recorded), None)
        slots[component] = recorded[code] if code else []
        if code is None:
            said.append(f"component {component} was not recorded")
        elif code != component:
            stand_ins.append((code, component))
    if stand_ins:
        codes, uses = zip(*sorted(stand_ins), strict=True)
        said.append(f"components {','.join(codes)} have no stated orientation and are used as {','.join(uses)}")
    return slots


def _time_axis(segments: Sequence[Segment], rows: int) -> tuple[float, datetime, int]:
    """Rate, start and length of the axis that holds all segments."""
    rates = sorted({s.sampling_rate_hz for s in segments})
    if not same_rate(rates[0], rates[-1]):
        raise UnusableWaveform(
            f"{_name(segments[0])} is sampled at {', '.join(f'{r:g}' for r in rates)} Hz within the time that was "
            "read, but must have one rate. Read a time span or a file that has one."
        )
    rate = segments[0].sampling_rate_hz
    start, end = min(s.starttime for s in segments), max(s.endtime for s in segments)
    samples = round((end - start).total_seconds() * rate) + 1
    if samples * rows > LARGEST_READ:
        raise UnusableWaveform(
            f"{_name(segments[0])} from {iso(start)} to {iso(end)} is {samples:,} samples of {rows} components at "
            f"{rate:g} Hz, but at most {LARGEST_READ:,} are read at once. Ask for a shorter time span."
        )
    return rate, start, samples


def _fill(
    data: NDArray[np.float64],
    mask: NDArray[np.bool_],
    segments: Sequence[Segment],
    start: datetime,
    rate: float,
    said: list[str],
) -> None:
    """Put segments into data (samples,) and mask. Overlaps that agree are kept, others masked; non-numbers are gaps."""
    conflict = np.zeros(len(mask), dtype=bool)
    broken = 0
    for segment in sorted(segments, key=lambda s: s.starttime):
        values = np.asarray(segment.values, dtype=np.float64)
        finite = np.isfinite(values)
        broken += len(values) - int(finite.sum())
        first = round((segment.starttime - start).total_seconds() * rate)
        room = min(len(values), len(mask) - first)  # rounding may put the last sample one beyond the axis
        values, finite, part = values[:room], finite[:room], slice(first, first + room)
        both = mask[part] & finite
        conflict[part] |= both & (data[part] != values)
        data[part] = np.where(finite & ~mask[part], values, data[part])
        mask[part] |= finite
    mask &= ~conflict
    data[~mask] = 0.0
    if broken:
        said.append(f"{segments[0].channel} has {broken} samples that are not finite numbers; they are masked")
    if conflict.any():
        said.append(
            f"{segments[0].channel} has overlapping records that disagree for {conflict.sum() / rate:.3f} s; "
            "that time is masked"
        )


def _judge(data: NDArray[np.float64], mask: NDArray[np.bool_], component: str, said: list[str]) -> None:
    """Say what is wrong with a component's recorded samples: gaps, a dead or a clipped channel."""
    recorded = data[mask]
    if not recorded.size:
        return
    missing = 1 - recorded.size / len(mask)
    if missing:
        said.append(f"component {component} misses {missing:.2%} of the time")
    if recorded.size > 1 and np.ptp(recorded) == 0:
        said.append(f"component {component} is dead: every sample is {recorded[0]:g}")
    elif is_clipped(recorded):
        said.append(f"component {component} is clipped at {recorded.min():g} or {recorded.max():g}")


def is_clipped(values: NDArray[np.float64]) -> bool:
    """Whether values (samples,) return to exactly the same largest or smallest value, as a full digitiser's do."""
    steps = np.abs(np.diff(values))
    steps = steps[steps > 0]
    if not steps.size or np.ptp(values) < CLIPPED_RANGE * steps.min():
        return False
    return any(np.count_nonzero(values == limit) >= CLIPPED_SAMPLES for limit in (values.min(), values.max()))
