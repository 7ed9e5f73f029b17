import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import torch
from torch import nn

from mlcore.checkpoint import save_model
from mlcore.classify.predict import Classifier, network_for
from mlcore.classify.second_stage import continue_training, second_stage
from mlcore.classify.train import main, train_classifier
from mlcore.config import Network, Preprocessing, Recipe, Training
from mlcore.datasets import EventWindows
from mlcore.errors import BadConfiguration
from mlcore.training import TensorExamples
from mlcore.waveform import write_mseed

from .examples import RECIPE, START, event_windows, record

TRAINING = Training(second_stage_epochs=12, batch_size=16, learning_rate=0.02)


def day(count=60, turned=False):
    """Points in the plane and which side of a line they lie on; another day the line is turned."""
    points = torch.randn(count, 2, generator=torch.Generator().manual_seed(0))
    return TensorExamples(points, (points @ torch.tensor([0.0, 1.0] if turned else [1.0, 0.0]) > 0).long())


def trained():
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    second_stage(model, day(), 2, TRAINING)
    return model


def accuracy(model, examples):
    return float((model(examples.inputs).argmax(1) == examples.targets).float().mean())


def test_a_model_goes_on_from_its_weights_and_learns_the_new_day():
    model = trained()
    before = accuracy(model, day(turned=True))
    history = second_stage(model, day(turned=True), 2, TRAINING)
    assert accuracy(model, day(turned=True)) > before + 0.2
    assert accuracy(model, day(turned=True)) == pytest.approx(max(e["training_accuracy"] for e in history))


def test_it_ends_five_epochs_after_the_training_accuracy_last_improved():
    history = second_stage(trained(), day(), 2, Training(second_stage_epochs=50, learning_rate=1e-9))
    assert len(history) == 6  # the first is the first best; five more show nothing better
    assert {"training_loss", "training_accuracy"} <= set(history[0])
    assert not any("validation" in name for name in history[0])


def test_progress_speaks_of_the_second_stage():
    reports = []
    second_stage(trained(), day(), 2, Training(second_stage_epochs=1), progress=reports.append)
    assert (reports[-1].stage, reports[-1].fraction) == ("second stage", 1.0)
    assert "training accuracy" in reports[-1].message


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(BadConfiguration, match="no event to learn from"):
        second_stage(nn.Linear(2, 2), day(0), 2, TRAINING)


def labelled_windows(count=24):
    """One component; low tones are noise, high ones quakes."""
    time = np.arange(100) / 50
    tones = np.sin(2 * np.pi * np.where(np.arange(count) % 2, 4.0, 15.0)[:, None] * time)
    return EventWindows(
        windows=tones[:, None].astype(np.float32),
        event_ids=tuple(f"e{i}" for i in range(count)),
        stations=("S",) * count,
        labels=("noise", "quake") * (count // 2),
    )


def some_classifier(*, attributes):
    preprocessing = Preprocessing(
        sampling_rate_hz=50, band_hz=(1, 20), window_s=2, stft_length=16, stft_hop=8, components=("Z",)
    )
    training = Training(second_stage_epochs=6, batch_size=8, learning_rate=0.01, folds=2)
    recipe = Recipe(preprocessing=preprocessing, network=Network(width=2, attributes=attributes), training=training)
    torch.manual_seed(0)
    facts = {"classes": ["noise", "quake"], "members": 2, "metrics": {"accuracy": 1.0}, "splits": {"old": "test"}}
    model = network_for(recipe, 2, 2)
    return Classifier(model, {**facts, "recipe": recipe.to_dict(), "parameters": 1})


@pytest.mark.parametrize("attributes", [False, True])
def test_a_classifier_learns_further_and_the_given_one_stays_as_it_is(attributes):
    classifier, windows = some_classifier(attributes=attributes), labelled_windows()
    before = classifier.predict(windows.windows).logits
    model, description = continue_training(classifier, windows, trained_on="25 November")
    np.testing.assert_array_equal(classifier.predict(windows.windows).logits, before)

    continued = Classifier(model, description)
    found = continued.predict(windows.windows).logits.argmax(axis=1)
    right = [continued.classes[k] == label for k, label in zip(found, windows.labels, strict=True)]
    assert np.mean(right) == pytest.approx(max(e["training_accuracy"] for e in description["second_stage"]["history"]))
    assert description["second_stage"]["trained_on"] == "25 November"
    assert description["splits"] == {"old": "test", **dict.fromkeys(windows.event_ids, "train")}
    assert "metrics" not in description  # they were another network's


def test_labels_that_the_model_does_not_know_are_refused():
    classifier = some_classifier(attributes=False)
    strangers = replace(labelled_windows(2), labels=("noise", "avalanche"))
    with pytest.raises(BadConfiguration, match=r"labelled avalanche, but the model knows noise, quake"):
        continue_training(classifier, strangers)


def test_a_models_folder_is_continued_into_another_by_its_own_recipe(tmp_path, capsys):
    trained = train_classifier(event_windows(quake=4, rockfall=4), ["quake", "rockfall"], RECIPE)
    save_model(tmp_path / "first", trained.model, trained.description)
    rows = ["event_id,event_class,network,station,file,starttime,endtime"]
    for number, label in enumerate(("quake", "rockfall") * 2):
        write_mseed(record((label, 15), seed=50 + number), tmp_path / f"{number}.mseed")
        start, end = (START + timedelta(seconds=s) for s in (15, 20))
        rows.append(f"new{number},{label},XX,AAA,{number}.mseed,{start.isoformat()},{end.isoformat()}")
    (tmp_path / "day.csv").write_text("\n".join(rows))

    main(["--continue", str(tmp_path / "first"), "--catalogue", str(tmp_path / "day.csv"), "--waveforms", str(tmp_path),
          "--out", str(tmp_path / "second")])  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert (told["events"], told["skipped"]) == (4, [])
    second = Classifier.from_directory(tmp_path / "second")
    assert second.checksum != Classifier.from_directory(tmp_path / "first").checksum
    assert second.description["splits"]["new0"] == "train"
