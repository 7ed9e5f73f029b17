"""A slope small enough to learn in seconds: low bursts are quakes, high bursts are rockfalls."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
RATE_HZ = 50.0
RECIPE = {
    "preprocessing": {
        "sampling_rate_hz": RATE_HZ,
        "components": ["Z"],
        "band_hz": [1.0, 20.0],
        "window_s": 6.0,
        "stft_length": 32,
        "stft_hop": 16,
    },
    "network": {"width": 4, "blocks": 2, "dropout": 0.0},
    "training": {
        "epochs": 12,
        "batch_size": 16,
        "learning_rate": 0.01,
        "early_stopping": 0,
        "time_shift_s": 0.5,
        "test_share": 0.3,
        "folds": 2,
    },
    "post_processing": {"isolation_s": 5.0},
}
PEAK_HZ = {"quake": 3.0, "rockfall": 14.0}


def burst(code, rng):
    """Two seconds at the class's frequency, which swells and fades."""
    t = np.arange(0, 2, 1 / RATE_HZ)
    tone = np.sin(2 * np.pi * (PEAK_HZ[code] * rng.uniform(0.9, 1.1) * t + rng.random()))
    return 1000 * tone * np.hanning(len(t))


def record(events, seconds, rng, station="AAA", starttime=START):
    """A Waveform of `seconds` of background with bursts at (second, class)."""
    from mlcore.waveform import Waveform

    samples = rng.normal(0, 10, round(seconds * RATE_HZ))
    for second, code in events:
        first = round(second * RATE_HZ)
        shape = burst(code, rng)
        samples[first : first + len(shape)] += shape
    samples = np.rint(samples)[None]
    return Waveform("XX", station, "00", "HH", ("Z",), RATE_HZ, starttime, samples, np.ones(samples.shape, dtype=bool))


def alternating(count, every_s=20):
    """Events at (second, class), by turns of either class."""
    return [(10.0 + every_s * i, ("quake", "rockfall")[i % 2]) for i in range(count)]


def catalogue_csv(events, station="XX.AAA.00", starttime=START):
    lines = ["event_id,event_class,starttime,endtime,station_id"]
    for number, (second, code) in enumerate(events):
        begin = starttime + timedelta(seconds=second)
        times = [f"{t:%Y-%m-%dT%H:%M:%S.%fZ}" for t in (begin, begin + timedelta(seconds=2))]
        lines.append(f"e{number},{code},{times[0]},{times[1]},{station}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def small_site(site):
    site.recipe = RECIPE
    site.save()
    return site


@pytest.fixture
def recorded_site(small_site, tmp_path):
    """Forty catalogued events in one recording."""
    from labelapp.catalogue.importing import import_catalogue
    from labelapp.learning.pipeline.ingesting import ingest
    from mlcore.waveform import write_mseed

    events = alternating(40)
    write_mseed(record(events, 20 * 40 + 20, np.random.default_rng(1)), tmp_path / "day.mseed")
    assert ingest(small_site, [tmp_path / "day.mseed"]).refused == []
    (tmp_path / "catalogue.csv").write_text(catalogue_csv(events))
    assert not import_catalogue(site=small_site, file=tmp_path / "catalogue.csv").refused
    return small_site


@pytest.fixture
def work_on():
    """work_on(site, "train", epochs=3) does a run here and now, and returns its row as it ended."""
    from labelapp.learning import pipeline
    from labelapp.learning.claims import worker_name
    from labelapp.learning.services import start_run
    from labelapp.learning.tracking import tracked

    def work(site, kind, **parameters):
        worker = worker_name()
        run = start_run(site=site, kind=kind, parameters=parameters, worker=worker)
        with tracked(run.pk, worker=worker) as job:
            pipeline.WORK[kind](job)
        run.refresh_from_db()
        site.refresh_from_db()
        return run

    return work


@pytest.fixture(scope="session")
def filled_home(tmp_path_factory):
    from tests.labelapp.learning.processes import SmallHome

    return SmallHome(tmp_path_factory.mktemp("small")).fill()


@pytest.fixture
def small_home(filled_home, tmp_path):
    """A copy of a home with the site "small"; its recording is the original's."""
    import shutil

    from tests.labelapp.learning.processes import SmallHome

    shutil.copytree(filled_home.folder, tmp_path / "home")
    return SmallHome(tmp_path / "home")


@pytest.fixture
def make_other_site():
    """make_other_site(recipe) is a second site with one labelled event."""
    from labelapp.catalogue.models import Event
    from labelapp.catalogue.services import create_site

    def make(recipe):
        other = create_site(name="Another slope", recipe=recipe)
        label = other.classes.get(code="quake")
        Event.objects.create(
            site=other, event_id="e", starttime=START, endtime=START, label=label, origin=Event.Origin.CATALOGUE
        )
        return other

    return make
