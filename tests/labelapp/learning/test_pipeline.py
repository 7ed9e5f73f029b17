"""From recordings and labels to a promoted model, predictions, panels, and a queue."""

from datetime import timedelta

import numpy as np
import pytest

from labelapp.catalogue.models import Event, Explanation, ModelVersion, Prediction, Site
from labelapp.learning.pipeline.ingesting import ingest
from labelapp.learning.pipeline.records import read_span
from labelapp.learning.pipeline.training import LEAST_SHARED_EVENTS, promote_on_evidence
from labelapp.learning.services import start_run
from mlcore.errors import UnreadableRecording
from mlcore.waveform import write_mseed

from .conftest import START, alternating, record

pytestmark = pytest.mark.django_db(transaction=True)
OTHER = {"quake": "rockfall", "rockfall": "quake"}


def relabelled(site, event_id, code):
    """A wrong label, as a catalogue may hold."""
    site.events.filter(event_id=event_id).update(label=site.classes.get(code=code))


def test_training_stores_a_model_with_metrics_on_held_out_events_and_promotes_the_first(recorded_site, work_on):
    run = work_on(recorded_site, "train", seed=1)
    assert run.state == "done", run.log
    model = ModelVersion.objects.get()
    assert recorded_site.active_model == model == run.model
    held_out = set(model.examples.filter(split="test").values_list("event_id", flat=True))
    learned = set(model.examples.exclude(split="test").values_list("event_id", flat=True))
    assert model.metrics["events"] == len(held_out) > 0
    assert not held_out & learned
    assert len(held_out | learned) == 40
    assert model.metrics["macro_f1"] > 0.9
    assert "first active model" in run.figures["verdict"]
    assert not run.checkpoint_folder.exists()


def test_a_wrong_label_is_predicted_otherwise_explained_for_both_classes_and_queued_first(recorded_site, work_on):
    work_on(recorded_site, "train", seed=1)
    relabelled(recorded_site, "e0", "rockfall")  # it was trained on as quake
    run = work_on(recorded_site, "classify")
    assert run.state == "done", run.log
    item = recorded_site.review_items.first()
    assert (item.event.event_id, item.reason) == ("e0", "disagreement")
    panel = item.prediction.explanations.get()
    assert panel.summary["targets"] == ["quake", "rockfall"]
    assert all(abs(e["error"]) < 1e-9 for e in panel.summary["explanations"])
    difference = panel.summary["difference"]
    assert (difference["target"], difference["against"]) == ("quake", "rockfall")
    assert all(e["deletion"]["text"] for e in [*panel.summary["explanations"], difference])
    assert Prediction.objects.count() == 40
    assert Explanation.objects.count() < 40  # agreements are not explained


def test_classifying_again_adds_nothing(recorded_site, work_on):
    work_on(recorded_site, "train", epochs=2)
    counts = []
    for _ in range(2):
        work_on(recorded_site, "classify")
        counts.append((Prediction.objects.count(), Explanation.objects.count(), recorded_site.review_items.count()))
    assert counts[0] == counts[1]


def test_everything_can_be_explained_on_request(recorded_site, work_on):
    work_on(recorded_site, "train", epochs=1)
    work_on(recorded_site, "classify", explain_all=True)
    assert Explanation.objects.count() == 40


def test_some_events_can_be_explained_alone(recorded_site, work_on):
    work_on(recorded_site, "train", epochs=1)
    event = recorded_site.events.get(event_id="e7")
    run = work_on(recorded_site, "classify", events=[event.pk], explain_all=True)
    assert run.state == "done", run.log
    assert Explanation.objects.get().prediction.event == event
    assert Prediction.objects.count() == 1


def test_panels_that_a_killed_worker_left_out_are_made_by_the_next(recorded_site, work_on):
    work_on(recorded_site, "train", epochs=1)
    work_on(recorded_site, "classify", explain_all=True)
    Explanation.objects.first().delete()
    work_on(recorded_site, "classify", explain_all=True)
    assert Explanation.objects.count() == 40


