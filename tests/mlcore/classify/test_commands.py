import csv
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from mlcore.checkpoint import save_model
from mlcore.classify import evaluate, train
from mlcore.classify.detect import scan
from mlcore.classify.predict import Classifier
from mlcore.classify.train import train_classifier
from mlcore.errors import Cancelled, UnusableWaveform
from mlcore.waveform import write_mseed

from .examples import RECIPE, START, event_windows, record

ROOT = Path(__file__).resolve().parents[3]
RECIPES = ROOT / "mlcore/classify/recipes"

TOML = """
[preprocessing]
sampling_rate_hz = 50.0
band_hz = [1.0, 20.0]
window_s = 10.0
stft_length = 32
stft_hop = 16
components = ["Z", "N"]
[network]
width = 4
blocks = 2
[training]
folds = 2
batch_size = 16
learning_rate = 5e-3
early_stopping = 0
"""


@pytest.fixture(scope="module")
def classifier():
    trained = train_classifier(event_windows(quake=12, rockfall=12), ["quake", "rockfall"], RECIPE)
    return Classifier.from_files(trained.files)


@pytest.fixture(scope="module")
def slope(tmp_path_factory):
    """A folder with recordings of ten quakes and ten rockfalls, their catalogue, and a recipe."""
    folder = tmp_path_factory.mktemp("slope")
    rows = []
    for number in range(20):
        label = ("quake", "rockfall")[number % 2]
        write_mseed(record((label, 15), seed=number), folder / f"{number}.mseed")
        rows.append(
            [
                f"e{number}",
                label,
                f"{number}.mseed",
                "XX",
                "AAA",
                START.isoformat(),
                (START + timedelta(seconds=30)).isoformat(),
            ]
        )
    rows.append(["e99", "quake", "gone.mseed", "XX", "AAA", "", ""])
    with (folder / "catalogue.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["event_id", "event_class", "file", "network", "station", "trace_start", "trace_end"])
        writer.writerows(rows)
    (folder / "recipe.toml").write_text(TOML)
    return folder


def run(module, *arguments):
    return subprocess.run(
        [sys.executable, "-m", f"mlcore.classify.{module}", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )


def test_the_commands_train_evaluate_and_predict_from_files_to_json(slope, tmp_path):
    catalogue = ("--catalogue", slope / "catalogue.csv", "--waveforms", slope)
    trained = run(
        "train", *catalogue, "--out", tmp_path, "--recipe", slope / "recipe.toml", "--epochs", 15, "--seed", 2
    )
    assert trained.returncode == 0, trained.stderr
    told = json.loads(trained.stdout)
    assert told["classes"] == ["quake", "rockfall"]
    assert [s["item"] for s in told["skipped"]] == ["e99 at XX.AAA"]
    assert "epoch 15 of 15" in trained.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "weights.safetensors"]

    evaluated = run("evaluate", tmp_path, *catalogue, "--predictions")
    report = json.loads(evaluated.stdout)
    assert report["events"] == 20
    assert {"macro_f1", "balanced_accuracy", "confusion_matrix", "per_class"} <= set(report)
    assert report["events_seen_in_training"] == 20 - told["metrics"]["events"]
    assert len(report["predictions"]) == 20

    unseen = json.loads(run("evaluate", tmp_path, *catalogue, "--unseen").stdout)
    assert unseen["events"] == told["metrics"]["events"]
    assert unseen["confusion_matrix"] == told["metrics"]["confusion_matrix"]

    predicted = run("predict", tmp_path, slope / "1.mseed", slope / "recipe.toml")
    assert predicted.returncode == 0, predicted.stderr
    answer = json.loads(predicted.stdout)
    (found,) = answer["recordings"]
    assert found["station"] == "XX.AAA.00"
    assert set(found["strongest_window"]["probabilities"]) == {"quake", "rockfall"}
    assert [Path(s["item"]).name for s in answer["skipped"]] == ["recipe.toml"]


MAPPED = (
    TOML
    + """
[catalogue]
noise_class = "noise"
noise_span_s = [0.0, 10.0]
[catalogue.classes]
tremor = ["quake"]
fall = ["rockfall"]
[catalogue.without]
event_id = ["e0", "e1"]
[placement]
rule = "onset"
edge_s = 0.0
long_s = 10.0
before_s = 0.0
"""
)


@pytest.fixture
def told(capsys):
    """What a command says as JSON, run in this process."""

    def call(main, *arguments):
        main([str(argument) for argument in arguments])
        return json.loads(capsys.readouterr().out)

    return call


def test_a_model_maps_the_classes_of_a_catalogue_and_cuts_its_noise_by_its_own_recipe(slope, tmp_path, told):
    (tmp_path / "recipe.toml").write_text(MAPPED)
    catalogue = ("--catalogue", slope / "catalogue.csv", "--waveforms", slope)
    recipe = ("--recipe", tmp_path / "recipe.toml", "--epochs", 1)
    trained = told(train.main, *catalogue, *recipe, "--out", tmp_path / "model")
    assert trained["classes"] == ["fall", "noise", "tremor"]
    report = told(evaluate.main, tmp_path / "model", *catalogue, "--predictions")
    units = {p["event_id"]: p["label"] for p in report["predictions"]}
    assert {units[event] for event in units if event.endswith("/noise")} == {"noise"}
    events = {event: label for event, label in units.items() if not event.endswith("/noise")}
    assert events == {f"e{n}": ("tremor", "fall")[n % 2] for n in range(2, 20)}
    assert (report["events"], report["units"]) == (18, len(units))
    assert report["reliability"]["count"] == len(units)
    assert report["events_seen_in_training"] == 18 - trained["metrics"]["events"]
    for said in (trained, report):
        left_out = [s["rows"] for s in said["skipped"] if "catalogue.without leaves out" in s["reason"]]
        assert left_out == [1, 1]


def test_a_component_that_stations_lack_is_reported(slope, tmp_path, told):
    (tmp_path / "recipe.toml").write_text(TOML.replace('["Z", "N"]', '["Z", "N", "E"]'))
    catalogue = ("--catalogue", slope / "catalogue.csv", "--waveforms", slope)
    recipe = ("--recipe", tmp_path / "recipe.toml", "--epochs", 1)
    for said in (
        told(train.main, *catalogue, *recipe, "--out", tmp_path / "model"),
        told(evaluate.main, tmp_path / "model", *catalogue),
    ):
        assert said["windows_without_component"] == {"E": 20}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("train", "--catalogue", "none.csv", "--waveforms", ".", "--out", "out"), "none.csv cannot be read"),
        (("evaluate", "nowhere", "--catalogue", "none.csv", "--waveforms", "."), "nowhere holds no model"),
        (("predict", "nowhere", "none.mseed"), "nowhere holds no model"),
    ],
)
def test_a_command_that_fails_says_why_in_one_line_and_exits_with_an_error(command, message):
    result = run(*command)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_catalogue_of_which_nothing_can_be_used_is_an_error_with_the_most_common_reason(slope, tmp_path, classifier):
    catalogue = tmp_path / "catalogue.csv"
    rows = ("a,quake,gone.mseed", "b,quake,1.mseed", "c,rockfall,gone.mseed")
    catalogue.write_text("event_id,event_class,file,starttime,endtime\n" + "".join(f"{row},,\n" for row in rows))
    (tmp_path / "1.mseed").write_text("no recording")
    save_model(tmp_path / "model", classifier.model, classifier.description)
    data = ("--catalogue", catalogue, "--waveforms", tmp_path)
    for command in (("train", *data, "--out", tmp_path / "out"), ("evaluate", tmp_path / "model", *data)):
        result = run(*command)
        assert (result.returncode, result.stdout) == (1, "")
        assert "error: None of the catalogue's 3 rows can be used. The most common reason: " in result.stderr
        assert "gone.mseed" in result.stderr


