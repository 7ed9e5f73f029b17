"""What a training hands on to the catalogue: its judgements of events, how its maps fared, how far it is."""

from dataclasses import replace

import pytest

from labelapp.catalogue.models import ModelVersion
from labelapp.learning.pipeline import training
from mlcore.training import Progress

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("stage", "fraction", "share"),
    [
        ("preparing", 1.0, 0.0),
        ("training", 0.5, 0.5),
        ("fold 1 of 5", 0.0, 0.0),
        ("fold 2 of 5", 0.5, 0.3),
        ("fold 5 of 5", 1.0, 1.0),
        ("seed 2 of 2, fold 3 of 4, training", 0.0, 0.75),
    ],
)
def test_a_stage_that_is_one_of_several_is_a_part_of_the_whole(stage, fraction, share):
    assert training.learned_share(Progress(stage, fraction)) == pytest.approx(share)


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
    items = recorded_site.review_items.filter(suspicion__isnull=False).select_related("event__label")
    assert {(item.event.label.code, item.judged_class.code) for item in items} == {("quake", "rockfall")}
    names = [item.event.event_id for item in items]
    assert names == sorted(names, reverse=True)
    assert all(item.prediction.explanations.get().summary["targets"] == ["rockfall", "quake"] for item in items)


def test_a_model_keeps_its_history_and_whether_its_maps_depend_on_what_it_learned(recorded_site, work_on):
    run = work_on(recorded_site, "train", epochs=2)
    model = ModelVersion.objects.get()
    assert run.state == "done", run.log
    assert [line["epoch"] for line in model.history][:2] == [1, 2]
    assert {"passed", "text", "layers"} <= set(model.metrics["randomisation"])
