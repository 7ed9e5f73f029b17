"""A slope that does not exist: seeded recordings with a catalogue known to be true, for demo, tests and benchmarks.

`synthetic_event` gives one event at every station, `synthetic_slope` a season of them, `continuous_record` a stretch
of time with events where they are wanted, and `wrong_labels` a catalogue with a known share of errors.
`synthetic_sources` says what the classes are made of and why. No figure that a model reaches here says anything about a
real slope: classes are drawn as textbooks describe them, and real ones are stranger.

Recordings are in counts, whole numbers as a digitiser gives them, over a background whose spectrum falls from low
frequencies to a flat floor, as slopes show between microseism and instrument noise. How clearly an event stands out is
drawn from a wide range, so that some of every class are hard to tell from noise, at far stations above all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mlcore.errors import BadConfiguration
from mlcore.synthetic_sources import NOISES, SOURCES, Burst, Position, Surroundings, add_burst
from mlcore.traces import Waveform

COMPONENTS = ("Z", "N", "E")
CLASSES = ("earthquake", "quake", "rockfall", "noise")
# Noise comes most often, as on real slopes; its six origins each need examples
SHARES: Mapping[str, float] = {"earthquake": 0.18, "quake": 0.2, "rockfall": 0.26, "noise": 0.36}
# What an analyst in a hurry takes it for: short for short, impacts for impacts, weak for noise (Jiang's Table 1)
LOOK_ALIKES: Mapping[str, tuple[str, ...]] = {
    "earthquake": ("quake", "rockfall"),
    "quake": ("rockfall", "noise"),
    "rockfall": ("quake", "noise"),
    "noise": ("quake", "rockfall"),
}
START = datetime(2024, 5, 1, tzinfo=UTC)
CORNER_HZ = 3.0  # below, the background rises as 1/f
FLAT_BELOW_HZ = 0.2  # a short-period sensor hears no lower
NOISE_BAND_HZ = (5.0, 60.0)  # where `noise_counts` and signal-to-noise are meant
SIGNAL_TO_NOISE = (6.0, 80.0)  # peak over background; below about 4, noise peaks as high
LOWEST_RATE_HZ = 40.0  # quakes reach up to 18 Hz
QUIET_S = 10.0


@dataclass(frozen=True)
class Station:
    """A three-component sensor on the slope. Coordinates are relative to the slope's middle."""

    code: str
    position_m: Position  # east, north, up
    network: str = "XX"  # the code that no real network may have
    location: str = "00"
    noise_counts: float = 40.0  # rms of the background on Z within NOISE_BAND_HZ
    amplification: float = 1.0  # soft ground shakes more


STATIONS = (
    Station("SYA", (-180.0, -60.0, -40.0), noise_counts=35.0),
    Station("SYB", (40.0, 120.0, 80.0), amplification=0.8),
    Station("SYC", (210.0, -140.0, -90.0), noise_counts=50.0, amplification=1.5),
)


@dataclass(frozen=True)
class CatalogueEntry:
    """What is true about an event."""

    event_id: str
    event_class: str
    kind: str  # the class, or for noise where it comes from
    starttime: datetime  # first arrival at any station
    endtime: datetime  # when the last station is down to 5 %
    stations: tuple[str, ...]  # NET.STA.LOC
    position_m: Position | None  # of the source, relative to the slope's middle; None for what has no place
    signal_to_noise: float  # peak over background, at the best station; 0 for silence


@dataclass(frozen=True, eq=False)
class SyntheticEvent:
    """One event as every station recorded it."""

    entry: CatalogueEntry
    waveforms: tuple[Waveform, ...] = field(repr=False)


def synthetic_event(
    kind: str,
    sampling_rate_hz: float = 250.0,
    stations: Sequence[Station] = STATIONS,
    rng: Generator | int = 0,
    *,
    event_id: str = "synthetic",
    starttime: datetime = START,
    duration_s: float = 15.0,
    lead_s: float = 2.0,
) -> SyntheticEvent:
    """One event at every station; `kind` is a class or a noise such as "vehicle".

    The record starts at `starttime`, lasts `duration_s`, and the first wave arrives `lead_s` after its start.
    Raises BadConfiguration for an unknown kind, no station, or a rate too low for what is to be told apart.
    """
    waveforms, entries = continuous_record(
        [(kind, lead_s)], sampling_rate_hz, stations, rng, starttime=starttime, duration_s=duration_s, prefix=event_id
    )
    return SyntheticEvent(entries[0], tuple(waveforms))


