import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mlcore.classify.float64 import quick_convolutions


@settings(max_examples=15, deadline=None)
@given(
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    size=st.tuples(st.integers(5, 9), st.integers(5, 9)),
    bias=st.booleans(),
    data=st.data(),
)
def test_outputs_and_gradients_are_those_of_torch(channels, kernel, size, bias, data):
    padding = tuple(data.draw(st.integers(0, k - 1)) for k in kernel)
    layer = nn.Conv2d(*channels, kernel, padding=padding, bias=bias).double().requires_grad_(False)
    x = torch.randn(2, channels[0], *size, dtype=torch.float64, requires_grad=True)
    expected = layer(x)
    seed = torch.randn_like(expected)
    (gradient,) = torch.autograd.grad(expected, x, seed)
    found = quick_convolutions(layer)(x)
    assert "forward" in vars(layer), "it must have been replaced, or the test proves nothing"
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(torch.autograd.grad(found, x, seed)[0], gradient, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "odd",
    [
        {"stride": 2},
        {"dilation": 2},
        {"groups": 2},
        {"padding": "same"},
        {"padding": 3},
        {"padding_mode": "circular", "padding": 1},
    ],
)
def test_other_convolutions_stay_as_they_are(odd):
    layer = nn.Conv2d(2, 2, 3, **odd)
    assert "forward" not in vars(quick_convolutions(layer))
