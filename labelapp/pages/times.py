"""When events happen: a time line of the selection, and roses of its hours and weekdays. All in UTC."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from django.db.models import Max, Min, QuerySet

from labelapp.catalogue.models import Event, Site
from labelapp.pages.drawing import Columns, Sector, Series, rose, stacked

MOST_COLUMNS = 120
NO_LABEL = ""
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NOBODY_LABELLED = Series(NO_LABEL, "no label", "#9aa5ad")


class Slot(NamedTuple):
    """So many events of a label in one hour, or one minute where the selection is short."""

    begin: datetime
    label: str
    events: int


@dataclass(frozen=True)
class Step:
    """How long a column lasts: where the one around a time begins, and where the next."""

    name: str
    begin: Callable[[datetime], datetime]
    next: Callable[[datetime], datetime]
    shown: str  # strftime


def _minute(time: datetime) -> datetime:
    return time.replace(second=0, microsecond=0)


def _hour(time: datetime) -> datetime:
    return _minute(time).replace(minute=0)


def _day(time: datetime) -> datetime:
    return _hour(time).replace(hour=0)


def _monday(time: datetime) -> datetime:
    return _day(time) - timedelta(days=time.weekday())


def _month(time: datetime) -> datetime:
    return _day(time).replace(day=1)


def _year(time: datetime) -> datetime:
    return _month(time).replace(month=1)


STEPS = (
    Step("minute", _minute, lambda time: time + timedelta(minutes=1), "%Y-%m-%dT%H:%M"),
    Step("hour", _hour, lambda time: time + timedelta(hours=1), "%Y-%m-%dT%H"),
    Step("day", _day, lambda time: time + timedelta(days=1), "%Y-%m-%d"),
    Step("week", _monday, lambda time: time + timedelta(days=7), "%Y-%m-%d"),
    Step("month", _month, lambda time: _month(time + timedelta(days=31)), "%Y-%m"),
    Step("year", _year, lambda time: _year(time + timedelta(days=366)), "%Y"),
)


def times(events: QuerySet[Event], site: Site, filters: Any) -> dict[str, Any] | None:
    """The time line and the roses of a selection; None where it is empty. Two queries, however many events."""
    # By their keys: the list's own annotations would otherwise be computed for every event, and grouped by.
    chosen = Event.objects.filter(pk__in=events.order_by().values("pk")).order_by()
    first, last = chosen.aggregate(first=Min("starttime"), last=Max("starttime")).values()
    if first is None:
        return None
    step = step_for(first, last)
    slots = _slots(chosen, step)
    return {
        "step": step.name,
        "line": time_line(slots, step, _series(site), filters),
        "hours": hours(slots),
        "weekdays": weekdays(slots),
        "total": sum(slot.events for slot in slots),
    }


def _slots(chosen: QuerySet[Event], step: Step) -> list[Slot]:
    """Events by hour, or by minute where the columns are minutes.

    Counted here: SQLite cuts times by calling Python for each row, which takes three times as long.
    """
    begin = _minute if step.name == "minute" else _hour
    rows = chosen.values_list("starttime", "label__code").iterator(chunk_size=5_000)
    counts = Counter((begin(time), code) for time, code in rows)
    return [Slot(time, code or NO_LABEL, n) for (time, code), n in counts.items()]


def step_for(first: datetime, last: datetime) -> Step:
    """The shortest step that cuts the span into at most MOST_COLUMNS columns; years, if it must be more."""
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    return next(
        (step for step in STEPS if len(_edges(first, last, step, MOST_COLUMNS + 2)) <= MOST_COLUMNS + 1), STEPS[-1]
    )


def _edges(first: datetime, last: datetime, step: Step, most: int = 10_000) -> list[datetime]:
    """Where columns begin, and where the last one ends; not more than `most`."""
    edges = [step.begin(first)]
    while edges[-1] <= last and len(edges) < most:
        edges.append(step.next(edges[-1]))
    return edges


def time_line(slots: Iterable[Slot], step: Step, series: list[Series], filters: Any) -> Columns:
    """Columns of all steps from the first event to the last; a click on one narrows the selection to it."""
    counts: dict[datetime, Counter[str]] = {}
    for slot in slots:
        counts.setdefault(step.begin(slot.begin), Counter())[slot.label] += slot.events
    edges = _edges(min(counts), max(counts), step)
    rows = [(begin.strftime(step.shown), counts.get(begin, Counter())) for begin in edges[:-1]]
    addresses = [_narrowed(filters, begin, end) for begin, end in pairwise(edges)]
    return stacked(rows, series, addresses)


def _narrowed(filters: Any, begin: datetime, end: datetime) -> str:
    """The page's address with the column's times, inside those that are asked for already."""
    given: Mapping[str, Any] = filters.cleaned_data
    after, before = given.get("starttime_after") or begin, given.get("starttime_before") or end
    parameters = filters.data.copy()
    parameters.pop("page", None)
    parameters["starttime_after"], parameters["starttime_before"] = _text(max(begin, after)), _text(min(end, before))
    return f"?{parameters.urlencode()}"


def _text(time: datetime) -> str:
    return (
        time.astimezone(UTC)
        .isoformat(timespec="microseconds" if time.microsecond else "seconds")
        .replace("+00:00", "Z")
    )


def hours(slots: Iterable[Slot]) -> list[Sector]:
    """Events by the hour of the day."""
    counts = _counted(slots, lambda time: time.hour)
    return rose([counts[hour] for hour in range(24)], [f"{hour:02d}" for hour in range(24)])


def weekdays(slots: Iterable[Slot]) -> list[Sector]:
    """Events by the day of the week."""
    counts = _counted(slots, datetime.weekday)
    return rose([counts[day] for day in range(7)], WEEKDAYS)


def _counted(slots: Iterable[Slot], place: Callable[[datetime], int]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for slot in slots:
        counts[place(slot.begin)] += slot.events
    return counts


def _series(site: Site) -> list[Series]:
    return [*(Series(each.code, each.name, each.colour) for each in site.classes.all()), NOBODY_LABELLED]
