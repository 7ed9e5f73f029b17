"""What makes the ground move on a synthetic slope: earthquakes, quakes, rockfalls, and noise of several origins.

Every source is a list of bursts: short pieces of band-limited noise under an envelope that rises and decays. What
tells the classes apart follows Provost et al. 2017 and Jiang et al. 2024, section 5.2. Figures are orders of magnitude
for a soft slope a few hundred metres wide; nothing here was fitted to a real one, and nothing learnt from it says how
well a model does on a real one.

| source     | bursts                                  | why                                                          |
|------------|-----------------------------------------|--------------------------------------------------------------|
| earthquake | P, S, coda; 8–40 km away                | P and S are 1.2–6 s apart (5.5, 3.2 km/s); P is pitched      |
|            |                                         | higher; scattered waves decay for seconds after S            |
| quake      | one, 5–18 Hz, under a second            | small fracture or slip within the slope: P and S together,   |
|            |                                         | high frequencies lost in soft rock                           |
| rockfall   | 6–35 impacts, 20–50 Hz, up to 12 s      | blocks of very different size bounce at irregular intervals, |
|            |                                         | close to the surface, on their way down                      |
| footsteps  | 1.6–2.3 a second, 15–60 Hz              | regular, equally strong, heard by the nearest station only   |
| vehicle    | one, narrow, 10–35 Hz, many seconds     | engine and wheels: rises and falls slowly, no onset          |
| wind       | gusts of seconds, 3–15 Hz               | shakes each mast and tree by itself: no moveout              |
| rain       | many small impacts, 30–90 Hz            | drops on the ground next to each sensor                      |
| spikes     | a few samples at one station            | electronics                                                  |
| quiet      | none                                    | the background alone                                         |
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Position = tuple[float, float, float]  # east, north, up; m

EXTENT_M = 300.0  # sources within the slope lie this far from its middle, at most
SURFACE_SPEED_M_S = 600.0  # surface waves in loose rock
BODY_SPEED_M_S = 1200.0
CRUST_P_M_S, CRUST_S_M_S = 5500.0, 3200.0
SLOPE_QUALITY, CRUST_QUALITY = 30.0, 400.0  # soft rock takes about 10 % of a wave's energy a cycle, crust 1 %
BELOW_NYQUIST = 0.8  # a digitiser's anti-alias filter takes the rest


@dataclass(frozen=True)
class Burst:
    """Band-limited noise under (1 − exp(−t/rise)) · exp(−t/decay), from `onset_s` on."""

    onset_s: float  # after the source's origin, at the source
    frequency_hz: float
    width_hz: float  # standard deviation of its Gaussian amplitude spectrum
    rise_s: float
    decay_s: float
    amplitude: float = 1.0
    position_m: Position = (0.0, 0.0, 0.0)
    speed_m_s: float = SURFACE_SPEED_M_S
    quality: float = SLOPE_QUALITY
    vertical: float = 0.6  # share of the amplitude on Z; P comes from below, S shakes sideways
    # Amplitude at each station where it is no matter of distance: wind, rain, electronics
    gains: tuple[float, ...] | None = None

    @property
    def duration_s(self) -> float:
        """Until 0.25 % are left."""
        return self.rise_s + 6 * self.decay_s

    @property
    def heard_s(self) -> float:
        """Until 5 % are left: what an analyst would mark."""
        return self.rise_s + 3 * self.decay_s

    def delays_s(self, stations_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Travel times to stations_m (stations, 3)."""
        if self.gains is not None:
            return np.zeros(len(stations_m))
        return self._distances_m(stations_m) / self.speed_m_s

    def amplitudes(self, stations_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Amplitude at stations_m (stations, 3): 1/√r for spreading along the surface, exp(−π f r / Q v) for loss."""
        if self.gains is not None:
            return self.amplitude * np.asarray(self.gains)
        distances = np.maximum(self._distances_m(stations_m), 1.0)  # r = 0 has no amplitude
        loss = np.exp(-np.pi * self.frequency_hz * distances / (self.quality * self.speed_m_s))
        return np.asarray(self.amplitude * loss / np.sqrt(distances))

    def _distances_m(self, stations_m: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(stations_m - np.array(self.position_m), axis=1))


@dataclass(frozen=True)
class Surroundings:
    """What a source must know: where stations are, and the highest frequency that will be recorded."""

    stations_m: NDArray[np.float64]  # (stations, 3)
    nyquist_hz: float

    def frequency(self, rng: Generator, low_hz: float, high_hz: float) -> float:
        """Drawn between the two, as far as the recording reaches; where it does not, from its upper end."""
        high = min(high_hz, BELOW_NYQUIST * self.nyquist_hz)
        return float(rng.uniform(min(low_hz, 0.75 * high), high))


def earthquake(rng: Generator, around: Surroundings) -> list[Burst]:
    distance_m, azimuth = rng.uniform(8e3, 40e3), rng.uniform(0, 2 * np.pi)
    position = (distance_m * np.sin(azimuth), distance_m * np.cos(azimuth), -rng.uniform(3e3, 12e3))
    path = Burst(0, 10, 4, 0.05, 1, position_m=position, speed_m_s=CRUST_S_M_S, quality=CRUST_QUALITY)
    p = replace(
        path,
        frequency_hz=around.frequency(rng, 12, 30),
        width_hz=8,
        decay_s=rng.uniform(0.3, 0.9),
        amplitude=rng.uniform(0.5, 1.2),
        speed_m_s=CRUST_P_M_S,
        vertical=0.8,
    )
    s = replace(path, frequency_hz=around.frequency(rng, 5, 14), decay_s=rng.uniform(0.6, 1.5), vertical=0.35)
    coda = replace(
        path,
        frequency_hz=around.frequency(rng, 5, 10),
        rise_s=0.3,
        decay_s=rng.uniform(2, 4),
        amplitude=rng.uniform(0.25, 0.45),
        vertical=0.5,
    )
    return [p, s, coda]


def quake(rng: Generator, around: Surroundings) -> list[Burst]:
    return [
        Burst(
            onset_s=0,
            frequency_hz=around.frequency(rng, 6, 14),
            width_hz=2.5,
            rise_s=rng.uniform(0.02, 0.1),
            decay_s=rng.uniform(0.1, 0.35),
            position_m=_on_slope(rng, depth_m=rng.uniform(5, 80)),
            speed_m_s=BODY_SPEED_M_S,
        )
    ]


def rockfall(rng: Generator, around: Surroundings) -> list[Burst]:
    impacts, (east, north, _) = int(rng.integers(6, 36)), _on_slope(rng)
    onsets = np.cumsum(rng.exponential(rng.uniform(0.15, 0.5), impacts))
    onsets *= min(1, 12 / onsets[-1])
    speed_m_s = rng.uniform(3, 15)  # of the blocks, to the south, downhill at 35°
    swell = np.sin(np.pi * (np.arange(impacts) + 1) / (impacts + 1)) ** 0.5  # starts and ends with few, small blocks
    return [
        Burst(
            onset_s=float(onset),
            frequency_hz=around.frequency(rng, 22, 50),
            width_hz=6,
            rise_s=0.015,
            decay_s=rng.uniform(0.06, 0.25),
            amplitude=float(size * rng.lognormal(0, 0.7)),
            position_m=(east, north - speed_m_s * float(onset), -0.7 * speed_m_s * float(onset)),
        )
        for onset, size in zip(onsets - onsets[0], swell, strict=True)
    ]


def footsteps(rng: Generator, around: Surroundings) -> list[Burst]:
    east, north, up = around.stations_m[rng.integers(len(around.stations_m))]
    interval_s, frequency_hz = 1 / rng.uniform(1.6, 2.3), around.frequency(rng, 15, 60)
    return [
        Burst(
            onset_s=step * interval_s + float(rng.normal(0, 0.02)) * (step > 0),
            frequency_hz=frequency_hz,
            width_hz=5,
            rise_s=0.01,
            decay_s=0.05,
            amplitude=float(rng.uniform(0.8, 1.2)),
            position_m=(east + 5 + 0.8 * step, north + 5, up),
            speed_m_s=300,
        )
        for step in range(int(rng.integers(12, 40)))
    ]


def vehicle(rng: Generator, around: Surroundings) -> list[Burst]:
    passing = Burst(
        onset_s=0,
        frequency_hz=around.frequency(rng, 10, 30),
        width_hz=0.8,
        rise_s=rng.uniform(3, 6),
        decay_s=rng.uniform(2, 4),
        position_m=_on_slope(rng),
    )
    overtone_hz = min(1.5 * passing.frequency_hz, BELOW_NYQUIST * around.nyquist_hz)
    return [passing, replace(passing, frequency_hz=overtone_hz, amplitude=0.5)]


def wind(rng: Generator, around: Surroundings) -> list[Burst]:
    return [
        Burst(
            onset_s=float(rng.uniform(0, 8)) * (gust > 0),
            frequency_hz=around.frequency(rng, 3, 15),
            width_hz=4,
            rise_s=rng.uniform(1, 3),
            decay_s=rng.uniform(1, 3),
            vertical=0.3,
            gains=_by_station(rng, around),
        )
        for gust in range(int(rng.integers(2, 6)))
    ]


def rain(rng: Generator, around: Surroundings) -> list[Burst]:
    shower = rng.lognormal(0, 0.5, len(around.stations_m))
    return [
        Burst(
            onset_s=float(rng.uniform(0, 12)) * (drop > 0),
            frequency_hz=around.frequency(rng, 30, 90),
            width_hz=10,
            rise_s=0.005,
            decay_s=0.02,
            gains=tuple(shower * rng.lognormal(0, 0.6, len(shower))),
        )
        for drop in range(int(rng.integers(60, 150)))
    ]


def spikes(rng: Generator, around: Surroundings) -> list[Burst]:
    station = rng.integers(len(around.stations_m))
    sample_s = 0.5 / around.nyquist_hz
    return [
        Burst(
            onset_s=float(rng.uniform(0, 10)) * (spike > 0),
            frequency_hz=0.5 * around.nyquist_hz,
            width_hz=around.nyquist_hz,
            rise_s=0.1 * sample_s,
            decay_s=sample_s,
            gains=tuple(float(i == station) for i in range(len(around.stations_m))),
        )
        for spike in range(int(rng.integers(1, 5)))
    ]


def quiet(rng: Generator, around: Surroundings) -> list[Burst]:
    return []


Source = Callable[[Generator, Surroundings], list[Burst]]
NOISES: dict[str, Source] = {f.__name__: f for f in (footsteps, vehicle, wind, rain, spikes, quiet)}
SOURCES: dict[str, Source] = {f.__name__: f for f in (earthquake, quake, rockfall)} | NOISES


def add_burst(
    data: NDArray[np.float64],
    burst: Burst,
    origin_s: float,
    sampling_rate_hz: float,
    stations_m: NDArray[np.float64],
    rng: Generator,
) -> None:
    """Add a burst whose source's origin is `origin_s` after the first sample to data (stations, 3, samples).

    Delay and amplitude follow distance, exact to fractions of a sample. The noise under the envelope is drawn anew for
    each station and component: waves that scatter in soft rock are alike over few metres only.
    """
    arrivals = (origin_s + burst.onset_s + burst.delays_s(stations_m)) * sampling_rate_hz
    first = np.ceil(arrivals).astype(int)
    length = int(np.ceil(burst.duration_s * sampling_rate_hz)) + 1
    carriers = _carriers(burst, (len(stations_m), 3), length, sampling_rate_hz, rng)
    amplitudes = burst.amplitudes(stations_m)[:, None] * _polarisation(burst.vertical)
    for row, start in enumerate(first):
        begin, stop = max(start, 0), min(start + length, data.shape[-1])
        if begin < stop:
            seconds = (np.arange(begin, stop) - arrivals[row]) / sampling_rate_hz
            shape = _envelope(seconds, burst) * carriers[row, :, begin - start : stop - start]
            data[row, :, begin:stop] += amplitudes[row][:, None] * shape


def _carriers(
    burst: Burst, shape: tuple[int, int], length: int, sampling_rate_hz: float, rng: Generator
) -> NDArray[np.float64]:
    """Noise with the burst's Gaussian spectrum and a mean square of 1, (*shape, length)."""
    size = 1 << (max(length, 32) - 1).bit_length()  # a short burst needs room for its spectrum, and powers of two
    frequencies = np.fft.rfftfreq(size, 1 / sampling_rate_hz)
    spectrum = np.exp(-0.5 * ((frequencies - burst.frequency_hz) / burst.width_hz) ** 2)
    draws = rng.standard_normal((2, *shape, len(frequencies)))
    noise = np.fft.irfft((draws[0] + 1j * draws[1]) * spectrum, size)[..., :length]
    return np.asarray(noise * size / (2 * np.sqrt((spectrum**2).sum())))


def _envelope(seconds: NDArray[np.float64], burst: Burst) -> NDArray[np.float64]:
    """The burst's shape from its arrival on, with a peak of 1."""
    top_s = burst.rise_s * np.log1p(burst.decay_s / burst.rise_s)
    peak = -np.expm1(-top_s / burst.rise_s) * np.exp(-top_s / burst.decay_s)
    return np.asarray(-np.expm1(-seconds / burst.rise_s) * np.exp(-seconds / burst.decay_s) / peak)


def _polarisation(vertical: float) -> NDArray[np.float64]:
    """Amplitudes on Z, N, E."""
    return np.array([vertical, 1 - vertical, 1 - vertical])


def _on_slope(rng: Generator, depth_m: float = 0.0) -> Position:
    return float(rng.uniform(-EXTENT_M, EXTENT_M)), float(rng.uniform(-EXTENT_M, EXTENT_M)), -float(depth_m)


def _by_station(rng: Generator, around: Surroundings) -> tuple[float, ...]:
    return tuple(rng.lognormal(0, 0.4, len(around.stations_m)))
