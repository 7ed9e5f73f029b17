import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mlcore.config import Training
from mlcore.errors import Cancelled, SeisloopError
from mlcore.training import TensorExamples, apply_in_batches, fit

TRAINING = Training(epochs=8, batch_size=16, learning_rate=0.01, early_stopping=0, seed=5)


def examples(count, seed):
    """Points in the plane, and on which side of a circle they lie."""
    points = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
    return TensorExamples(points, (points.norm(dim=1) > 1).long())


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))


def learn(model, training=TRAINING, **options):
    return fit(model, F.cross_entropy, examples(100, 0), examples(40, 1), training, **options)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


class KilledError(Exception):
    """Stands for the death of the process."""


def die_after(epoch):
    def progress(report):
        if report.message.startswith(f"epoch {epoch} "):
            raise KilledError

    return progress


def test_training_lowers_the_loss_and_keeps_the_weights_of_the_best_epoch():
    model = network()
    history = learn(model, Training(epochs=40, batch_size=16, learning_rate=0.02, early_stopping=0))
    validation = examples(40, 1)
    kept = F.cross_entropy(apply_in_batches(model, validation, 16), validation.targets)
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    assert float(kept) == pytest.approx(min(epoch["validation_loss"] for epoch in history))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, second, other = network(), network(), network()
    learn(first)
    torch.rand(7)  # what else the process draws must not matter
    learn(second)
    learn(other, Training(**{**TRAINING.to_dict(), "seed": 6}))
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(other))


def test_a_run_killed_and_resumed_ends_like_one_that_was_not(tmp_path):
    whole, broken = network(), network()
    history = learn(whole)
    with pytest.raises(KilledError):
        learn(broken, checkpoint_path=tmp_path / "state", progress=die_after(3))
    revived = network()
    reports = []
    resumed = learn(revived, checkpoint_path=tmp_path / "state", progress=reports.append)
    assert reports[0].message == "resumed after epoch 3"
    assert resumed == history
    assert torch.equal(weights(whole), weights(revived))


def test_a_checkpoint_of_another_training_or_a_broken_one_is_started_over(tmp_path):
    path = tmp_path / "state"
    with pytest.raises(KilledError):
        learn(network(), checkpoint_path=path, progress=die_after(3), fingerprint="old labels")
    assert len(learn(network(), checkpoint_path=path, fingerprint="new labels")) == 8
    path.write_bytes(b"half a file")
    assert len(learn(network(), checkpoint_path=path)) == 8


def test_cancelling_stops_before_the_next_batch():
    asked = []

    def should_stop():
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(Cancelled):
        learn(network(), should_stop=should_stop)
    assert len(asked) == 4


def test_early_stopping_ends_after_so_many_epochs_without_improvement():
    training = Training(epochs=50, batch_size=16, learning_rate=1.0, early_stopping=3)
    history = learn(network(), training)
    losses = [epoch["validation_loss"] for epoch in history]
    assert len(losses) < 50
    assert len(losses) - 1 - losses.index(min(losses)) == 3


def test_the_learning_rate_falls_by_its_factor_when_the_loss_stays_on_a_plateau():
    training = Training(epochs=14, batch_size=100, plateau_patience=5, early_stopping=0)
    frozen = nn.Linear(2, 2)
    history = fit(frozen, lambda y, t: 0 * y.sum() + 1, examples(10, 0), examples(0, 1), training)
    # the first epoch sets the best; six more exceed a patience of five
    assert [round(e["learning_rate"] / 7e-4, 4) for e in history] == [1.0] * 7 + [0.9] * 6 + [0.81]


def test_progress_tells_every_epoch_and_the_stage_ends_at_one():
    reports = []
    learn(network(), progress=reports.append)
    assert [r.fraction for r in reports] == [n / 8 for n in range(1, 9)]
    assert reports[-1].message.startswith("epoch 8 of 8: loss ")
    assert set(reports[-1].metrics) == {"loss", "validation_loss"}


def test_a_loss_that_is_not_finite_ends_training_with_a_way_out():
    with pytest.raises(SeisloopError, match="smaller learning_rate"):
        fit(nn.Linear(2, 2), lambda y, t: y.sum() * math.nan, examples(10, 0), examples(0, 1), TRAINING)


def images(count=24):
    """Small pictures, and which of their halves is brighter."""
    x = torch.rand(count, 2, 8, 6, generator=torch.Generator().manual_seed(0))
    return TensorExamples(x, (x[..., :3].mean(dim=(1, 2, 3)) > x[..., 3:].mean(dim=(1, 2, 3))).long())


def convolutional():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(96, 2))
    return model.to(memory_format=torch.channels_last)  # Adam's moments must come back in this order, too


def test_a_convolutional_network_is_trained_and_resumed_alike_too(tmp_path):
    def learn_images(model, **options):
        return fit(model, F.cross_entropy, images(), images(8), TRAINING, **options)

    whole, broken, revived = convolutional(), convolutional(), convolutional()
    learn_images(whole)
    with pytest.raises(KilledError):
        learn_images(broken, checkpoint_path=tmp_path / "state", progress=die_after(2))
    learn_images(revived, checkpoint_path=tmp_path / "state")
    assert torch.equal(weights(whole), weights(revived))
    assert all(p.dtype == torch.float32 for p in whole.parameters())


def test_several_inputs_reach_the_network_each_in_its_place():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(2, 2), nn.Linear(3, 2)

        def forward(self, x, attributes):
            return self.first(x) + self.second(attributes)

    one = examples(60, 0)
    both = TensorExamples((one.inputs, torch.rand(60, 3)), one.targets)
    model = Sum()
    fit(model, F.cross_entropy, both, both, TRAINING)
    expected = model(*both.inputs)
    assert torch.allclose(apply_in_batches(model, both, 16), expected)


def test_examples_may_say_which_of_them_an_epoch_shows():
    shown = []

    class Picky(TensorExamples):
        def order(self, generator):
            return torch.tensor([3, 3, 5])

        def batch(self, indices, generator=None):
            shown.extend(indices.tolist() if generator else [])
            return super().batch(indices, generator)

    data = examples(10, 0)
    fit(network(), F.cross_entropy, Picky(data.inputs, data.targets), examples(4, 1), Training(epochs=2, batch_size=2))
    assert shown == [3, 3, 5] * 2


def test_a_judge_chooses_the_best_epoch_and_small_improvements_do_not_keep_training_alive():
    told = iter([5.0, 4.0, 3.95, 3.94, 3.93, 3.92, 3.91])
    training = Training(epochs=7, batch_size=100, early_stopping=3)
    history = learn(network(), training, judge=lambda figures: next(told), significant=0.1)
    assert len(history) == 5  # 4.0 was the last significant one


def test_weight_decay_of_zero_is_adam():
    ours, theirs = network(), network()
    training = Training(epochs=3, batch_size=200, early_stopping=0)
    theirs[2].p = ours[2].p = 0.0
    fit(ours, F.cross_entropy, examples(100, 0), examples(0, 1), training)
    adam = torch.optim.Adam(theirs.parameters(), lr=7e-4)
    data = examples(100, 0)
    for _ in range(3):
        adam.zero_grad()
        F.cross_entropy(theirs(data.inputs), data.targets).backward()
        adam.step()
    assert torch.allclose(weights(ours), weights(theirs), atol=1e-6)
