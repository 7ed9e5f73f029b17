"""QuakeML 1.2, read and written with obspy (imported on use: a page never loads it).

An event's class travels as its QuakeML type for everybody, and exactly, with its id and span, as one comment of ours.
At each station the span is a pick (its start) and an amplitude of category "duration".
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.parsers import expat

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import Event, EventClass, Observation
from labelapp.catalogue.rows import LONGEST_EVENT, CatalogueRow, RefusedRow, check_number, parse_time
from labelapp.catalogue.text import iso

OURS = "seisloop "
# What QuakeML allows as the id of an event; others get an id of ours.
RESOURCE_ID = re.compile(
    r"(smi|quakeml):[\w][\w\-.*()_~']{2,}/[\w\-.*()_~'][\w\-.*()+?_~'=,;#/&]*\Z", re.ASCII
)  # fmt: skip


def looks_like(path: Path) -> bool:
    """Whether a file begins as XML does, in any encoding."""
    with path.open("rb") as file:
        beginning = file.read(64)
    return beginning.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"<")


def read(path: Path, classes: Mapping[str, EventClass]) -> Iterator[CatalogueRow | RefusedRow]:
    """Events as rows, one per station, `line` counting events. Raises Invalid for what is no QuakeML.

    Without a comment of ours an event is labelled by its QuakeML type, where one class alone has that type, and spans
    from its first to its last time (origin, picks, durations): QuakeML does not say how long an event lasted.
    """
    import obspy

    content = path.read_bytes()
    _refuse_bad_xml(path, content)
    try:
        catalogue = obspy.read_events(BytesIO(content), format="QUAKEML")
    except Exception as error:  # obspy raises whatever its parsers raise
        raise Invalid(f"{path.name} is no QuakeML that obspy can read: {error}.") from error
    for number, event in enumerate(catalogue, start=1):
        try:
            yield from _rows(number, event, classes)
        except (Invalid, ValueError, OverflowError) as error:  # obspy keeps values that no time can hold
            yield RefusedRow(number, str(error))


def _refuse_bad_xml(path: Path, content: bytes) -> None:
    """QuakeML needs no document type; one can make a reader swell (entities) or open other files."""

    def refuse_doctype(*_: Any) -> None:
        raise Invalid(f"{path.name} declares a document type (DOCTYPE). Remove it: QuakeML has none.")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Invalid(f"{path.name} is no well-formed XML: {error}.") from error


def _rows(number: int, event: Any, classes: Mapping[str, EventClass]) -> list[CatalogueRow]:
    ours = _our_facts(event)
    spans = _station_spans(event)
    origin = event.preferred_origin() or (event.origins[0] if event.origins else None)
    times = [time for _, start, end, _ in spans for time in (start, end)]
    if origin is not None and origin.time is not None:
        times.append(_utc(origin.time))
    if "starttime" in ours and "endtime" in ours:
        times = [parse_time(name, str(ours[name])) for name in ("starttime", "endtime")]
    if not times:
        raise Invalid("it has neither an origin time nor a pick: it cannot be placed in time.")
    facts: dict[str, Any] = {
        "line": number,
        "event_id": str(ours.get("event_id", event.resource_id.id)),
        "class_code": str(ours["class"]) if "class" in ours else _class_by_type(event.event_type, classes),
        "latitude_deg": origin.latitude if origin else None,
        "longitude_deg": origin.longitude if origin else None,
        "description": str(ours.get("description", "; ".join(d.text for d in event.event_descriptions if d.text))),
        "source": str(ours.get("source", "")),
        "event_starttime": min(times),
        "event_endtime": max(times),
    }
    if not spans:
        return [CatalogueRow(starttime=min(times), endtime=max(times), **facts)]
    return [CatalogueRow(starttime=start, endtime=end, station=s, snr=snr, **facts) for s, start, end, snr in spans]


def _our_facts(event: Any) -> dict[str, Any]:
    for comment in event.comments:
        if comment.text and comment.text.startswith(OURS):
            try:
                facts = json.loads(comment.text[len(OURS) :])
            except ValueError as error:
                raise Invalid(f"its Seisloop comment is broken: {error}.") from error
            return facts if isinstance(facts, dict) else {}
    return {}


def _class_by_type(event_type: str | None, classes: Mapping[str, EventClass]) -> str:
    if event_type in (None, "not reported"):
        return ""
    fitting = [c.code for c in classes.values() if c.quakeml_type == event_type]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(f"{c.code} ({c.quakeml_type})" for c in classes.values())
    found = f"{len(fitting)} classes have" if fitting else "no class has"
    raise Invalid(f"{found} its type {event_type!r}, so its class is unknown. The site's classes are {known}.")


def _station_spans(event: Any) -> list[tuple[tuple[str, str, str], datetime, datetime, float | None]]:
    """(station, first time, last time, SNR) at every station, in the order of the picks."""
    times: dict[tuple[str, str, str], list[datetime]] = {}
    snr: dict[tuple[str, str, str], float] = {}
    for pick in event.picks:
        if pick.time is not None and pick.waveform_id is not None:
            times.setdefault(_seed(pick.waveform_id), []).append(_utc(pick.time))
    for amplitude in event.amplitudes:
        station = _seed(amplitude.waveform_id) if amplitude.waveform_id else None
        if station not in times or amplitude.category != "duration" or amplitude.generic_amplitude is None:
            continue
        check_number("a duration", amplitude.generic_amplitude, 0, LONGEST_EVENT.total_seconds())
        times[station].append(min(times[station]) + timedelta(seconds=amplitude.generic_amplitude))
        if amplitude.snr is not None:
            snr[station] = amplitude.snr
    return [(station, min(t), max(t), snr.get(station)) for station, t in times.items()]


def _seed(waveform_id: Any) -> tuple[str, str, str]:
    location = (waveform_id.location_code or "").strip("-")
    return waveform_id.network_code or "", waveform_id.station_code or "", location


def _utc(time: Any) -> datetime:
    return time.datetime.replace(tzinfo=UTC)


def write(events: Iterable[Event]) -> tuple[bytes, int]:
    """Events as QuakeML 1.2 in UTF-8, and how many there are. Ids are the same in every export."""
    from obspy.core.event import Catalog

    catalogue = Catalog(resource_id="smi:local/seisloop/catalogue")
    catalogue.extend([_quakeml_event(event) for event in events])
    file = BytesIO()
    catalogue.write(file, format="QUAKEML")
    return file.getvalue(), len(catalogue)


def _quakeml_event(event: Event) -> Any:
    from obspy import UTCDateTime
    from obspy.core.event import CreationInfo, EventDescription
    from obspy.core.event import Event as QuakeMLEvent

    name = _resource(event)
    quakeml = QuakeMLEvent(
        resource_id=name,
        event_type=event.label.quakeml_type if event.label else None,
        creation_info=CreationInfo(agency_id="Seisloop", creation_time=UTCDateTime(event.created_at)),
        comments=[_comment(event)],
    )
    if event.description:
        quakeml.event_descriptions.append(EventDescription(text=_xml_text(event.description)))
    if event.latitude_deg is not None and event.longitude_deg is not None:
        quakeml.origins.append(_origin(event))
        quakeml.preferred_origin_id = quakeml.origins[0].resource_id
    for observation in observations_of(event):
        pick, amplitude = _pick_and_duration(event, observation)
        quakeml.picks.append(pick)
        quakeml.amplitudes.append(amplitude)
    return quakeml


def observations_of(event: Event) -> list[Observation]:
    """The event's observations, that of its own station first, as an import expects them."""
    return sorted(
        event.observations.all(), key=lambda o: (o.station_id != event.station_id, o.station.seed_id)
    )  # fmt: skip


