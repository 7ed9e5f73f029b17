"""The windows of many events, each at every station that observed it; what cannot be used is said, and why."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.models import Event, Site, Station
from labelapp.learning.pipeline.recipes import columns_of
from labelapp.learning.pipeline.waveforms import observation_windows
from labelapp.learning.tracking import Job
from mlcore.catalogues import gives_noise, unwanted
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
    noise: list[LabelledWindow] = field(default_factory=list)
    # Why stations are no examples: a recipe's wish, and no fault of theirs.
    unwanted: list[str] = field(default_factory=list)


def read_event(event: Event, recipe: Recipe) -> EventReading:
    """The windows of an event; a station that cannot be used is left out with its reason."""
    return _read(event, recipe, as_example=False)


def read_example(event: Event, recipe: Recipe) -> EventReading:
    """A labelled event to learn from: only what the recipe's `catalogue` takes, and with the noise that it cuts."""
    return _read(event, recipe, as_example=True)


def _read(event: Event, recipe: Recipe, *, as_example: bool) -> EventReading:
    reading = EventReading(event)
    for observation in event.observations.all():
        observation.event = event
        row = columns_of(observation)
        if as_example and (why := unwanted(row, recipe.catalogue)):
            reading.unwanted.append(why)
            continue
        noisy = as_example and gives_noise(row, recipe.catalogue)
        try:
            window, *noise = observation_windows(observation, recipe, gives_noise=noisy)
        except (SeisloopError, Refused) as error:
            reading.left_out[observation.station.seed_id] = str(error)
            continue
        reading.windows[observation.station] = window
        reading.noise += noise
    if not (reading.windows or reading.left_out or reading.unwanted):
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
        for why in reading.unwanted:
            if why not in self.counts:
                self.job.log(f"left out, as all such: {why}")
            self.counts[why] += 1

    @property
    def most_common(self) -> str:
        return self.counts.most_common(1)[0][0] if self.counts else ""
