"""The chain that makes a ledger of decisions provable, and its check without database or network.

    python chain.py relabels.jsonl [--expect-head HASH] [--partial]

Needs this file and Python only. Each line of an export is one decision: a JSON object with every fact, the hash of
the line before (`previous_hash`) and its own `hash`, the SHA-256 of all the rest written as canonical JSON: keys
sorted, no blanks, ASCII. Whoever changes, removes or reorders a line must rewrite every hash after it, and then the
last hash is another one: note the head that the check prints, elsewhere, and ask for it with --expect-head. Only that
finds lines cut off the end, or a ledger written anew.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

FIRST_PREVIOUS = ""


class Problem(NamedTuple):
    """What is wrong with the row at `sequence`; None where no single row is to blame."""

    sequence: int | None
    what: str

    def __str__(self) -> str:
        return self.what if self.sequence is None else f"row {self.sequence}: {self.what}"


def canonical(facts: dict[str, Any]) -> str:
    """Facts as JSON that is the same wherever it is written. Raises ValueError for floats, which are not."""
    _refuse_floats(facts)
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def row_hash(facts: dict[str, Any]) -> str:
    """SHA-256 of a row's facts, `previous_hash` among them, `hash` not."""
    return hashlib.sha256(canonical(facts).encode("ascii")).hexdigest()


def check(rows: Iterable[dict[str, Any]], *, partial: bool = False) -> Iterator[Problem]:
    """Problems of a site's rows in the order given. `partial`: the first may follow rows that are not given."""
    before: dict[str, Any] | None = None
    for row in rows:
        yield from _check_place(row, before, partial)
        facts = {name: value for name, value in row.items() if name != "hash"}
        if _hash_or_none(facts) != row.get("hash"):
            yield Problem(row.get("sequence"), "its facts do not give its hash: it was changed after it was written.")
        before = row


def _check_place(row: dict[str, Any], before: dict[str, Any] | None, partial: bool) -> Iterator[Problem]:
    sequence = row.get("sequence")
    if before is None and partial:
        return
    expected = 1 if before is None else _next(before.get("sequence"))
    if sequence != expected:
        yield Problem(sequence, f"expected row {expected} here: rows were removed, added or reordered.")
    if row.get("previous_hash") != (FIRST_PREVIOUS if before is None else before.get("hash")):
        yield Problem(sequence, "it does not follow the row before it: its previous_hash is another.")


def _next(sequence: Any) -> int | None:
    return sequence + 1 if isinstance(sequence, int) else None


def _hash_or_none(facts: dict[str, Any]) -> str | None:
    try:
        return row_hash(facts)
    except ValueError:
        return None


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise ValueError(f"{value!r} is a float: hash its text instead.")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _refuse_floats(inner)


def read_export(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of a jsonl export. Raises ValueError naming the line that is none."""
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is no JSON object")
        rows.append(row)
    return rows


def find_head(rows: list[dict[str, Any]], head: str) -> int | None:
    """How many rows were added since `head` was the last hash; None where no row has it."""
    hashes = [FIRST_PREVIOUS, *(row.get("hash") for row in rows)]
    return len(hashes) - 1 - hashes.index(head) if head in hashes else None


def main(arguments: list[str] | None = None) -> int:
    """Check an export; → exit code, 0 where it is sound."""
    parser = argparse.ArgumentParser(description="Verify an exported relabel ledger offline.")
    parser.add_argument("file", help="a jsonl export; - reads standard input")
    parser.add_argument("--expect-head", metavar="HASH", help="a head noted earlier, which must be in the ledger still")
    parser.add_argument("--partial", action="store_true", help="the export begins after row 1 (--since)")
    options = parser.parse_args(arguments)
    try:
        with sys.stdin if options.file == "-" else open(options.file, encoding="utf-8-sig") as lines:
            rows = read_export(lines)
    except (OSError, ValueError) as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 2
    problems = list(check(rows, partial=options.partial))
    if options.expect_head and find_head(rows, options.expect_head) is None:
        problems.append(
            Problem(None, f"no row has the expected head {options.expect_head}: rows are missing at the end.")
        )
    for problem in problems:
        print(problem, file=sys.stderr)
    head = rows[-1].get("hash") if rows else "none"
    print(f"{len(rows)} decisions, {len(problems)} problems, head {head}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
