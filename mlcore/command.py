"""What the commands of mlcore share: JSON on stdout, progress and errors on stderr, an exit code that tells."""

import json
import sys
from collections.abc import Callable
from typing import Any

from mlcore.errors import SeisloopError
from mlcore.training import Progress


def run(main: Callable[[], None]) -> None:
    """Run a command. A user's mistake ends it with its message and exit code 1, without a traceback."""
    try:
        main()
    except SeisloopError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    except KeyboardInterrupt:
        print("cancelled", file=sys.stderr)
        raise SystemExit(130) from None


def show_progress(progress: Progress) -> None:
    """A line that is rewritten on a terminal; elsewhere, one line per epoch and per finished stage."""
    line = f"{progress.stage} {progress.fraction:4.0%}  {progress.message}"
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{line}", end="\n" if progress.fraction >= 1 else "", file=sys.stderr, flush=True)
    elif progress.metrics or progress.fraction >= 1:
        print(line, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """The result of a command. NaN is refused: it is no JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
