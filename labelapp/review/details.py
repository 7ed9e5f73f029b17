"""What else an expert said of an event, or did to it: the `details` of a row of the ledger.

Every key is optional; whatever is missing was not said. The chain hashes no floats, so numbers are kept as text.

    confidence  how sure the expert is: certain, likely, guess
    comment     in their own words
    verdict     on the machine's reason: right, wrong_reason (right class, wrong reason), wrong
    box         the misleading part of a map: {station, component, map, from_s, to_s, low_hz, high_hz}
    seconds     how long they looked, by the page's clock
    held_s      how long they held the item, by the server's clock, where the page measured nothing
    asked       why the event was in the queue
    withdraws   sequence of the row that this one takes back
    blind       sequence of what the same expert said before they saw the machine's opinion
    about       sequence of the decision that this is a second opinion on
    between     sequences of the two opinions that this decides between
    gold        {"expected": code}: a check against a class that is known
    batch       of the bulk relabel that wrote the row
    span        {"from": [start, end], "to": [start, end]}: boundaries that were moved
    into        id of the event that this one was merged into
    parts       ids of the events that this one was split into
    from_event  id of the event that this one was split off
"""

import math
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.text import check_text, shown

CONFIDENCES = ("certain", "likely", "guess")
VERDICTS = ("right", "wrong_reason", "wrong")
LONGEST_COMMENT = 2_000
LONGEST_REASON = 2_000
LONGEST_NAME = 200
# A day with an open page is no looking time, but no reason to lose a decision either.
LONGEST_LOOK_S = 1e7


def clean(said: Mapping[str, Any] | None) -> dict[str, Any]:
    """Details as they are written down: checked, numbers as text, without what was left empty.

    Raises Invalid, naming the key, for one that is unknown, or whose value is not of its kind.
    """
    given = {name: value for name, value in (said or {}).items() if value not in (None, "", {}, [])}
    if unknown := sorted(set(given) - set(_CLEANERS)):
        raise Invalid(f"Details have no {', '.join(map(shown, unknown))}. Known: {', '.join(_CLEANERS)}.")
    return {name: cleaned for name, value in given.items() if (cleaned := _CLEANERS[name](name, value)) != ""}


def clean_reason(reason: str) -> str:
    """An expert's reason as it is written down. Raises Invalid for text that is too long or odd."""
    reason = reason.strip()
    check_text("The reason", reason, LONGEST_REASON)
    return reason


def number(name: str, value: Any, least: float = -math.inf, most: float = math.inf) -> str:
    """A number as text that reads back as the same number. Raises Invalid for what is none, or beyond its bounds."""
    try:
        read = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        read = math.nan
    if not (math.isfinite(read) and least <= read <= most):
        bounds = "" if math.isinf(least) else f" from {least:g} to {most:g}"
        raise Invalid(f"{name} is {shown(str(value))}. Give a number{bounds}.")
    return repr(read)


def _one_of(*choices: str) -> Callable[[str, Any], str]:
    def check(name: str, value: Any) -> str:
        if value not in choices:
            raise Invalid(f"{name} is {shown(str(value))}. Choose one of: {', '.join(choices)}.")
        return str(value)

    return check


def _text(longest: int) -> Callable[[str, Any], str]:
    def check(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise Invalid(f"{name} is {shown(str(value))}. Give a text.")
        check_text(f"The {name}", value.strip(), longest)
        return value.strip()

    return check


def _seconds(name: str, value: Any) -> str:
    return number(name, value, 0, LONGEST_LOOK_S)


def _sequence(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Invalid(f"{name} is {shown(str(value))}. Give the sequence of a row of the ledger.")
    return value


def _sequences(name: str, value: Any) -> list[int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise Invalid(f"{name} is {shown(str(value))}. Give the sequences of two rows of the ledger.")
    return [_sequence(name, each) for each in value]


def _batch(name: str, value: Any) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError as error:
        raise Invalid(f"{name} is {shown(str(value))}. Give a UUID.") from error


def _box(name: str, value: Any) -> dict[str, str]:
    """A rectangle in time (seconds from the window's start) and frequency."""
    places = _exactly(name, value, ("station", "component", "map", "from_s", "to_s", "low_hz", "high_hz"))
    words = {key: _text(LONGEST_NAME)(f"{name}.{key}", places[key]) for key in ("station", "component", "map")}
    times = {key: number(f"{name}.{key}", places[key], -LONGEST_LOOK_S, LONGEST_LOOK_S) for key in ("from_s", "to_s")}
    band = {key: number(f"{name}.{key}", places[key], 0, 1e6) for key in ("low_hz", "high_hz")}
    for first, last in (("from_s", "to_s"), ("low_hz", "high_hz")):
        if float(places[first]) >= float(places[last]):
            raise Invalid(f"The {name} runs from {first} {places[first]} to {last} {places[last]}. Draw it larger.")
    return {**words, **times, **band}


def _gold(name: str, value: Any) -> dict[str, str]:
    return {"expected": _text(40)(name, _exactly(name, value, ("expected",))["expected"])}


def _span(name: str, value: Any) -> dict[str, list[str]]:
    places = _exactly(name, value, ("from", "to"))
    return {key: _times(f"{name}.{key}", places[key]) for key in ("from", "to")}


def _times(name: str, value: Any) -> list[str]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise Invalid(f"{name} is {shown(str(value))}. Give start and end in ISO 8601.")
    try:
        for time in value:
            datetime.fromisoformat(time)
    except (TypeError, ValueError) as error:
        raise Invalid(f"{name} is {shown(str(value))}. Give start and end in ISO 8601.") from error
    return [str(time) for time in value]


def _names(name: str, value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise Invalid(f"{name} is {shown(str(value))}. Give a list of event ids.")
    return [_text(LONGEST_NAME)(name, each) for each in value]


def _exactly(name: str, value: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, Mapping) or set(value) != set(keys):
        raise Invalid(f"The {name} is {shown(str(value))}. It needs exactly: {', '.join(keys)}.")
    return dict(value)


_CLEANERS: dict[str, Callable[[str, Any], Any]] = {
    "confidence": _one_of(*CONFIDENCES),
    "comment": _text(LONGEST_COMMENT),
    "verdict": _one_of(*VERDICTS),
    "box": _box,
    "seconds": _seconds,
    "held_s": _seconds,
    "asked": _text(20),
    "withdraws": _sequence,
    "blind": _sequence,
    "about": _sequence,
    "between": _sequences,
    "gold": _gold,
    "batch": _batch,
    "span": _span,
    "into": _text(LONGEST_NAME),
    "parts": _names,
    "from_event": _text(LONGEST_NAME),
}
