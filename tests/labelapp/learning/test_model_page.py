"""The model page of a model that was really trained: what mlcore writes down is what the page reads."""

import pytest
from django.urls import reverse

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def trained(recorded_site, work_on):
    """A model that was trained in folds, classified by, and had one of its test events relabelled."""
    recipe = dict(recorded_site.recipe)
    recipe["training"] = {**recipe.get("training", {}), "folds": 2}
    type(recorded_site).objects.filter(pk=recorded_site.pk).update(recipe=recipe)
    recorded_site.refresh_from_db()
    model = work_on(recorded_site, "train", epochs=2).model
    work_on(recorded_site, "classify", explain_all=True, model=model.pk)
    example = model.examples.filter(split="test").first()
    others = recorded_site.classes.exclude(pk=example.event_class_id)
    type(example.event).objects.filter(pk=example.event_id).update(label=others.get(code__in=["quake", "rockfall"]))
    return model


def test_everything_that_a_training_measures_is_shown(client, viewer, trained):
    client.force_login(viewer)
    answer = client.get(reverse("model", args=[trained.pk]))
    assert answer.status_code == 200
    shown = answer.context
    for name in ("held_out", "out_of_fold", "calibration", "randomisation", "curves", "relevance", "suspected"):
        assert shown[name], name
    assert shown["held_out"].macro_f1 == pytest.approx(trained.metrics["macro_f1"])
    assert shown["out_of_fold"].macro_f1 == pytest.approx(trained.metrics["out_of_fold"]["macro_f1"])
    assert 0 <= shown["calibration"]["unseen"]["ece"] <= 1
    tests, folds = (found for _, _, found in shown["relabelled"])
    assert (tests["changed"], folds["changed"]) == (1, 0)
    assert tests["before"].events == shown["held_out"].events
    assert {curve["of"] for curve in shown["curves"]} == {"fold 1", "fold 2"}
    assert len(shown["relevance"]["groups"]) == 6
