"""STA/LTA says when something happened, the network says what: the answers in a triggered span are averaged."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from mlcore.classify.blocks import Block, blocks
from mlcore.classify.kept import Found
from mlcore.classify.postprocess import Detection, drop_crowded_noise
from mlcore.classify.predict import Classifier, combine_stations
from mlcore.classify.scanning import ask
from mlcore.classify.sta_lta import Onsets, StaLta
from mlcore.errors import Cancelled
from mlcore.traces import Waveform, stretches
from mlcore.training import StopCallback

ENDLESS = 2**62


@dataclass
class Triggering:
    """A triggered span, in samples since the origin, and what the network said of the windows centred in it."""

    first: int
    last: int = ENDLESS  # while it is open
    answers: list[NDArray[np.float64]] = field(default_factory=list)  # (classes,) each
    nearest: NDArray[np.float64] | None = None  # where no window is centred in it: at a record's ends


class Triggered:
    """Goes through a station's prepared pieces in time order."""

    def __init__(self, origin: datetime, classifier: Classifier, *, float32: bool = False):
        self.origin, self.classifier, self.recipe = origin, classifier, classifier.recipe
        self.rate_hz, self.step = self.recipe.preprocessing.sampling_rate_hz, self.recipe.preprocessing.step_samples
        self.heard = -1  # the last sample that STA/LTA has heard, since the origin
        self.open: Triggering | None = None
        self.pending: list[Triggering] = []  # until all windows centred in them are asked
        self.kept: list[Detection] = []  # until it is known what lies near them
        self.station = ""
        self._restart(0)

    def through(self, waveform: Waveform, should_stop: StopCallback) -> Iterator[Found]:
        """Go through a prepared piece. Raises Cancelled."""
        self.station = waveform.station_id
        start = self._sample(waveform.starttime)
        self._listen(waveform, start)
        for block in blocks(waveform, self.recipe):
            if should_stop():
                raise Cancelled("The scan was cancelled.")
            centres = start + self._centres(block)
            self._name(block, centres)
            yield Found(int(block.usable.sum()), self._complete(int(centres[-1]) + self.step // 2))

    def rest(self) -> Iterator[Detection]:
        """The events that nothing more can change."""
        self._close(self.onsets.broken())
        yield from self._complete(ENDLESS)

    def _restart(self, sample: int) -> None:
        """Begin with fresh averages at a sample."""
        trigger = self.recipe.trigger
        self.begin = sample
        self.ratio = StaLta(trigger, self.rate_hz)
        self.onsets = Onsets(trigger.on, trigger.off, round(trigger.longest_s * self.rate_hz))

    def _listen(self, waveform: Waveform, start: int) -> None:
        """Hear what is new in a piece; a gap on all components breaks the averages."""
        energy = (waveform.data**2).sum(axis=0)
        for part in stretches(np.asarray(waveform.mask.any(axis=0))):
            first, end = max(start + part.start, self.heard + 1), start + part.stop
            if end <= first:
                continue
            if first > self.heard + 1:
                self._close(self.onsets.broken())
                self._restart(first)
            self._close(self.onsets.closed(self.ratio.ratio(energy[first - start : end - start])))
            self.heard = end - 1
        if self.onsets.begun is not None and self.open is None:
            self.open = Triggering(self.begin + self.onsets.begun)

    def _close(self, spans: list[tuple[int, int]]) -> None:
        for first, last in spans:
            span, self.open = self.open or Triggering(self.begin + first), None
            span.last = self.begin + last
            if span.last - span.first + 1 >= self.recipe.trigger.shortest_s * self.rate_hz:
                self.pending.append(span)

    def _name(self, block: Block, centres: NDArray[np.int64]) -> None:
        """Ask the network about the windows centred in triggered spans, within half a step."""
        half, rows = self.step // 2, {}
        for number, span in enumerate(spans := [*self.pending, *([self.open] if self.open else [])]):
            inside = np.flatnonzero((centres >= span.first - half) & (centres <= span.last + half) & block.usable)
            if not len(inside) and not span.answers and block.usable.any():
                inside = np.flatnonzero(block.usable)[[0 if span.last < centres[0] else -1]]
                span.nearest = ask(self.classifier, block, inside)[0]
                continue
            rows[number] = inside
        wanted = np.unique(np.concatenate([np.zeros(0, dtype=np.intp), *rows.values()]))
        answers = np.zeros((len(block), len(self.classifier.classes)))
        answers[wanted] = ask(self.classifier, block, wanted)
        for number, inside in rows.items():
            spans[number].answers += list(answers[inside])

    def _complete(self, until: int) -> list[Detection]:
        """The events that nothing before a sample can change any more, in time order."""
        over = [span for span in self.pending if span.last < until]
        self.pending = [span for span in self.pending if span.last >= until]
        self.kept += [found for span in over if (found := self._detection(span))]
        earliest = min(
            [until, self.heard + 1, *(s.first for s in self.pending), *([self.open.first] if self.open else [])]
        )
        if until == ENDLESS:
            going = self.kept
        else:
            horizon = self._time(earliest) - timedelta(seconds=self.recipe.post_processing.isolation_s)
            going = [found for found in self.kept if found.endtime < horizon]
        quiet = drop_crowded_noise(self.kept, self.recipe.post_processing)
        self.kept = [found for found in self.kept if found not in going]
        return [found for found in going if found in quiet]

    def _beyond_reach(self, until: int) -> list[Detection]:
        """Events so old that they can make no noise that may still come a crowded one."""
        coming = [span.first for span in [*self.pending, *([self.open] if self.open else [])]]
        earliest = self._time(min([until, self.heard + 1, *coming]))
        near = timedelta(seconds=self.recipe.post_processing.isolation_s)
        return [found for found in self.kept if found.endtime + near < earliest]

    def _detection(self, span: Triggering) -> Detection | None:
        answers = span.answers or ([] if span.nearest is None else [span.nearest])
        if not answers:
            return None
        probabilities = combine_stations(np.stack(answers))
        winner = int(probabilities.argmax())
        start, end = self._time(span.first), self._time(span.last + 1)
        return Detection(start, end, self.classifier.classes[winner], float(probabilities[winner]), self.station)

    def _centres(self, block: Block) -> NDArray[np.int64]:
        return (block.first + np.arange(len(block))) * self.step + self.recipe.preprocessing.window_samples // 2

    def _sample(self, time: datetime) -> int:
        return round((time - self.origin).total_seconds() * self.rate_hz)

    def _time(self, sample: int) -> datetime:
        return self.origin + timedelta(seconds=sample / self.rate_hz)