def test_an_event_that_cannot_be_read_is_said_with_its_reason_and_the_rest_goes_on(recorded_site, work_on):
    late = recorded_site.events.get(event_id="e5")
    late.observations.update(starttime="2030-01-01T00:00:00Z", endtime="2030-01-01T00:00:02Z")
    run = work_on(recorded_site, "train", epochs=1)
    assert run.state == "done"
    assert "e5 at XX.AAA.00: XX.AAA.00 has no recording between 2029-12-31" in run.log
    assert run.figures["left out"] == 1
    assert not run.model.examples.filter(event=late).exists()


def test_a_run_that_can_use_nothing_fails_with_the_most_common_reason(recorded_site, work_on, tmp_path):
    (tmp_path / "day.mseed").unlink()
    run = work_on(recorded_site, "train")
    assert run.state == "failed"
    assert "None of the 40 labelled events can be used" in run.error
    assert "cannot be found now" in run.error
    assert "Traceback" not in run.log


def test_a_file_that_has_changed_since_it_was_ingested_is_not_used(recorded_site, work_on, tmp_path):
    path = tmp_path / "day.mseed"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    assert "has changed since it was ingested" in work_on(recorded_site, "train").error


def test_a_lost_file_of_which_another_holds_everything_is_left_out_and_said(recorded_site, tmp_path):
    copy = tmp_path / "longer.mseed"
    write_mseed(record(alternating(42), 20 * 42, np.random.default_rng(1)), copy)
    assert ingest(recorded_site, [copy]).refused == []
    (tmp_path / "day.mseed").unlink()
    station, starttime = recorded_site.stations.get(code="AAA"), START + timedelta(seconds=60)
    waveform = read_span(station, starttime, starttime + timedelta(seconds=30), ("Z",))
    assert waveform.mask.all()
    assert any("day.mseed" in problem and "cannot be found now" in problem for problem in waveform.problems)
    copy.unlink()
    with pytest.raises(UnreadableRecording, match="cannot be found now"):
        read_span(station, starttime, starttime + timedelta(seconds=30), ("Z",))


def test_a_lost_file_of_which_no_other_holds_everything_fails_the_window(recorded_site, tmp_path):
    part = tmp_path / "part.mseed"
    write_mseed(record([], 75, np.random.default_rng(2)), part)
    assert ingest(recorded_site, [part]).refused == []
    (tmp_path / "day.mseed").unlink()
    station, starttime = recorded_site.stations.get(code="AAA"), START + timedelta(seconds=60)
    with pytest.raises(UnreadableRecording, match="cannot be found now"):
        read_span(station, starttime, starttime + timedelta(seconds=30), ("Z",))


def test_a_later_model_is_compared_on_the_same_held_out_events_and_stored_but_not_promoted_where_worse(
    recorded_site, work_on
):
    work_on(recorded_site, "train", seed=1)
    first = recorded_site.active_model
    for example in first.examples.exclude(split="test").select_related("event__label"):
        relabelled(recorded_site, example.event.event_id, OTHER[example.event.label.code])  # it will learn the contrary
    run = work_on(recorded_site, "train", seed=2)
    comparison = run.model.metrics["comparison"]
    tests = [set(m.examples.filter(split="test").values_list("event_id", flat=True)) for m in (first, run.model)]
    assert tests[0] == tests[1]
    assert comparison["events"] == len(tests[0])
    assert comparison["macro_f1"] < comparison["active_macro_f1"]
    assert recorded_site.active_model == first
    assert "stored but not promoted" in run.figures["verdict"]


def test_a_later_model_that_is_no_worse_is_promoted_and_the_site_classified_anew_on_request(recorded_site, work_on):
    work_on(recorded_site, "train", seed=1)
    start_run(site=recorded_site, kind="classify")  # still waiting, with the older model
    run = work_on(recorded_site, "train", seed=1, epochs=13, then_classify=True)
    assert run.state == "done", run.log
    assert recorded_site.active_model == run.model
    assert "is promoted" in run.figures["verdict"]
    newest = recorded_site.runs.filter(state="queued").first()
    assert (newest.kind, newest.parameters) == ("classify", {"model": run.model.pk})


