"""Scan continuous recordings for events: by the network at every step, or by STA/LTA and the network where it triggers.

python -m mlcore.classify.detect MODEL_DIR FILE... [--catalogue CSV --tolerance S]

Records are read, prepared and scanned piece by piece: across files and gaps, over days, in bounded memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from mlcore.archive import Span
from mlcore.classify.kept import Found, Kept
from mlcore.classify.pieces import Piece, Read, ahead, pieces
from mlcore.classify.postprocess import Detection
from mlcore.classify.predict import Classifier
from mlcore.classify.scanning import Scanner
from mlcore.classify.triggered import Triggered
from mlcore.errors import Cancelled, UnusableWaveform
from mlcore.traces import Waveform
from mlcore.training import Progress, ProgressCallback, StopCallback, never, say_nothing
from mlcore.waveform import preprocess


@dataclass(frozen=True)
class Done:
    """What became of a piece of a record."""

    begin: datetime
    end: datetime
    windows: int  # usable ones that start in it
    problem: str = ""  # why it could not be scanned


@dataclass(frozen=True)
class Options:
    """How a scan is done. None of it changes what is found."""

    float32: bool = False  # refuse bfloat16 also where this CPU multiplies it
    ahead: bool = True  # read and filter the next piece, in another thread, while the network works
    piece_s: float | None = None  # read at once; None: an hour


def detect(
    read: Read,
    span: Span,
    classifier: Classifier,
    *,
    watch: Callable[[Done], None] = lambda done: None,
    see: Callable[[Piece], None] = lambda piece: None,
    should_stop: StopCallback = never,
    options: Options = Options(),  # frozen
) -> Iterator[Detection]:
    """The events of one station in a span of time, in time order; noise that resembled one among them.

    `read` gives what was recorded from one time to before another, or raises SeisloopError; such a piece is told to
    `watch`, as every piece is when it is done, and the rest goes on. `see` is shown each piece before it is scanned.
    Raises Cancelled when `should_stop` says so.
    """
    coming = pieces(read, span, classifier.recipe.preprocessing, options.piece_s)
    by_network = classifier.recipe.trigger.method == "network"
    search = (EveryStep if by_network else Triggered)(span[0], classifier, float32=options.float32)
    for piece in ahead(coming) if options.ahead else coming:
        windows = 0
        if piece.waveform is not None:
            see(piece)
            for found in search.through(piece.waveform, should_stop):
                windows += found.windows
                yield from found.detections
        watch(Done(piece.begin, piece.end, windows, piece.problem))
    yield from search.rest()


class EveryStep:
    """The network at every step, and the events that section 4.4 makes of its answers."""

    def __init__(self, origin: datetime, classifier: Classifier, *, float32: bool = False):
        self.scanner = Scanner(classifier, float32=float32)
        self.kept = Kept(origin, classifier.recipe, classifier.classes)
        self.step = classifier.recipe.preprocessing.step_samples
        self.station = ""

    def through(self, waveform: Waveform, should_stop: StopCallback) -> Iterator[Found]:
        """Go through a prepared piece. Raises Cancelled."""
        self.station = waveform.station_id
        for scanned in self.scanner.what_counts(waveform):
            if should_stop():
                raise Cancelled("The scan was cancelled.")
            begin = waveform.time_of(scanned.first * self.step)
            complete = [*self.kept.add(begin, scanned.probabilities), *self.kept.let_go()]
            yield Found(int(scanned.usable.sum()), self._of_station(complete))

    def rest(self) -> Iterator[Detection]:
        """The events that nothing more can change."""
        yield from self._of_station([*self.kept.let_go(everything=True)])

    def _of_station(self, complete: list[Detection]) -> list[Detection]:
        return [replace(found, station=self.station) for found in complete]


@dataclass(frozen=True, eq=False)
class Scan:
    """What a classifier says along a recording."""

    starttimes: list[datetime]  # (n,) of the windows
    probabilities: NDArray[np.float64]  # (n, classes); 0 where too much was not recorded
    usable: NDArray[np.bool_]  # (n,)


def scan(
    waveform: Waveform,
    classifier: Classifier,
    *,
    progress: ProgressCallback = say_nothing,
    should_stop: StopCallback = never,
) -> Scan:
    """Probabilities of every window along a recording as it was read, in float32.

    Raises UnusableWaveform where it cannot be prepared or is shorter than a window; Cancelled when asked to stop.
    """
    preprocessing = classifier.recipe.preprocessing
    prepared = preprocess(waveform, preprocessing)
    if prepared.samples < preprocessing.window_samples:
        raise UnusableWaveform(
            f"{waveform.station_id} has {prepared.samples / prepared.sampling_rate_hz:.2f} s, but a scan needs "
            f"at least one window of {preprocessing.window_s:g} s. Give more of the recording."
        )
    total = (prepared.samples - preprocessing.window_samples) // preprocessing.step_samples + 1
    probabilities, usable, done = np.zeros((total, len(classifier.classes))), np.zeros(total, dtype=bool), 0
    for part in Scanner(classifier).everything(prepared):
        if should_stop():
            raise Cancelled("The scan was cancelled.")
        done = part.first + len(part.usable)
        probabilities[part.first : done], usable[part.first : done] = part.probabilities, part.usable
        progress(Progress("scanning", done / total, {}, f"{waveform.station_id}: {done} of {total}"))
    starttimes = [prepared.time_of(row * preprocessing.step_samples) for row in range(total)]
    return Scan(starttimes, probabilities, usable)


if __name__ == "__main__":
    from mlcore.classify.detect_command import main  # here, for it imports from this module
    from mlcore.command import run

    run(main)
