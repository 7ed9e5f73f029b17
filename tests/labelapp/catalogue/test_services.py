"""Sites, recordings, models, predictions, panels and detections are written once, and refused with a reason."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from labelapp.catalogue import checksums, selectors, services
from labelapp.catalogue.errors import Conflict, Invalid, NotAllowed, Refused
from labelapp.catalogue.models import Event, ModelVersion, Recording, Station, Trace
from labelapp.catalogue.services import TraceFacts

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
FILES = {"weights.safetensors": b"weights", "model.json": b"{}"}


def trace(**facts):
    known = {
        "network": "XX", "station": "AAA", "location": "", "channel": "HHZ", "starttime": NINE,
        "endtime": NINE + timedelta(hours=1), "sampling_rate_hz": 250.0,
    }  # fmt: skip
    return TraceFacts(**{**known, **facts})


def record(site, *traces, path="/data/a.mseed", sha256="a" * 64, **facts):
    return services.record_recording(
        site=site, path=path, sha256=sha256, size_bytes=1, format="MSEED", traces=traces or [trace()], **facts
    )


def test_a_site_has_the_four_default_classes_with_keys(site):
    assert [(c.key, c.code) for c in site.classes.all()] == [
        ("1", "earthquake"), ("2", "quake"), ("3", "rockfall"), ("4", "noise"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["Test slope", "test SLOPE"])
def test_a_name_that_is_taken_is_refused(site, name):
    with pytest.raises(Conflict, match=f"There is a site '{name}' already"):
        services.create_site(name=name)


@pytest.mark.parametrize("name", ["", "../x", "<script>", "a\nb", "a\x00", "x" * 81, " x", "=x"])
def test_hostile_names_of_sites_are_refused(db, name):
    with pytest.raises(Invalid, match="name"):
        services.create_site(name=name)


def test_a_recording_is_known_by_its_checksum(site):
    recording, created = record(site)
    assert created
    assert record(site, path="/data/copy.mseed") == (recording, False)
    assert Trace.objects.count() == 1
    assert str(Station.objects.get()) == "XX.AAA."


def test_a_recording_that_moved_gets_its_new_path_and_a_copy_does_not(site, tmp_path):
    (tmp_path / "here").write_bytes(b"")
    record(site, path=tmp_path / "here")
    assert record(site, path="/elsewhere")[0].path == str(tmp_path / "here")
    (tmp_path / "here").unlink()
    assert record(site, path="/elsewhere")[0].path == "/elsewhere"
    assert Recording.objects.get().path == "/elsewhere"


def test_a_file_overwritten_by_another_that_is_known_leaves_no_recording_behind(site, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"")
        record(site, path=tmp_path / name, sha256=name * 64)
    (tmp_path / "a").rename(tmp_path / "b")
    record(site, path=tmp_path / "b", sha256="a" * 64)
    left = Recording.objects.get()
    assert (left.path, left.sha256) == (str(tmp_path / "b"), "a" * 64)


def test_a_file_with_new_content_replaces_what_was_known_of_it_and_says_so(site):
    record(site)
    recording, created = record(site, trace(channel="HHN"), sha256="b" * 64)
    assert created
    assert list(Trace.objects.values_list("channel", flat=True)) == ["HHN"]
    assert recording.problems == ["The file has changed since it was first ingested."]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"station": "../../x"}, "Use letters, digits"),
        ({"station": "A\x00"}, "Use letters, digits"),
        ({"station": ""}, "blank"),
        ({"network": "<script>"}, "Use letters, digits"),
        ({"channel": "WAYTOOLONG"}, "8 characters"),
        ({"endtime": NINE - timedelta(seconds=1)}, "before it starts"),
        ({"sampling_rate_hz": 0.0}, "sampling rate is 0.0 Hz"),
        ({"sampling_rate_hz": float("nan")}, "sampling rate is nan Hz"),
    ],
)
def test_bad_channels_are_left_out_and_said_and_the_others_kept(site, facts, why):
    recording, _ = record(site, trace(**facts), trace())
    assert why in recording.problems[0]
    assert recording.traces.count() == 1
    with pytest.raises(Invalid, match="has no channel that can be used"):
        record(site, trace(**facts), sha256="c" * 64, path="/data/c.mseed")


def test_problems_are_kept_without_characters_that_a_database_refuses(site):
    recording, _ = record(site, problems=["a\x00b \u202e"])
    assert recording.problems == ["a\ufffdb \ufffd"]


def store(site, **facts):
    given = {"files": FILES, "description": {"classes": ["quake", "noise"], "recipe": {"a": 1}}, **facts}
    return services.store_model(site=site, **given)


def test_models_are_numbered_by_site_and_give_their_files_back(site):
    first, second = store(site), store(site)
    assert (first.number, second.number) == (1, 2)
    assert store(services.create_site(name="Another")).number == 1
    assert first.folder != second.folder
    assert selectors.model_files(first) == FILES


def test_a_model_remembers_what_it_learned_from(site, make_event):
    one, two = make_event("quake"), make_event("noise")
    model = store(
        site, splits={one.pk: "train", two.pk: "test"}, labels={one.pk: "quake", two.pk: two.label}, trained_on="x"
    )
    assert {(e.event, e.split, e.event_class.code) for e in model.examples.all()} == {
        (one, "train", "quake"),
        (two, "test", "noise"),
    }


def test_a_model_with_unknown_classes_leaves_neither_row_nor_files(site):
    def folders():
        root = Path(default_storage.path("models")) / str(site.pk)
        return [path for path in root.rglob("*") if path.is_file()] if root.exists() else []

    before = folders()
    with pytest.raises(Invalid, match="has no class dragon"):
        store(site, description={"classes": ["dragon"]})
    assert folders() == before
    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize("harm", ["changed", "missing", "added"])
def test_files_of_a_model_that_are_not_those_stored_are_refused(site, harm):
    model = store(site)
    weights = Path(default_storage.path(model.folder)) / "weights.safetensors"
    if harm == "missing":
        weights.unlink()
    else:
        (weights if harm == "changed" else weights.with_name("x")).write_bytes(b"other")
    with pytest.raises(Refused, match=r"are not those that were stored. Restore"):
        selectors.model_files(model)


def test_the_checksum_of_files_is_that_of_what_sha256sum_prints(tmp_path):
    import subprocess

    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    printed = subprocess.run(["sha256sum", *sorted(FILES)], cwd=tmp_path, capture_output=True, check=True).stdout
    assert checksums.of_files(FILES) == checksums.of_bytes(printed)


def test_a_model_is_promoted_by_a_manager_on_evidence_only(site, manager, expert):
    tested = store(site, description={"classes": ["quake"], "metrics": {"confusion_matrix": [[3, 0], [1, 2]]}})
    with pytest.raises(NotAllowed, match="is not a manager"):
        services.promote_model(model=tested, by=expert)
    with pytest.raises(Refused, match="never tested on events it had not seen"):
        services.promote_model(model=store(site), by=manager)
    assert services.promote_model(model=tested, by=manager).active_model == tested
    tested.refresh_from_db()
    assert tested.promoted_by == manager
    assert services.tested_events(tested) == 6


def predict(event, model, probabilities=None, **facts):
    given = {"probabilities": probabilities or {"quake": 0.75, "noise": 0.25}, "input_sha256": "f" * 64, **facts}
    return services.store_prediction(event=event, model=model, **given)


def test_the_same_model_and_windows_give_one_prediction(site, make_event):
    model, event = store(site), make_event("quake")
    prediction = predict(
        event, model, by_station={"XX.AAA.": {"quake": 0.75, "noise": 0.25}}, left_out={"XX.B.": "a\x00"}
    )
    assert (prediction.event_class.code, prediction.probability) == ("quake", 0.75)
    assert prediction.left_out == {"XX.B.": "a\ufffd"}
    assert predict(event, model, {"quake": 0.1, "noise": 0.9}) == prediction
    assert predict(event, model, input_sha256="e" * 64) != prediction


@pytest.mark.parametrize(
    "probabilities",
    [
        {"dragon": 1.0},
        {"quake": 1.5, "noise": -0.5},
        {"quake": float("nan"), "noise": 1.0},
        {"quake": 0.4, "noise": 0.4},
    ],
)
def test_probabilities_that_are_none_are_refused(site, make_event, probabilities):
    with pytest.raises(Invalid):
        predict(make_event("quake"), store(site), probabilities)


@pytest.mark.parametrize("p", [0.1, 1 / 3, 1.0, 1e-7, 0.30000000000000004])
def test_the_checksum_of_a_prediction_survives_the_database(site, make_event, p):
    model = store(site)
    given = predict(make_event("quake"), model, {"quake": p, "noise": 1 - p})
    read = type(given).objects.get(pk=given.pk)
    assert selectors.prediction_checksum(read) == selectors.prediction_checksum(given)


def test_a_panel_is_stored_once_and_refused_when_it_is_not_what_was_stored(site, make_event, station):
    prediction = predict(make_event("quake"), store(site))
    first, again = (
        services.store_explanation(prediction=prediction, station=station, panel=b"panel", summary={"a": 1})
        for _ in range(2)
    )
    assert first == again
    assert selectors.panel_bytes(first) == b"panel"
    newer = services.store_explanation(prediction=prediction, station=station, panel=b"newer", summary={})
    assert selectors.latest_panels(prediction) == [newer]
    with default_storage.open(first.panel.name, "wb") as file:
        file.write(b"other")
    with pytest.raises(Refused, match="is not the one that was stored"):
        selectors.panel_bytes(first)
    default_storage.delete(newer.panel.name)
    with pytest.raises(Refused, match="cannot be read"):
        selectors.panel_bytes(newer)


def detect(site, station, start_s, end_s, code="rockfall"):
    return services.add_detection(
        site=site, station=station, class_code=code, probability=0.9,
        starttime=NINE + timedelta(seconds=start_s), endtime=NINE + timedelta(seconds=end_s),
    )  # fmt: skip


def test_a_repeated_scan_matches_its_detections_and_adds_none(site, station):
    event, created = detect(site, station, 0, 10)
    assert created
    assert (event.label, event.origin, event.event_id) == (
        None,
        "detection",
        "det-XX.AAA.00-2026-03-01T09:00:00.000000Z",
    )
    assert detect(site, station, 2, 12) == (event, False)
    assert detect(site, station, 10, 12)[1]
    assert Event.objects.count() == 2


def test_a_detection_matches_a_catalogued_event_and_leaves_its_label(site, station, make_event):
    catalogued = make_event("quake", starttime=NINE, endtime=NINE + timedelta(seconds=5))
    assert detect(site, station, 1, 20) == (catalogued, False)
    catalogued.refresh_from_db()
    assert catalogued.label.code == "quake"
    with pytest.raises(Invalid, match="has no class dragon"):
        detect(site, station, 50, 60, "dragon")


def test_events_for_lists_say_what_was_predicted_last(site, make_event, make_prediction):
    event = make_event("quake")
    make_prediction(event, "noise", 0.5)
    last = make_prediction(event, "rockfall", 0.8)
    row = selectors.catalogue_events(site).get()
    assert (row.predicted_class, row.predicted_probability) == ("rockfall", 0.8)
    assert selectors.latest_prediction(event) == last


def test_an_unknown_site_is_refused_naming_those_there_are(site):
    assert selectors.find_site("test slope") == site
    with pytest.raises(Invalid, match=r"There is no site 'x'. Sites: Test slope. Make one with"):
        selectors.find_site("x")


def test_an_example_keeps_what_the_folds_that_never_saw_it_say(site, make_event):
    one, two = make_event("quake"), make_event("noise")
    model = store(
        site,
        splits={one.pk: "train", two.pk: "test"},
        labels={one.pk: "quake", two.pk: "noise"},
        out_of_fold={one.pk: {"quake": 0.1, "noise": 0.9}},
        suspicion={one.pk: 0.97},
    )
    assert {(e.event, e.suspicion, (e.out_of_fold or {}).get("noise")) for e in model.examples.all()} == {
        (one, 0.97, 0.9),
        (two, None, None),
    }


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"out_of_fold": {"quake": 0.1, "dragon": 0.9}}, "no class dragon"),
        ({"out_of_fold": {"quake": 0.1, "noise": 0.8}}, "must sum to 1"),
        ({"out_of_fold": {"quake": float("nan"), "noise": 0.8}}, "between 0 and 1"),
        ({"suspicion": 1.01}, "must lie between 0 and 1"),
        ({"suspicion": float("nan")}, "must lie between 0 and 1"),
    ],
)
def test_judgements_that_are_none_store_no_model(site, make_event, wrong, words):
    event = make_event("quake")
    given = {name: {event.pk: value} for name, value in wrong.items()}
    with pytest.raises(Invalid, match=words):
        store(site, splits={event.pk: "train"}, labels={event.pk: "quake"}, **given)
    assert not site.models.exists()


def test_a_judgement_of_an_event_without_a_split_is_refused(site, make_event):
    with pytest.raises(Invalid, match="have no split"):
        store(site, suspicion={make_event().pk: 0.5})


def test_a_model_keeps_the_history_of_its_training(site):
    description = {"classes": ["quake"], "history": [{"epoch": 1, "loss": 1.2}]}
    assert store(site, description=description).history == [{"epoch": 1, "loss": 1.2}]
    assert store(site).history == []
