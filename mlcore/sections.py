"""What the sections of a recipe share: strictly from and to plain values, and the checks of their settings."""

import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from mlcore.errors import BadConfiguration

# A setting that is a table of lists, such as {mass_movement = ["rockfall", "slide"]}. It is never changed in place.
Table = dict[str, tuple[str, ...]]


class Section:
    """What all sections share: to and from plain dictionaries, strictly."""

    def to_dict(self) -> dict[str, Any]:
        """The section as values that JSON and TOML can hold."""
        return _plain(asdict(self))  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The section with `values` over its defaults. Raises BadConfiguration for unknown keys and wrong types."""
        section = _title(cls)
        if not isinstance(values, Mapping):
            raise BadConfiguration(f"{section} is {values!r}, but must be a table of settings.")
        hints = get_type_hints(cls)
        known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        for key in values:
            if key not in known:
                raise BadConfiguration(f"{section} has no setting {key!r}. Known settings: {', '.join(known)}.")
        return cls(**{key: _typed(hints[key], value, f"{section}.{key}") for key, value in values.items()})


class RecipeFile(Section):
    """A section that holds all others of a recipe, and is kept as a TOML file with a table for each."""

    def to_toml(self) -> str:
        """The recipe as a file that `from_toml` reads, every setting written out."""
        return toml(self.to_dict())

    @classmethod
    def from_toml(cls, path: Path | str) -> Self:
        """The recipe in a TOML file, one table a section. Raises BadConfiguration where it cannot be read."""
        try:
            values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadConfiguration(f"{path} cannot be read as TOML: {error}. Mend or choose another file.") from error
        try:
            return cls.from_dict(values)
        except BadConfiguration as error:
            raise BadConfiguration(f"{path}: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _typed(expected: Any, value: Any, name: str) -> Any:
    """`value` as the type its field declares. A whole number serves as a float; nothing else is converted."""
    origin, arguments = get_origin(expected), get_args(expected)
    if isinstance(expected, type) and issubclass(expected, Section):
        return expected.from_dict(value)
    if origin is Literal:
        require(value in arguments, f"{name} is {value!r}, but must be one of {', '.join(map(repr, arguments))}.")
        return value
    if origin is tuple:
        return _typed_tuple(arguments, value, name)
    if origin is dict:
        require(isinstance(value, Mapping), f"{name} is {value!r}, but must be a table.")
        return {key: _typed(arguments[1], item, f"{name}.{key}") for key, item in value.items()}
    if expected is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e100
        require(number, f"{name} is {value!r}, but must be a finite number.")
        return float(value)
    right = isinstance(value, expected) and not (expected is int and isinstance(value, bool))
    require(right, f"{name} is {value!r}, but must be of type {expected.__name__}.")
    return value


def _typed_tuple(arguments: tuple[Any, ...], value: Any, name: str) -> tuple[Any, ...]:
    require(isinstance(value, list | tuple), f"{name} is {value!r}, but must be a list.")
    if arguments[-1] is Ellipsis:
        return tuple(_typed(arguments[0], item, name) for item in value)
    require(len(value) == len(arguments), f"{name} has {len(value)} values, but must have {len(arguments)}.")
    return tuple(_typed(kind, item, name) for kind, item in zip(arguments, value, strict=True))


def toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Sections of plain values as TOML. A setting that is a table of lists follows the others of its section."""
    tables: dict[str, dict[str, Any]] = {}
    for title, settings in sections.items():
        tables[title] = {key: value for key, value in settings.items() if not isinstance(value, Mapping)}
        tables |= {f"{title}.{key}": dict(value) for key, value in settings.items() if isinstance(value, Mapping)}
    return "\n".join(f"[{title}]\n{_toml_lines(settings)}" for title, settings in tables.items())


def _toml_lines(settings: Mapping[str, Any]) -> str:
    return "".join(f"{_toml_key(key)} = {_toml_value(value)}\n" for key, value in settings.items())


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml_value(key)


def _toml_value(value: Any) -> str:
    """What JSON writes of strings, numbers, truths and lists is TOML too, but for the character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def require(condition: bool, message: str) -> None:
    if not condition:
        raise BadConfiguration(message)


def positive(section: Section, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        require(value > 0 and math.isfinite(value), f"{_full(section, name)} is {value!r}, but must be above 0.")


def not_negative(section: Section, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        require(value >= 0 and math.isfinite(value), f"{_full(section, name)} is {value!r}, but must not be negative.")


def within(section: Section, low: float, high: float, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        require(low <= value <= high, f"{_full(section, name)} is {value!r}, but must be from {low:,} to {high:,}.")


def share(section: Section, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        require(0 <= value <= 1, f"{_full(section, name)} is {value!r}, but must lie between 0 and 1.")


def _full(section: Section, name: str) -> str:
    return f"{_title(type(section))}.{name}"


def _title(section: type[Section]) -> str:
    """The section's name as its TOML table writes it: PostProcessing → post_processing."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", section.__name__).lower()
