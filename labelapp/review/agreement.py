"""How far experts agree, how far the machine moves them, and how often they are right where that is known.

Pure functions on plain lists; `ratings` reads these lists from the ledger. A figure that cannot be computed is None
(nobody rated twice, or only one class was ever given: then there is no agreement beyond chance to speak of).

Intervals hold at 95 %. Those of κ and of per-class agreement are value ± 1.96 standard errors, cut at the ends of the
scale; that of Cohen's κ by the large-sample variance of Fleiss, Cohen & Everitt 1969, the others by leaving out one
event after the other (jackknife: Fleiss & Davies 1982, Am. J. Epidemiol. 115:841). Those of shares are Wilson's 1927.
Few events give intervals that are too narrow: say how many there were.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

# Of the normal distribution: so many standard errors hold 95 %.
Z = 1.959963984540054
# κ above so much is called so.
WORDS = ((0.8, "almost perfect"), (0.6, "substantial"), (0.4, "moderate"), (0.2, "fair"), (0.0, "slight"))


class Estimate(NamedTuple):
    """A figure with its 95 % interval, and on how many events it rests. None where it cannot be computed."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class ClassAgreement(NamedTuple):
    """How far raters agree on one class. `specific`: where one gave it, the chance that another did too."""

    specific: Estimate
    kappa: Estimate
    ratings: int  # how often the class was given


class Moved(NamedTuple):
    """One event: what the expert said before they saw the machine's opinion, and after; None: could not tell."""

    expert: str
    before: str | None
    machine: str
    after: str | None


class Movement(NamedTuple):
    """Of `events` looked at blindly first: how many the expert then called otherwise, and in which direction."""

    events: int
    agreed: int  # said blindly what the machine said
    changed: Estimate  # share that was called otherwise after
    towards: int  # … and then what the machine says
    away: int  # … and before what the machine says
    elsewhere: int  # … neither before nor after what the machine says

    @property
    def changes(self) -> int:
        """How many events were called otherwise after."""
        return self.towards + self.away + self.elsewhere


class Gold(NamedTuple):
    """One answer to a gold check; `said` None: could not tell."""

    expert: str
    expected: str
    said: str | None


class Accuracy(NamedTuple):
    """Of the gold checks that were answered with a class, how many rightly; and how many were not."""

    right: Estimate
    unsure: int


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> Estimate:
    """Cohen's κ of two raters, (what one said, what the other said) per event.

    κ = (p_o − p_e) / (1 − p_e), p_o the share of events on which they agree, p_e that which their margins give by
    chance (Cohen 1960). Its variance, with p_ij the shares of the table, p_i. and p_.j its margins:

        Var κ = { Σ_i p_ii [(1−p_e) − (p_i.+p_.i)(1−p_o)]² + (1−p_o)² Σ_{i≠j} p_ij (p_.i+p_j.)²
                  − (p_o p_e − 2 p_e + p_o)² } / (n (1−p_e)⁴)       Fleiss, Cohen & Everitt 1969, eq. 13
    """
    n, table = len(pairs), Counter(pairs)
    if not n:
        return Estimate(None, None, None, 0)
    p = {cell: count / n for cell, count in table.items()}
    first, second = _margin(p, 0), _margin(p, 1)
    observed = sum(share for (i, j), share in p.items() if i == j)
    expected = sum(share * second[code] for code, share in first.items())
    if math.isclose(expected, 1):
        return Estimate(None, None, None, n)
    kappa = (observed - expected) / (1 - expected)
    agreeing = sum(
        share * ((1 - expected) - (first[i] + second[i]) * (1 - observed)) ** 2 for (i, j), share in p.items() if i == j
    )
    differing = sum(share * (second[i] + first[j]) ** 2 for (i, j), share in p.items() if i != j)
    spread = agreeing + (1 - observed) ** 2 * differing - (observed * expected - 2 * expected + observed) ** 2
    return _interval(kappa, math.sqrt(max(spread, 0) / n) / (1 - expected) ** 2, n)


def fleiss_kappa(events: Sequence[Mapping[str, int]]) -> Estimate:
    """Fleiss' κ of any number of raters: per event {class: how many gave it}. Events with one rating are left out.

    κ = (P̄ − P̄_e) / (1 − P̄_e), P̄ the mean over the events of the share of pairs of raters who agree, P̄_e = Σ_j p_j²
    with p_j the share of class j among all ratings (Fleiss 1971). Events may have different numbers of ratings.
    """
    return _jackknifed(_kept(events), _fleiss)


def class_agreement(events: Sequence[Mapping[str, int]]) -> dict[str, ClassAgreement]:
    """Agreement on each class, by its code: per event {class: how many gave it}; events with one rating are left out.

    Specific agreement is Σ n_j (n_j − 1) / Σ n_j (n − 1) over the events, n_j of whose n ratings are class j
    (Cicchetti & Feinstein 1990); κ_j is Fleiss' κ of the class against all others (Fleiss 1971, eq. 23).
    """
    kept = _kept(events)
    codes = sorted({code for event in kept for code, count in event.items() if count})
    return {code: _agreement_on(code, kept) for code in codes}


