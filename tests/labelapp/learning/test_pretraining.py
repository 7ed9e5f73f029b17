"""A pretraining in the application: from recordings without labels to an encoder, and on to a classifier."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from labelapp.catalogue.errors import Invalid, Refused
from labelapp.catalogue.models import ModelVersion, Recording, Trace
from labelapp.catalogue.selectors import model_files
from labelapp.catalogue.services import promote_model
from labelapp.learning.choices import ENCODERS, METHODS
from labelapp.learning.claims import _host
from labelapp.learning.models import Run
from labelapp.learning.parameters import checked
from labelapp.learning.pipeline import pools, pretraining
from labelapp.learning.pipeline.recipes import load_classifier, pretraining_recipe
from labelapp.learning.services import resume_run, start_run
from labelapp.learning.tracking import tracked
from tests.labelapp.learning.conftest import START

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
# Few windows, small batches: seconds.
QUICK = {"windows": 48, "epochs": 3, "recipe": {"training": {"batch_size": 16, "precision": "float32"}}}
TERMS = {"invariance", "variance", "covariance", "discrimination", "correlation"}


@pytest.fixture
def encoder(recorded_site, work_on):
    run = work_on(recorded_site, "pretrain", **QUICK)
    assert run.state == "done", run.log
    return run.model


@pytest.fixture
def light_site(small_site, station, make_event):
    """A site that knows of a recording and of a labelled event, for what is refused before anything is read."""
    recording = Recording.objects.create(
        site=small_site, path="/nowhere", sha256="0" * 64, size_bytes=1, format="MSEED"
    )
    begin, end = START, START + timedelta(hours=1)
    Trace.objects.create(
        recording=recording, station=station, channel="HHZ", starttime=begin, endtime=end, sampling_rate_hz=50.0
    )
    make_event()
    return small_site


def test_a_pretraining_stores_an_encoder_with_its_pool_its_terms_and_its_health(recorded_site, work_on):
    run = work_on(recorded_site, "pretrain", **QUICK)
    assert run.state == "done", run.log
    model = run.model
    assert (model.kind, model.classes, recorded_site.active_model) == ("encoder", [], None)
    assert model.pool["stations"] == {"XX.AAA.00": 48}
    assert (model.pool["windows"], model.pool["window_s"], model.pool["components"]) == (48, 6.0, ["Z"])
    assert 0 < model.pool["events"] <= 40
    assert "no labels" in model.trained_on
    assert [line["epoch"] for line in model.history] == [1, 2, 3]
    assert all(set(line) >= {*TERMS, "z_std", "z_covariance", "z_rank", "y_std"} for line in model.history)
    assert model.metrics["health"]["z_std"] == model.history[-1]["z_std"]
    assert model.recipe["encoder"]["kernels"] == recorded_site.recipe["network"]["width"]
    health = {f"{what} of the embedding" for what in ("standard deviation", "covariance", "effective rank")}
    assert set(run.figures) >= {*TERMS, *health, "loss", "collapse"}
    assert run.figures["epoch"] == "3 of 3"
    assert len(re.findall(r"epoch \d of 3: loss ", run.log)) == 3
    assert f"train --from {model.pk}" in run.log
    assert not run.checkpoint_folder.exists()


def test_which_known_events_a_pool_has_seen_is_kept_with_the_encoder(recorded_site, encoder):
    seen = json.loads(model_files(encoder)["model.json"])["pool"]["events"]
    assert len(seen) == encoder.pool["events"]
    assert set(seen) <= set(recorded_site.events.values_list("event_id", flat=True))


def test_events_within_a_pool_are_those_that_overlap_a_window_at_their_station(recorded_site):
    events = list(recorded_site.events.order_by("starttime"))[:3]
    first, second, third = (event.starttime.timestamp() for event in events)
    facts = [("XX.AAA.00", first - 5.9), ("XX.AAA.00", second - 6.1), ("XX.BBB.00", third)]
    assert pools.events_within(recorded_site, _pool(facts), 6.0) == [events[0].event_id]


def _pool(facts):
    from mlcore.pretrain.pool import Facts, Pool

    told = tuple(Facts(station, datetime.fromtimestamp(time, UTC)) for station, time in facts)
    return Pool(np.zeros((len(facts), 1, 300), np.float32), np.ones((len(facts), 1), bool), 50.0, told)


def test_a_pretraining_that_was_stopped_goes_on_to_the_same_history(recorded_site, encoder, monkeypatch):
    """The windows are those that it began with, though a recording has gone meanwhile and the recipe has changed."""
    worker = "first"
    run = start_run(site=recorded_site, kind="pretrain", parameters=QUICK, worker=worker)
    told = pretraining.Job.progress

    def stop_after_two_epochs(job, stage, fraction, figures=None, message=""):
        told(job, stage, fraction, figures, message)
        if message.startswith("epoch 2"):
            job._stop = True

    monkeypatch.setattr(pretraining.Job, "progress", stop_after_two_epochs)
    _work(run, worker)
    assert (run.state, run.model) == ("cancelled", None)
    monkeypatch.setattr(pretraining.Job, "progress", told)
    monkeypatch.setattr(pools, "pool_of_archive", _never)
    recorded_site.recipe = {**recorded_site.recipe, "network": {"width": 8}}
    recorded_site.save()
    run = resume_run(run=run, worker="second")
    _work(run, "second")
    assert run.state == "done", run.log
    assert "resumed after epoch 2" in run.log
    assert run.model.history == encoder.history
    assert run.model.recipe == encoder.recipe


def _never(*args, **kwargs):
    raise AssertionError("The recordings are not read again.")


def _work(run, worker):
    from labelapp.learning import pipeline

    with tracked(run.pk, worker=worker) as job:
        pipeline.pretrain(job)
    run.refresh_from_db()


def test_a_collapse_is_told_in_the_figures_the_log_and_the_models_notes(recorded_site, work_on):
    alone = {"name": "vicreg", "variance": 0.0, "covariance": 0.0, "projector": 16}
    training = {"batch_size": 16, "precision": "float32", "learning_rate": 0.01}
    run = work_on(
        recorded_site, "pretrain", windows=48, epochs=20, recipe={"method": alone, "training": training}
    )  # fmt: skip
    assert run.state == "done", run.log
    assert "has collapsed" in run.figures["collapse"]
    assert re.search(r"^\S+Z  The \w+ has collapsed", run.log, re.MULTILINE)
    assert "has collapsed" in run.model.metrics["notes"][0]


def test_a_recording_that_is_gone_is_left_out_and_said(recorded_site, work_on):
    recording = recorded_site.recordings.get()
    type(recording).objects.filter(pk=recording.pk).update(path="/nowhere/day.mseed")
    run = work_on(recorded_site, "pretrain", **QUICK)
    assert run.state == "failed"
    assert "/nowhere/day.mseed was ingested" in run.log
    assert "no recording that can be read holds a window of 6 s" in run.error


def test_a_classifier_begins_with_the_encoder_and_says_so(recorded_site, encoder, work_on):
    run = work_on(recorded_site, "train", start=encoder.pk, epochs=2)
    assert run.state == "done", run.log
    model = run.model
    assert (model.started_from, model.kind) == (encoder, "classifier")
    assert f"every member begins with {encoder}: its convolutions and its hidden layer; the rest is new" in run.log
    description = json.loads(model_files(model)["model.json"])
    assert description["began_with"] == ["convolutions", "head"]
    assert description["start"].startswith(f"every member begins with {encoder}")
    held_out = model.examples.filter(split="test").values_list("event__event_id", flat=True)
    both = set(json.loads(model_files(encoder)["model.json"])["pool"]["events"]) & set(held_out)
    said = [note for note in model.metrics["notes"] if "pretrained on" in note]
    assert bool(both) == bool(said)
    assert not both or said[0].startswith(f"{len(both)} of the {len(held_out)} events held out")


def test_an_encoder_of_one_site_serves_a_new_one(recorded_site, encoder, make_other_site):
    other = make_other_site(recorded_site.recipe)
    assert checked(other, "train", {"start": encoder.pk}) == {"start": encoder.pk}


def test_an_encoder_that_does_not_fit_is_refused_with_what_to_do(recorded_site, encoder):
    recorded_site.recipe = {**recorded_site.recipe, "network": {"width": 8, "blocks": 2}}
    recorded_site.save()
    with pytest.raises(Invalid, match=r"encoder.kernels is 4, but 8 is needed. Pretrain one by this recipe"):
        start_run(site=recorded_site, kind="train", parameters={"start": encoder.pk})


@pytest.mark.django_db
@pytest.mark.parametrize("start", [None, True, "1", -1, 2**70, 10**6, [1]])
def test_what_is_no_encoder_is_refused_as_a_start(light_site, start, make_model):
    start = make_model().pk if start is None else start
    with pytest.raises(Invalid, match="but must be the id of a"):
        start_run(site=light_site, kind="train", parameters={"start": start})


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["classify", "detect"])
def test_an_encoder_is_refused_where_a_classifier_is_needed(light_site, make_model, kind):
    encoder = make_model(kind="encoder", classes=[])
    with pytest.raises(Invalid, match="is a pretrained encoder, which knows no classes"):
        start_run(site=light_site, kind=kind, parameters={"model": encoder.pk})
    with pytest.raises(Invalid, match="has no active model"):
        start_run(site=light_site, kind=kind, parameters={})


@pytest.mark.django_db
def test_an_encoder_is_never_promoted_nor_loaded_as_a_classifier(make_model, manager):
    encoder = make_model(kind="encoder", classes=[])
    for act in (lambda: promote_model(model=encoder, by=manager), lambda: load_classifier(encoder)):
        with pytest.raises(Refused, match=f"which knows no classes.*--from {encoder.pk}"):
            act()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"method": "simclr"}, "method is 'simclr', but must be one of vnibcreg"),
        ({"method": ["vicreg"]}, "must be one of"),
        ({"encoder": "vgg"}, "encoder is 'vgg', but must be one of"),
        ({"epochs": 0}, "epochs is 0, but must be a whole number"),
        ({"windows": 1}, "windows is 1"),
        ({"windows": 1.5}, "windows is 1.5"),
        ({"seed": -1}, "seed is -1"),
        ({"recipe": "x" * 1000}, r"recipe is 'x{80}', but must be a table"),
        ({"recipe": {"views": 3}}, "must be a table of sections"),
        ({"recipe": {"colour": {}}}, "no setting 'colour'"),
        ({"recipe": {"views": {"crop_share": 7}}}, "crop_share"),
        ({"recipe": {"pool": {"window_s": 1e9}}}, r"pool.window_s is 1000000000.0, but must be from 0 to 86,400"),
        ({"windows": 200_000, "recipe": {"pool": {"window_s": 600.0}}}, r"\d+.\d GB, but a pool may be 2 GB. Ask for"),
        ({"colour": 1}, "no parameter 'colour'"),
        ({"recipe": {"training": {"batch_size": 0}}}, "training.batch_size is 0, but"),
        ({"recipe": {"training": {"learning_rate": float("nan")}}}, "training.learning_rate is nan, but"),
        ({"recipe": {"training": {"learning_rate": 1e30}}}, "from 0 to 10.0"),
        ({"recipe": {"pool": {"components": ["Q"]}}}, r"pool.components is Q, but the recordings of Test slope have Z"),
        ({"recipe": {"method": {"projector": 0}}}, "method.projector is 0, but"),
        ({"recipe": {"encoder": {"kernels": 10**18}}}, "encoder.kernels is 10{18}, but"),
        ({"recipe": {"spectrogram": {"image": "spectrogram", "window_s": 6.0}}}, "1 columns of an image: too few"),
    ],
)
def test_what_cannot_work_is_refused_in_words(light_site, parameters, said):
    with pytest.raises(Invalid, match=said):
        start_run(site=light_site, kind="pretrain", parameters=parameters)
    assert not Run.objects.exists()


def test_a_training_by_a_recipe_that_cannot_work_is_refused_when_it_is_asked_for(light_site):
    light_site.recipe = {**light_site.recipe, "training": {"batch_size": 0}}
    light_site.save()
    with pytest.raises(Invalid, match=r"training\.batch_size is 0, but must be above 0"):
        start_run(site=light_site, kind="train", parameters={})
    assert not Run.objects.exists()


def test_a_site_without_recordings_has_nothing_to_learn_from(small_site):
    with pytest.raises(Invalid, match="no recordings to learn from"):
        start_run(site=small_site, kind="pretrain", parameters={})


def test_why_recordings_are_left_out_is_said_and_so_is_how_many_more_there_are(monkeypatch):
    monkeypatch.setattr(pools, "SAID", 1)
    assert pools.left_out(Counter()) == []
    assert pools.left_out(Counter({"too short": 1})) == ["left out 1 part of the recordings: too short"]
    assert pools.left_out(Counter({"too short": 5, "torn": 2, "gone": 1})) == [
        "left out 5 parts of the recordings: too short",
        "left out 3 more for other reasons",
    ]


def test_what_a_run_takes_where_nobody_says_is_what_its_recipe_says(recorded_site):
    from labelapp.learning.pipeline.beginnings import usual
    from labelapp.learning.pipeline.recipes import pool_size, site_recipe

    found, recipe = usual(recorded_site), pretraining_recipe(recorded_site, {})
    told = pretraining_recipe(
        recorded_site, {name: found["pretrain"][name] for name in ("method", "encoder", "epochs")}
    )
    assert told == recipe
    assert found["pretrain"]["windows"] == pool_size(recipe, None) == 20_000
    assert found["train"] == {"epochs": site_recipe(recorded_site).training.epochs}
    recorded_site.recipe = {"nonsense": {}}
    assert list(usual(recorded_site)) == ["map"]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_that_can_be_asked_for_makes_a_recipe(recorded_site, encoder):
    assert pretraining_recipe(recorded_site, {"encoder": encoder}).encoder.name == encoder


def test_methods_and_encoders_are_those_that_mlcore_has():
    from typing import get_args

    from mlcore.pretrain.config import EncoderName, MethodName

    assert set(METHODS) == set(get_args(MethodName))
    assert set(ENCODERS) == set(get_args(EncoderName))


def test_the_commands_ask_for_both_and_say_what_came_of_it(recorded_site, tmp_path, capsys):
    (tmp_path / "quick.toml").write_text("[training]\nbatch_size = 16\n")
    options = ["--windows", "48", "--epochs", "1", "--recipe", str(tmp_path / "quick.toml")]
    call_command("pretrain", recorded_site.name, *options, "--wait")
    model = ModelVersion.objects.get()
    assert f"Begin with it: train --from {model.pk}" in capsys.readouterr().out
    call_command("train", recorded_site.name, "--from", str(model.pk), "--epochs", "1")
    assert Run.objects.get(kind="train").parameters == {"epochs": 1, "start": model.pk}
    with pytest.raises(CommandError, match="cannot be read as TOML"):
        call_command("pretrain", recorded_site.name, "--recipe", str(tmp_path / "none.toml"))


def test_what_is_asked_of_a_pretraining_and_of_a_start_is_checked_without_torch():
    """The web process checks it, and would grow by hundreds of megabytes."""
    script = (
        "import django, sys; django.setup(); from labelapp.learning.pipeline import beginnings; "
        "print([m for m in ('torch', 'obspy') if m in sys.modules])"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "labelapp.settings"}
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["viewer", "expert", "manager"])
def test_only_managers_pretrain_and_begin_with_an_encoder(client, light_site, make_model, request, role):
    client.force_login(request.getfixturevalue(role))
    recipe = pretraining_recipe(light_site, {}).to_dict()
    encoder = make_model(kind="encoder", classes=[], recipe=recipe)
    for kind, parameters in (("pretrain", QUICK), ("train", {"start": encoder.pk})):
        body = {"site": light_site.pk, "kind": kind, "parameters": parameters}
        answer = client.post("/api/v1/runs/", body, content_type="application/json")
        assert answer.status_code == (201 if role == "manager" else 403), answer.text


@pytest.mark.django_db
def test_the_admin_pretrains_for_managers(client, manager, light_site):
    client.force_login(manager)
    form = {"action": "pretrain", "_selected_action": [light_site.pk]}
    answer = client.post("/admin/catalogue/site/", form, follow=True)
    assert "is queued" in answer.text
    assert Run.objects.get().kind == "pretrain"


@pytest.mark.django_db
def test_a_refusal_over_http_says_what_is_wrong(client, manager, light_site):
    client.force_login(manager)
    body = {"site": light_site.pk, "kind": "pretrain", "parameters": {"recipe": {"views": {"crop_share": 7}}}}
    answer = client.post("/api/v1/runs/", body, content_type="application/json")
    assert answer.status_code == 400
    assert "crop_share" in answer.json()["detail"]


def test_a_run_whose_process_was_killed_is_resumed_at_once(recorded_site, capsys):
    """Not after the minute in which a worker of another host may still be heard."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    run = start_run(site=recorded_site, kind="pretrain", parameters=QUICK, worker=f"{_host()}-{ended.pid}-0a1b2c")
    call_command("resume", run.pk)
    run.refresh_from_db()
    assert run.state == "queued"
    assert f"Run {run.pk} is queued" in capsys.readouterr().out


def test_an_encoder_that_is_no_stft_cnn_is_pretrained_too_but_no_classifier_begins_with_it(recorded_site, work_on):
    recipe = {**QUICK["recipe"], "encoder": {"width": 0.125}, "method": {"projector": 32, "groups": 4}}
    run = work_on(recorded_site, "pretrain", encoder="resnet18", epochs=1, windows=32, recipe=recipe)
    assert run.state == "done", run.log
    assert "a classifier begins with an stft_cnn only, not with resnet18" in run.figures["verdict"]
    with pytest.raises(Invalid, match=r"encoder.name is 'resnet18', but 'stft_cnn' is needed"):
        start_run(site=recorded_site, kind="train", parameters={"start": run.model.pk})
