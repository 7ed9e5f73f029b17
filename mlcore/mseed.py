"""Where in a miniSEED file which time lies, so that a day can be read hour by hour without reading the day each time.

Only the fixed header of each record is looked at (SEED manual, chapter 8), and only where the whole file is made of
records of one length with sound headers; else there is no index, and the file is read whole as ever.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BLOCK = 2**18  # bytes that share an entry of the index, and are read together
SHORTEST = 2**21  # bytes; smaller files are read whole at once
MARGIN_S = 2.0  # leap seconds, and what a header rounds
FIELDS = [  # name, format, offset in bytes
    ("quality", "u1", 6),
    ("year", ">u2", 20),
    ("day", ">u2", 22),
    ("hour", "u1", 24),
    ("minute", "u1", 25),
    ("second", "u1", 26),
    ("samples", ">u2", 30),
    ("factor", ">i2", 32),
    ("multiplier", ">i2", 34),
    ("correction", ">i4", 40),
    ("first_blockette", ">u2", 46),
    ("blockette", ">u2", 48),
    ("length", "u1", 54),
]
NAMES, FORMATS, OFFSETS = (list(values) for values in zip(*FIELDS, strict=True))
HEADER = np.dtype({"names": NAMES, "formats": FORMATS, "offsets": OFFSETS, "itemsize": 64})
LENGTHS = range(7, 19)  # powers of two


def parts_within(path: Path, starttime: datetime | None, endtime: datetime | None) -> Iterator[bytes] | None:
    """The parts of a file that hold anything between two times; None where that is not known."""
    if starttime is None and endtime is None:
        return None
    facts = path.stat()
    index = _index(str(path), facts.st_mtime_ns, facts.st_size) if facts.st_size >= SHORTEST else None
    if index is None:
        return None
    low = starttime.timestamp() - MARGIN_S if starttime else -np.inf
    high = endtime.timestamp() + MARGIN_S if endtime else np.inf
    return _read(path, np.flatnonzero((index[:, 1] >= low) & (index[:, 0] <= high)))


def _read(path: Path, blocks: NDArray[np.intp]) -> Iterator[bytes]:
    """These blocks of a file, neighbours together."""
    with path.open("rb") as file:
        for run in np.split(blocks, np.flatnonzero(np.diff(blocks) > 1) + 1) if len(blocks) else []:
            file.seek(int(run[0]) * BLOCK)
            yield file.read(len(run) * BLOCK)


@lru_cache(maxsize=64)
def _index(path: str, modified_ns: int, size: int) -> NDArray[np.float64] | None:
    """Earliest start and latest end of the records in each block, seconds since 1970, (blocks, 2)."""
    content = np.memmap(path, dtype=np.uint8, mode="r")
    length = _record_length(content[:64].tobytes())
    if length is None or size % length or length > BLOCK:
        return None
    per_block, spans = BLOCK // length, []
    for first in range(0, size // length, 64 * per_block):  # a few megabytes at once
        part = content[first * length : (first + 64 * per_block) * length].reshape(-1, length)[:, :64]
        found = _spans(np.ascontiguousarray(part).view(HEADER)[:, 0], length)
        if found is None:
            return None
        spans.append(found)
    start, end = np.concatenate(spans).T
    edges = np.arange(0, len(start), per_block)
    return np.stack([np.minimum.reduceat(start, edges), np.maximum.reduceat(end, edges)], axis=1)


def _record_length(header: bytes) -> int | None:
    """Bytes of a record, from a header whose first blockette is the 1000 that miniSEED demands."""
    if len(header) < 64:
        return None
    fields = np.frombuffer(header, HEADER)[0]
    known = fields["first_blockette"] == 48 and fields["blockette"] == 1000 and int(fields["length"]) in LENGTHS
    return 2 ** int(fields["length"]) if known else None


def _spans(headers: NDArray[np.void], length: int) -> NDArray[np.float64] | None:
    """Start and end of each record, (records, 2); None where a header makes no sense."""
    sound = (
        np.isin(headers["quality"], list(b"DRQM"))
        & (headers["year"] >= 1900)
        & (headers["year"] < 2200)
        & (headers["day"] >= 1)
        & (headers["day"] <= 366)
        & (headers["hour"] < 24)
        & (headers["minute"] < 60)
        & (headers["factor"] != 0)
        & (headers["multiplier"] != 0)
        & (headers["first_blockette"] == 48)
        & (headers["blockette"] == 1000)
        & (headers["length"] == length.bit_length() - 1)
    )
    if not sound.all():
        return None
    years, which = np.unique(headers["year"], return_inverse=True)
    new_year = np.array([datetime(int(year), 1, 1, tzinfo=UTC).timestamp() for year in years])[which]
    start = new_year + (headers["day"] - 1.0) * 86_400 + headers["hour"] * 3600.0 + headers["minute"] * 60.0
    start = start + headers["second"]
    shift = headers["correction"] * 1e-4  # of which it is not said here whether it was applied
    factor, multiplier = headers["factor"].astype(float), headers["multiplier"].astype(float)
    rate = np.abs(factor) ** np.sign(factor) * np.abs(multiplier) ** np.sign(multiplier)
    end = start + headers["samples"] / rate + 1
    return np.stack([np.minimum(start, start + shift), np.maximum(end, end + shift)], axis=1)
