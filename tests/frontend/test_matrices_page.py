"""The page of any two: matrices that scikit-learn agrees with, the events behind each cell, figures and refusals."""

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score, confusion_matrix, f1_score

from labelapp.catalogue.models import Event
from tests.labelapp.review.rows import MORNING, ledger_of

LABELS = ["quake", "rockfall", "noise", "earthquake"]


@pytest.fixture
def reviewed(make_event, classes, expert, make_model, make_prediction):
    """Thirty events, a random ledger on half of them, and two models that judged them all."""
    events = [make_event(LABELS[n % 4]) for n in range(30)]
    Event.objects.update(created_at=MORNING - timedelta(days=1))
    ledger_of(events[:15], [expert], classes, random.Random(8), rows=60)
    generator, models = random.Random(3), [make_model(), make_model()]
    for event in events:
        for model in models:
            said = event.catalogue_label.code if generator.random() < 0.7 else generator.choice(LABELS)
            make_prediction(event, said, model=model)
    return events


@pytest.fixture
def show(client, viewer, site):
    """show("before=now") → the answer of the page"""
    client.force_login(viewer)
    return lambda query="": client.get(reverse("matrices", args=[site.pk]) + "?" + query)


def drawn(matrix):
    return [[cell["count"] for cell in row["cells"]] for row in matrix["rows"]]


def said(*fields):
    return [list(column) for column in zip(*Event.objects.order_by("pk").values_list(*fields), strict=True)]


def codes_of(matrix):
    return [row["event_class"].code if row["event_class"] else None for row in matrix["rows"]]


def predicted(number):
    from labelapp.catalogue.models import Prediction

    rows = Prediction.objects.filter(model__number=number).order_by("event")
    return list(rows.values_list("event_class__code", flat=True))


def test_the_catalogue_then_and_now_is_scikit_learns_matrix(show, reviewed):
    context = show().context
    before, now = (list(map(str, each)) for each in said("catalogue_label__code", "label__code"))
    codes = [str(code) for code in codes_of(context["both"])]
    assert drawn(context["both"]) == confusion_matrix(before, now, labels=codes).tolist()


def test_its_figures_are_those_of_scikit_learn(show, reviewed):
    figures = show("before=now&after=model-1").context["figures"]
    label, machine = said("label__code")[0], predicted(1)
    pairs = [(a, b) for a, b in zip(label, machine, strict=True) if a]
    a, b = zip(*pairs, strict=True)
    assert figures["scores"].accuracy == pytest.approx(accuracy_score(a, b))
    assert figures["scores"].macro_f1 == pytest.approx(f1_score(a, b, average="macro"))
    assert figures["kappa"] == pytest.approx(cohen_kappa_score(a, b))


def test_before_and_after_are_held_against_a_model_on_the_same_events(show, reviewed):
    held = show("before=imported&after=now&against=model-2").context["held"]
    imported, now = said("catalogue_label__code", "label__code")
    rows = [row for row in zip(imported, now, predicted(2), strict=True) if None not in row]
    for side, place in (("before", 0), ("after", 1)):
        label, machine = [row[place] for row in rows], [row[2] for row in rows]
        overall = {name: figures[side] for name, figures in held["overall"].items()}
        assert overall == pytest.approx({
            "macro_f1": f1_score(label, machine, average="macro"),
            "accuracy": accuracy_score(label, machine),
            "balanced_accuracy": balanced_accuracy_score(label, machine),
            "kappa": cohen_kappa_score(label, machine),
        })  # fmt: skip
        matrix = next(matrix for matrix, name in held["matrices"] if name == side)
        assert drawn(matrix) == confusion_matrix(label, machine, labels=codes_of(matrix)).tolist()
    assert held["overall"]["kappa"]["by"] == pytest.approx(
        held["overall"]["kappa"]["after"] - held["overall"]["kappa"]["before"]
    )


def test_two_models_are_held_against_each_other(show, reviewed):
    both = show("before=model-1&after=model-2").context["both"]
    assert drawn(both) == confusion_matrix(predicted(1), predicted(2), labels=codes_of(both)).tolist()


def test_behind_each_cell_are_its_events(show, reviewed):
    query = "before=imported&after=now"
    for row in show(query).context["both"]["rows"]:
        for cell in row["cells"]:
            answer = show(f"{query}&of=both&row={cell['row']}&column={cell['column']}")
            listed = {event.pk for event, _ in answer.context["cell"]["rows"]}
            ends = [None if code == "none" else code for code in (cell["row"], cell["column"])]
            events = Event.objects.select_related("label", "catalogue_label")
            expected = {
                e.pk for e in events
                if [e.catalogue_label.code, e.label.code if e.label else None] == ends
            }  # fmt: skip
            assert listed == expected
            assert len(expected) == cell["count"]


def test_the_form_takes_a_time_and_keeps_it(show, reviewed):
    answer = show("before=imported&after=at&after_at=2026-03-02T08:00")
    assert answer.context["opinions"]["after"].words == "catalogue at 2026-03-02T08:00:00Z"
    assert 'value="2026-03-02T08:00"' in answer.text
    assert "comparison.csv?" in answer.text
    assert "after=2026-03-02T08%3A00" in answer.text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("before=at&before_at=soon", "no moment and no model"),
        ("before=at", "no moment and no model"),
        ("after=model-9", "Its classifiers: model-1, model-2"),
        ("against=%00", "no moment"),
    ],
)
def test_what_means_nothing_is_said_on_the_page(show, reviewed, query, words):
    answer = show(query)
    assert answer.status_code == 200
    assert words in answer.text


@pytest.mark.parametrize(
    "query", ["of=both&row=quake&column=x", "row=%00&column=quake", "of=after&row=quake&column=quake"]
)
def test_a_cell_that_is_none_is_not_shown(show, reviewed, query):
    assert show(query).context["cell"] is None


def test_a_time_before_everything_says_what_to_do(show, reviewed):
    assert "There was no event in the catalogue" in show("before=at&before_at=1999-01-01").text


def test_a_model_that_judged_nothing_unseen_says_what_to_do(show, site, make_model, make_event):
    make_event("quake")
    make_model()
    text = show("after=model-1").text
    assert "judging=stored" in text
    assert "let it classify" in text


def test_a_large_catalogue_takes_no_more_queries(show, reviewed, make_event, django_assert_num_queries):
    query = "against=model-1&of=both&row=quake&column=quake"
    with CaptureQueriesContext(connection) as few:
        show(query)
    for _ in range(60):
        make_event("quake")
    with django_assert_num_queries(len(few)):
        show(query)
