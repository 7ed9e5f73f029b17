"""Text: what of it may be stored, how odd text is shown, how spreadsheets are disarmed, how a time is written."""

import re
from datetime import UTC, datetime

from labelapp.catalogue.errors import Invalid

# They show text in another order than it is stored.
DIRECTION_MARKS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
# A spreadsheet takes a text that begins so for a formula; an apostrophe before it keeps it a text.
FORMULA = re.compile(r"'*[=+\-@\t\r]")


def printable(text: str) -> str:
    """Text with a question mark's sign for what a database refuses, or what fakes the text that is read."""
    return "".join("�" if _is_half(c) or _is_control(c) else c for c in text)


def check_text(name: str, text: str, longest: int) -> None:
    """Raises Invalid for text that is too long, is no UTF-8, or holds characters that hide or break what is read."""
    if len(text) > longest:
        raise Invalid(f"{name} has {len(text)} characters, beginning {shown(text)}. At most {longest} are allowed.")
    if any(_is_half(c) for c in text):
        raise Invalid(f"{name} is no UTF-8: {shown(text)}.")
    if any(_is_control(c) for c in text):
        raise Invalid(f"{name} holds control characters: {shown(text)}. Remove them.")


def shown(text: str) -> str:
    """Text as it may safely stand in a message: short, its odd characters escaped."""
    return ascii(text[:60] + ("…" if len(text) > 60 else ""))


def iso(time: datetime) -> str:
    """A time in UTC with microseconds and Z: so it stands in exports, in the ledger, and under its hashes."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def guarded(text: str) -> str:
    """Text that a spreadsheet will not take for a formula; `unguarded` gives it back."""
    return "'" + text if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """Undo `guarded`."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def _is_half(c: str) -> bool:
    """Half of a surrogate pair: a byte that was no UTF-8."""
    return 0xD800 <= ord(c) <= 0xDFFF


def _is_control(c: str) -> bool:
    return (ord(c) < 32 and c not in "\n\t\r") or 0x7F <= ord(c) < 0xA0 or ord(c) in DIRECTION_MARKS
