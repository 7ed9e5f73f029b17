"""Which events a network takes for alike: nearest in what its last layer is given."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

FLAT = 1e-6  # spread below which a feature does not vary
AT_ONCE = 512  # events compared with all others


def directions(features: ArrayLike) -> NDArray[np.float32]:
    """Features (n, d) standardised over the n events, each event's row brought to length 1. → float32 (n, d)

    A feature that does not vary counts for nothing; an event that is average in all stays 0. One copy is made.
    """
    made = np.array(features, dtype=np.float32)
    for first in range(0, made.shape[1], AT_ONCE):  # columns at a time, so that float64 costs little
        part = made[:, first : first + AT_ONCE].astype(np.float64)
        spread = part.std(axis=0)
        part -= part.mean(axis=0)
        made[:, first : first + AT_ONCE] = np.where(spread > FLAT, part / np.where(spread > FLAT, spread, 1.0), 0.0)
    lengths = np.linalg.norm(made, axis=1, keepdims=True)
    made /= np.where(lengths > FLAT, lengths, 1.0)
    return made


def most_similar(
    directions: NDArray[np.float32], asked: ArrayLike, among: ArrayLike, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each row in `asked` (m,) the rows in `among` whose cosine with it is largest, but never itself.

    → rows (m, k), -1 where there are fewer than `count` others, and cosines (m, k), the largest first; k = min(count,
    number of `among`). Holds AT_ONCE × number of `among` cosines at once.
    """
    asked, among = np.asarray(asked, dtype=np.int64), np.asarray(among, dtype=np.int64)
    most = min(count, len(among))
    rows = np.full((len(asked), most), -1, dtype=np.int64)
    cosines = np.zeros((len(asked), most), dtype=np.float32)
    others = directions[among]
    for first in range(0, len(asked), AT_ONCE):
        part = asked[first : first + AT_ONCE]
        found = directions[part] @ others.T
        found[part[:, None] == among[None, :]] = -np.inf
        order = np.argpartition(found, -most, axis=1)[:, -most:] if most else found.argsort(axis=1)
        best = np.take_along_axis(found, order, axis=1)
        place = np.argsort(-best, axis=1, kind="stable")
        order, best = np.take_along_axis(order, place, axis=1), np.take_along_axis(best, place, axis=1)
        known = np.isfinite(best)
        rows[first : first + AT_ONCE] = np.where(known, among[order], -1)
        cosines[first : first + AT_ONCE] = np.where(known, best, 0.0)
    return rows, cosines
