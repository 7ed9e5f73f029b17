"""Geometry of the figures that the server draws: stacked columns, and the sectors of a rose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi, sin, sqrt
from typing import Any


@dataclass(frozen=True)
class Series:
    """One colour of a chart, with its name; without a colour of its own the style sheet gives one by its key."""

    key: str
    name: str
    colour: str = ""


@dataclass(frozen=True)
class Part:
    """One piece of a column."""

    series: Series
    count: int


@dataclass(frozen=True)
class Column:
    """One bar: `share` is its height over the height of the axis."""

    name: str
    total: int
    share: float
    parts: list[Part]
    counts: list[int]  # of every series, zeros too: a row of the table
    address: str = ""


@dataclass(frozen=True)
class Columns:
    """A chart of stacked columns, with what its axis and its legend say."""

    columns: list[Column]
    series: list[Series]  # bottom of the stack first
    top: int
    ticks: list[int]

    @property
    def total(self) -> int:
        """Everything that is drawn."""
        return sum(column.total for column in self.columns)


def stacked(
    rows: Sequence[tuple[str, Mapping[str, int]]], series: Sequence[Series], addresses: Sequence[str] = ()
) -> Columns:
    """A chart of `rows` [(name, {key: count}), …]; series that are nowhere more than zero are left out.

    `addresses` says where a click on each column leads.
    """
    drawn = [each for each in series if any(counts.get(each.key) for _, counts in rows)]
    totals = [sum(counts.get(each.key, 0) for each in drawn) for _, counts in rows]
    top = nice_top(max(totals, default=0))
    places = addresses or [""] * len(rows)
    columns = [
        Column(
            name=name,
            total=total,
            share=total / top,
            parts=[Part(each, n) for each in drawn if (n := counts.get(each.key, 0))],
            counts=[counts.get(each.key, 0) for each in drawn],
            address=address,
        )
        for (name, counts), total, address in zip(rows, totals, places, strict=True)
    ]
    return Columns(columns, drawn, top, sorted({0, top // 2, top} if top % 2 == 0 else {0, top}, reverse=True))


def nice_top(most: int) -> int:
    """The smallest of 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, … that is no smaller than `most`."""
    size = 1
    while True:
        for step in (1, 2, 3, 4, 5, 6, 8):
            if step * size >= most:
                return step * size
        size *= 10


@dataclass(frozen=True)
class Sector:
    """One direction of a rose, ready to draw in a circle of radius 1 around (0, 0)."""

    name: str
    count: int
    path: str
    x: float  # where its name stands
    y: float


def rose(counts: Sequence[int], names: Sequence[str], label_at: float = 1.16) -> list[Sector]:
    """Sectors clockwise from the top, the first one beginning there. Their areas are as their counts."""
    most = max(counts, default=0) or 1
    width = 2 * pi / len(counts)
    return [
        Sector(name, count, _sector(place * width, (place + 1) * width, sqrt(count / most)), *_at(middle, label_at))
        for place, (name, count) in enumerate(zip(names, counts, strict=True))
        for middle in [(place + 0.5) * width]
    ]


def _sector(begin: float, end: float, radius: float) -> str:
    """An SVG path; angles clockwise from the top, in radians."""
    (x0, y0), (x1, y1) = _at(begin, radius), _at(end, radius)
    return f"M0 0L{x0} {y0}A{radius:.4f} {radius:.4f} 0 0 1 {x1} {y1}Z" if radius else ""


def _at(angle: float, radius: float) -> tuple[float, float]:
    return round(radius * sin(angle), 4), round(-radius * cos(angle), 4)


@dataclass(frozen=True)
class Curve:
    """One line of a chart: `points` as SVG wants them, in a square of 100 with its origin at the top left."""

    name: str
    of: str
    hue: int
    points: str


@dataclass(frozen=True)
class Curves:
    """Lines over a common axis, with what its ends say."""

    curves: list[Curve]
    names: list[str]
    low: float
    high: float
    first: float
    last: float


def curves(rows: Sequence[Mapping[str, Any]], *, first_hue: int = 0) -> Curves | None:
    """`rows` [{"name", "of", "x", "y"}, …] as lines; those of one name have one colour. None without a row."""
    if not rows:
        return None
    xs, ys = ([value for row in rows for value in row[axis]] for axis in "xy")
    (first, last), (low, high) = ((min(values), max(values)) for values in (xs, ys))
    names = list(dict.fromkeys(row["name"] for row in rows))

    def point(x: float, y: float) -> str:
        return f"{100 * _share(x, first, last):.2f},{100 - 100 * _share(y, low, high):.2f}"

    drawn = [
        Curve(row["name"], row["of"], first_hue + names.index(row["name"]), " ".join(map(point, row["x"], row["y"])))
        for row in rows
    ]
    return Curves(drawn, names, low, high, first, last)


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5
