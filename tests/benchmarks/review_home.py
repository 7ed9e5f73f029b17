"""A home of Seisloop with many explained events waiting for review, and a server of it: for benchmarks of the page."""

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EVENTS = 300
STATIONS = 2
# As many panels as differ enough to keep any cache from helping; events take them in turns.
PANELS = 24


@dataclass(frozen=True)
class Served:
    """Where the pages are, and the cookie of an expert."""

    address: str
    site: int
    session: str


@contextmanager
def served_review(events: int = EVENTS) -> Iterator[Served]:
    """Fill a fresh home, serve it as `manage.py serve` does, and stop the server in the end."""
    with tempfile.TemporaryDirectory(prefix="seisloop-bench-") as home:
        port = _free_port()
        os.environ |= {"SEISLOOP_HOME": home, "SEISLOOP_PORT": str(port), "DJANGO_SETTINGS_MODULE": "labelapp.settings"}
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        site, session = _fill(events)
        server = subprocess.Popen([sys.executable, "manage.py", "serve"], cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            _wait_for(f"http://127.0.0.1:{port}/healthz")
            yield Served(f"http://127.0.0.1:{port}", site, session)
        finally:
            server.terminate()
            server.wait(20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(address: str, patience_s: float = 60) -> None:
    end = time.monotonic() + patience_s
    while True:
        try:
            urllib.request.urlopen(address, timeout=1).close()  # noqa: S310 - our own server
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _fill(events: int) -> tuple[int, str]:
    """A site whose events wait for review, each explained at every station; returns its id, and an expert's session."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from labelapp.catalogue.services import create_site

    site = create_site(name="benchmark slope", synthetic=True)
    _events(site, events)
    return site.pk, _session()


def _session() -> str:
    from django.contrib.auth.models import Group, User
    from django.test import Client

    expert = User.objects.create_user(username="expert")
    expert.groups.add(Group.objects.get(name="expert"))
    client = Client()
    client.force_login(expert)
    return client.cookies["sessionid"].value


def _events(site, count: int) -> None:
    from django.core.files.base import ContentFile

    from labelapp.catalogue.models import Event, Explanation, ModelVersion, Prediction
    from labelapp.review.models import ReviewItem

    classes = {one.code: one for one in site.classes.all()}
    stations = [site.stations.create(network="XX", code=f"S{n:02}", location="00") for n in range(STATIONS)]
    model = ModelVersion.objects.create(
        site=site, number=1, folder="models/1", sha256="0" * 64, classes=list(classes), recipe={}
    )
    panels = [_panel(n, stations[n % STATIONS].seed_id) for n in range(PANELS)]
    files = [
        Explanation._meta.get_field("panel").storage.save(f"panels/{n}", ContentFile(p)) for n, p in enumerate(panels)
    ]
    for number in range(count):
        start = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=number)
        event = Event.objects.create(
            site=site, event_id=f"bench{number:04}", station=stations[0], starttime=start,
            endtime=start + timedelta(seconds=5), origin=Event.Origin.CATALOGUE, catalogue_label=classes["quake"],
            label=classes["quake"],
        )  # fmt: skip
        prediction = Prediction.objects.create(
            event=event, model=model, event_class=classes["rockfall"], probability=0.7, input_sha256=f"{number:064x}",
            probabilities={code: 0.7 if code == "rockfall" else 0.1 for code in classes},
        )  # fmt: skip
        for n, station in enumerate(stations):
            which = (STATIONS * number + n) % PANELS
            Explanation.objects.create(
                prediction=prediction, station=station, panel=files[which],
                sha256=hashlib.sha256(panels[which]).hexdigest(), summary={"targets": ["rockfall", "quake"]},
            )  # fmt: skip
        ReviewItem.objects.create(
            site=site, event=event, prediction=prediction, reason="disagreement", priority=1 / (1 + number)
        )


def _panel(number: int, station: str) -> bytes:
    """A panel of Jiang's recipe: three components, 65 × 95 cells, the classes predicted and in the catalogue."""
    from mlcore.classify.panels import PanelRequest, panel_bytes, panels
    from tests.frontend.panels import classifier, window

    start = datetime(2026, 3, 1, tzinfo=UTC)
    request = PanelRequest(
        window(number, start),
        station,
        ("rockfall", "quake"),
        start + timedelta(seconds=6),
        start + timedelta(seconds=11),
    )
    return panel_bytes(panels(classifier(), [request])[0])
