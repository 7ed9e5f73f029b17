"""Forms that start runs say what a run takes where nobody chooses, and a run says what it was asked for."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from labelapp.learning.choices import ENCODERS, MAP_WINDOWS, METHODS
from labelapp.learning.models import Run
from labelapp.learning.parameters import CHECKS
from labelapp.learning.pipeline.recipes import pretraining_recipe, site_recipe
from labelapp.pages.asked import asked_for
from labelapp.pages.starting import start_forms
from tests.frontend.test_encoder_page import HISTORY, make_encoder  # noqa: F401

pytestmark = pytest.mark.django_db


def fields_of(site, kind):
    form = next(form for form in start_forms(site) if form.kind == kind)
    return {field.name: field for field in form.fields}


def sent_by(choice):
    """What a choice can send, groups and all."""
    return [value for _, options in [("", choice.options), *choice.groups] for value, _ in options]


def test_every_field_is_one_that_a_run_can_be_asked_for(site, make_encoder):  # noqa: F811
    make_encoder()
    for form in start_forms(site):
        assert {field.name for field in form.fields} <= set(CHECKS[form.kind])


def test_a_pretraining_offers_every_method_and_encoder_and_takes_first_what_is_usual(site):
    fields, recipe = fields_of(site, "pretrain"), pretraining_recipe(site, {})
    for name, known in (("method", METHODS), ("encoder", ENCODERS)):
        usual = getattr(recipe, name).name
        assert fields[name].usual == known[usual]
        assert {usual, *sent_by(fields[name])} == set(known)
    assert fields["epochs"].usual == recipe.training.epochs
    assert [len(options) for _, options in fields["encoder"].groups] == [len(ENCODERS) - 1]  # none starts a classifier


def test_epochs_of_a_training_are_those_of_the_sites_recipe(site):
    assert fields_of(site, "train")["epochs"].usual == site_recipe(site).training.epochs
    site.recipe = {**site.recipe, "training": {"epochs": 17}}
    assert fields_of(site, "train")["epochs"].usual == 17
    site.recipe = {"nonsense": {}}
    assert fields_of(site, "train")["epochs"].usual is None


def test_a_map_is_of_the_newest_encoder_unless_another_model_is_chosen(site, make_model):
    assert fields_of(site, "map")["model"].usual == "choose a model"
    classifier, older, newest = make_model(), make_model(kind="encoder"), make_model(kind="encoder")
    model = fields_of(site, "map")["model"]
    assert model.usual == f"encoder {newest.number}, the newest"
    assert sent_by(model) == [older.pk, classifier.pk]
    assert fields_of(site, "map")["windows"].usual == MAP_WINDOWS


def test_only_managers_are_given_the_forms(client, site, manager, expert):
    for user, count in ((manager, 5), (expert, 0)):
        client.force_login(user)
        assert client.get(reverse("runs", args=[site.pk])).text.count("data-post=") == count


def test_after_a_map_that_failed_the_form_keeps_what_was_asked_for(client, site, manager, make_model):
    model = make_model(kind="encoder")
    Run.objects.create(site=site, kind="map", state="failed", parameters={"windows": 70, "method": "pca"})
    client.force_login(manager)
    shown = client.get(reverse("site_map", args=[site.pk])).text
    assert re.search(r'name="windows"[^>]* value="70"', shown)
    assert '<option value="pca" selected>' in shown
    assert f"encoder {model.number}, the newest" in shown


def test_a_run_says_what_it_was_asked_for_in_words(site, make_model):
    encoder = make_model(kind="encoder")
    asked = {"start": encoder.pk, "epochs": 3, "then_classify": True, "events": [1, 2, 5], "encoder": "resnet18"}
    told = asked_for(Run(site=site, parameters={**asked, "recipe": {"training": {"batch_size": 16}}}))
    assert told == [
        ("Begins with", str(encoder), f"/models/{encoder.pk}/"),
        ("Epochs", "3", ""),
        ("Classifies afterwards", "yes", ""),
        ("Events", "3", ""),
        ("Encoder", "ResNet-18", ""),
        ("training: batch size", "16", ""),
    ]
    assert asked_for(Run(site=site, parameters={"model": 4711})) == [("With", "a model that is gone, id 4711", "")]


def test_the_page_of_a_run_draws_curves_of_what_learned_only(client, site, viewer, make_model):
    encoder = make_model(kind="encoder", history=HISTORY)
    client.force_login(viewer)
    for kind, is_drawn in (("map", False), ("pretrain", True)):
        run = Run.objects.create(site=site, kind=kind, state="done", model=encoder)
        assert ("<polyline" in client.get(reverse("run", args=[run.pk])).text) == is_drawn


def test_how_long_a_run_took_is_known_where_it_did_not_rest_in_between():
    start = datetime(2026, 3, 1, tzinfo=UTC)
    run = Run(started_at=start, finished_at=start + timedelta(seconds=90), attempt=1)
    assert run.took_s == 90
    run.attempt = 2
    assert run.took_s is None