def _resource(event: Event, part: str = "") -> str:
    """A stable id: the event's own where QuakeML allows it, else one made of database keys."""
    own = event.event_id if RESOURCE_ID.match(event.event_id) and "#" not in event.event_id else ""
    return (own if own and not part else f"smi:local/seisloop/event/{event.pk}") + part


def _comment(event: Event) -> Any:
    from obspy.core.event import Comment

    facts = {
        "event_id": event.event_id,
        "class": event.label.code if event.label else "",
        "catalogue_class": event.catalogue_label.code if event.catalogue_label else "",
        "starttime": iso(event.starttime),
        "endtime": iso(event.endtime),
        "description": event.description,
        "origin": event.origin,
        "source": event.source,
    }
    return Comment(resource_id=_resource(event, "/comment"), text=OURS + json.dumps(facts, ensure_ascii=True))


def _origin(event: Event) -> Any:
    from obspy import UTCDateTime
    from obspy.core.event import Origin

    return Origin(
        resource_id=_resource(event, "/origin"),
        time=UTCDateTime(event.starttime),
        latitude=event.latitude_deg,
        longitude=event.longitude_deg,
    )


def _pick_and_duration(event: Event, observation: Observation) -> tuple[Any, Any]:
    from obspy import UTCDateTime
    from obspy.core.event import Amplitude, Pick, TimeWindow, WaveformStreamID

    station = observation.station
    where = WaveformStreamID(
        network_code=station.network, station_code=station.code, location_code=station.location or None
    )
    start = UTCDateTime(observation.starttime)
    duration_s = (observation.endtime - observation.starttime).total_seconds()
    pick = Pick(resource_id=_resource(event, f"/pick/{station.pk}"), time=start, waveform_id=where)
    amplitude = Amplitude(
        resource_id=_resource(event, f"/duration/{station.pk}"),
        generic_amplitude=duration_s,
        type="END",
        category="duration",
        unit="s",
        pick_id=pick.resource_id,
        waveform_id=where,
        snr=observation.snr,
        time_window=TimeWindow(begin=0.0, end=duration_s, reference=start),
    )
    return pick, amplitude


def _xml_text(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return "".join(
        c for c in text if c in "\n\t\r" or (ord(c) >= 32 and not 0xD800 <= ord(c) <= 0xDFFF and ord(c) < 0xFFFE)
    )
