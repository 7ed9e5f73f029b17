"""A classifier that begins with an encoder's weights: every member does, and a checkpoint knows with which."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import torch

from mlcore.checkpoint import write_atomically
from mlcore.classify import train
from mlcore.classify.predict import network_for
from mlcore.classify.train import train_classifier
from mlcore.errors import BadConfiguration, Cancelled
from mlcore.pretrain.derived import derived
from mlcore.pretrain.model import Pretrained, encoder_files
from mlcore.stft_cnn import FIRST
from mlcore.waveform import write_mseed

from .examples import RECIPE, START, event_windows, record

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


def test_the_command_begins_with_the_encoder_in_a_folder_and_refuses_one_that_does_not_fit(tmp_path, capsys):
    lines = ["event_id,event_class,file,starttime,endtime,station_id"]
    for number in range(8):
        label = CLASSES[number % 2]
        write_mseed(record((label, 15), seed=number), tmp_path / f"{number}.mseed")
        times = ",".join(f"{START + timedelta(seconds=s):%Y-%m-%dT%H:%M:%SZ}" for s in (13, 17))
        lines.append(f"e{number},{label},{number}.mseed,{times},XX.AAA.00")
    (tmp_path / "catalogue.csv").write_text("\n".join(lines))
    (tmp_path / "recipe.toml").write_text(STILL.to_toml())
    own = derived(STILL)
    for name, content in encoder_files(Pretrained(own).encoder, own, {}).items():
        write_atomically(tmp_path / "encoder" / name, content)
    arguments = {"catalogue": "catalogue.csv", "waveforms": "", "out": "model", "from": "encoder"}
    options = [f"--{name}={tmp_path / path}" for name, path in arguments.items()]
    train.main([*options, f"--recipe={tmp_path / 'recipe.toml'}"])
    assert json.loads(capsys.readouterr().out)["classes"] == CLASSES
    assert json.loads((tmp_path / "model/model.json").read_text())["began_with"] == ["convolutions", "head"]
    with pytest.raises(BadConfiguration, match=r"pool.sampling_rate_hz is 50, but 250 is needed"):
        train.main(options)
