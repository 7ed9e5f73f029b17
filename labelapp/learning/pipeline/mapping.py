"""A map of what a model sees in a site's events and unlabelled windows: each a point, those that are alike close.

Every window becomes a vector and is forgotten. Vectors of finished parts lie beside the run's checkpoint, float16, so
that a killed or cancelled run goes on where it was.
"""

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import ModelVersion, Station
from labelapp.learning.choices import MAP_WINDOWS, PLACING
from labelapp.learning.maps import microseconds_of, store_map
from labelapp.learning.models import PoolMap, Run
from labelapp.learning.parameters import default_map_model
from labelapp.learning.pipeline.map_plan import Plan, plan_of, readings
from labelapp.learning.pipeline.neighbours import LARGEST
from labelapp.learning.pipeline.representing import Seen, Sight, sight_of
from labelapp.learning.pipeline.windows import events_in_chunks
from labelapp.learning.tracking import Job
from mlcore.checkpoint import write_atomically
from mlcore.pretrain.clusters import Clusters, clusters
from mlcore.pretrain.project import COMPONENTS, principal_components, project
from mlcore.training import Progress

LEAST = 4  # points of a map
LOGGED = 100  # reasons why a window is left out, by name
# Shares of the run's progress.
SEEN, PLACED = 0.8, 0.97

Tensors = dict[str, NDArray[Any]]


def map_pool(job: Job) -> None:
    """Draw the map that a run asks for, and keep it."""
    run = job.run
    run.model = model_of(run)
    job.progress("choosing events and windows", run.progress)  # a run that goes on sees by the model that it began with
    made = PoolMap.objects.filter(site=run.site, pk=run.figures.get("map", 0)).first()
    if made is None:  # else a worker died between saying so and the run's end
        work = Surveying(job, run.model)
        tensors, found = arranged(job, work.sight, work.points())
        made = store_map(
            site=run.site,
            model=run.model,
            tensors=tensors,
            stations=[station.seed_id for station in work.stations],
            window_s=work.sight.window_s,
            method=run.parameters.get("method", PLACING),
        )
        job.log(in_words(found))
    verdict = f"{made.points} points by {run.model}: {made.events} events, {made.points - made.events} windows"
    job.progress("done", 1.0, {"map": made.pk, "clusters": made.clusters, "verdict": verdict}, verdict)
    shutil.rmtree(run.checkpoint_folder, ignore_errors=True)


def model_of(run: Run) -> ModelVersion:
    """The model that a run asks for or began with, else the newest encoder, else the active model. Raises Invalid."""
    if run.model is not None:
        return run.model
    if pk := run.parameters.get("model"):
        return ModelVersion.objects.select_related("site").get(pk=pk, site=run.site)
    model = default_map_model(run.site)
    if model is None:
        raise Invalid(f"{run.site} has neither an encoder nor an active model. Pretrain or train one.")
    return model


