"""Classification schemes: the classes of a site, by default those of Jiang et al., or read from a file.

A file is TOML (`[[classes]]` tables), JSON (a list, or an object with `classes`) or CSV (a header line), with
code, name, colour, key and quakeml_type for each class. All but the code may be left out.
"""

import csv
import io
import json
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.text import check_text

LARGEST_SCHEME_BYTES = 100_000
MOST_CLASSES = 9  # one key each, 1 to 9

# Okabe and Ito's palette, told apart with any colour vision.
PALETTE = ("#0072B2", "#E69F00", "#D55E00", "#999999", "#009E73", "#CC79A7", "#56B4E9", "#F0E442", "#000000")

# The EventType enumeration of QuakeML 1.2 (BED).
QUAKEML_TYPES = (
    "not existing", "not reported", "earthquake", "anthropogenic event", "collapse", "cavity collapse",
    "mine collapse", "building collapse", "explosion", "accidental explosion", "chemical explosion",
    "controlled explosion", "experimental explosion", "industrial explosion", "mining explosion", "quarry blast",
    "road cut", "blasting levee", "nuclear explosion", "induced or triggered event", "rock burst",
    "reservoir loading", "fluid injection", "fluid extraction", "crash", "plane crash", "train crash", "boat crash",
    "other event", "atmospheric event", "sonic boom", "sonic blast", "acoustic noise", "thunder", "avalanche",
    "snow avalanche", "debris avalanche", "hydroacoustic event", "ice quake", "slide", "landslide", "rockslide",
    "meteorite", "volcanic eruption",
)  # fmt: skip


@dataclass(frozen=True)
class ClassFacts:
    """One class of a scheme, before it belongs to a site."""

    code: str
    name: str
    colour: str
    key: str
    quakeml_type: str = "other event"


# Jiang et al. 2024. QuakeML has no word for a quake within the slope, nor for a single fall of rock: "other event" and
# "rockslide" come nearest. Noise is what QuakeML calls "not existing", so that readers do not count it as an event.
DEFAULT_CLASSES = (
    ClassFacts("earthquake", "Earthquake", PALETTE[0], "1", "earthquake"),
    ClassFacts("quake", "Quake", PALETTE[1], "2", "other event"),
    ClassFacts("rockfall", "Rockfall", PALETTE[2], "3", "rockslide"),
    ClassFacts("noise", "Noise", PALETTE[3], "4", "not existing"),
)


def read_scheme(path: str | Path) -> tuple[ClassFacts, ...]:
    """The classes in a TOML, JSON or CSV file. Raises Invalid, naming the file and what is wrong in it."""
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_SCHEME_BYTES:
            raise Invalid(f"{path} has {path.stat().st_size} bytes; a class file has at most {LARGEST_SCHEME_BYTES}.")
        return scheme(_rows(path.suffix.lower(), path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, ValueError, csv.Error) as error:  # tomllib and json raise ValueErrors
        raise Invalid(f"{path} is no readable class file: {error}.") from error


def scheme(rows: Sequence[Mapping[str, Any]]) -> tuple[ClassFacts, ...]:
    """Classes from rows of text, defaults filled in. Raises Invalid when they contradict each other."""
    if not 2 <= len(rows) <= MOST_CLASSES:
        raise Invalid(f"A scheme has 2 to {MOST_CLASSES} classes (one key each); {len(rows)} were given.")
    classes = tuple(_class(number, row) for number, row in enumerate(rows))
    for what in ("code", "key", "name"):
        value, count = Counter(getattr(c, what) for c in classes).most_common(1)[0]
        if count > 1:
            raise Invalid(f"{count} classes have the {what} {value!r}. Give each class a {what} of its own.")
    return classes


def _rows(suffix: str, text: str) -> Sequence[Mapping[str, Any]]:
    if suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text), strict=True))
    if suffix not in {".toml", ".json"}:
        raise Invalid(f"A class file ends in .toml, .json or .csv, not {suffix!r}.")
    content = tomllib.loads(text) if suffix == ".toml" else json.loads(text)
    rows = content.get("classes") if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid("A class file holds a list of classes, each with at least a code.")
    return rows


def _class(number: int, row: Mapping[str, Any]) -> ClassFacts:
    known = [field.name for field in fields(ClassFacts)]
    if strangers := [str(name) for name in row if name not in known]:
        raise Invalid(f"Class {number + 1} has unknown fields: {', '.join(strangers)}. Known: {', '.join(known)}.")
    given = {name: str(value).strip() for name, value in row.items() if value not in (None, "")}
    for name, value in given.items():
        check_text(f"{name} of class {number + 1}", value, 80)
    code = given.get("code", "")
    if not code:
        raise Invalid(f"Class {number + 1} has no code.")
    words = code.replace("_", " ")
    defaults = {"name": words.capitalize(), "colour": PALETTE[number], "key": str(number + 1)}
    defaults["quakeml_type"] = words if words in QUAKEML_TYPES else "other event"
    facts = ClassFacts(**{**defaults, **given})
    if facts.quakeml_type not in QUAKEML_TYPES:
        raise Invalid(
            f"{code} has the QuakeML type {facts.quakeml_type!r}, which QuakeML 1.2 does not know. "
            f"Use one of: {', '.join(QUAKEML_TYPES)}."
        )
    return facts
