"""Seconds of a call, and a line that compares two."""

import time
from collections.abc import Callable


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """The fastest of some calls, after one that warms up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def compare(what: str, count: int, unit: str, ours: Callable[[], object], baseline: Callable[[], object], named: str):
    """Print our rate, the baseline's, and their ratio."""
    fast, slow = seconds(ours), seconds(baseline)
    print(f"{what}: {count / fast:,.0f} {unit}/s, {slow / fast:.1f} × {named} ({count / slow:,.0f} {unit}/s)")
