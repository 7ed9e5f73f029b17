"""STA/LTA, the trigger by which Jiang's catalogue was picked (section 3.2): obspy's definitions, along endless records.

Energy's average over a short time, over that of a long time; here of band-passed records, so that it is the energy of
the band, and summed over components. Equals obspy.signal.trigger's classic_sta_lta, recursive_sta_lta, trigger_onset.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from mlcore.config import Trigger

Floats = NDArray[np.float64]
TINY = np.finfo(np.float64).tiny


class StaLta:
    """The ratio along one unbroken stretch, given part by part."""

    def __init__(self, trigger: Trigger, sampling_rate_hz: float):
        self.classic = trigger.average == "classic"
        self.short = max(round(trigger.sta_s * sampling_rate_hz), 1)
        self.long = max(round(trigger.lta_s * sampling_rate_hz), 2)
        self.seen = 0  # samples
        self.averages = (0.0, float(TINY))  # recursive
        self.past: Floats = np.zeros(0)  # classic

    def ratio(self, energy: Floats) -> Floats:
        """STA/LTA at the samples that follow, (n,); 0 before a whole long average was seen."""
        if not len(energy):
            return np.zeros(0)
        ratio = self._classic(energy) if self.classic else self._recursive(energy)
        # obspy's two functions differ by one sample in what they set to zero
        ratio[: max(self.long - self.classic - self.seen, 0)] = 0.0
        self.seen += len(energy)
        return ratio

    def _recursive(self, energy: Floats) -> Floats:
        if not self.seen:  # as obspy does: the first sample only starts the clock
            energy = np.concatenate([[0.0], energy[1:]])
        short, long = (
            _faded(energy, samples, before)
            for samples, before in zip((self.short, self.long), self.averages, strict=True)
        )
        self.averages = (float(short[-1]), float(long[-1]))
        return np.asarray(short / np.maximum(long, TINY))

    def _classic(self, energy: Floats) -> Floats:
        known = np.concatenate([self.past, energy])
        total = np.concatenate([[0.0], np.cumsum(known)])
        end = np.arange(len(known) - len(energy), len(known)) + 1
        short, long = (
            (total[end] - total[np.maximum(end - samples, 0)]) / samples for samples in (self.short, self.long)
        )
        self.past = known[-self.long :]
        return np.asarray(short / np.maximum(long, TINY))


def _faded(energy: Floats, samples: int, before: float) -> Floats:
    """The average in which each sample counts 1/samples, and what was before the rest."""
    weight = 1 / samples
    faded, _ = lfilter([weight], [1, weight - 1], energy, zi=[(1 - weight) * before])
    return np.asarray(faded)


class Onsets:
    """When a ratio triggers: from where it reaches `on` to where it last is at or above `off`. Part by part."""

    def __init__(self, on: float, off: float, longest: int):
        self.on, self.off, self.longest = on, off, longest
        self.end = 0  # samples seen
        self.begun: int | None = None  # sample at which the open trigger began
        self.last = 0.0  # the ratio before

    def closed(self, ratio: Floats) -> list[tuple[int, int]]:
        """First and last sample of the triggers that end in these samples, counted from the stretch's first."""
        before = np.concatenate([[self.last], ratio[:-1]])
        rises = self.end + np.flatnonzero((ratio >= self.on) & (before < self.on))
        falls = self.end + np.flatnonzero((ratio < self.off) & (before >= self.off))
        self.end += len(ratio)
        self.last = float(ratio[-1]) if len(ratio) else self.last
        found = []
        while self.begun is not None or len(rises):
            begun = self.begun if self.begun is not None else int(rises[0])
            later = falls[falls > begun]
            last = min(int(later[0]) - 1 if len(later) else self.end, begun + self.longest)
            if last >= self.end:
                self.begun = begun
                break
            found.append((begun, last))
            self.begun, rises, falls = None, rises[rises > last], later
        return found

    def broken(self) -> list[tuple[int, int]]:
        """The trigger that is open where the stretch ends, if there is one."""
        begun, self.begun = self.begun, None
        return [] if begun is None else [(begun, self.end - 1)]
