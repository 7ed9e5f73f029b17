"""What a worker can be asked to do: one call each, safe to arrive twice.

The pipeline is imported inside, so that whoever enqueues never loads torch.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Task, shared_task
from celery.exceptions import Ignore, Reject
from django.conf import settings
from django.db import DatabaseError

from labelapp.learning.claims import AlreadyTaken
from labelapp.learning.models import Run
from labelapp.learning.tracking import Job, stopping, tracked


@shared_task(bind=True)
def train(self: Task, run_id: int) -> None:
    """Train a model on a site's labelled events."""
    with delivered(self, run_id) as job:
        from labelapp.learning import pipeline

        pipeline.train(job)


@shared_task(bind=True)
def classify(self: Task, run_id: int) -> None:
    """Predict and explain a site's events, and fill the queue."""
    with delivered(self, run_id) as job:
        from labelapp.learning import pipeline

        pipeline.classify(job)


@shared_task(bind=True)
def detect(self: Task, run_id: int) -> None:
    """Scan a site's recordings for events."""
    with delivered(self, run_id) as job:
        from labelapp.learning import pipeline

        pipeline.detect(job)


@shared_task(bind=True)
def map_pool(self: Task, run_id: int) -> None:
    """Draw a site's events and unlabelled windows as a model sees them."""
    with delivered(self, run_id) as job:
        from labelapp.learning import pipeline

        pipeline.map_pool(job)


@shared_task(bind=True)
def pretrain(self: Task, run_id: int) -> None:
    """Pretrain an encoder on a site's recordings."""
    with delivered(self, run_id) as job:
        from labelapp.learning import pipeline

        pipeline.pretrain(job)


TASKS: dict[str, Task] = {
    Run.Kind.TRAIN: train,
    Run.Kind.CLASSIFY: classify,
    Run.Kind.DETECT: detect,
    Run.Kind.PRETRAIN: pretrain,
    Run.Kind.MAP: map_pool,
}


@contextmanager
def delivered(task: Task, run_id: int) -> Iterator[Job]:
    """The run of a delivered message, if it is to be had; handed back to the broker when the worker must go.

    The embedded worker's broker goes with it; its next start finds the run in the database.
    """
    hand_back = Reject("the worker must go", requeue=not settings.EMBEDDED)
    if stopping.is_set():
        raise hand_back
    try:
        with tracked(run_id) as job:
            yield job
    except AlreadyTaken:
        if _may_be_lost(task, run_id):
            raise task.retry(countdown=settings.SILENCE_S, max_retries=None) from None
        raise Ignore from None
    except DatabaseError as error:  # the message must not be lost with it
        raise task.retry(countdown=settings.SILENCE_S, max_retries=None) from error
    if stopping.is_set() and Run.objects.filter(pk=run_id, state=Run.State.INTERRUPTED).exists():
        raise hand_back


def _may_be_lost(task: Task, run_id: int) -> bool:
    """Delivered again while its first worker, on another host, may have died: look again when silence would tell."""
    again = (task.request.delivery_info or {}).get("redelivered")
    return bool(again) and Run.objects.filter(pk=run_id, state=Run.State.RUNNING).exists()
