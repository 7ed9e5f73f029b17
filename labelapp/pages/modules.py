"""Which modules a page's script imports, so that the browser fetches all at once instead of one after another."""

import re
from functools import cache
from pathlib import Path

from django.conf import settings

FOLDER = Path(settings.BASE_DIR) / "frontend" / "static" / "js"
IMPORT = re.compile(r'^import .*? from "\./([\w-]+\.js)";$', re.MULTILINE)


@cache
def modules_of(name: str) -> tuple[str, ...]:
    """Paths below static/ of every module that js/NAME imports, and that those import; not what is loaded on demand."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        text = (FOLDER / waiting.pop()).read_text(encoding="utf-8")
        fresh = [each for each in IMPORT.findall(text) if each not in found]
        found.update(fresh)
        waiting.extend(fresh)
    return tuple(f"js/{each}" for each in sorted(found))
