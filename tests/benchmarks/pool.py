"""python -m tests.benchmarks.pool: a pool of a few windows of many files, beside one of all windows that they hold.

Day files of one channel at 20 Hz, below a temporary folder: seconds, how many files were read how often, and bytes.
"""

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np

from mlcore.archive import Archive
from mlcore.pretrain.config import Pool
from mlcore.pretrain.continuous import pool_of_archive
from mlcore.traces import Waveform
from mlcore.waveform import write_mseed

STATIONS, RATE_HZ = 4, 20.0
START = datetime(2025, 1, 1, tzinfo=UTC)
SECTION = Pool(sampling_rate_hz=RATE_HZ, band_hz=(1.0, 8.0), window_s=30.0, step_s=30.0, normalise="window")


@dataclass
class Cost:
    """What one pool took."""

    windows: int = 0
    seconds: float = 0.0
    read: Counter[Path] = field(default_factory=Counter)

    @property
    def megabytes(self) -> float:
        """Had every file been read whole each time."""
        return sum(path.stat().st_size * times for path, times in self.read.items()) / 1e6

    def __str__(self) -> str:
        files = f"{self.read.total():6,} readings of {len(self.read)} files, {self.megabytes:8,.1f} MB at most"
        return f"{self.windows:8,} windows {self.seconds:8.2f} s   {files}"


def main(days: int, windows: int) -> None:
    print(f"{STATIONS} stations, {days} days each at {RATE_HZ:g} Hz", flush=True)
    with TemporaryDirectory() as folder:
        archive = written(Path(folder), days)
        few, everything = cost(archive, windows), cost(archive, 0)
        print(few)
        print(everything)
        times, bytes_ = everything.seconds / few.seconds, everything.megabytes / few.megabytes
    print(f"the few took {times:.0f} times less time, {bytes_:.0f} times fewer bytes")


def written(folder: Path, days: int) -> Archive:
    """Noise, a file for each day of each station."""
    draw = np.random.default_rng(0)
    for number in range(STATIONS):
        for day in range(days):
            data = np.rint(draw.normal(0, 100, (1, round(86_400 * RATE_HZ))))
            begin, mask = START + timedelta(days=day), np.ones(data.shape, dtype=bool)
            record = Waveform("XX", f"S{number}", "00", "HH", ("Z",), RATE_HZ, begin, data, mask)
            write_mseed(record, folder / f"S{number}.{day:03d}.mseed")
    return Archive.of([folder])


def cost(archive: Archive, most: int) -> Cost:
    """What a pool of at most so many windows takes; 0: of all."""
    found = Cost()

    def usable(self: Archive, paths: Any) -> Any:
        found.read.update(paths)
        return paths

    begun = time.perf_counter()
    with mock.patch.object(Archive, "usable", usable):
        found.windows = len(pool_of_archive(archive, SECTION, most=most)[0])
    found.seconds = time.perf_counter() - begun
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--windows", type=int, default=100)
    options = parser.parse_args()
    main(options.days, options.windows)
