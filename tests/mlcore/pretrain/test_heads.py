import torch
from torch import nn

from mlcore.pretrain.config import Method
from mlcore.pretrain.heads import Discriminator, Projector
from mlcore.pretrain.iter_norm import IterNorm


def kinds(module):
    return [type(part).__name__ for part in module if not isinstance(part, nn.Identity)]


def test_the_projector_is_the_papers():
    projector = Projector(512, Method())
    layers = ["Linear", "BatchNorm1d", "ReLU"]
    assert kinds(projector) == [*layers, *layers, "Linear", "IterNorm"]
    assert [part.out_features for part in projector if isinstance(part, nn.Linear)] == [4096] * 3
    assert isinstance(projector[-1], IterNorm)
    assert kinds(Projector(512, Method.of("vicreg")))[-1] == "Linear"


def test_embeddings_have_the_projectors_width():
    assert Projector(12, Method(projector=64, groups=8))(torch.randn(5, 12)).shape == (5, 64)


def test_the_discriminator_is_two_layers_on_both_representations_in_order():
    discriminator = Discriminator(6).eval()
    a, b = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0))
    first, _, dropout, last = discriminator.layers
    assert (first.in_features, first.out_features, last.out_features, dropout.p) == (12, 24, 1, 0.5)
    hidden = torch.cat([a, b], dim=1) @ first.weight.T + first.bias
    expected = hidden.clamp(min=0) @ last.weight[0] + last.bias
    torch.testing.assert_close(discriminator(a, b), expected)
    assert not torch.allclose(discriminator(a, b), discriminator(b, a))
