"""The windows of many events, each at every station that observed it; what cannot be used is said, and why."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.models import Event, Site, Station
from labelapp.learning.pipeline.waveforms import observation_window
from labelapp.learning.tracking import Job
from mlcore.config import Recipe
from mlcore.datasets import LabelledWindow
from mlcore.errors import SeisloopError

CHUNK = 32  # events read from the database, and classified, at once


@dataclass
class EventReading:
    """One event as its stations saw it."""

    event: Event
    windows: dict[Station, LabelledWindow] = field(default_factory=dict)
    # {NET.STA.LOC: why}
    left_out: dict[str, str] = field(default_factory=dict)


def read_event(event: Event, recipe: Recipe) -> EventReading:
    """The windows of an event; a station that cannot be used is left out with its reason."""
    reading = EventReading(event)
    for observation in event.observations.all():
        observation.event = event
        try:
            reading.windows[observation.station] = observation_window(observation, recipe)
        except (SeisloopError, Refused) as error:
            reading.left_out[observation.station.seed_id] = str(error)
    if not reading.windows and not reading.left_out:
        reading.left_out["any station"] = "the catalogue names no station that observed it"
    return reading


def events_in_chunks(site: Site, pks: Iterable[int]) -> Iterator[list[Event]]:
    """Events of a site by their primary keys, with label and observations, a few at a time."""
    keys = list(pks)
    for first in range(0, len(keys), CHUNK):
        chunk = keys[first : first + CHUNK]
        events = Event.objects.filter(site=site, pk__in=chunk).select_related("label", "station", "site")
        yield list(events.prefetch_related("observations__station").order_by("starttime", "pk"))


@dataclass
class Reasons:
    """Why things could not be used: each goes to the run's log, and their number to its figures."""

    job: Job
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, reading: EventReading) -> None:
        """Say which stations of an event could not be used."""
        for station, why in reading.left_out.items():
            self.job.log(f"{reading.event} at {station}: {why}")
            self.counts[why] += 1

    @property
    def most_common(self) -> str:
        return self.counts.most_common(1)[0][0] if self.counts else ""
