"""A home with a small site, for tests in which whole processes are started and killed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import numpy as np

from mlcore.waveform import write_mseed
from tests.journeys.home import ROOT, Home
from tests.labelapp.learning.conftest import alternating, catalogue_csv, record

RECIPE = """
[preprocessing]
sampling_rate_hz = 50.0
components = ["Z"]
band_hz = [1.0, 20.0]
window_s = 6.0
stft_length = 32
stft_hop = 16
[network]
width = 4
blocks = 2
[training]
batch_size = 16
early_stopping = 0
"""
FOR_EVER = 10_000  # epochs


class SmallHome(Home):
    """A Home with the site "small": twenty events in one recording."""

    def __init__(self, folder):
        super().__init__(folder)
        self.env |= {"SEISLOOP_HEARTBEAT_S": "1", "SEISLOOP_SILENCE_S": "3", "OMP_NUM_THREADS": "1"}

    def fill(self):
        events = alternating(20)
        write_mseed(record(events, 20 * 20 + 20, np.random.default_rng(1)), self.folder / "day.mseed")
        (self.folder / "catalogue.csv").write_text(catalogue_csv(events))
        (self.folder / "recipe.toml").write_text(RECIPE)
        self.manage("migrate", "--verbosity", "0")
        self.manage("create_site", "small", "--recipe", self.folder / "recipe.toml")
        self.manage("ingest", "small", self.folder / "day.mseed")
        self.manage("import_catalogue", "small", self.folder / "catalogue.csv")
        return self

    def start_training(self, epochs):
        """The id of a queued run."""
        self.manage("train", "small", "--epochs", epochs)
        return self.query("SELECT max(id) AS id FROM learning_run")["id"]

    def run(self, run_id):
        row = self.query("SELECT * FROM learning_run WHERE id = ?", run_id)
        return {**row, "parameters": json.loads(row["parameters"])}

    def query(self, sql, *values):
        """The first row, as a dict."""
        with sqlite3.connect(self.folder / "seisloop.sqlite3", timeout=20) as database:
            database.row_factory = sqlite3.Row
            return dict(database.execute(sql, values).fetchone())

    def wait_until(self, run_id, true, patience_s=120):
        """The run's row as soon as `true` holds of it."""
        deadline = time.monotonic() + patience_s
        while not true(row := self.run(run_id)):
            assert time.monotonic() < deadline, f"{row}\n{self.worker_log[-5000:]}"
            time.sleep(0.1)
        return row

    @property
    def worker_log(self):
        log = self.folder / "worker.log"
        return log.read_text() if log.exists() else ""

    @contextmanager
    def worker(self, *arguments):
        """A Celery worker in a process group of its own."""
        with (self.folder / "worker.log").open("a") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "labelapp", "worker", "--concurrency", "1", *arguments],
                cwd=ROOT,
                env=self.env,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                kill_all(process)


def kill_all(process):
    """Kill a process and the children it forked, at once."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def learned(epochs):
    return lambda run: f"epoch {epochs} of" in run["log"]


def is_(state):
    return lambda run: run["state"] == state
