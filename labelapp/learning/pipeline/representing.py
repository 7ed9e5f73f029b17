"""What a model makes of windows: an encoder's representation, or what a classifier's last layer is given.

Only windows of one reading are held at a time; the rest are vectors.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.models import Event, ModelVersion, Observation, Station
from labelapp.catalogue.selectors import model_files
from labelapp.learning.pipeline.decoded import components_of
from labelapp.learning.pipeline.recipes import load_classifier
from labelapp.learning.pipeline.records import read_span
from labelapp.learning.pipeline.windows import read_event
from mlcore.classify.similar import directions
from mlcore.config import Recipe
from mlcore.datasets import EDGE_S, reach
from mlcore.errors import SeisloopError
from mlcore.pretrain.cutting import cutting_recipe, event_piece, piece_at
from mlcore.pretrain.fine_tune import features, mean_of_windows
from mlcore.pretrain.model import encoder_from_files
from mlcore.pretrain.pool import Piece, prepare, stack
from mlcore.waveform import Waveform, preprocess
from mlcore.windows import Window, window_at

Vectors = NDArray[np.float32]
EDGE = timedelta(seconds=EDGE_S)


@dataclass
class Seen:
    """What came of some windows or events: a vector each, or why there is none."""

    vectors: list[Vectors] = field(default_factory=list)  # each (d,)
    keys: list[tuple[int, datetime]] = field(default_factory=list)  # event pk, or -1; and start of event or window
    stations: list[Station | None] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)  # (which, why)

    def add(self, vector: Vectors, event: int, starttime: datetime, station: Station | None) -> None:
        self.vectors.append(vector)
        self.keys.append((event, starttime))
        self.stations.append(station)


class Sight(ABC):
    """A model as it sees windows. `window_s` is how long they are."""

    window_s: float

    @abstractmethod
    def record(self, station: Station, starttime: datetime, endtime: datetime) -> Waveform:
        """What a station recorded, prepared. Raises UnusableWaveform or UnreadableRecording."""

    @abstractmethod
    def cut(self, record: Waveform, start: int) -> tuple[Any, datetime]:
        """The window from a sample on, and when it begins. Raises UnusableWaveform."""

    @abstractmethod
    def of_event(self, event: Event) -> tuple[dict[Station, Any], Mapping[str, str]]:
        """The windows of an event by station, and {NET.STA.LOC: why there is none}."""

    @abstractmethod
    def vectors(self, windows: Sequence[Any]) -> Vectors:
        """What the model makes of at least one window. → (n, d)"""

    def comparable(self, vectors: Vectors) -> Vectors:
        """Vectors (n, d) of all that is compared, such that Euclidean distance says how unlike two are."""
        return vectors

    def see_events(self, events: Sequence[Event]) -> Seen:
        """The mean over its stations for each event."""
        seen, windows, owners = Seen(), list[Any](), list[tuple[Event, list[Station]]]()
        for event in events:
            by_station, left_out = self.of_event(event)
            seen.left_out += [(f"{event} at {station}", why) for station, why in left_out.items()]
            if by_station:
                owners.append((event, list(by_station)))
                windows += by_station.values()
        rows = iter(self.vectors(windows)) if windows else iter(())
        for event, stations in owners:
            vector = np.mean([next(rows) for _ in stations], axis=0)
            seen.add(vector, event.pk, event.starttime, event.station or stations[0])
        return seen

    def see_windows(self, station: Station, starts: Sequence[datetime]) -> Seen:
        """Unlabelled windows of one station, near enough to each other to be read at once, in time order."""
        seen, windows, times = Seen(), list[Any](), list[datetime]()
        last = starts[-1] + timedelta(seconds=self.window_s)
        try:
            record = self.record(station, starts[0] - EDGE, last + EDGE)
        except (SeisloopError, Refused) as error:
            seen.left_out += [(f"{station} {start:%Y-%m-%dT%H:%M:%SZ}", str(error)) for start in starts]
            return seen
        for start in starts:
            try:
                window, time = self.cut(record, record.sample_at(start))
            except SeisloopError as error:
                seen.left_out.append((f"{station} {start:%Y-%m-%dT%H:%M:%SZ}", str(error)))
                continue
            windows.append(window)
            times.append(time)
        for vector, time in zip(self.vectors(windows) if windows else (), times, strict=True):
            seen.add(vector, -1, time, station)
        return seen


class ByClassifier(Sight):
    """A classifier: what its last layer is given, as `neighbours` compares it."""

    def __init__(self, model: ModelVersion):
        self.classifier = load_classifier(model)
        self.window_s = self.classifier.recipe.preprocessing.window_s

    def record(self, station: Station, starttime: datetime, endtime: datetime) -> Waveform:
        settings = self.classifier.recipe.preprocessing
        return preprocess(read_span(station, starttime, endtime, settings.components), settings)

    def cut(self, record: Waveform, start: int) -> tuple[Window, datetime]:
        window = window_at(record, start, self.classifier.recipe.preprocessing)
        return window, window.starttime

    def of_event(self, event: Event) -> tuple[dict[Station, Window], Mapping[str, str]]:
        reading = read_event(event, self.classifier.recipe)
        return {station: each.window for station, each in reading.windows.items()}, reading.left_out

    def vectors(self, windows: Sequence[Window]) -> Vectors:
        said = self.classifier.predict_with_features(np.stack([window.data for window in windows]))
        assert said.features is not None  # noqa: S101 - it was asked for
        return said.features

    def comparable(self, vectors: Vectors) -> Vectors:
        return directions(vectors)


class ByEncoder(Sight):
    """A pretrained encoder: the mean of a window's channels."""

    def __init__(self, model: ModelVersion):
        self.network, self.recipe, _ = encoder_from_files(model_files(model))
        self.section = self.recipe.pool
        self.window_s = self.section.window_s
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # Where events' windows lie is the site's to say: a pool knows no events.
        self.cutting = cutting_recipe(self.section, Recipe.from_dict(model.site.recipe).placement)

    def record(self, station: Station, starttime: datetime, endtime: datetime) -> Waveform:
        components = self.section.components or components_of(station, starttime, endtime)
        return prepare(read_span(station, starttime, endtime, components), self.section)

    def cut(self, record: Waveform, start: int) -> tuple[Piece, datetime]:
        return piece_at(record, start, self.section), record.time_of(start)

    def of_event(self, event: Event) -> tuple[dict[Station, Piece], Mapping[str, str]]:
        windows, left_out = {}, {}
        for observation in event.observations.all():
            try:
                windows[observation.station] = self._of_observation(event, observation)
            except (SeisloopError, Refused) as error:
                left_out[observation.station.seed_id] = str(error)
        if not (windows or left_out):
            left_out["any station"] = "the catalogue names no station that observed it"
        return windows, left_out

    def _of_observation(self, event: Event, observation: Observation) -> Piece:
        placement = self.cutting.placement
        if event.origin == Event.Origin.DETECTION:  # it lies where it was found
            placement = replace(placement, slack_s=0.0)
        before, after = reach(self.cutting)
        record = self.record(observation.station, observation.starttime - before, observation.endtime + after)
        return event_piece(record, observation.starttime, observation.endtime, self.section, placement)

    def vectors(self, windows: Sequence[Piece]) -> Vectors:
        pool = stack(list(windows), self.section.sampling_rate_hz)
        owners, rows = features(self.network, pool, self.recipe, device=self.device)
        return mean_of_windows(rows, owners, len(pool)).astype(np.float32)


def sight_of(model: ModelVersion) -> Sight:
    """A stored model, ready to see. Raises Refused or BadConfiguration where its files are not whole."""
    return ByEncoder(model) if model.kind == ModelVersion.Kind.ENCODER else ByClassifier(model)