def test_a_scan_finds_the_events_of_a_record_where_they_are(classifier):
    waveform = record(("quake", 60), ("rockfall", 150), seconds=220)
    scanned = scan(waveform, classifier)
    assert scanned.probabilities.shape == (211, 2)
    assert scanned.starttimes[1] - scanned.starttimes[0] == timedelta(seconds=1)
    for label, second in (("quake", 60), ("rockfall", 150)):
        row = scanned.starttimes.index(START + timedelta(seconds=second - 5))
        assert classifier.classes[int(scanned.probabilities[row].argmax())] == label


def test_windows_that_were_hardly_recorded_get_no_class(classifier):
    waveform = record(("quake", 30), seconds=60)
    waveform.mask[:, 1000:2500] = False
    scanned = scan(waveform, classifier)
    assert not scanned.usable[25:35].any()
    assert not scanned.probabilities[~scanned.usable].any()
    np.testing.assert_allclose(scanned.probabilities[scanned.usable].sum(axis=1), 1)


def test_a_scan_can_be_cancelled_and_refuses_what_is_shorter_than_a_window(classifier):
    with pytest.raises(Cancelled):
        scan(record(), classifier, should_stop=lambda: True)
    with pytest.raises(UnusableWaveform, match="at least one window of 10 s"):
        scan(record(seconds=9), classifier)


@pytest.mark.real_data
def test_real_mass_movements_train_and_evaluate_as_they_are(real_data, tmp_path):
    source = real_data / "mass_movements"
    if not source.is_dir():
        pytest.skip(f"No mass_movements in {real_data}.")
    lines = (source / "catalogue.csv").read_text().splitlines()
    (tmp_path / "some.csv").write_text("\n".join([lines[0], *lines[1::12]]))
    data = ("--catalogue", tmp_path / "some.csv", "--waveforms", source / "waveforms")
    recipe = ("--recipe", RECIPES / "mass_movements.toml", "--epochs", 2)
    trained = run("train", *data, *recipe, "--out", tmp_path / "model")
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["skipped"] == []
    report = json.loads(run("evaluate", tmp_path / "model", *data, "--predictions").stdout)
    expected = {row["event_id"] for row in csv.DictReader((tmp_path / "some.csv").open())}
    assert {p["event_id"].removesuffix("/noise") for p in report["predictions"]} == expected
    assert report["events"] == len(expected) < report["units"]
    assert report["classes"] == ["earthquake", "explosion", "mass_movement", "noise"]


@pytest.mark.real_data
def test_real_rockfalls_of_another_catalogue_are_evaluated_as_they_are(real_data, tmp_path, classifier):
    source = real_data / "sechilienne"
    if not source.is_dir():
        pytest.skip(f"No sechilienne in {real_data}.")
    save_model(tmp_path, classifier.model, classifier.description)
    result = run("evaluate", tmp_path, "--catalogue", source / "catalogue.csv", "--waveforms", source / "waveforms")
    report = json.loads(result.stdout)
    assert (report["events"], report["skipped"]) == (3, [])
    assert report["per_class"]["rockfall"]["support"] == 3
