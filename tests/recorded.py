"""A small site that really recorded: two stations with miniSEED files, one with a pause, and one without any record."""

from datetime import timedelta

import numpy as np

from tests.conftest import MORNING

RATE_HZ = 100.0
SECONDS = 600
EVENT_S = 300.0  # from the record's start
PITCH_HZ = 8.0
GAP_S = (360.0, 372.0)  # of the second station
PLACES = {"AAA": (24.60, 121.50), "BBB": (24.61, 121.52), "CCC": (24.70, 121.60)}


def samples(seed, components):
    """Noise about an offset of 500 counts, with six seconds at PITCH_HZ where the event is. (components, samples)"""
    rng = np.random.default_rng(seed)
    t = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    envelope = np.where((t > EVENT_S) & (t < EVENT_S + 6), np.sin(np.pi * (t - EVENT_S) / 6), 0.0)
    tone = 4000 * envelope * np.sin(2 * np.pi * PITCH_HZ * t)
    return np.rint(500 + rng.normal(0, 100, (components, len(t))) + tone)


def waveform(code, components="ZNE", seed=1, starttime=MORNING):
    from mlcore.waveform import Waveform

    data = samples(seed, len(components))
    return Waveform(
        "XX", code, "00", "HH", tuple(components), RATE_HZ, starttime, data, np.ones(data.shape, dtype=bool)
    )


def with_gap(whole):
    """The same with GAP_S not recorded, its samples 0."""
    from dataclasses import replace

    mask = whole.mask.copy()
    mask[:, round(GAP_S[0] * RATE_HZ) : round(GAP_S[1] * RATE_HZ)] = False
    return replace(whole, mask=mask, data=np.where(mask, whole.data, 0.0))


def record_site(site, folder):
    """Give the site its stations and files. → {station code: what was recorded}"""
    from labelapp.catalogue.models import Station
    from labelapp.learning.pipeline.ingesting import ingest
    from mlcore.waveform import write_mseed

    recorded = {"AAA": waveform("AAA"), "BBB": with_gap(waveform("BBB", "Z", seed=2))}
    for code, (latitude, longitude) in PLACES.items():
        facts = {"latitude_deg": latitude, "longitude_deg": longitude}
        Station.objects.update_or_create(site=site, network="XX", code=code, location="00", defaults=facts)
    for code, what in recorded.items():
        write_mseed(what, folder / f"{code}.mseed")
    assert ingest(site, [folder]).refused == []
    return recorded


def event_times():
    """Start and end of the event in the records."""
    start = MORNING + timedelta(seconds=EVENT_S)
    return {"starttime": start, "endtime": start + timedelta(seconds=6)}
