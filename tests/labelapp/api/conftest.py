"""Clients of every role, and a site with something behind each address."""

import json

import numpy as np
import pytest
from rest_framework.test import APIClient
from safetensors.numpy import save

from labelapp.catalogue import services as catalogue
from labelapp.learning.models import Run
from labelapp.review import services as review


def signed_in(user=None):
    client = APIClient()
    if user:
        client.force_login(user)
    return client


@pytest.fixture
def anonymous():
    return signed_in()


@pytest.fixture
def as_viewer(viewer):
    return signed_in(viewer)


@pytest.fixture
def as_expert(expert):
    return signed_in(expert)


@pytest.fixture
def as_manager(manager):
    return signed_in(manager)


@pytest.fixture
def second_expert(django_user_model, expert):
    user = django_user_model.objects.create_user(username="another expert")
    user.groups.set(expert.groups.all())
    return user


@pytest.fixture
def as_second_expert(second_expert):
    return signed_in(second_expert)


@pytest.fixture(autouse=True)
def files_go_to_a_folder_of_the_test(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture(autouse=True)
def nobody_has_asked_for_a_token_yet():
    from django.core.cache import cache

    cache.clear()


def panel_about(words):
    """A small panel as the worker writes it: a safetensors file with its facts."""
    facts = {"station": "XX.AAA.00", "problems": [words], "targets": ["rockfall"], "probabilities": {"rockfall": 0.9}}
    tensors = {"waveform": np.arange(300, dtype=np.float32), "relevance": np.full(300, 0.25, dtype=np.float32)}
    return save(tensors, {"panel": json.dumps(facts)})


@pytest.fixture
def explain(station):
    """explain(prediction): a stored panel at the station."""

    def make(prediction, content=None, at=None):
        panel = content or panel_about(f"{prediction.event} by {prediction.pk}")
        summary = {"targets": ["rockfall", "quake"]}
        return catalogue.store_explanation(prediction=prediction, station=at or station, panel=panel, summary=summary)

    return make


@pytest.fixture
def model(site):
    """A model with files in storage, tested on eight events."""
    description = {
        "classes": [event_class.code for event_class in site.classes.all()],
        "recipe": {},
        "metrics": {"confusion_matrix": [[3, 1], [0, 4]]},
    }
    files = {"weights.safetensors": b"weights", "model.json": b"{}"}
    return catalogue.store_model(site=site, files=files, description=description)


@pytest.fixture
def ask(site, model, make_event, make_prediction, explain):
    """ask("quake", "rockfall"): an open, explained item about an event with that label and that prediction."""

    def make(label="quake", predicted="rockfall", **facts):
        prediction = make_prediction(make_event(label, **facts), predicted, model=model)
        explain(prediction)
        review.fill_queue(site=site, predictions=[prediction])
        return prediction.event.review_items.get(state="open")

    return make


@pytest.fixture
def decide(expert, classes):
    """decide(item, "rockfall"): the expert's decision."""

    def make(item, code, reason="clear impacts", by=expert):
        return review.decide(item=item, expert=by, event_class=classes[code], reason=reason, prediction=item.prediction)

    return make


@pytest.fixture
def run(site):
    return Run.objects.create(site=site, kind="train", parameters={"epochs": 3}, log="begun\n")


@pytest.fixture
def refused():
    """refused(answer, 409, "conflict") → what it says; fails where the answer is no such refusal."""

    def check(answer, status, code=None):
        assert answer.status_code == status, answer.content
        assert answer["Content-Type"] == "application/json"
        said = json.loads(answer.content)
        assert set(said) <= {"detail", "code", "fields", "theirs"}
        assert said["detail"].strip()
        assert code in (None, said["code"]), said
        return said

    return check
