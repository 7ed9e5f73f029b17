"""A queue with real rows: a stored model, a prediction with its panel, an item that asks about it."""

import pytest

from labelapp.catalogue import services as catalogue
from labelapp.review import services


@pytest.fixture
def model(site):
    """A model with files in storage, so that the ledger can verify what was shown."""
    codes = [c.code for c in site.classes.all()]
    files = {"weights.safetensors": b"weights", "model.json": b"{}"}
    return catalogue.store_model(site=site, files=files, description={"classes": codes, "recipe": {}})


@pytest.fixture
def predict(model, classes, station):
    """predict(event, "rockfall", 0.9): a prediction with a panel at the station."""

    def make(event, code="rockfall", probability=0.9, model=model, words="panel"):
        rest = (1 - probability) / (len(classes) - 1)
        prediction = catalogue.store_prediction(
            event=event,
            model=model,
            probabilities={c: probability if c == code else rest for c in classes},
            input_sha256=f"{event.pk:064x}",
        )
        panel = f"{words} of {event}".encode()
        catalogue.store_explanation(prediction=prediction, station=station, panel=panel, summary={})
        return prediction

    return make


@pytest.fixture
def ask(site, make_event, predict):
    """ask("quake", "rockfall"): an open item about an event with that label and that prediction."""

    def make(label="quake", predicted="rockfall", **facts):
        prediction = predict(make_event(label, **facts), predicted)
        services.fill_queue(site=site, predictions=[prediction])
        return prediction.event.review_items.get(state="open")

    return make


@pytest.fixture
def decide(expert, classes):
    """decide(item, "rockfall"): the expert's decision, having seen the item's prediction."""

    def make(item, code, **facts):
        given = {"expert": expert, "reason": "clear impacts", "prediction": item.prediction, **facts}
        return services.decide(item=item, event_class=classes[code], **given)

    return make
