"""Checksums of facts and files, the same on every database and machine."""

import hashlib
import json
from typing import Any


def of_bytes(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def of_facts(facts: dict[str, Any]) -> str:
    """SHA-256 of facts as JSON with sorted keys. Floats go in as text (repr), so that 1 and 1.0 stay the same fact."""
    return of_bytes(json.dumps(_floats_as_text(facts), sort_keys=True, separators=(",", ":")).encode())


def of_files(files: dict[str, bytes]) -> str:
    """SHA-256 over the lines `sha256sum` prints for the files, sorted by name."""
    return of_bytes("".join(f"{of_bytes(files[name])}  {name}\n" for name in sorted(files)).encode())


def _floats_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _floats_as_text(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_floats_as_text(inner) for inner in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return value
