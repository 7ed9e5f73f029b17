"""What stations recorded around an event, for pages. The web process reads waveforms here, and loads no torch for it.

`pipeline` is imported inside the functions: obspy and scipy come with the first question, not with the addresses.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.models import Event, Prediction, Site, Station
from labelapp.catalogue.selectors import latest_prediction

LONGEST_SIDE_S = 900.0
LONGEST_RECORD_S = 3_600.0
MOST_SIMILAR = 5

Corners = tuple[float | None, float | None]


class NotRecorded(Refused):
    """No station has anything of what was asked for; the message says why."""

    code = "not_recorded"


@contextmanager
def _in_our_words() -> Iterator[None]:
    from labelapp.learning.pipeline import in_our_words

    try:
        with in_our_words():
            yield
    except Refused as error:
        raise NotRecorded(str(error)) from error


def context_of_event(
    event: Event, *, stations: str, before_s: float, after_s: float, corners: Corners, components: str
) -> bytes:
    """Waveforms around an event: of its own station (""), one (NET.STA.LOC) or all of the site ("all").

    Raises NotRecorded where there is nothing.
    """
    from labelapp.learning.pipeline.surroundings import Band, around_event, stations_of

    chosen = list(stations_of(event, stations))
    if not chosen:
        raise NotRecorded(f"There is no station {stations or 'of this event'} at {event.site}.")
    with _in_our_words():
        return around_event(event, chosen, before_s, after_s, Band(*corners), components)


def spectrogram_of_event(
    event: Event,
    *,
    station: str,
    component: str,
    before_s: float,
    after_s: float,
    corners: Corners,
    window_s: float,
    overlap: float,
    max_hz: float | None,
) -> bytes:
    """An image of one component around an event. Raises NotRecorded where there is nothing."""
    from labelapp.learning.pipeline.surroundings import Band, event_span, image_of, stations_of

    chosen = next(iter(stations_of(event, station)), None)
    if chosen is None:
        raise NotRecorded(f"There is no station {station or 'of this event'} at {event.site}.")
    span = event_span(event, before_s, after_s)[:2]
    band = Band(*corners)
    with _in_our_words():
        return image_of(chosen, component, span, band, window_s=window_s, overlap=overlap, max_hz=max_hz)


def find_station(site: Site, seed_id: str) -> Station:
    """The station of a site by NET.STA.LOC. Raises NotRecorded, naming those there are."""
    stations = {station.seed_id: station for station in site.stations.all()}
    if seed_id not in stations:
        raise NotRecorded(f"There is no station {seed_id!r} at {site}. Stations: {', '.join(stations) or 'none'}.")
    return stations[seed_id]


def recorded_spans(station: Station, gap_s: float = 60.0) -> list[tuple[datetime, datetime]]:
    """When a station recorded anything, oldest first; pauses of at most `gap_s` are not told."""
    joined: list[tuple[datetime, datetime]] = []
    for start, end in station.traces.order_by("starttime").values_list("starttime", "endtime").iterator():
        if joined and start <= joined[-1][1] + timedelta(seconds=gap_s):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def record_of_station(
    station: Station, starttime: datetime, endtime: datetime, *, corners: Corners, components: str
) -> bytes:
    """A station's continuous record. Raises NotRecorded where there is nothing."""
    from labelapp.learning.pipeline.surroundings import Band, of_record

    with _in_our_words():
        return of_record(station, starttime, endtime, Band(*corners), components)


def spectrogram_of_station(
    station: Station,
    starttime: datetime,
    endtime: datetime,
    *,
    component: str,
    corners: Corners,
    window_s: float,
    overlap: float,
    max_hz: float | None,
) -> bytes:
    """An image of one component of the continuous record. Raises NotRecorded where there is nothing."""
    from labelapp.learning.pipeline.surroundings import Band, image_of

    span, band = (starttime, endtime), Band(*corners)
    with _in_our_words():
        return image_of(station, component, span, band, window_s=window_s, overlap=overlap, max_hz=max_hz)


def similar_events(event: Event) -> tuple[Prediction | None, list[tuple[Event, float]]]:
    """The labelled events that a model takes for most alike to this one, with their similarity, most alike first.

    By the newest prediction that has any; labels are those of this moment. Events that were merged are left out.
    """
    newest = latest_prediction(event)
    prediction = (
        event.predictions.filter(similar__isnull=False)
        .select_related("model", "similar")
        .order_by("-created_at", "-pk")
        .first()
    )
    if prediction is None:
        return newest, []
    pairs = prediction.similar.neighbours
    events = Event.objects.filter(
        site=event.site_id, pk__in=[pk for pk, _ in pairs], label__isnull=False, merged_into__isnull=True
    ).exclude(pk=event.pk)
    found = {row.pk: row for row in events.select_related("label", "station")}
    return prediction, [(found[pk], share) for pk, share in pairs if pk in found][:MOST_SIMILAR]
