from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mlcore.classify.evaluate import evaluate_events, predict_events
from mlcore.classify.losses import class_weights, weighted_cross_entropy
from mlcore.classify.model import STFTClassifier
from mlcore.classify.predict import Classifier, combine_stations
from mlcore.classify.train import train_classifier
from mlcore.config import Network
from mlcore.errors import BadConfiguration, Cancelled

from .examples import RECIPE, event_windows

CLASSES = ["quake", "rockfall"]


@pytest.fixture(scope="module")
def windows():
    return event_windows(quake=20, rockfall=20)


@pytest.fixture(scope="module")
def trained(windows):
    return train_classifier(windows, CLASSES, RECIPE, trained_on="ringing tones")


def weights(trained):
    return torch.cat([p.detach().flatten() for p in trained.model.parameters()])


def test_a_network_learns_two_pitches_and_proves_it_on_events_it_never_saw(trained):
    metrics = trained.description["metrics"]
    assert (metrics["events"], metrics["windows"]) == (8, 16)
    assert metrics["macro_f1"] == 1.0


def test_the_description_says_what_was_done(trained, windows):
    facts = trained.description
    assert facts["classes"] == CLASSES
    assert facts["recipe"] == RECIPE.to_dict()
    assert facts["trained_on"] == "ringing tones"
    assert facts["events"]["quake"] == {"train": 13, "validation": 3, "test": 4}
    assert len(facts["history"]) == RECIPE.training.epochs
    assert {"loss", "validation_loss", "validation_accuracy"} <= set(facts["history"][0])
    assert trained.splits == facts["splits"]
    assert set(trained.splits) == set(windows.event_ids)


def test_a_model_comes_back_from_its_files_and_predicts_the_same(trained, windows):
    direct = Classifier(trained.model, trained.description).predict(windows.windows)
    again = Classifier.from_files(trained.files).predict(windows.windows)
    assert np.array_equal(direct.logits, again.logits)
    np.testing.assert_allclose(again.probabilities.sum(axis=1), 1)
    expected = torch.softmax(torch.as_tensor(again.logits).double(), dim=1)
    np.testing.assert_allclose(again.probabilities, expected, rtol=1e-12)


def test_the_same_seed_trains_the_same_network(trained, windows):
    assert torch.equal(weights(trained), weights(train_classifier(windows, CLASSES, RECIPE)))
    other = replace(RECIPE, training=replace(RECIPE.training, seed=4))
    assert not torch.equal(weights(trained), weights(train_classifier(windows, CLASSES, other)))


def test_training_that_was_stopped_goes_on_to_the_same_network(trained, windows, tmp_path):
    path = tmp_path / "training.safetensors"
    asked = []

    def should_stop():
        asked.append(1)
        return len(asked) > 30

    with pytest.raises(Cancelled):
        train_classifier(windows, CLASSES, RECIPE, checkpoint_path=path, should_stop=should_stop)
    assert path.exists()
    messages = []
    resumed = train_classifier(
        windows, CLASSES, RECIPE, checkpoint_path=path, progress=lambda p: messages.append(p.message)
    )
    assert any(message.startswith("resumed after epoch") for message in messages)
    assert torch.equal(weights(trained), weights(resumed))


def test_given_splits_are_kept(windows):
    splits = {event: "test" if event.endswith(("1", "2")) else "train" for event in windows.event_ids}
    short = replace(RECIPE, training=replace(RECIPE.training, epochs=1))
    trained = train_classifier(windows, CLASSES, short, splits=splits)
    assert trained.splits == splits
    assert trained.description["metrics"]["events"] == list(splits.values()).count("test")


def test_classes_with_one_or_two_events_or_none_train_without_a_crash_and_it_is_said():
    short = replace(RECIPE, training=replace(RECIPE.training, epochs=1))
    trained = train_classifier(event_windows(quake=1, rockfall=2), [*CLASSES, "noise"], short)
    assert trained.description["notes"] == [
        "quake has 1 event: trained on, never tested",
        "rockfall has 2 events, 1 of them for testing: its figures are chance",
        "noise has 0 events: the model cannot recognise it",
    ]


def test_fewer_than_two_classes_are_refused_with_a_way_out():
    with pytest.raises(
        BadConfiguration, match=r"usable events of 1 class \(quake\), but a classifier needs at least two"
    ):
        train_classifier(event_windows(quake=3), CLASSES, RECIPE)
    with pytest.raises(BadConfiguration, match=r"0 classes \(none\)"):
        train_classifier(event_windows(quake=0), CLASSES, RECIPE)


def test_labels_that_are_no_class_are_refused_by_name(windows):
    with pytest.raises(BadConfiguration, match="labelled rockfall, but the classes are quake, noise"):
        train_classifier(windows, ["quake", "noise"], RECIPE)


def test_the_stations_of_an_event_are_averaged(trained, windows):
    classifier = Classifier.from_files(trained.files)
    single = classifier.predict(windows.windows).probabilities
    first = predict_events(classifier, windows)[0]
    rows = [i for i, event in enumerate(windows.event_ids) if event == first.event_id]
    assert len(rows) == 2
    assert list(first.probabilities.values()) == pytest.approx([sum(single[r][k] for r in rows) / 2 for k in range(2)])
    assert combine_stations(np.array([[0.2, 0.8], [0.6, 0.4]])).tolist() == pytest.approx([0.4, 0.6])


def test_events_of_a_class_that_the_model_does_not_know_are_counted_and_left_out(trained, windows):
    strangers = replace(windows, labels=tuple("avalanche" if label == "quake" else label for label in windows.labels))
    report = evaluate_events(Classifier.from_files(trained.files), strangers)
    assert report["events"] == 20
    assert report["unknown_labels"] == {"avalanche": 40}


def test_windows_of_another_shape_are_refused(trained):
    with pytest.raises(ValueError, match=r"the recipe asks for \(n, 2, 500\)"):
        Classifier.from_files(trained.files).predict(np.zeros((1, 3, 500)))


def test_a_description_without_classes_is_refused(trained):
    with pytest.raises(BadConfiguration, match="at least two different names"):
        Classifier(trained.model, {**trained.description, "classes": ["quake", "quake"]})


def test_class_weights_let_every_class_count_alike():
    targets = torch.tensor([0] * 90 + [1] * 10)
    weights = class_weights(targets, 3)
    assert weights.tolist() == pytest.approx([100 / (2 * 90), 100 / (2 * 10), 0])
    logits = torch.randn(100, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    each = F.cross_entropy(logits, targets, reduction="none")
    by_class = [each[targets == k].mean() for k in (0, 1)]
    assert torch.isclose(weighted_cross_entropy(logits, targets, weights), sum(by_class) / 2)


def test_jiangs_input_gives_a_network_of_the_stated_size():
    network = STFTClassifier(3, 4, Network())
    assert sum(p.numel() for p in network.parameters()) == 138_260
    assert network(torch.zeros(2, 3, 65, 95)).shape == (2, 4)
    assert not any("BatchNorm" in type(module).__name__ for module in network.modules())


def test_an_untrained_network_passes_faint_input_on_at_order_one():
    torch.manual_seed(0)
    network = STFTClassifier(3, 4, Network()).eval()
    inputs = 0.01 * torch.rand(8, 3, 65, 95)
    network.fit_scale(inputs)
    assert 0.1 < network.members[0].features(inputs).square().mean().sqrt().item() < 10
    silent = STFTClassifier(3, 4, Network())
    silent.fit_scale(torch.zeros(2, 3, 65, 95))
    assert all(torch.isfinite(p).all() for p in silent.parameters())
