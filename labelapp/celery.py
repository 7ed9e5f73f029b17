"""The Celery application. Workers and the web process find tasks and broker here."""

import os

from celery import Celery
from celery.signals import worker_process_init, worker_ready, worker_shutting_down

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")

app = Celery("seisloop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def use_one_thread(**facts: object) -> None:
    """Pool children share the cores; set before torch is first loaded in them."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@worker_ready.connect
def watch_over_runs(**facts: object) -> None:
    from labelapp.learning import worker

    worker.watch_over_runs()


@worker_shutting_down.connect
def interrupt_runs(**facts: object) -> None:
    """A worker told to go does not wait hours for its job: the job is handed back and goes on elsewhere."""
    from labelapp.learning import tracking

    tracking.stopping.set()
