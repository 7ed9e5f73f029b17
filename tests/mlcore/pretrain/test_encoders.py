from typing import get_args

import pytest
import torch
from torch import nn

from mlcore.errors import BadConfiguration
from mlcore.pretrain.config import EncoderName
from mlcore.pretrain.encoders import ENCODERS, encoder
from mlcore.pretrain.encoders.layers import scaled

# Parameters as published (torchvision's documentation; Inception without the auxiliary classifier), for three channels
# and 1000 classes, and what lies behind our encoders: the number of the classification layers' weights.
PUBLISHED = {
    "resnet18": (11_689_512, 512 * 1000 + 1000),
    "resnet34": (21_797_672, 512 * 1000 + 1000),
    "resnet50": (25_557_032, 2048 * 1000 + 1000),
    "mobilenetv3": (5_483_032, 960 * 1280 + 1280 + 1280 * 1000 + 1000),
    "inceptionv3": (23_834_568, 2048 * 1000 + 1000),
}


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def quick(name):
    """The encoder at a size for tests."""
    return encoder(name, 1.0 if name in ("simplecnn", "stft_cnn") else 0.25)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_as_many_as_published(name):
    published, classification = PUBLISHED[name]
    assert count(encoder(name, channels=3)) == published - classification


@pytest.mark.parametrize("name", PUBLISHED)
def test_one_channel_takes_a_third_of_the_first_convolution_and_changes_nothing_else(name):
    one, three = encoder(name), encoder(name, channels=3)
    first = next(module for module in three.modules() if isinstance(module, nn.Conv2d))
    assert count(three) - count(one) == first.weight.numel() * 2 // 3


def test_simplecnn_has_the_convolutions_of_salamon_and_bello():
    # 24, 48 and 48 fields of 5 × 5: section II-A of the paper; the dense layers are left out
    expected = [(24, 1, 5, 5), (48, 24, 5, 5), (48, 48, 5, 5)]
    found = [tuple(m.weight.shape) for m in encoder("simplecnn").modules() if isinstance(m, nn.Conv2d)]
    assert found == expected
    assert count(encoder("simplecnn")) == 24 * 25 + 24 + 48 * 24 * 25 + 48 + 48 * 48 * 25 + 48


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("shape", [(128, 71), (128, 4), (22, 8), (40, 1)])
def test_crops_of_any_size_become_so_many_features(name, shape):
    network = quick(name).eval()
    y = network(torch.rand(2, 1, *shape))
    assert y.shape == (2, network.features)
    assert torch.isfinite(y).all()


@pytest.mark.parametrize("name", ENCODERS)
def test_an_untrained_encoder_tells_images_apart_and_learns_in_every_weight(name):
    network = quick(name)
    y = network(torch.rand(8, 1, 128, 20, generator=torch.Generator().manual_seed(0)))
    assert float(y.detach().std(dim=0).max()) > 0
    (y * torch.linspace(-1, 1, y.shape[1])).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("name", ENCODERS)
def test_width_multiplies_features(name):
    full, half = encoder(name).features, encoder(name, 0.5).features
    assert half == pytest.approx(full / 2, rel=0.01)


@pytest.mark.parametrize(("channels", "width", "expected"), [(64, 1, 64), (64, 0.5, 32), (16, 0.1, 8), (72, 0.25, 24)])
def test_widths_are_multiples_of_eight_and_never_a_tenth_less(channels, width, expected):
    assert scaled(channels, width) == expected
    assert scaled(channels, width) >= 0.9 * channels * width


def test_the_strides_are_the_published_ones():
    """ResNet and MobileNet shrink an image of 224 to 7, SimpleCNN's poolings 128 bands to 8: each paper's table."""
    x = torch.rand(1, 1, 224, 224)
    resnet, mobilenet = encoder("resnet18", 0.125).eval(), encoder("mobilenetv3", 0.25).eval()
    assert resnet.blocks(resnet.stem(x)).shape[-2:] == (7, 7)
    assert mobilenet.layers[:-1](x).shape[-2:] == (7, 7)
    assert encoder("simplecnn").layers[:-2](torch.rand(1, 1, 128, 128)).shape[-2:] == (8, 32)


def test_recipes_can_name_every_encoder_and_no_other():
    assert get_args(EncoderName) == tuple(ENCODERS)


def test_an_unknown_encoder_is_refused():
    with pytest.raises(BadConfiguration, match=r"no encoder 'vgg'. Known encoders: resnet18, "):
        encoder("vgg")
