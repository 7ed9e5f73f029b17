"""Two opinions side by side: the counts are scikit-learn's, models are asked about events that they did not learn."""

import random
from datetime import timedelta

import pytest
from sklearn.metrics import confusion_matrix

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import Event, TrainingExample
from labelapp.review.comparing import STORED, Opinion, confusion, opinion, pairs
from tests.labelapp.review.rows import MORNING, ledger_of


@pytest.fixture
def reviewed(make_event, classes, expert):
    """Twelve events that were imported the day before, and what became of them."""
    events = [make_event(label) for label in [*["quake", "rockfall", "noise", "earthquake"] * 2, "quake", *[None] * 3]]
    Event.objects.update(created_at=MORNING - timedelta(days=1))
    ledger_of(events, [expert], classes, random.Random(2))
    return events


def as_matrix(counts, codes):
    return [[counts[before, after] for after in codes] for before in codes]


def test_the_counts_between_two_moments_are_those_of_scikit_learn(site, reviewed, classes):
    middle = (MORNING + timedelta(minutes=20)).isoformat()
    before, after = opinion(site, "imported"), opinion(site, middle)
    codes = [*classes, None]
    found = confusion(pairs(before, after))
    order = sorted(before.said)
    named = [[str(said[event]) for event in order] for said in (before.said, after.said)]
    assert as_matrix(found, codes) == confusion_matrix(*named, labels=[str(code) for code in codes]).tolist()
    assert found.total() == 12


def test_a_model_is_compared_on_events_that_have_a_label(site, reviewed, make_model, make_prediction):
    model = make_model()
    for number, event in enumerate(reviewed[:11]):
        make_prediction(event, ["quake", "noise"][number % 2], model=model)
    found = pairs(opinion(site, "imported"), opinion(site, "model-1"))
    said = [(e.catalogue_label.code, ["quake", "noise"][n % 2]) for n, e in enumerate(reviewed[:9])]
    codes = ["quake", "rockfall", "noise", "earthquake"]
    assert as_matrix(confusion(found), codes) == confusion_matrix(*zip(*said, strict=True), labels=codes).tolist()


def test_the_newest_prediction_of_a_model_counts(site, make_event, make_model, make_prediction):
    event, model = make_event("quake"), make_model()
    make_prediction(event, "quake", model=model)
    newer = make_prediction(make_event("quake"), "noise", model=model)
    type(newer).objects.filter(pk=newer.pk).update(event=event, input_sha256="newer")
    assert opinion(site, "model-1").said[event.pk] == "noise"


def test_a_model_judges_what_it_learned_by_its_folds_or_not_at_all(
    site, make_event, make_model, make_prediction, classes
):
    model = make_model()
    unseen, tested, folded, remembered = events = [make_event("quake") for _ in range(4)]
    for event in events:
        make_prediction(event, "quake", model=model)
    facts = {"model": model, "event_class": classes["quake"]}
    TrainingExample.objects.create(event=tested, split="test", **facts)
    folds = {"quake": 0.2, "rockfall": 0.7, "noise": 0.1}
    TrainingExample.objects.create(event=folded, split="train", out_of_fold=folds, **facts)
    TrainingExample.objects.create(event=remembered, split="validation", **facts)
    assert opinion(site, "model-1").said == {unseen.pk: "quake", tested.pk: "quake", folded.pk: "rockfall"}
    assert opinion(site, "model-1", STORED).said == {event.pk: "quake" for event in events}


def test_labels_are_called_what_the_model_calls_them(site, make_event, make_model, make_prediction):
    recipe = {"catalogue": {"classes": {"rockfall": ["rockfall", "quake"], "noise": ["noise"]}}}
    model = make_model(recipe=recipe)
    for label, said in (("quake", "rockfall"), ("noise", "rockfall"), ("earthquake", "noise")):
        make_prediction(make_event(label), said, model=model)
    found = pairs(opinion(site, "now"), opinion(site, "model-1"))
    assert [pair[1:3] for pair in found] == [("rockfall", "rockfall"), ("noise", "rockfall")]


def test_three_opinions_are_compared_on_the_events_that_all_of_them_know():
    one, two, three = (Opinion(name, name, dict.fromkeys(events, "quake")) for name, events in
                       (("a", [1, 2, 3]), ("b", [2, 3, 4]), ("c", [3, 2, 9])))  # fmt: skip
    assert [pair.event for pair in pairs(one, two, three)] == [2, 3]


@pytest.mark.parametrize("name", ["yesterday", "model-7", "model-", "", "model-99999999999999", "9999-13-01"])
def test_a_name_that_means_nothing_is_refused_in_words(site, name):
    with pytest.raises(Invalid, match=r"no moment and no model|has no classifier model-"):
        opinion(site, name)


def test_a_time_is_utc_unless_it_says_otherwise(site):
    assert opinion(site, "2026-03-01T06:00").name == "2026-03-01T06:00:00Z"
    assert opinion(site, "2026-03-01T06:00+02:00").name == "2026-03-01T04:00:00Z"
