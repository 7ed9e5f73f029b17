"""A recipe in words: names without underscores, units where they belong."""

from collections.abc import Mapping
from typing import Any

# A database gives them in any order.
SECTIONS = (
    "pool",
    "spectrogram",
    "views",
    "encoder",
    "method",
    "evaluation",
    "catalogue",
    "placement",
    "preprocessing",
    "network",
    "training",
    "trigger",
    "post_processing",
    "explanation",
)
UNITS = {"s": "s", "hz": "Hz", "km": "km", "m": "m", "db": "dB", "deg": "°"}


def recipe_in_words(recipe: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """[(section, [(name, value), …]), …] of a recipe's tables; what stands in no table comes first."""
    if not isinstance(recipe, Mapping):
        return []
    loose = [line(name, value) for name, value in recipe.items() if not isinstance(value, Mapping)]
    tables = [
        (str(title).replace("_", " "), [line(name, value) for name, value in table.items()])
        for title, table in sorted(recipe.items(), key=lambda item: (*SECTIONS, item[0]).index(item[0]))
        if isinstance(table, Mapping)
    ]
    return [*([("general", loose)] if loose else []), *(table for table in tables if table[1])]


def line(name: str, value: Any) -> tuple[str, str]:
    """("sampling_rate_hz", 250.0) → ("sampling rate", "250 Hz")"""
    words = str(name).split("_")
    unit = UNITS.get(words[-1], "") if len(words) > 1 else ""
    said = in_words(value)
    return " ".join(words[:-1] if unit else words), f"{said} {unit}" if unit and said != "none" else said


def in_words(value: Any) -> str:
    """A setting as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, int | float):
        return f"{value:g}" if abs(value) < 1e6 else f"{value}"
    if isinstance(value, list):
        return _list(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {in_words(each)}" for name, each in value.items())
    return str(value)


def _list(values: list[Any]) -> str:
    is_span = len(values) == 2 and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return ("–" if is_span else ", ").join(in_words(value) for value in values)