@dataclass
class Surveying:
    """Seeing what a map will hold, part by part."""

    job: Job
    model: ModelVersion
    seen: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.sight: Sight = sight_of(self.model)
        self.stations: list[Station] = []  # by the plan's numbers
        self.folder: Path = self.job.run.checkpoint_folder

    def plan(self) -> Plan:
        """What the map will hold: as it was begun, or drawn now; and `stations`, as it numbers them."""
        run, path = self.job.run, self.folder / "plan.json"
        known = {station.seed_id: station for station in run.site.stations.all()}
        plan = Plan.load(path)
        if plan is None:
            most = run.parameters.get("windows", MAP_WINDOWS)
            plan = plan_of(run.site, list(known.values()), self.sight.window_s, most)
            plan.save(path)
        self.stations = [known[name] for name in plan.stations]
        return plan

    def points(self) -> Tensors:
        """Every point with its vector: `event`, `station`, `starttime` (n,), `features` (n, d). Raises Invalid."""
        plan = self.plan()
        if plan.note:
            self.job.log(plan.note)
        parts, done = list[Tensors](), 0
        planned: list[list[Any]] = [*plan.events, *plan.windows]
        for number, part in enumerate(planned):
            parts.append(self._part(number, part, is_events=number < len(plan.events)))
            done += len(part)
            self.seen += len(parts[-1]["event"])
            figures = {"points": self.seen, "left out": done - self.seen}
            self.job.progress("looking at events and windows", SEEN * done / plan.points, figures)
        if self.left_out.total() > LOGGED:
            self.job.log(f"{self.left_out.total() - LOGGED} more left out")
        if self.seen < LEAST:
            raise Invalid(self._why_nothing(plan))
        parts = [part for part in parts if len(part["event"])]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _why_nothing(self, plan: Plan) -> str:
        said = f"{self.seen} of {plan.points} events and windows can be used, but a map needs {LEAST}."
        if self.left_out:
            return f"{said} The most common reason: {self.left_out.most_common(1)[0][0]}"
        return f"{said} Ingest recordings, or import a catalogue."

    def _part(self, number: int, part: list[Any], *, is_events: bool) -> Tensors:
        """A part's points: those of the checkpoint, or looked at now and kept there."""
        path = self.folder / f"{number:06d}.safetensors"
        if (known := _stored(path)) is not None:
            return known
        seen = [*(self._events(part) if is_events else self._windows(part))]
        tensors = self._tensors(seen)
        write_atomically(path, save(tensors))
        return tensors

    def _events(self, pks: list[int]) -> list[Seen]:
        found = []
        for chunk in events_in_chunks(self.job.run.site, pks):
            self.job.check()
            found.append(self._told(self.sight.see_events(chunk)))
        return found

    def _windows(self, part: list[tuple[int, int]]) -> list[Seen]:
        found = []
        for number, starts in readings(part, self.sight.window_s):
            self.job.check()
            found.append(self._told(self.sight.see_windows(self.stations[number], starts)))
        return found

    def _told(self, seen: Seen) -> Seen:
        """Say what could not be used."""
        for which, why in seen.left_out:
            if self.left_out.total() < LOGGED:
                self.job.log(f"{which}: {why}")
            self.left_out[why] += 1
        return seen

    def _tensors(self, seen: list[Seen]) -> Tensors:
        numbers = {station.pk: number for number, station in enumerate(self.stations)}
        keys = [key for each in seen for key in each.keys]
        stations = [numbers.get(station.pk, -1) if station else -1 for each in seen for station in each.stations]
        vectors = [vector for each in seen for vector in each.vectors]
        features = np.stack(vectors) if vectors else np.zeros((0, 0), dtype=np.float32)
        return {
            "event": np.array([pk for pk, _ in keys], dtype=np.int64),
            "station": np.array(stations, dtype=np.int16),
            "starttime": np.array([microseconds_of(time) for _, time in keys], dtype=np.int64),
            "features": np.clip(features, -LARGEST, LARGEST).astype(np.float16),
        }


def _stored(path: Path) -> Tensors | None:
    """A part that was finished before; None where there is no whole one."""
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError):
        return None


def arranged(job: Job, sight: Sight, points: Tensors) -> tuple[Tensors, Clusters]:
    """The points with their places and clusters, without their vectors."""
    job.check()
    job.progress("finding principal components", SEEN)
    values = sight.comparable(points.pop("features").astype(np.float32))
    reduced = principal_components(values, min(COMPONENTS, *values.shape))
    del values
    job.progress("finding clusters", SEEN)
    found = clusters(reduced, should_stop=job.should_stop)

    def placing(progress: Progress) -> None:
        job.progress("placing points", SEEN + (PLACED - SEEN) * progress.fraction)

    method = job.run.parameters.get("method", PLACING)
    places = project(reduced, method=method, progress=placing, should_stop=job.should_stop)
    job.progress("keeping the map", PLACED)
    return {**points, "places": np.clip(places, -1, 1).astype(np.float32), "cluster": found.member}, found


def in_words(found: Clusters) -> str:
    """How many clusters there are, and why as many."""
    if not found.silhouettes:
        return "all points are one cluster: too few of them differ"
    scores = ", ".join(f"{count}: {score:.3f}" for count, score in found.silhouettes.items())
    return f"k-means on principal components; silhouettes {scores}: {found.count} clusters stand apart best"
