"""Whether a pretraining can be done, and a training begin with an encoder: said when they are asked for. No torch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import ModelVersion, Site, Trace
from labelapp.learning.choices import MAP_WINDOWS, PLACING
from labelapp.learning.models import Run
from labelapp.learning.pipeline.recipes import pool_size, pretraining_recipe, site_recipe
from mlcore.errors import SeisloopError
from mlcore.starting import require_fits
from mlcore.traces import STAND_INS


def require_pretraining(site: Site, given: Mapping[str, Any]) -> None:
    """Raises Invalid where nothing was recorded, or where the recipe or the size of the pool cannot work."""
    channels = Trace.objects.filter(recording__site=site).order_by().values_list("channel", flat=True).distinct()
    recorded = sorted({channel[-1:].upper() for channel in channels})
    if not recorded:
        raise Invalid(f"{site} has no recordings to learn from. Ingest some with `manage.py ingest`.")
    with _as_refusal():
        recipe = pretraining_recipe(site, given)
        recipe.require_room()
        pool_size(recipe, given.get("windows"))
    wanted = recipe.pool.components
    serve = {code for component in wanted for code in (component, *STAND_INS.get(component, ()))}
    if wanted and serve.isdisjoint(recorded):
        raise Invalid(
            f"pool.components is {', '.join(wanted)}, but the recordings of {site} have {', '.join(recorded)}. Choose "
            "among these, or ingest recordings of the others."
        )


def require_training(site: Site, given: Mapping[str, Any]) -> None:
    """Raises Invalid where the site's recipe cannot work, or the encoder that `start` names does not fit it."""
    with _as_refusal():
        site_recipe(site, given)
    if "start" in given:
        require_start(site, given)


def require_start(site: Site, given: Mapping[str, Any]) -> None:
    """Raises Invalid where the site's next classifier cannot begin with the encoder that `start` names."""
    encoder = ModelVersion.objects.defer("history").get(pk=given["start"])
    with _as_refusal(f"start is {encoder.pk}, {encoder}. "):
        require_fits(encoder.recipe, site_recipe(site, given))


def usual(site: Site) -> dict[str, dict[str, Any]]:
    """By kind of run and name, what a run takes where nobody says; without what the site's recipe cannot tell."""
    found: dict[str, dict[str, Any]] = {Run.Kind.MAP: {"windows": MAP_WINDOWS, "method": PLACING}}
    with suppress(SeisloopError):
        found[Run.Kind.TRAIN] = {"epochs": site_recipe(site).training.epochs}
    with suppress(SeisloopError):
        recipe = pretraining_recipe(site, {})
        names = {"method": recipe.method.name, "encoder": recipe.encoder.name}
        found[Run.Kind.PRETRAIN] = {**names, "epochs": recipe.training.epochs, "windows": pool_size(recipe, None)}
    return found


def fitting_encoders(site: Site) -> list[ModelVersion]:
    """The encoders that the site's next classifier can begin with: its own first, the newest first."""
    known = ModelVersion.objects.filter(kind=ModelVersion.Kind.ENCODER).select_related("site").defer("history")
    return [encoder for encoder in sorted(known, key=lambda e: (e.site_id != site.pk, -e.pk)) if _fits(encoder, site)]


def _fits(encoder: ModelVersion, site: Site) -> bool:
    try:
        require_fits(encoder.recipe, site_recipe(site))
    except SeisloopError:
        return False
    return True


@contextmanager
def _as_refusal(before: str = "") -> Iterator[None]:
    try:
        yield
    except SeisloopError as error:
        raise Invalid(f"{before}{error}") from error
