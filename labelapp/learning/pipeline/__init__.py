"""The only place where the web application's rows meet mlcore's arrays. The web process never imports it.

Each piece of work takes a Job (see `tracking`), tells it how far it is, and stops where it is asked to. Modules are
loaded as they are needed: registering files needs no torch.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labelapp.catalogue.errors import Refused
from labelapp.learning import tracking
from labelapp.learning.models import Run
from labelapp.learning.tracking import Job
from mlcore.errors import Cancelled, SeisloopError


@contextmanager
def in_our_words() -> Iterator[None]:
    """mlcore's errors as the application's: a mistake that a user can mend is no bug."""
    try:
        yield
    except Cancelled as error:
        raise tracking.Cancelled from error
    except SeisloopError as error:
        raise Refused(str(error)) from error


def train(job: Job) -> None:
    """A new model from the site's labelled events."""
    from labelapp.learning.pipeline import training

    with in_our_words():
        training.train(job)


def classify(job: Job) -> None:
    """What a model says of every event of the site, and the queue that follows."""
    from labelapp.learning.pipeline import classification

    with in_our_words():
        classification.classify(job)


def detect(job: Job) -> None:
    """New events from the site's continuous recordings."""
    from labelapp.learning.pipeline import detection

    with in_our_words():
        detection.detect(job)


def map_pool(job: Job) -> None:
    """A map of the site's events and unlabelled windows."""
    from labelapp.learning.pipeline import mapping

    with in_our_words():
        mapping.map_pool(job)


def pretrain(job: Job) -> None:
    """An encoder from the site's recordings, without labels."""
    from labelapp.learning.pipeline import pretraining

    with in_our_words():
        pretraining.pretrain(job)


WORK: dict[str, Callable[[Job], None]] = {
    Run.Kind.TRAIN: train,
    Run.Kind.CLASSIFY: classify,
    Run.Kind.DETECT: detect,
    Run.Kind.PRETRAIN: pretrain,
    Run.Kind.MAP: map_pool,
}
