"""Which units a model learns from and which test it. The noise around an event stays with its event.

Units are divided class by class, by their own hash: one more, less or relabelled leaves nearly all others where they
are, so that what tested one model still tests the next.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal, cast

from mlcore.errors import BadConfiguration

Side = Literal["train", "validation", "test"]
NOISE = "/noise"


def noise_of(event_id: str) -> str:
    """The id of the noise around an event."""
    return event_id + NOISE


def group_of(event_id: str) -> str:
    """The event that a unit belongs to."""
    return event_id.removesuffix(NOISE)


def split_by_event(
    event_ids: Sequence[str],
    labels: Sequence[str],
    shares: tuple[float, float],
    seed: int,
    times: Sequence[datetime] | None = None,
) -> dict[str, Side]:
    """The side of each unit: stratified by class, all of an event together, the same for the same seed.

    An event more, less or relabelled leaves the others where they are, but for one of its class at most that begins or
    ends to test, and one that begins or ends to validate. With `times` (one for each id), a class's last events test,
    and those before them validate.
    `shares` are those of test and validation events. A class with one event trains; one with two trains and tests;
    one with three or more is on every side whose share is above zero.
    Raises BadConfiguration where one unit carries two labels.
    """
    units = _label_of_each(event_ids, labels)
    key = _by_time(event_ids, times) if times is not None else _by_hash(seed)
    sides: dict[str, Side] = {}
    for groups in _by_class(units).values():
        ordered = sorted(groups, key=key, reverse=times is not None)
        tests, validations = _side_counts(len(ordered), shares)
        trains = len(ordered) - tests - validations
        order = [("test", tests), ("train", trains), ("validation", validations)]
        for side, count in order if times is None else [order[0], order[2], order[1]]:
            sides |= dict.fromkeys(ordered[:count], cast(Side, side))
            ordered = ordered[count:]
    return {unit: sides[group_of(unit)] for unit in units}


def folds_by_event(event_ids: Sequence[str], labels: Sequence[str], folds: int, seed: int) -> dict[str, int]:
    """The fold 0…folds−1 of each unit: classes spread evenly, all of an event together, the same for the same seed.

    Events of a class are spread over the folds as evenly as their number allows, and so are those among them around
    which noise was cut. Each class begins at a fold of its own, so that what is left over does not meet in one fold.
    An event more or less moves few others, and those to a neighbouring fold.
    Raises BadConfiguration where one unit carries two labels, or for fewer than two folds.
    """
    if folds < 2:
        raise BadConfiguration(f"Events were to be divided into {folds} folds, but must be into at least 2.")
    units = _label_of_each(event_ids, labels)
    found: dict[str, int] = {}
    for label, groups in _by_class(units).items():
        offset = int(_place(f"class {label}", seed), 16)
        ordered = _interleaved(groups, lambda group: noise_of(group) in units, seed)
        for rank, group in enumerate(ordered):
            found[group] = (rank * folds // len(ordered) + offset) % folds
    return {unit: found[group_of(unit)] for unit in units}


def _by_class(units: dict[str, str]) -> dict[str, list[str]]:
    """The events of each class. An event has its own class, or that of its noise where only that is there."""
    label_of: dict[str, str] = {}
    for unit, label in units.items():
        if unit == group_of(unit) or group_of(unit) not in units:
            label_of[group_of(unit)] = label
    return {label: [g for g, its in label_of.items() if its == label] for label in sorted(set(label_of.values()))}


def _interleaved(groups: Iterable[str], kind: Callable[[str], bool], seed: int) -> list[str]:
    """Groups by their hash, those of either kind as evenly among the others as they come."""
    places: list[tuple[float, str]] = []
    ordered = sorted(groups, key=_by_hash(seed))
    for wanted in (True, False):
        alike = [group for group in ordered if kind(group) == wanted]
        places += [((rank + 0.5) / len(alike), group) for rank, group in enumerate(alike)]
    return [group for _, group in sorted(places)]


def _by_hash(seed: int) -> Callable[[str], str]:
    return lambda event: _place(event, seed)


def _by_time(event_ids: Sequence[str], times: Sequence[datetime]) -> Callable[[str], tuple[datetime, str]]:
    first: dict[str, datetime] = {}
    for unit, time in zip(event_ids, times, strict=True):
        first[group_of(unit)] = min(time, first.get(group_of(unit), time))
    return lambda event: (first[event], event)


def _place(event: str, seed: int) -> str:
    """Where an event stands among those of its class: by itself alone, whatever others there are."""
    return hashlib.sha256(f"{seed}:{event}".encode()).hexdigest()


def _side_counts(events: int, shares: tuple[float, float]) -> tuple[int, int]:
    """How many of a class's events test, and how many validate; at least one is left to train."""
    tests, validations = (max(round(share * events), 1) if share else 0 for share in shares)
    tests = min(tests, events - 1)
    return tests, min(validations, max(events - tests - 1, 0))


def _label_of_each(event_ids: Sequence[str], labels: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for event, label in zip(event_ids, labels, strict=True):
        if found.setdefault(event, label) != label:
            raise BadConfiguration(
                f"Event {event} is labelled both {found[event]} and {label}. Give all of its stations one label."
            )
    return found
