"""Events that a model takes for alike, found when it has classified, so that the review page can show labelled ones.

What the last layer was given of each event, as the mean over its stations, is kept in storage for each model: float16,
2 bytes × (its width) × events. A later run of a few events finds the neighbours of these among all.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from labelapp.catalogue.models import Event, ModelVersion, Prediction, SimilarEvents
from mlcore.classify.similar import directions, most_similar

NEIGHBOURS = 20  # kept of each event: labels come and go, and five are shown
AT_ONCE = 512  # events whose neighbours are found and written together
LARGEST = 65_000.0  # of float16


@dataclass
class Features:
    """What the last layer was given of the events that a run classified: {event pk: (d,) float16}."""

    rows: dict[int, NDArray[np.float16]] = field(default_factory=dict)

    def add(self, event: int, by_station: NDArray[np.float32]) -> None:
        """Take an event's features, (stations, d), as their mean."""
        self.rows[event] = np.clip(by_station.mean(axis=0), -LARGEST, LARGEST).astype(np.float16)


def update(model: ModelVersion, found: Features) -> int:
    """Keep what a run found, and write the nearest labelled events of each event that it classified. → how many"""
    if not found.rows:
        return 0
    events, features = merged(stored(model), found)
    keep(model, events, features)
    towards = directions(features)
    del features
    row_of = {int(pk): row for row, pk in enumerate(events)}
    labelled = Event.objects.filter(pk__in=row_of, label__isnull=False, merged_into__isnull=True)
    among = np.array(sorted(row_of[pk] for pk in labelled.values_list("pk", flat=True)), dtype=np.int64)
    written = 0
    for part in _parts(list(found.rows)):
        rows, cosines = most_similar(towards, [row_of[pk] for pk in part], among, NEIGHBOURS)
        written += _write(model, part, events, rows, cosines)
    return written


def _parts(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(keys), AT_ONCE):
        yield keys[first : first + AT_ONCE]


def _write(
    model: ModelVersion, pks: Sequence[int], events: NDArray[np.int64], rows: NDArray[np.int64], cosines: NDArray
) -> int:
    """Store the neighbours of events `pks` with the newest prediction of each."""
    predictions = Prediction.objects.filter(model=model, event__in=pks).order_by("created_at", "pk")
    newest = dict(predictions.values_list("event_id", "pk"))
    similar = [
        SimilarEvents(
            prediction_id=newest[pk],
            neighbours=[
                [int(events[row]), round(float(cosine), 4)]
                for row, cosine in zip(rows[number], cosines[number], strict=True)
                if row >= 0
            ],
        )
        for number, pk in enumerate(pks)
        if pk in newest
    ]
    SimilarEvents.objects.bulk_create(
        similar, update_conflicts=True, unique_fields=["prediction"], update_fields=["neighbours"]
    )
    return len(similar)


def merged(
    known: tuple[NDArray[np.int64], NDArray[np.float16]] | None, found: Features
) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    """What was known, and what was found in its place: events (n,), features (n, d)."""
    events, features = np.array(list(found.rows), dtype=np.int64), np.stack(list(found.rows.values()))
    if known is None or known[1].shape[1] != features.shape[1]:
        return events, features
    stays = ~np.isin(known[0], events)
    return np.concatenate([known[0][stays], events]), np.concatenate([known[1][stays], features])


def folder_of(model: ModelVersion) -> str:
    return f"features/{model.pk}-{model.sha256[:16]}"


def stored(model: ModelVersion) -> tuple[NDArray[np.int64], NDArray[np.float16]] | None:
    """Events (n,) and their features (n, d) as the newest whole file has them; None where there is none."""
    for name in _files(model):
        try:
            with default_storage.open(f"{folder_of(model)}/{name}") as file:
                tensors = load(file.read())
            return tensors["events"], tensors["features"]
        except (OSError, SafetensorError, KeyError):  # cut short by a crash: the one before is whole
            continue
    return None


def keep(model: ModelVersion, events: NDArray[np.int64], features: NDArray[np.float16]) -> None:
    """Write a new file beside the old ones, then remove these: whoever reads finds a whole one at any moment."""
    old = list(_files(model))
    content = save({"events": np.ascontiguousarray(events), "features": np.ascontiguousarray(features)})
    default_storage.save(f"{folder_of(model)}/{time.time_ns():020d}.safetensors", ContentFile(content))
    for name in old:
        default_storage.delete(f"{folder_of(model)}/{name}")


def _files(model: ModelVersion) -> Iterable[str]:
    """Names of a model's files, the newest first."""
    try:
        return sorted(default_storage.listdir(folder_of(model))[1], reverse=True)
    except FileNotFoundError:
        return []
