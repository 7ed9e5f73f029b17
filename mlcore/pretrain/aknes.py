"""The Åknes data set as its authors distribute it: data_dir.csv, and one SEG-2 file of 24 channels for each event.

    fname,event
    dataset\\AknesDataFiles\\DataSamples\\Noise\\2010_027_54_114717.dat,Noise

Samples are taken as the files hold them, not scaled to ground motion, as in the authors' code.
"""

import csv
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from mlcore.catalogues import Skipped
from mlcore.errors import BadConfiguration, Cancelled, SeisloopError, UnreadableRecording, UnusableWaveform
from mlcore.pretrain.pool import Facts, Piece, Pool, stack
from mlcore.traces import Segment, same_rate
from mlcore.training import Progress, ProgressCallback, StopCallback, never, say_nothing
from mlcore.waveform import read_channels

COLUMNS = ("fname", "event")
UNLABELLED = "Unlabeled"  # as the data set spells it
RATE_HZ = 1000.0
SAMPLES = 16_000


def read_aknes(
    folder: Path | str, *, progress: ProgressCallback = say_nothing, should_stop: StopCallback = never
) -> tuple[Pool, list[Skipped]]:
    """All files that data_dir.csv lists, as windows (n, 24, 16000) at 1000 Hz, and those that cannot be used.

    A file is looked for under its listed path, and by its name in the folder. Raises BadConfiguration where the list
    cannot be read, UnusableWaveform where no file can be used, Cancelled when `should_stop` says so.
    """
    folder = Path(folder)
    listed = list(_listed(folder / "data_dir.csv"))
    pieces: list[Piece] = []
    skipped: list[Skipped] = []
    for number, (name, label) in enumerate(listed, start=1):
        if should_stop():
            raise Cancelled("Reading the Åknes files was cancelled.")
        try:
            pieces.append(_piece(folder, name, label))
        except SeisloopError as error:
            skipped.append(Skipped(name.name, str(error)))
        progress(Progress("reading Åknes", number / len(listed), {}, f"{len(pieces)} of {len(listed)} files"))
    return stack(pieces, RATE_HZ), skipped


def _listed(path: Path) -> Iterator[tuple[PureWindowsPath, str]]:
    """The files and classes of data_dir.csv; unlabelled files have an empty class."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{path} cannot be read: {error}. Choose the folder of the Åknes data set.") from error
    if not rows or not set(COLUMNS) <= rows[0].keys():
        raise BadConfiguration(
            f"{path} has columns {', '.join(rows[0]) if rows else 'none'}, but needs {' and '.join(COLUMNS)}. "
            "Choose the data_dir.csv of the Åknes data set."
        )
    for row in rows:
        yield PureWindowsPath(row["fname"]), "" if row["event"] == UNLABELLED else row["event"]


def _piece(folder: Path, name: PureWindowsPath, label: str) -> Piece:
    places = [folder.joinpath(*name.parts), folder.joinpath(*name.parts[1:]), folder / name.name]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise UnreadableRecording(f"{name.name} is not under {folder}. Unpack the data set's files there.")
    channels = read_channels(path)
    data = _samples(path, channels)
    recorded = np.isfinite(data).all(axis=1) & (np.ptp(data, axis=1) > 0)
    return data, recorded, Facts("Åknes", channels[0].starttime, name.stem, label)


def _samples(path: Path, channels: list[Segment]) -> NDArray[np.float32]:
    """(channels, SAMPLES). Raises UnusableWaveform for another rate or a shorter record."""
    wrong = [c for c in channels if not same_rate(c.sampling_rate_hz, RATE_HZ) or c.samples < SAMPLES]
    if wrong:
        raise UnusableWaveform(
            f"{path.name} has a channel of {wrong[0].samples} samples at {wrong[0].sampling_rate_hz:g} Hz, but the "
            f"Åknes files have {SAMPLES} at {RATE_HZ:g} Hz. Leave it out, or get it again."
        )
    return np.stack([np.asarray(c.values, dtype=np.float32)[:SAMPLES] for c in channels])
