"""Groups among representations that nobody named: k-means, with as many groups as stand apart best."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2, vq

from mlcore.errors import Cancelled
from mlcore.pretrain.probes import Floats, silhouette
from mlcore.training import StopCallback, never

FEWEST, MOST = 4, 12
FITTED = 10_000  # rows that centres are found on, drawn by chance; the others go to their nearest centre
JUDGED = 2_000  # rows whose silhouettes choose the number: it takes the square of theirs
RESTARTS = 4
ITERATIONS = 100


@dataclass(frozen=True, eq=False)
class Clusters:
    """A group for each row, the largest group first; and how well apart each number of groups stood."""

    member: NDArray[np.int16]  # (n,)
    silhouettes: dict[int, float]  # {number of groups: mean silhouette}; empty where there was nothing to divide

    @property
    def count(self) -> int:
        return int(self.member.max(initial=-1)) + 1


def clusters(
    values: Floats, *, fewest: int = FEWEST, most: int = MOST, seed: int = 0, should_stop: StopCallback = never
) -> Clusters:
    """values (n, d) divided by k-means into the number of groups, `fewest` to `most`, of the largest mean silhouette.

    k-means++ (Arthur & Vassilvitskii 2007), the best of RESTARTS. Too few different rows are one group. Deterministic.
    Raises Cancelled when `should_stop` says so.
    """
    draw = np.random.default_rng(seed)
    fitted = _drawn(values, FITTED, draw)
    judged = _drawn(fitted, JUDGED, draw)
    most = min(most, (len(np.unique(judged, axis=0)) - 1) // 2)
    centres, silhouettes = {}, {}
    for count in range(fewest, most + 1):
        if should_stop():
            raise Cancelled("The search for clusters was cancelled.")
        centres[count] = centres_of(fitted, count, draw)
        silhouettes[count] = silhouette(judged, [str(group) for group in vq(judged, centres[count])[0]])
    if not centres:
        return Clusters(np.zeros(len(values), dtype=np.int16), {})
    best = max(silhouettes, key=lambda count: silhouettes[count])
    return Clusters(_largest_first(vq(values, centres[best])[0]), silhouettes)


def centres_of(values: Floats, count: int, draw: np.random.Generator) -> Floats:
    """The centres (count, d) of least inertia, Σ ‖x − its centre‖², of RESTARTS runs of k-means."""
    found = [_centres(values, count, draw) for _ in range(RESTARTS)]
    return min(found, key=lambda centres: float(np.square(vq(values, centres)[1]).sum()))


def _centres(values: Floats, count: int, draw: np.random.Generator) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a group that lost its rows keeps its centre
        return np.asarray(kmeans2(values, count, iter=ITERATIONS, minit="++", rng=draw)[0])


def _drawn(values: Floats, most: int, draw: np.random.Generator) -> Floats:
    return values if len(values) <= most else values[np.sort(draw.choice(len(values), most, replace=False))]


def _largest_first(member: NDArray[np.integer]) -> NDArray[np.int16]:
    """Groups numbered anew by size, those without a row left out."""
    groups, sizes = np.unique(member, return_counts=True)
    rank = np.empty(int(groups.max()) + 1, dtype=np.int16)
    rank[groups[np.argsort(-sizes, kind="stable")]] = np.arange(len(groups))
    return np.asarray(rank[member])
