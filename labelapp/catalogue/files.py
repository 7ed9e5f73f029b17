"""Files that are written at once: the old one stays whole until the new one is."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labelapp.catalogue.errors import Refused


class _Plain:
    """A command's output without the line end that it adds to each writing."""

    def __init__(self, out: Any):
        self.out = out

    def write(self, text: str) -> int:
        """Write the text as it is."""
        self.out.write(text, ending="")
        return len(text)


@contextmanager
def replaced(path: Path | None, out: Any) -> Iterator[Any]:
    """A text stream to write an export to: `path`, replaced at once at the end, or a command's `out` without one.

    Raises Refused where the file cannot be written; the old one then stays as it was.
    """
    if path is None:
        yield _Plain(out)
        return
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", text=True)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}. Choose another file with --out.") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
        os.chmod(name, 0o640)
        os.replace(name, path)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}. Choose another file with --out.") from error
    finally:
        Path(name).unlink(missing_ok=True)
