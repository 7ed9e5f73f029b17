import pytest
import torch
from torch import nn

from mlcore.classify.quick import ConvolutionReLU, HalvingMaximum, quick_copy
from mlcore.stft_cnn import conv_block


def network(bias=True):
    torch.manual_seed(0)
    return nn.Sequential(conv_block(3, 4), conv_block(4, 8), nn.Conv2d(8, 2, 1, bias=bias), nn.ReLU()).eval()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(65, 95), (22, 91), (7, 4)])
def test_the_copy_says_what_the_network_says_in_bfloat16(shape, bias):
    model, x = network(bias), torch.rand(5, 3, *shape, generator=torch.manual_seed(1))
    x = x.contiguous(memory_format=torch.channels_last)
    quick = quick_copy(model)
    assert sum(isinstance(m, ConvolutionReLU) for m in quick.modules()) == 5
    assert sum(isinstance(m, HalvingMaximum) for m in quick.modules()) == 2
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        ours, theirs = quick(x).float(), model(x).float()
    torch.testing.assert_close(ours, theirs, atol=2e-3 * float(theirs.abs().max()), rtol=0.02)


def test_the_network_itself_stays_as_it_is():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    quick_copy(model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(isinstance(m, ConvolutionReLU) for m in model.modules())


def test_what_cannot_be_fused_is_left():
    odd = nn.Sequential(nn.Conv2d(1, 2, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(3), nn.Conv2d(2, 2, 3), nn.Tanh())
    assert [type(layer) for layer in quick_copy(odd)] == [type(layer) for layer in odd]