def test_a_model_that_was_compared_with_another_than_the_active_one_is_not_promoted(recorded_site, work_on):
    work_on(recorded_site, "train", seed=1, epochs=2)
    second = work_on(recorded_site, "train", seed=1).model
    for promoted in (True, False):  # a third one was promoted by hand while the second was compared with the first
        recorded_site.active_model = work_on(recorded_site, "train", seed=1, epochs=3).model if promoted else None
        recorded_site.save()
        said = promote_on_evidence(second)
        assert f"it was compared with model 1, but {recorded_site.active_model or 'none'} is active now" in said
        assert Site.objects.get(pk=recorded_site.pk).active_model == recorded_site.active_model


def test_a_comparison_on_few_events_promotes_nothing(recorded_site, work_on):
    work_on(recorded_site, "train", seed=1, epochs=2)
    first = recorded_site.active_model
    second = work_on(recorded_site, "train", seed=1).model
    recorded_site.active_model = first
    recorded_site.save()
    for events, promoted in ((LEAST_SHARED_EVENTS - 1, False), (LEAST_SHARED_EVENTS, True)):
        figures = {"model": first.number, "events": events, "macro_f1": 0.9, "active_macro_f1": 0.8}
        second.metrics["comparison"] = figures
        said = promote_on_evidence(second)
        assert ("is promoted" if promoted else f"only {events} events are new to both") in said
        assert (Site.objects.get(pk=recorded_site.pk).active_model == second) == promoted


def test_where_no_event_is_held_out_the_folds_that_never_saw_it_are_the_evidence(recorded_site, work_on):
    folded = {**recorded_site.recipe["training"], "test_share": 0.0, "validation_share": 0.0, "folds": 2}
    recorded_site.recipe = {**recorded_site.recipe, "training": folded}
    recorded_site.save()
    first = work_on(recorded_site, "train", seed=1, epochs=2)
    assert "unseen events" in first.figures["verdict"]
    assert recorded_site.active_model == first.model
    second = work_on(recorded_site, "train", seed=1, epochs=12).model
    comparison = second.metrics["comparison"]
    assert comparison["events"] == second.examples.count() == second.metrics["out_of_fold"]["units"]
    said = [(example.event.label.code, example.out_of_fold) for example in second.examples.all()]
    right = sum(label == max(probabilities, key=probabilities.get) for label, probabilities in said)
    assert second.metrics["out_of_fold"]["accuracy"] == right / len(said)


@pytest.mark.parametrize("folds", [1, 2])
def test_a_training_that_was_interrupted_resumes_from_its_checkpoint_and_ends_with_the_same_weights(
    recorded_site, work_on, monkeypatch, folds
):
    from labelapp.learning import pipeline
    from labelapp.learning.services import resume_run
    from labelapp.learning.tracking import Job, tracked

    recorded_site.recipe["training"] = {**recorded_site.recipe["training"], "folds": folds}
    recorded_site.save()
    whole = work_on(recorded_site, "train", seed=3, epochs=6)
    recorded_site.active_model = None
    recorded_site.save()
    asked = Job.should_stop
    monkeypatch.setattr(Job, "should_stop", lambda job: "epoch 3" in job.run.log or asked(job))
    monkeypatch.setattr("labelapp.learning.tracking.WRITE_EVERY_S", 0.0)
    part = work_on(recorded_site, "train", seed=3, epochs=6, then_classify=False)
    assert part.state == "cancelled"
    assert any(part.checkpoint_folder.glob("training*.safetensors"))
    monkeypatch.setattr(Job, "should_stop", asked)
    resume_run(run=part)
    with tracked(part.pk) as job:
        pipeline.train(job)
    part.refresh_from_db()
    assert part.state == "done", part.log
    assert "resumed after epoch" in part.log
    assert part.log.count("epoch 2 of 6") == whole.log.count("epoch 2 of 6") > 0  # nothing was done twice
    assert _weights(part.model) == _weights(whole.model)


def _weights(model):
    from labelapp.catalogue.selectors import model_files

    return model_files(model)["weights.safetensors"]


def test_the_input_of_classification_is_the_window_that_training_saw(recorded_site):
    from labelapp.learning.pipeline.recipes import site_recipe
    from labelapp.learning.pipeline.windows import read_event

    event = Event.objects.get(event_id="e3")
    recipe = site_recipe(recorded_site)
    (window,) = read_event(event, recipe).windows.values()
    assert window.window.data.shape == (1, 300)
    assert abs(window.window.data).max() == pytest.approx(1.0)