def movement(rows: Iterable[Moved]) -> Movement:
    """How often, and in which direction, the machine's opinion moved experts."""
    rows = list(rows)
    changed = [row for row in rows if row.after != row.before]
    towards = sum(row.after == row.machine for row in changed)
    away = sum(row.before == row.machine for row in changed)
    return Movement(
        events=len(rows),
        agreed=sum(row.before == row.machine for row in rows),
        changed=share(len(changed), len(rows)),
        towards=towards,
        away=away,
        elsewhere=len(changed) - towards - away,
    )


def movement_by_expert(rows: Iterable[Moved]) -> dict[str, Movement]:
    """{expert: how the machine moved them}"""
    return {name: movement(group) for name, group in _grouped(rows, "expert").items()}


def movement_by_class(rows: Iterable[Moved]) -> dict[str | None, Movement]:
    """{what was said blindly: how the machine moved experts from there}"""
    return {code: movement(group) for code, group in _grouped(rows, "before").items()}


def accuracy(rows: Iterable[Gold]) -> Accuracy:
    """How often gold checks were answered rightly, of those that were answered with a class."""
    rows = list(rows)
    told = [row for row in rows if row.said is not None]
    return Accuracy(share(sum(row.said == row.expected for row in told), len(told)), len(rows) - len(told))


def accuracy_by_expert(rows: Iterable[Gold]) -> dict[str, Accuracy]:
    """{expert: how often they were right}"""
    return {name: accuracy(group) for name, group in _grouped(rows, "expert").items()}


def accuracy_by_class(rows: Iterable[Gold]) -> dict[str, Accuracy]:
    """{class that is known: how often it was recognised}"""
    return {code: accuracy(group) for code, group in _grouped(rows, "expected").items()}


def share(hits: int, n: int) -> Estimate:
    """A share with Wilson's 1927 interval, which holds for few events and at 0 and 1 as well."""
    if not n:
        return Estimate(None, None, None, 0)
    p, z2 = hits / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return Estimate(p, max(0.0, middle - half), min(1.0, middle + half), n)


def in_words(kappa: float | None) -> str:
    """Landis & Koch's 1977 words for a κ: a habit, not a law."""
    if kappa is None:
        return "not to be computed"
    return next((word for least, word in WORDS if kappa > least), "poor")


def _margin(p: Mapping[tuple[str, str], float], side: int) -> defaultdict[str, float]:
    margin: defaultdict[str, float] = defaultdict(float)
    for cell, shared in p.items():
        margin[cell[side]] += shared
    return margin


def _kept(events: Sequence[Mapping[str, int]]) -> list[Mapping[str, int]]:
    return [event for event in events if sum(event.values()) > 1]


def _fleiss(events: Mapping[tuple[tuple[str, int], ...], int]) -> float | None:
    """κ of events, given as {ratings: number of events that have them}."""
    n, agreeing, given = 0, 0.0, Counter[str]()
    for ratings, times in events.items():
        raters = sum(count for _, count in ratings)
        agreeing += times * sum(count * (count - 1) for _, count in ratings) / (raters * (raters - 1))
        n += times
        for code, count in ratings:
            given[code] += times * count
    total = given.total()
    expected = sum((count / total) ** 2 for count in given.values()) if total else 1.0
    return None if math.isclose(expected, 1) else (agreeing / n - expected) / (1 - expected)


def _agreement_on(code: str, events: list[Mapping[str, int]]) -> ClassAgreement:
    given = [(event.get(code, 0), sum(event.values())) for event in events]
    binary = [{"yes": yes, "no": all_ - yes} for yes, all_ in given]
    ratings = sum(yes for yes, _ in given)
    return ClassAgreement(_jackknifed(binary, _specific), _jackknifed(binary, _fleiss), ratings)


def _specific(events: Mapping[tuple[tuple[str, int], ...], int]) -> float | None:
    both, once = 0, 0
    for ratings, times in events.items():
        counts = dict(ratings)
        yes = counts.get("yes", 0)
        both += times * yes * (yes - 1)
        once += times * yes * (sum(counts.values()) - 1)
    return both / once if once else None


def _jackknifed(events: Sequence[Mapping[str, int]], figure: Callable[[Mapping[Any, int]], float | None]) -> Estimate:
    """A figure of events with its interval, by leaving out one event after the other; events that are alike together.

    Var θ = (n − 1)/n · Σ_i (θ_(i) − θ_(·))², θ_(i) the figure without event i
    """
    alike = Counter(tuple(sorted((code, count) for code, count in event.items() if count)) for event in events)
    value, n = figure(alike), len(events)
    if value is None:
        return Estimate(None, None, None, n)
    without = [(figure(alike - Counter({ratings: 1})), times) for ratings, times in alike.items()]
    if n < 2 or any(left is None for left, _ in without):
        return Estimate(value, None, None, n)
    mean = sum((left or 0.0) * times for left, times in without) / n
    spread = sum(times * ((left or 0.0) - mean) ** 2 for left, times in without)
    return _interval(value, math.sqrt((n - 1) / n * spread), n)


def _interval(value: float, error: float, n: int) -> Estimate:
    return Estimate(value, max(-1.0, value - Z * error), min(1.0, value + Z * error), n)


def _grouped(rows: Iterable[Any], by: str) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, by)].append(row)
    return dict(sorted(groups.items(), key=lambda group: (group[0] is None, group[0] or "")))
