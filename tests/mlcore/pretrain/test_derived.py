"""An encoder that becomes a classifier: it sees the very same maps, and its convolutions are the classifier's."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mlcore.classify.predict import network_for, network_inputs
from mlcore.config import Network, Preprocessing, Recipe
from mlcore.errors import BadConfiguration
from mlcore.pretrain.config import Training
from mlcore.pretrain.derived import derived
from mlcore.pretrain.encoders import encoder_of
from mlcore.pretrain.pool import Facts, Pool, normalised
from mlcore.pretrain.spectrogram import spectrogram
from mlcore.pretrain.train import pretrain
from mlcore.starting import require_fits
from mlcore.stft_cnn import begin_with, member_weights
from mlcore.windows import normalise

SMALL = Recipe(
    preprocessing=Preprocessing(
        sampling_rate_hz=50.0, band_hz=(1.0, 20.0), window_s=10.0, stft_length=32, stft_hop=16, stft_window="hann"
    ),
    network=Network(width=4, blocks=2),
)
ODD = replace(  # 57 of 100 samples overlap, which as a share of a double is 56.99…
    SMALL, preprocessing=replace(SMALL.preprocessing, stft_length=100, stft_hop=43, input="log", normalise="component")
)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def encoder(recipe, seed=0):
    torch.manual_seed(seed)
    return encoder_of(derived(recipe))


@pytest.mark.parametrize("recipe", [Recipe(), SMALL, ODD], ids=["default", "small", "odd"])
def test_an_encoder_is_given_the_very_tensor_that_the_classifier_is_given(recipe):
    asked = derived(recipe)
    raw = noise(4, len(recipe.preprocessing.components), recipe.preprocessing.window_samples)
    whole = np.ones(raw.shape, dtype=bool)
    windows = normalise(raw, recipe.preprocessing)
    pooled = np.stack([normalised(*each, asked.pool) for each in zip(raw, whole, strict=True)])
    assert np.array_equal(pooled, windows.astype(np.float32))
    images = spectrogram(torch.from_numpy(pooled), asked.spectrogram, asked.pool.sampling_rate_hz)
    assert torch.equal(images, network_inputs(windows, recipe))


@pytest.mark.parametrize("recipe", [SMALL, ODD], ids=["small", "odd"])
def test_before_training_a_members_convolutions_give_what_the_encoders_give_of_a_component(recipe):
    own = encoder(recipe).eval()
    member = network_for(recipe, 3).members[0]
    assert begin_with(member, member_weights(own.state_dict())) == ["convolutions", "head"]
    x = network_inputs(normalise(noise(2, 3, recipe.preprocessing.window_samples), recipe.preprocessing), recipe)
    for component in range(3):
        same = x[:, component : component + 1]
        torch.testing.assert_close(member.features(same.expand(-1, 3, -1, -1)), own.member.features(same))
        torch.testing.assert_close(member.eval()(same.expand(-1, 3, -1, -1)), own(same))


def test_of_several_components_the_first_convolution_gives_the_mean():
    own, member = encoder(SMALL), network_for(SMALL, 3).members[0]
    begin_with(member, member_weights(own.state_dict()))
    x = torch.randn(2, 3, 17, 20, generator=torch.Generator().manual_seed(1))
    each = torch.stack([own.member.features[0][0](x[:, c : c + 1]) for c in range(3)])
    torch.testing.assert_close(member.features[0][0](x), each.mean(dim=0))


def test_of_one_component_every_weight_is_the_encoders():
    recipe = replace(SMALL, preprocessing=replace(SMALL.preprocessing, components=("Z",)))
    own, member = encoder(recipe), network_for(recipe, 3).members[0]
    begin_with(member, member_weights(own.state_dict()))
    for name, weight in own.member.state_dict().items():
        assert torch.equal(member.state_dict()[name], weight)


def test_a_head_that_keeps_other_rows_apart_is_left_as_it_is():
    own = encoder(SMALL)
    fewer = replace(SMALL, preprocessing=replace(SMALL.preprocessing, stft_length=16, stft_hop=8))
    member = network_for(fewer, 3).members[0]
    before = member.state_dict()["head.1.weight"].clone()
    assert begin_with(member, member_weights(own.state_dict())) == ["convolutions"]
    assert torch.equal(member.state_dict()["head.1.weight"], before)


def test_weights_of_another_network_are_refused():
    wider = replace(SMALL, network=Network(width=8, blocks=2))
    with pytest.raises(BadConfiguration, match=r"features.0.0.weight is \(8, 3, 3, 3\), but \(4, 3, 3, 3\) is needed"):
        begin_with(network_for(SMALL, 3).members[0], member_weights(encoder(wider).state_dict()))
    resnet = encoder_of(derived(SMALL, {"encoder": {"name": "resnet18", "width": 0.25}}))
    with pytest.raises(BadConfiguration, match="those of an encoder stft_cnn are expected"):
        member_weights(resnet.state_dict())


def test_what_a_recipe_derives_fits_it_and_other_components_and_windows_do_too():
    given = derived(ODD).to_dict()
    require_fits(given, ODD)
    require_fits(given, replace(ODD, preprocessing=replace(ODD.preprocessing, components=("Z",), window_s=20.0)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sampling_rate_hz": 100.0}, "pool.sampling_rate_hz is 50, but 100 is needed"),
        ({"band_hz": (1.0, 15.0)}, "pool.band_hz is 1–20, but 1–15 is needed"),
        ({"input": "log"}, "spectrogram.logarithm is 'none', but 'relative' is needed"),
        ({"stft_hop": 8}, "spectrogram.overlap is 0.5, but 0.75 is needed"),
    ],
)
def test_an_encoder_of_other_maps_is_refused_with_every_difference(change, said):
    other = replace(SMALL, preprocessing=replace(SMALL.preprocessing, **change))
    with pytest.raises(BadConfiguration, match=said):
        require_fits(derived(SMALL).to_dict(), other)


def test_an_encoder_of_another_network_is_refused():
    with pytest.raises(BadConfiguration, match=r"encoder.kernels is 4, but 16 is needed; encoder.blocks is 2, but 3"):
        require_fits(derived(SMALL).to_dict(), replace(SMALL, network=Network()))
    with pytest.raises(BadConfiguration, match=r"encoder.name is 'resnet18', but 'stft_cnn' is needed"):
        require_fits(derived(SMALL, {"encoder": {"name": "resnet18"}}).to_dict(), SMALL)
    with pytest.raises(BadConfiguration, match=r"encoder.name is None"):
        require_fits({}, SMALL)


def test_the_default_site_gives_the_papers_method_with_a_projector_four_times_as_wide():
    asked = derived(Recipe())
    assert (asked.method.name, asked.method.projector, asked.method.groups) == ("vnibcreg", 512, 8)
    assert (asked.method.invariance, asked.method.neighbouring, asked.encoder.kernels) == (10, 13, 16)
    vicreg = derived(Recipe(), {"method": {"name": "vicreg"}})
    assert (vicreg.method.invariance, vicreg.method.projector, vicreg.method.iter_norm) == (25, 512, False)
    assert derived(Recipe(), {"encoder": {"name": "resnet34"}}).method.projector == 4096


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"encoder": {"name": "vgg"}}, "encoder.name is 'vgg'"),
        ({"method": {"name": ["vicreg"]}}, "must be one of"),
        ({"method": "vicreg"}, "method is 'vicreg', but must be a table"),
        ({"colour": {}}, "no setting 'colour'"),
        ({"training": {"epochs": -1}}, "training.epochs is -1"),
        ({"encoder": {"name": "resnet18", "blocks": 2}}, "blocks are of stft_cnn"),
    ],
)
def test_settings_that_cannot_work_are_refused(given, said):
    with pytest.raises(BadConfiguration, match=said):
        derived(SMALL, given)


def test_magnitudes_do_not_fade_in_what_is_pretrained_on_them():
    """They are of order 0.01; as in a classifier before it learns, they reach the head at order one."""
    given = {"training": {"epochs": 1, "batch_size": 8, "learning_rate": 1e-9, "precision": "float32"}}
    asked = derived(SMALL, given)
    assert asked.training == Training(**given["training"], checkpoint_every=1)
    windows = normalise(noise(16, 3, 500), SMALL.preprocessing).astype(np.float32)
    pool = Pool(windows, np.ones((16, 3), dtype=bool), 50.0, (Facts("XX.AAA.00"),) * 16)
    own = pretrain(pool, asked).model.encoder
    x = network_inputs(windows, SMALL)
    classifier = network_for(SMALL, 3)
    classifier.fit_scale(x)
    ours, theirs = own.member.features(x[:, :1]).square().mean(), classifier.members[0].features(x).square().mean()
    assert float(x.square().mean()) < 1e-2
    assert 0.01 < float((ours / theirs).detach()) < 100
