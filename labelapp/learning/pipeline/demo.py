"""What the demo sites are made of: a slope that does not exist, and real recordings that ship with obspy.

Everything is made once; what is there already is left as it is.
"""

import csv
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import obspy
from django.conf import settings

from labelapp.catalogue.importing import import_catalogue
from labelapp.catalogue.models import ModelVersion, Site
from labelapp.catalogue.services import promote_model, store_model
from labelapp.catalogue.text import iso
from labelapp.learning.pipeline.ingesting import ingest
from mlcore.config import Network, PostProcessing, Preprocessing, Recipe, Training
from mlcore.synthetic import CatalogueEntry, SyntheticEvent, synthetic_slope, wrong_labels
from mlcore.waveform import write_mseed

SEED = 2024
EVENTS = 240
WRONG_SHARE = 0.1
EVENT_S = 40.0
FOLDER = settings.HOME / "demo" / "synthetic slope"

SYNTHETIC_RECIPE = replace(
    Recipe(),
    preprocessing=Preprocessing(input="log"),
    # Little for the convolutions, for they learn the wrong labels too; most is said by the linear part.
    network=Network(width=8, cells=((2, 5), (5, 10)), attributes=True),
    training=Training(
        epochs=8, batch_size=32, learning_rate=3e-3, early_stopping=0, validation_share=0.0, time_shift_s=1.0, folds=3
    ),
)
SYNTHETIC_DESCRIPTION = (
    f"Made up: {EVENTS} events of a seeded generator at three stations, for trying Seisloop out. "
    f"{round(WRONG_SHARE * EVENTS)} of the catalogue's labels are wrong on purpose, and most of them are among "
    "the first 24 in the queue. "
    "The model was trained on this very catalogue, errors included. Nothing here says anything about a real slope."
)

# The slowest of the recordings is sampled at 75.19 Hz.
RECORDED_RECIPE = replace(
    Recipe(),
    preprocessing=Preprocessing(sampling_rate_hz=75.0, band_hz=(2.0, 33.0), stft_length=64, stft_hop=16),
    network=Network(width=8),
    # Events may lie anywhere in a window: some records are hardly longer than one.
    training=Training(epochs=12, batch_size=32, learning_rate=3e-3, early_stopping=0, time_shift_s=5.0, folds=1),
    # Lower and shorter than the paper's: half-minute records, and rather one question too many than nothing to see.
    post_processing=PostProcessing(threshold=0.3, median=3, gaussian_length=5, gaussian_sigma=2.0, noise_level=0.2),
)
RECORDED_DESCRIPTION = (
    "Real recordings that ship with obspy: Soufrière Hills volcano (Montserrat), Etna, strong motion, a local "
    "earthquake, and files with gaps. Nobody labelled them. They were scanned by a model that has seen synthetic "
    "events only: what it says here is unproven, and its figures say nothing about these sites."
)
RECORDED_MODEL = "the synthetic generator alone, at 75 Hz: its figures are of synthetic events, and prove nothing here"
RECORDINGS = (
    "io/seisan/tests/data/9701-30-1048-54S.MVO_21_1",
    "io/dmx/tests/data/131114_090600.dmx",
    "io/kinemetrics/tests/data/BI008_MEMA-04823.evt",
    "io/kinemetrics/tests/data/STNA.20020722.044649.evt.gz",
    "io/seisan/tests/data/2005-07-23-1452-04S.CER___030.mseed",
    "io/reftek/tests/data/225051000_00008656",
    "io/mseed/tests/data/gaps.mseed",
)

Told = Callable[[str, float], None]  # what is done, and which share of it


def fill_synthetic_site(site: Site, tell: Told) -> None:
    """Write the recordings and the catalogue with its wrong labels, and bring both in by the doors that users have."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    entries = []
    for number, event in enumerate(synthetic_slope(SEED, EVENTS, duration_s=EVENT_S), start=1):
        entries.append(event.entry)
        path = FOLDER / f"{event.entry.event_id}.mseed"
        if not path.exists():
            write_mseed(event.waveforms, path)
        tell("recording a slope that does not exist", number / EVENTS)
    catalogue = FOLDER / "catalogue.csv"
    _write_catalogue(catalogue, entries, wrong_labels(entries, WRONG_SHARE, SEED))
    _write_catalogue(FOLDER / "truth.csv", entries, {entry.event_id: entry.event_class for entry in entries})
    tell("importing recordings and catalogue", 0.0)
    import_catalogue(
        site=site,
        file=catalogue,
        waveforms=FOLDER,
        ingest=lambda paths: ingest(site, paths, lambda n, all_, path: tell("ingesting recordings", n / all_)).refused,
    )


def _write_catalogue(path: Path, entries: Iterable[CatalogueEntry], labels: dict[str, str]) -> None:
    """A row for each event and station."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["event_id", "event_class", "starttime", "endtime", "station_id", "file", "source"])
        for entry in entries:
            times = [iso(time) for time in (entry.starttime, entry.endtime)]
            for station in entry.stations:
                name = f"{entry.event_id}.mseed"
                writer.writerow([entry.event_id, labels[entry.event_id], *times, station, name, "synthetic generator"])


def register_recordings(site: Site) -> list[str]:
    """Register obspy's own recordings where they lie; → why those that are missing could not be."""
    root = Path(obspy.__file__).parent
    return [why for _, why in ingest(site, [root / name for name in RECORDINGS]).refused]


def train_on_generator(site: Site, tell: Told, events: int = 300) -> ModelVersion:
    """Give a site without labels a model that has learned from the generator, at the site's rate, and says so."""
    from mlcore.checkpoint import model_files
    from mlcore.classify.train import train_classifier
    from mlcore.training import Progress

    recipe = Recipe.from_dict(site.recipe)

    def told(progress: Progress) -> None:
        tell("learning from the generator", progress.fraction if progress.stage == "training" else 0.0)

    trained = train_classifier(
        _generated(recipe, events),
        list(site.classes.order_by("key").values_list("code", flat=True)),
        recipe,
        trained_on=RECORDED_MODEL,
        progress=told,
    )
    model = store_model(
        site=site,
        files=model_files(trained.model, trained.description),
        description=trained.description,
        trained_on=RECORDED_MODEL,
    )
    promote_model(model=model)
    return model


def _generated(recipe: Recipe, events: int):  # type: ignore[no-untyped-def]
    """The windows of generated events, prepared by a recipe."""
    from mlcore.datasets import EventWindows, labelled_windows

    def windows(event: SyntheticEvent) -> list:
        about = event.entry
        return [
            window
            for waveform in event.waveforms
            for window in labelled_windows(
                waveform,
                event_id=about.event_id,
                label=about.event_class,
                starttime=about.starttime,
                endtime=about.endtime,
                recipe=recipe,
            )
        ]

    rate_hz = recipe.preprocessing.sampling_rate_hz
    slope = synthetic_slope(SEED + 1, events, sampling_rate_hz=rate_hz, duration_s=EVENT_S)
    return EventWindows.stack([window for event in slope for window in windows(event)], recipe.preprocessing)
