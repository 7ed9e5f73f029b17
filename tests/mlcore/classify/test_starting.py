"""A classifier that begins with an encoder's weights: every member does, and a checkpoint knows with which."""

from dataclasses import replace

import pytest
import torch

from mlcore.classify.predict import network_for
from mlcore.classify.train import train_classifier
from mlcore.errors import BadConfiguration, Cancelled
from mlcore.stft_cnn import FIRST

from .examples import RECIPE, event_windows

CLASSES = ["quake", "rockfall"]
# So slow that a weight stays where it began.
STILL = replace(RECIPE, training=replace(RECIPE.training, epochs=1, folds=2, learning_rate=1e-9))


@pytest.fixture(scope="module")
def windows():
    return event_windows(quake=8, rockfall=8)


def start(seed=7):
    """What `member_weights` gives of an encoder of one component."""
    torch.manual_seed(seed)
    own = replace(RECIPE, preprocessing=replace(RECIPE.preprocessing, components=("Z",)))
    return {name: value.clone() for name, value in network_for(own, 2).members[0].state_dict().items()}


def test_every_folds_member_begins_with_the_encoders_weights_unscaled(windows):
    given = start()
    trained = train_classifier(windows, CLASSES, STILL, start=given)
    assert trained.description["began_with"] == ["convolutions", "head"]
    assert len(trained.model.members) == 2
    for member in trained.model.members:
        own = member.state_dict()
        torch.testing.assert_close(own[FIRST].sum(dim=1, keepdim=True), given[FIRST])
        torch.testing.assert_close(own[FIRST][:, 0], own[FIRST][:, 1])
        for name in given.keys() - {FIRST}:
            torch.testing.assert_close(own[name], given[name])
    assert train_classifier(windows, CLASSES, STILL).description["began_with"] == []


def test_a_checkpoint_that_began_with_other_weights_is_not_resumed_from(windows, tmp_path):
    path = tmp_path / "training.safetensors"
    recipe = replace(RECIPE, training=replace(RECIPE.training, epochs=2))

    def heard(given, **asked):
        messages = []
        train_classifier(
            windows, CLASSES, recipe, start=given, progress=lambda p: messages.append(p.message), checkpoint_path=path,
            **asked,
        )  # fmt: skip
        return any("resumed" in message for message in messages)

    asked = iter(range(100))
    with pytest.raises(Cancelled):
        heard(start(), should_stop=lambda: next(asked) > 3)
    assert path.exists()
    assert not heard(start(seed=8))
    assert heard(start(seed=8))
    assert not heard(None)


def test_weights_that_do_not_fit_are_refused_before_anything_is_learned(windows):
    with pytest.raises(BadConfiguration, match="does not fit the network"):
        train_classifier(windows, CLASSES, RECIPE, start={FIRST: torch.zeros(8, 1, 3, 3)})
