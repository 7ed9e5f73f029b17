"""Static files: under names that carry their checksum, and Plotly with what the pages draw."""

import hashlib
import re
from pathlib import Path
from typing import Any

import plotly
from django.conf import settings
from django.contrib.staticfiles.finders import FileSystemFinder
from django.core.files.storage import FileSystemStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.files import replaced

WHOLE_PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
DRAWN = ("heatmap",)  # kinds of traces; scatter is part of Plotly's core
REGISTERED = re.compile(r"\.register\(\[([\w$(),]+)\]\)")


class ModuleStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """A browser never mixes the modules of two versions: each import is rewritten to the checksummed name."""

    support_js_module_import_aggregation = True
    # Each pass names what the one before has named: as many as modules import each other in a row, and some to come.
    max_post_process_passes = 30


class PlotlyFinder(FileSystemFinder):
    """`plotly/plotly.min.js` out of its wheel, which begins with what the pages draw only."""

    def __init__(self, *args: Any, **options: Any) -> None:
        folder = str(_folder_of_plotly())
        storage = FileSystemStorage(location=folder)
        storage.prefix = "plotly"  # type: ignore[attr-defined]  # Django's own finders set it so
        self.locations = [("plotly", folder)]
        self.storages = {folder: storage}

    def check(self, **options: Any) -> list[Any]:
        return []


def with_what_is_drawn(bundle: str) -> str:
    """Plotly's bundle without the kinds of traces that no page draws; as it is where they cannot be told apart.

    What is not registered is never run, and a browser reads what it runs only. Nothing else of the bundle is touched.
    """
    found = REGISTERED.findall(bundle)
    entries = found[0].split(",") if len(found) == 1 else []
    kept = [entry for entry in entries if _kind_of(bundle, entry.removesuffix("()")) in DRAWN]
    return REGISTERED.sub(lambda _: f".register([{','.join(kept)}])", bundle) if len(kept) == len(DRAWN) else bundle


def _kind_of(bundle: str, entry: str) -> str | None:
    """The kind of traces that an entry of Plotly's register stands for; None for what is none."""
    handed_on = _module(bundle, entry, r'"use strict";[\w$]+\.exports=([\w$]+)\(\)')
    return handed_on and _module(bundle, handed_on, r'.*?moduleType:"trace",name:"(\w+)"')


def _module(bundle: str, name: str, pattern: str) -> str | None:
    """What the pattern finds in the module of that name, from its beginning on and before the next."""
    found = re.search(rf"var {re.escape(name)}=\w+\(\([\w$,]*\)=>\{{(.*?)(?=\}}\);var |$)", bundle, re.DOTALL)
    text = re.match(pattern, found[1], re.DOTALL) if found else None
    return text[1] if text else None


def _folder_of_plotly() -> Path:
    """Where the bundle for the pages lies, made once for each version; the wheel's, where none can be written."""
    version = f"{plotly.__version__} {WHOLE_PLOTLY.stat().st_size}".encode() + Path(__file__).read_bytes()
    made = Path(settings.HOME) / "plotly" / hashlib.sha256(version).hexdigest()[:12] / "plotly.min.js"
    try:
        if not made.exists():
            made.parent.mkdir(parents=True, exist_ok=True)
            with replaced(made, None) as file:
                file.write(with_what_is_drawn(WHOLE_PLOTLY.read_text(encoding="utf-8")))
    except (OSError, Refused):
        return WHOLE_PLOTLY.parent
    return made.parent
