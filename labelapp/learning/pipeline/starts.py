"""What a training begins with, where it is asked to begin with a pretrained encoder."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.models import ModelVersion
from labelapp.catalogue.selectors import model_files
from labelapp.learning.tracking import Job
from mlcore.checkpoint import tensors_from_files
from mlcore.config import Recipe
from mlcore.starting import require_fits
from mlcore.stft_cnn import member_weights

PARTS = {"convolutions": "its convolutions", "head": "its hidden layer"}


@dataclass(frozen=True)
class Start:
    """An encoder, or none, and what a training needs of it."""

    encoder: ModelVersion | None = None
    weights: Mapping[str, Any] | None = None  # tensors by name
    # Ids of the events whose waveforms it has seen.
    seen: frozenset[str] = field(default_factory=frozenset)

    def notes(self, site: Any, tests: Collection[str]) -> list[str]:
        """What a reader of the figures must know: events that tested the classifier may lie in the encoder's pool."""
        if self.encoder is None or self.encoder.site_id != site.pk or not (both := self.seen & set(tests)):
            return []
        return [
            f"{len(both)} of the {len(tests)} events held out lie in the recordings that {self.encoder} was pretrained "
            "on: it has seen their waveforms, never their labels"
        ]

    def words(self, began_with: Collection[str]) -> str:
        """What was taken, in words."""
        if self.encoder is None:
            return ""
        parts = " and ".join(PARTS[part] for part in began_with)
        return f"every member begins with {self.encoder}: {parts}; the rest is new"


def start_of(job: Job, recipe: Recipe) -> Start:
    """What the run's `start` names. Raises Refused or BadConfiguration where it cannot serve any more."""
    pk = job.run.parameters.get("start")
    if pk is None:
        return Start()
    encoder = ModelVersion.objects.select_related("site").filter(pk=pk, kind=ModelVersion.Kind.ENCODER).first()
    if encoder is None:
        raise Refused(f"There is no encoder with id {pk} any more. Start again with another, or with none.")
    require_fits(encoder.recipe, recipe)
    tensors, description = tensors_from_files(model_files(encoder))
    seen = description.get("pool", {}).get("events", [])
    job.log(f"begins with {encoder}, which learned from {encoder.trained_on}")
    return Start(encoder, member_weights(tensors), frozenset(seen))
