"""A catalogue of the hour at Luhu, made from the published outputs of RockNet's association model."""

import csv
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import obspy

STATIONS = ["LH01", "LH02", "LH03", "LH04", "LH05"]
LEAST_PROBABILITY = 0.3  # the authors' association threshold


def occurrences(trace: obspy.Trace) -> list[tuple]:
    """Start and end of each stretch at which the network says that an event occurs."""
    on = np.concatenate([[0], trace.data > LEAST_PROBABILITY, [0]]).astype(int)
    edges = np.flatnonzero(np.diff(on)).reshape(-1, 2)
    start = trace.stats.starttime.datetime
    return [
        (start + timedelta(seconds=a * trace.stats.delta), start + timedelta(seconds=20 + b * trace.stats.delta))
        for a, b in edges
    ]


def write_luhu_catalogue(published: Path, out: Path) -> Path:
    """Earthquakes and rockfalls where the published model has them, noise midway between two events a minute apart."""
    events = []
    for code, name in [("rockfall", "rfocc"), ("earthquake", "eqocc")]:
        trace = obspy.read(published / f"Luhu.2020.088.13.sac.{name}")[0]
        events += [(start, end, code) for start, end in occurrences(trace)]
    events.sort()
    for (_, before, _), (after, _, _) in list(pairwise(events)):
        middle = before + (after - before) / 2
        if after - before > timedelta(minutes=1):
            events.append((middle, middle + timedelta(seconds=15), "noise"))
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["event_id", "event_class", "starttime", "endtime", "network", "station", "location"])
        for number, (start, end, code) in enumerate(events):
            for station in STATIONS:
                times = [f"{time.isoformat(timespec='microseconds')}Z" for time in (start, end)]
                writer.writerow([f"luhu{number}", code, *times, "GG", station, "10"])
    return out
