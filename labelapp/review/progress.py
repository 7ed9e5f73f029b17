"""How a site's review goes: what was decided, by whom, how fast, and how far that leads. All from the ledger."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from labelapp.catalogue.models import Site
from labelapp.review.models import Relabel
from labelapp.review.standing import ANSWERS, LABELLING

Kind = Relabel.Kind
# Who decides nothing for so long has left the desk.
BREAK = timedelta(minutes=15)
LAST_SITTINGS = 5
COMMON_REASONS = 8
FIELDS = (
    "sequence", "event_id", "expert_id", "expert_name", "kind", "from_code", "to_code", "decided_at",
    "item__reason", "reason", "details",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decision:
    """An expert's answer, as the ledger has it."""

    sequence: int
    event: int
    expert: str
    kind: str
    before: str  # class code, "" without a label
    after: str  # likewise; "" also where the expert could not tell
    at: datetime
    asked: str  # why the event was in the queue; "" where it was relabelled on the list
    reason: str
    seconds: float | None  # looking time
    in_bulk: bool
    withdrawn: bool


@dataclass(frozen=True)
class Tally:
    """Decisions of one expert or one day, counted. Withdrawn ones count in `withdrawn` alone."""

    name: str
    counts: Counter[str]  # by kind
    withdrawn: int
    median_s: float | None

    @property
    def decisions(self) -> int:
        """Those that stand."""
        return self.counts.total()

    @property
    def withdrawn_share(self) -> float | None:
        """Of all that were made, so many were taken back."""
        made = self.decisions + self.withdrawn
        return self.withdrawn / made if made else None


@dataclass(frozen=True)
class Sitting:
    """An expert's decisions without a break between them."""

    expert: str
    begin: datetime
    end: datetime
    decisions: int


def decisions(site: Site) -> list[Decision]:
    """Every answer of the site's experts, oldest first. One query."""
    rows = site.relabels.order_by("sequence").values_list(*FIELDS).iterator(chunk_size=5_000)
    found = [dict(zip(FIELDS, row, strict=True)) for row in rows]
    taken_back = {row["details"].get("withdraws") for row in found if row["kind"] == Kind.WITHDRAW}
    return [_decision(row, row["sequence"] in taken_back) for row in found if row["kind"] in ANSWERS]


def _decision(row: dict[str, Any], withdrawn: bool) -> Decision:
    details = row["details"]
    return Decision(
        sequence=row["sequence"],
        event=row["event_id"],
        expert=row["expert_name"],
        kind=row["kind"],
        before=row["from_code"],
        after=row["to_code"],
        at=row["decided_at"],
        asked=details.get("asked") or row["item__reason"] or "",
        reason=row["reason"],
        seconds=_seconds(details.get("seconds")),
        in_bulk="batch" in details,
        withdrawn=withdrawn,
    )


def _seconds(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def standing(made: Iterable[Decision]) -> list[Decision]:
    """Those that nobody took back."""
    return [row for row in made if not row.withdrawn]


def reviewed_events(made: Iterable[Decision]) -> int:
    """How many events have a label that an expert gave or confirmed."""
    return len({row.event for row in standing(made) if row.kind in LABELLING})


def changes(made: Iterable[Decision]) -> Counter[tuple[str, str]]:
    """{(class before, class after): decisions that gave, confirmed or changed a label}; "" without a label."""
    return Counter((row.before, row.after) for row in standing(made) if row.kind in LABELLING)


def by_expert(made: Sequence[Decision]) -> list[Tally]:
    """A tally of each expert, whoever decided most first."""
    groups: dict[str, list[Decision]] = defaultdict(list)
    for row in made:
        groups[row.expert].append(row)
    return sorted((_tally(name, rows) for name, rows in groups.items()), key=lambda t: (-t.decisions, t.name))


def by_day(made: Sequence[Decision]) -> list[tuple[date, Tally]]:
    """A tally of each day (UTC) on which somebody decided, oldest first."""
    groups: dict[date, list[Decision]] = defaultdict(list)
    for row in made:
        groups[row.at.date()].append(row)
    return [(day, _tally(day.isoformat(), groups[day])) for day in sorted(groups)]


def tally(made: Sequence[Decision]) -> Tally:
    """All of them in one."""
    return _tally("all", made)


def _tally(name: str, rows: Sequence[Decision]) -> Tally:
    seconds = [row.seconds for row in rows if row.seconds is not None and not row.in_bulk]
    kept = standing(rows)
    counts = Counter(row.kind for row in kept)
    return Tally(name, counts, len(rows) - len(kept), median(seconds) if seconds else None)


def by_question(made: Iterable[Decision]) -> dict[str, tuple[int, int]]:
    """{why the event was in the queue: (decisions, of them another class than the label that held)}"""
    found: dict[str, tuple[int, int]] = {}
    for row in standing(made):
        number, changed = found.get(row.asked, (0, 0))
        found[row.asked] = number + 1, changed + (row.after not in ("", row.before))
    return found


def common_reasons(made: Iterable[Decision]) -> list[tuple[str, int]]:
    """What experts gave as their reason, most often first."""
    return Counter(row.reason for row in standing(made) if row.reason).most_common(COMMON_REASONS)


def sittings(made: Iterable[Decision]) -> list[Sitting]:
    """Who decided how many without a break, by their beginning. Decisions on many events at once are left out."""
    times: dict[str, list[datetime]] = defaultdict(list)
    for row in made:
        if not row.in_bulk:
            times[row.expert].append(row.at)
    found = [sitting for expert, at in times.items() for sitting in _sittings_of(expert, sorted(at))]
    return sorted(found, key=lambda sitting: (sitting.begin, sitting.expert))


def _sittings_of(expert: str, times: list[datetime]) -> list[Sitting]:
    breaks = [number for number, (one, next) in enumerate(pairwise(times), start=1) if next - one > BREAK]
    spans = pairwise([0, *breaks, len(times)])
    return [Sitting(expert, times[first], times[end - 1], end - first) for first, end in spans]


def pace_per_h(found: Sequence[Sitting], last: int = LAST_SITTINGS) -> float | None:
    """Decisions of one expert per hour in the last sittings; None where nobody made two in a row."""
    known = [sitting for sitting in found if sitting.decisions > 1 and sitting.end > sitting.begin][-last:]
    time = sum((sitting.end - sitting.begin for sitting in known), timedelta())
    steps = sum(sitting.decisions - 1 for sitting in known)
    return steps / (time.total_seconds() / 3600) if time else None