def synthetic_slope(
    seed: int = 0,
    events: int = 240,
    stations: Sequence[Station] = STATIONS,
    sampling_rate_hz: float = 250.0,
    *,
    duration_s: float = 60.0,
    shares: Mapping[str, float] = SHARES,
    starttime: datetime = START,
) -> Iterator[SyntheticEvent]:
    """`events` events in order of time, each with its own record of `duration_s` around it; records never overlap.

    Classes come in exactly their `shares`, up to rounding, in random order. The same seed gives the same slope.
    """
    kinds = _in_shares(events, shares, np.random.default_rng(seed))
    spacing_s = max(600.0, 4 * duration_s)
    for number, kind in enumerate(kinds):
        rng = np.random.default_rng([seed, number])
        yield synthetic_event(
            kind,
            sampling_rate_hz,
            stations,
            rng,
            event_id=f"syn{number:05d}",
            starttime=starttime + timedelta(seconds=number * spacing_s + float(rng.uniform(0, spacing_s - duration_s))),
            duration_s=duration_s,
            lead_s=float(rng.uniform(0.35, 0.45)) * duration_s,
        )


def continuous_record(
    schedule: Sequence[tuple[str, float]],
    sampling_rate_hz: float = 250.0,
    stations: Sequence[Station] = STATIONS,
    rng: Generator | int = 0,
    *,
    starttime: datetime = START,
    duration_s: float = 3600.0,
    prefix: str = "syn",
) -> tuple[list[Waveform], list[CatalogueEntry]]:
    """A stretch of time at every station, with each (kind, seconds to its first arrival) of `schedule` in it."""
    rng = np.random.default_rng(rng)
    _require(stations, sampling_rate_hz)
    positions = np.array([station.position_m for station in stations])
    samples = round(duration_s * sampling_rate_hz)
    data = np.stack([_background(station, samples, sampling_rate_hz, rng) for station in stations])
    entries = []
    for number, (kind, onset_s) in enumerate(schedule):
        event_id = f"{prefix}{number:05d}" if len(schedule) > 1 else prefix
        around = Surroundings(positions, sampling_rate_hz / 2)
        chosen = _chosen(kind, rng)
        bursts = SOURCES[chosen](rng, around)
        strength = _add_event(data, bursts, onset_s, sampling_rate_hz, stations, rng)
        span = [starttime + timedelta(seconds=s) for s in _span_s(bursts, onset_s, positions, duration_s)]
        entries.append(
            CatalogueEntry(
                event_id=event_id,
                event_class="noise" if chosen in NOISES else chosen,
                kind=chosen,
                starttime=span[0],
                endtime=span[1],
                stations=tuple(f"{s.network}.{s.code}.{s.location}" for s in stations),
                position_m=bursts[0].position_m if bursts and bursts[0].gains is None else None,
                signal_to_noise=strength,
            )
        )
    waveforms = [_digitised(s, d, sampling_rate_hz, starttime) for s, d in zip(stations, data, strict=True)]
    return waveforms, entries


def wrong_labels(catalogue: Sequence[CatalogueEntry], share: float, seed: int = 0) -> dict[str, str]:
    """The class of every event by its id, wrong for exactly round(share · n) of them, taken for a look-alike."""
    if not 0 <= share <= 1:
        raise BadConfiguration(f"The share of wrong labels is {share:g}, but must lie between 0 and 1.")
    rng = np.random.default_rng(seed)
    labels = {entry.event_id: entry.event_class for entry in catalogue}
    for index in rng.choice(len(catalogue), round(share * len(catalogue)), replace=False):
        entry = catalogue[int(index)]
        labels[entry.event_id] = str(rng.choice(LOOK_ALIKES[entry.event_class]))
    return labels


def _require(stations: Sequence[Station], sampling_rate_hz: float) -> None:
    if not stations:
        raise BadConfiguration("A synthetic slope has no stations, but needs at least one.")
    if not sampling_rate_hz >= LOWEST_RATE_HZ:
        raise BadConfiguration(
            f"The sampling rate is {sampling_rate_hz:g} Hz, but below {LOWEST_RATE_HZ:g} Hz quakes and rockfalls "
            "cannot be told apart. Choose a higher rate."
        )


def _chosen(kind: str, rng: Generator) -> str:
    if kind == "noise":
        return str(rng.choice(list(NOISES)))
    if kind not in SOURCES:
        raise BadConfiguration(f"There is no source {kind!r}. Known: noise, {', '.join(SOURCES)}.")
    return kind


