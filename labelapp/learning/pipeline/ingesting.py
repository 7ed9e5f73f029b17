"""Recordings in: files stay where they are; what they hold is registered, once for each content."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from labelapp.catalogue.errors import Invalid, Refused
from labelapp.catalogue.models import Recording, Site
from labelapp.catalogue.services import TraceFacts, printable, record_recording
from mlcore import waveform
from mlcore.errors import NotARecording, SeisloopError

PIECE = 2**20  # bytes


@dataclass
class IngestReport:
    """What became of every file that was found."""

    added: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    # Files in folders that are no recordings: notes, tables, pictures. (path, why)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        return (
            f"{len(self.added)} recordings added, {len(self.known)} known already, "
            f"{len(self.skipped)} files that are no recordings skipped, {len(self.refused)} refused"
        )


Listener = Callable[[int, int, Path], None]


def ingest(site: Site, paths: Iterable[Path | str], listen: Listener | None = None) -> IngestReport:
    """Register the recordings among files and below folders (any depth: an SDS archive too).

    Bad files are reported, and the rest goes on. `listen` hears how many of how many files were looked at.
    """
    report = IngestReport()
    files = list(_files(paths, report))
    for number, (path, named) in enumerate(files, start=1):
        _ingest_into(report, site, path, named=named)
        if listen:
            listen(number, len(files), path)
    return report


def ingest_file(site: Site, path: Path | str) -> tuple[Recording, bool]:
    """Register one file; → (recording, whether it is new). Raises Refused or SeisloopError where it cannot serve."""
    path = _allowed(Path(path))
    sha256 = checksum(path)
    known = Recording.objects.filter(site=site, sha256=sha256).exists()
    headers = [] if known else waveform.scan(path)
    return record_recording(
        site=site,
        path=path,
        sha256=sha256,
        size_bytes=path.stat().st_size,
        format=headers[0].format if headers else "",
        traces=[_facts(header) for header in headers],
        problems=sorted({problem for header in headers for problem in header.problems}),
    )


def checksum(path: Path) -> str:
    """SHA-256 of a file, read in pieces. Raises Refused where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}. Check that it is there and may be read.") from error
    return digest.hexdigest()


def _ingest_into(report: IngestReport, site: Site, path: Path, *, named: bool) -> None:
    shown = printable(os.fsdecode(path))
    try:
        _, new = ingest_file(site, path)
    except NotARecording as error:
        # In a folder other files are to be expected; a file that was named was meant.
        (report.refused if named else report.skipped).append((shown, str(error)))
    except (Refused, SeisloopError) as error:
        report.refused.append((shown, str(error)))
    except OSError as error:
        report.refused.append((shown, f"{shown} cannot be read: {error.strerror}."))
    else:
        (report.added if new else report.known).append(shown)


def _allowed(path: Path) -> Path:
    """The file a path leads to, links followed. Raises Invalid outside SEISLOOP_RECORDING_ROOTS, or for a bad name."""
    resolved = path.resolve()
    if printable(str(resolved)) != str(resolved):
        raise Invalid(f"{printable(str(path))!r} has a name that cannot be written down. Rename it.")
    roots = settings.RECORDING_ROOTS
    if roots and not any(resolved.is_relative_to(root) for root in roots):
        raise Invalid(
            f"{path} lies outside of {', '.join(map(str, roots))}. "
            "Move it there, or add its folder to SEISLOOP_RECORDING_ROOTS."
        )
    return resolved


def _files(paths: Iterable[Path | str], report: IngestReport) -> Iterator[tuple[Path, bool]]:
    """Each file once, and whether it was named; a path that leads nowhere is refused."""
    seen: set[Path] = set()
    for given in paths:
        path = Path(given)
        shown = printable(str(path))
        try:
            missing = not path.exists()
        except OSError as error:  # a name too long for any file, a folder that may not be entered
            report.refused.append((shown, f"{shown} cannot be read: {error.strerror}. Check the path."))
            continue
        if missing:
            report.refused.append((shown, f"{shown}: there is no such file or folder. Check the path."))
            continue
        for file in _below(path, report) if path.is_dir() else [path]:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield file, file == path


def _below(folder: Path, report: IngestReport) -> Iterator[Path]:
    """Regular files below a folder, by name, links followed but no folder entered twice; hidden ones are left out."""
    waiting, entered = [folder], set()
    while waiting:
        here = waiting.pop()
        if here.resolve() in entered:
            continue
        entered.add(here.resolve())
        try:
            paths = sorted(here / name for name in os.listdir(here) if not name.startswith("."))
        except OSError as error:
            report.refused.append((printable(str(here)), f"{printable(str(here))} cannot be read: {error.strerror}."))
            continue
        waiting += [path for path in reversed(paths) if path.is_dir()]
        yield from (path for path in paths if path.is_file())


def _facts(header: waveform.TraceHeader) -> TraceFacts:
    return TraceFacts(
        network=header.network,
        station=header.station,
        location=header.location,
        channel=header.channel,
        starttime=header.starttime,
        endtime=header.endtime,
        sampling_rate_hz=header.sampling_rate_hz,
        gaps=header.gaps,
    )
