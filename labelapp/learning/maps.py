"""Pool maps as files of points: kept, read, and removed when newer ones are there.

A file is safetensors, a row for each point: `places` (n, 2) float32 within ±1, `cluster` (n,) int16, `event` (n,)
int64, the event's key or -1 for an unlabelled window, `station` (n,) int16, its number in `PoolMap.stations` or -1 for
none, and `starttime` (n,) int64, microseconds since 1970 UTC.
numpy is imported inside the functions: it comes with the first map, not with the addresses.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from labelapp.catalogue import checksums
from labelapp.catalogue.errors import Invalid, Refused
from labelapp.catalogue.models import ModelVersion, Site
from labelapp.learning.models import PoolMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT = 3  # maps of a site
MOST_POINTS = 50_000
DTYPES = {"places": "float32", "cluster": "int16", "event": "int64", "station": "int16", "starttime": "int64"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds_of(time: datetime) -> int:
    """Microseconds since 1970 UTC, exactly."""
    return (time - EPOCH) // MICROSECOND


def time_of(microseconds: int) -> datetime:
    """The time so many microseconds since 1970 UTC, exactly."""
    return EPOCH + int(microseconds) * MICROSECOND


def store_map(
    *,
    site: Site,
    model: ModelVersion,
    tensors: "Mapping[str, NDArray[Any]]",
    stations: Sequence[str],
    window_s: float,
    method: str,
) -> PoolMap:
    """Keep a map, and remove all but the site's newest three. Raises Invalid for arrays that are no map."""
    from safetensors.numpy import save

    checked = _checked(tensors, stations)
    content, name = save(checked), f"{_folder(site.pk)}/{uuid.uuid4().hex}.safetensors"
    facts = {
        "points": len(checked["event"]),
        "events": int((checked["event"] >= 0).sum()),
        "clusters": len(set(checked["cluster"].tolist())),
        "stations": list(stations),
        "window_s": window_s,
        "method": method,
    }
    default_storage.save(name, ContentFile(content))
    try:
        with transaction.atomic():
            Site.objects.select_for_update(no_key=True).get(pk=site.pk)
            sha256 = checksums.of_bytes(content)
            made = PoolMap.objects.create(site=site, model=model, file=name, sha256=sha256, **facts)
            _remove_old(site)
            return made
    except BaseException:
        default_storage.delete(name)
        raise


def _checked(tensors: "Mapping[str, NDArray[Any]]", stations: Sequence[str]) -> "dict[str, NDArray[Any]]":
    import numpy as np

    count = len(tensors["event"])
    if count > MOST_POINTS:
        raise Invalid(f"The map has {count} points, but at most {MOST_POINTS} are drawn. Choose fewer windows.")
    for name, dtype in DTYPES.items():
        array, shape = tensors[name], (count, 2) if name == "places" else (count,)
        if array.shape != shape or array.dtype != dtype:
            raise Invalid(f"{name} is {array.dtype} {array.shape}, but must be {dtype} {shape}.")
    if not (np.abs(tensors["places"]) <= 1).all():  # refuses nan as well
        raise Invalid("places must lie within ±1.")
    numbers = tensors["station"]
    if not ((numbers >= -1) & (numbers < len(stations))).all():
        raise Invalid(f"station must be a number below {len(stations)}, or -1 where there is none.")
    return {name: np.ascontiguousarray(tensors[name]) for name in DTYPES}


def _remove_old(site: Site) -> None:
    """Rows now, files once that is certain: a transaction that fails leaves both."""
    old = list(PoolMap.objects.filter(site=site).order_by("-created_at", "-pk")[KEPT:])
    PoolMap.objects.filter(pk__in=[each.pk for each in old]).delete()
    names = [each.file for each in old if _is_map_file(each.file, site.pk)]
    for name in names:
        transaction.on_commit(partial(default_storage.delete, name))


def _folder(site_id: int) -> str:
    return f"maps/{site_id}"


def _is_map_file(name: str, site_id: int) -> bool:
    """Whether a name is that of a file in the folder of the site's maps, whatever a row says."""
    path = PurePosixPath(name)
    return path.parent == PurePosixPath(_folder(site_id)) and path.suffix == ".safetensors"


def map_bytes(pool_map: PoolMap) -> bytes:
    """The file as it was stored. Raises Refused where it is missing, or not what was stored."""
    return _content(pool_map.site_id, pool_map.file, pool_map.sha256)


def _content(site_id: int, name: str, sha256: str) -> bytes:
    if not _is_map_file(name, site_id):
        raise Refused(f"{name} is no file of the site's maps. Make a new map.")
    try:
        with default_storage.open(name) as file:
            content: bytes = file.read()
    except OSError as error:
        raise Refused(f"The map {name} cannot be read: {error}. Make a new map.") from error
    if checksums.of_bytes(content) != sha256:
        raise Refused(f"The map {name} is not the one that was stored. Make a new map.")
    return content


def tensors_of(pool_map: PoolMap) -> "dict[str, NDArray[Any]]":
    """The arrays of a map by name; not to be written to. Raises Refused as `map_bytes` does."""
    return _tensors(pool_map.site_id, pool_map.file, pool_map.sha256)


@lru_cache(maxsize=4)
def _tensors(site_id: int, name: str, sha256: str) -> "dict[str, NDArray[Any]]":
    """Read once for many points: a pointer asks for one after the other."""
    from safetensors.numpy import load

    return load(_content(site_id, name, sha256))