def _in_shares(events: int, shares: Mapping[str, float], rng: Generator) -> list[str]:
    """Classes in their shares; the largest remainders take what rounding left."""
    exact = np.array(list(shares.values()), dtype=float) / sum(shares.values()) * events
    counts = np.floor(exact).astype(int)
    for index in np.argsort(-(exact - counts), kind="stable")[: events - counts.sum()]:
        counts[index] += 1
    return [str(kind) for kind in rng.permutation(np.repeat(list(shares), counts))]


def _background(station: Station, samples: int, sampling_rate_hz: float, rng: Generator) -> NDArray[np.float64]:
    """Coloured noise with `noise_counts` rms in NOISE_BAND_HZ, (3, samples). Wind tilts: more on the horizontals."""
    size = 1 << max(samples - 1, 1).bit_length()
    frequencies = np.fft.rfftfreq(size, 1 / sampling_rate_hz)
    colour = np.hypot(1, CORNER_HZ / np.maximum(frequencies, FLAT_BELOW_HZ))
    draws = rng.standard_normal((2, 3, len(frequencies)))
    noise = np.fft.irfft((draws[0] + 1j * draws[1]) * colour, size)[:, :samples]
    heard = (frequencies >= NOISE_BAND_HZ[0]) & (frequencies <= NOISE_BAND_HZ[1])
    rms = 2 * np.sqrt((colour[heard] ** 2).sum()) / size
    return np.asarray(noise * station.noise_counts / rms * np.array([[1.0], [1.2], [1.2]]))


def _add_event(
    data: NDArray[np.float64],
    bursts: Sequence[Burst],
    onset_s: float,
    sampling_rate_hz: float,
    stations: Sequence[Station],
    rng: Generator,
) -> float:
    """Add bursts to data (stations, 3, samples), first arriving at `onset_s`. Returns their signal-to-noise."""
    if not bursts:
        return 0.0
    positions = np.array([station.position_m for station in stations])
    arrivals_s = [(b.onset_s + b.delays_s(positions), b.duration_s) for b in bursts]
    first_s = min(float(times.min()) for times, _ in arrivals_s)
    last_s = max(float(times.max()) + duration_s for times, duration_s in arrivals_s)
    part = _part(data.shape[-1], onset_s, last_s - first_s, sampling_rate_hz)
    signal = np.zeros_like(data[..., part])
    for burst in bursts:
        add_burst(signal, burst, onset_s - first_s - part.start / sampling_rate_hz, sampling_rate_hz, positions, rng)
    signal *= np.array([station.amplification for station in stations])[:, None, None]
    noise = np.array([station.noise_counts for station in stations])
    best = float((np.abs(signal).max(axis=(1, 2), initial=0) / noise).max())
    wanted = float(np.exp(rng.uniform(*np.log(SIGNAL_TO_NOISE))))
    if best == 0:  # scheduled outside the record
        return 0.0
    data[..., part] += signal * (wanted / best)
    return wanted


def _part(samples: int, onset_s: float, duration_s: float, sampling_rate_hz: float) -> slice:
    """The samples that an event may touch, so that a long record is not summed up anew for each event."""
    first = min(max(int(onset_s * sampling_rate_hz) - 1, 0), samples)
    last = min(max(int((onset_s + duration_s) * sampling_rate_hz) + 2, first), samples)
    return slice(first, last)


def _span_s(
    bursts: Sequence[Burst], onset_s: float, positions: NDArray[np.float64], duration_s: float
) -> tuple[float, float]:
    """From the first arrival to when the last burst has passed the last station, within the record."""
    if not bursts:
        return onset_s, min(onset_s + QUIET_S, duration_s)
    first = min(float((b.onset_s + b.delays_s(positions)).min()) for b in bursts)
    last = max(float((b.onset_s + b.delays_s(positions)).max()) + b.heard_s for b in bursts)
    return onset_s, min(onset_s + last - first, duration_s)


def _digitised(station: Station, data: NDArray[np.float64], sampling_rate_hz: float, starttime: datetime) -> Waveform:
    return Waveform(
        network=station.network,
        station=station.code,
        location=station.location,
        band_code=_band_code(sampling_rate_hz),
        components=COMPONENTS,
        sampling_rate_hz=sampling_rate_hz,
        starttime=starttime,
        data=np.rint(data),
        mask=np.ones(data.shape, dtype=bool),
    )


def _band_code(sampling_rate_hz: float) -> str:
    """SEED's band code for a short-period seismometer at this rate, and H for its high gain."""
    return (
        next(code for code, least in (("G", 1000), ("D", 250), ("E", 80), ("S", 0)) if sampling_rate_hz >= least) + "H"
    )
