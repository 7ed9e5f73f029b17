import pytest
import torch
from torch import nn

from mlcore.classify.second_stage import second_stage
from mlcore.config import Training
from mlcore.errors import BadConfiguration
from mlcore.training import TensorExamples

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
