"""What a run that ended early goes on from: on the disk of its worker, for a time, and said with its size."""

import re
import shutil
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from labelapp.learning import models
from labelapp.learning.models import Run

OF_A_RUN = re.compile(r"run-(\d+)")


def drop_useless() -> None:
    """Remove what no run goes on from: of runs that are done or unknown, or that ended early too long ago.

    A run whose checkpoint is gone can still be resumed; it begins again.
    """
    before = timezone.now() - timedelta(days=settings.KEEP_CHECKPOINTS_DAYS)
    old = Run.objects.filter(state__in=Run.ENDED, finished_at__lt=before)
    serve = Run.objects.exclude(state=Run.State.DONE).exclude(pk__in=old.values("pk"))
    for folder in models.CHECKPOINTS.glob("run-*"):
        run = OF_A_RUN.fullmatch(folder.name)
        if run and not serve.filter(pk=int(run[1])).exists():  # asked at the last moment: it may be resumed meanwhile
            shutil.rmtree(folder, ignore_errors=True)


def kept_of(run: Run) -> list[str]:
    """What is kept of a run that ends early now, in words; nothing where nothing is."""
    size = _size(run.checkpoint_folder)
    if not size:
        return []
    until = timezone.now() + timedelta(days=settings.KEEP_CHECKPOINTS_DAYS)
    return [f"{size / 1e6:,.1f} MB are kept on disk for a resume, until {until:%Y-%m-%d}"]


def _size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # gone meanwhile
            continue
    return total
