"""What a training hands on to the catalogue: its judgements of events, how its maps fared, how far it is."""

from dataclasses import replace

import pytest

from labelapp.catalogue.models import ModelVersion
from labelapp.learning.pipeline import training
from mlcore.training import Progress

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("message", "stage"),
    [
        ("fold 2 of 5: epoch 3 of 100, loss 0.4", "training, fold 2 of 5"),
        ("epoch 3 of 100", "training"),
        ("", "training"),
    ],
)
def test_the_stage_names_the_fold_that_it_is_about(message, stage):
    assert training.stage_of(Progress("training", 0.3, {}, message)) == stage


def test_a_run_goes_forward_through_its_folds(recorded_site, work_on, monkeypatch):
    told, progress = [], training.Job.progress

    def listen(job, stage, fraction, *rest):
        told.append((stage, fraction))
        progress(job, stage, fraction, *rest)

    monkeypatch.setattr(training.Job, "progress", listen)
    run = work_on(recorded_site, "train", epochs=2)
    assert run.state == "done", run.log
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    folds = {stage for stage, _ in told if stage.startswith("training, fold")}
    assert len(folds) in {0, run.model.recipe["training"]["folds"]}


def test_judgements_out_of_fold_are_stored_and_order_the_queue(recorded_site, work_on, monkeypatch):
    learn = training.train_classifier

    def judged(*args, **kwargs):
        """Folds that call every event a rockfall; the later its name in the alphabet, the more suspicious."""
        trained = learn(*args, **kwargs)
        units = sorted(unit for unit, side in trained.splits.items() if side != "test")
        said = {code: 0.9 if code == "rockfall" else 0.1 / 3 for code in trained.description["classes"]}
        suspicion = {unit: place / len(units) for place, unit in enumerate(units)}
        return replace(trained, out_of_fold={**dict.fromkeys(units, said), "x/noise": said}, suspicion=suspicion)

    monkeypatch.setattr(training, "train_classifier", judged)
    run = work_on(recorded_site, "train", epochs=1)
    assert run.state == "done", run.log
    examples = run.model.examples.select_related("event")
    assert all((e.out_of_fold is None) == (e.split == "test") for e in examples)
    work_on(recorded_site, "classify")
    asked = recorded_site.review_items.filter(suspicion__isnull=False).select_related("event__label")
    items = asked.filter(reason="disagreement")
    assert {(item.event.label.code, item.judged_class.code) for item in items} == {("quake", "rockfall")}
    names = [item.event.event_id for item in items]
    assert names == sorted(names, reverse=True)
    assert all(item.prediction.explanations.get().summary["targets"] == ["rockfall", "quake"] for item in items)
    others = asked.exclude(reason="disagreement")
    assert {(item.event.label.code, item.reason) for item in others} <= {("rockfall", "label_error")}


def test_a_model_keeps_its_history_and_whether_its_maps_depend_on_what_it_learned(recorded_site, work_on):
    run = work_on(recorded_site, "train", epochs=2)
    model = ModelVersion.objects.get()
    assert run.state == "done", run.log
    assert [line["epoch"] for line in model.history][:2] == [1, 2]
    assert {"passed", "text", "layers"} <= set(model.metrics["randomisation"])
