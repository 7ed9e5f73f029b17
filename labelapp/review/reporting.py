"""What people take away from the pages of progress, agreement and comparison: CSV, line by line."""

import csv
from collections import defaultdict
from collections.abc import Iterator

from labelapp.catalogue.exporting import Line
from labelapp.catalogue.models import Event, Site
from labelapp.catalogue.text import guarded, iso
from labelapp.review import agreement, progress, ratings
from labelapp.review.agreement import Estimate
from labelapp.review.comparing import Opinion, pairs
from labelapp.review.progress import Decision
from labelapp.review.standing import ANSWERS

PROGRESS = ("day", "expert", "decisions", *(kind.value for kind in ANSWERS), "withdrawn", "median_s")
AGREEMENT = ("figure", "of", "value", "low", "high", "n")
COMPARISON = ("event_id", "starttime", "before", "after")
CHUNK = 2_000


def progress_csv(site: Site) -> Iterator[str]:
    """One line a day (UTC) and expert, oldest first. `decisions` are those that stand; each kind has its column."""
    writer = csv.writer(Line())
    yield str(writer.writerow(PROGRESS))
    groups: dict[tuple[str, str], list[Decision]] = defaultdict(list)
    for row in progress.decisions(site):
        groups[row.at.date().isoformat(), row.expert].append(row)
    for (day, expert), rows in sorted(groups.items()):
        tally = progress.tally(rows)
        kinds = [tally.counts[kind] for kind in ANSWERS]
        seconds = "" if tally.median_s is None else f"{tally.median_s:.2f}"
        yield str(writer.writerow([day, guarded(expert), tally.decisions, *kinds, tally.withdrawn, seconds]))


def comparison_csv(opinions: list[Opinion]) -> Iterator[str]:
    """One line an event, in the order of the matrices' pairs: what two opinions say of it, or three."""
    writer = csv.writer(Line())
    found = pairs(*opinions)
    yield str(writer.writerow([*COMPARISON, *(["against"] if len(opinions) == 3 else [])]))
    for first in range(0, len(found), CHUNK):
        chunk = found[first : first + CHUNK]
        events = Event.objects.only("event_id", "starttime").in_bulk([pair.event for pair in chunk])
        for pair in chunk:
            event, said = events[pair.event], pair[1 : len(opinions) + 1]
            yield str(writer.writerow([guarded(event.event_id), iso(event.starttime), *(code or "" for code in said)]))


def agreement_csv(site: Site, *, before_machine: bool = False, tells_gold: bool = True) -> Iterator[str]:
    """One line a figure with its 95 % interval and the events it rests on; empty where it cannot be computed.

    Gold checks are told to managers alone: `tells_gold`.
    """
    writer = csv.writer(Line())
    yield str(writer.writerow(AGREEMENT))
    for figure, of, found in _agreement(site, before_machine, tells_gold):
        numbers = ["" if each is None else f"{each:.6f}" for each in found[:3]]
        yield str(writer.writerow([figure, guarded(of), *numbers, found.n]))


def _agreement(site: Site, before_machine: bool, tells_gold: bool) -> Iterator[tuple[str, str, Estimate]]:
    found = ratings.rounds(site, before_machine=before_machine)
    yield "fleiss_kappa", "all experts", agreement.fleiss_kappa(ratings.counted(found))
    for (one, other), kappa in ratings.kappas(found).items():
        yield "cohen_kappa", f"{one}, {other}", kappa
    for code, row in agreement.class_agreement(ratings.counted(found)).items():
        yield "specific_agreement", code, row.specific
        yield "class_kappa", code, row.kappa
    for expert, moved in agreement.movement_by_expert(ratings.moved(site)).items():
        yield "moved_by_the_machine", expert, moved.changed
    for expert, right in agreement.accuracy_by_expert(ratings.gold(site) if tells_gold else []).items():
        yield "right_on_gold", expert, right.right
