"""Networks of other shapes than our own: attributes beside the map, several members, and what must be refused."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mlcore.classify.epsilon import EPSILON
from mlcore.classify.relevance import relevance_of
from mlcore.errors import BadConfiguration


def member(channels=2, hidden=3):
    return nn.Sequential(
        nn.Conv2d(channels, 3, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d((2, 1)),
        nn.Flatten(),
        nn.Linear(6, hidden),
        nn.ReLU(),
        nn.Dropout(0.5),
    )


class Standardise(nn.Module):
    passes_relevance = True

    def forward(self, x):
        return (x - 0.3) / 2.0


class Wide(nn.Module):
    """logits = Linear(cat[hidden of each member, attributes])"""

    def __init__(self, members=2, attributes=4, classes=3):
        super().__init__()
        self.members = nn.ModuleList(member() for _ in range(members))
        self.standardise = Standardise()
        self.last = nn.Linear(3 * members + attributes, classes)

    def forward(self, x, attributes=None):
        hidden = [one(x) for one in self.members]
        if attributes is not None:
            hidden.append(self.standardise(attributes))
        return self.last(torch.cat(hidden, 1))


def wide(**shape):
    torch.manual_seed(3)
    return Wide(**shape).double().eval().requires_grad_(False)


def some(*shape, seed=1):
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_attributes_get_what_eq_1_gives_them_written_as_loops():
    model, x, attributes = wide(), some(3, 2, 8, 6), some(3, 4, seed=2)
    targets = torch.tensor([[0, 2], [1, 0], [2, 1]])
    _, found, logits, _, _ = relevance_of(model, x, targets, attributes)
    given = model.standardise(attributes)
    for n, t, a in np.ndindex(3, 2, 4):
        k = int(targets[n, t])
        z = float(logits[n, t])
        share = float(given[n, a]) * float(model.last.weight[k, 6 + a]) / (z + (EPSILON if z >= 0 else -EPSILON))
        assert float(found[n, t, a]) == pytest.approx(share * z, rel=1e-9)


def test_maps_attributes_biases_and_stabiliser_of_a_whole_ensemble_add_up_to_the_logit():
    model, x, attributes = wide(members=3), some(3, 2, 8, 6), some(3, 4, seed=2)
    targets = torch.tensor([[0, 1, 2]] * 3)
    maps, beside, logits, biases, stabiliser = relevance_of(model, x, targets, attributes)
    torch.testing.assert_close(logits, model(x, attributes))
    torch.testing.assert_close(
        maps.sum((2, 3, 4)) + beside.sum(2) + biases + stabiliser, logits, rtol=1e-10, atol=1e-10
    )
    assert (biases.abs() > 1e-3).all()
    assert (beside.abs() > 1e-3).any()


def test_the_map_of_an_ensemble_is_the_sum_of_its_members_maps():
    """With the others' hidden features given as attributes, a member's map is its own part."""
    model, x = wide(members=2, attributes=0), some(2, 2, 8, 6)
    targets = torch.tensor([[0], [2]])
    maps, *_ = relevance_of(model, x, targets)
    parts = []
    for own in (0, 1):
        alone = wide(members=1, attributes=3)
        alone.standardise = nn.Identity()
        alone.members[0] = model.members[own]
        order = [*range(3 * own, 3 * own + 3), *range(3 * (1 - own), 3 * (1 - own) + 3)]
        alone.last.weight.data = model.last.weight.data[:, order]
        alone.last.bias.data = model.last.bias.data
        parts.append(relevance_of(alone, x, targets, model.members[1 - own](x))[0])
    torch.testing.assert_close(maps, parts[0] + parts[1], rtol=1e-9, atol=1e-12)


def test_a_network_without_attributes_is_not_asked_for_any():
    model, x = member(), some(2, 2, 8, 6)
    maps, beside, *_ = relevance_of(model.double().eval(), x, torch.tensor([[0], [1]]), torch.zeros(2, 0))
    assert maps.shape == (2, 1, 2, 8, 6)
    assert beside.shape == (2, 1, 0)


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU(inplace=True), nn.LeakyReLU(0.1), nn.Tanh()])
def test_activations_pass_relevance_on_even_in_place(activation):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), activation, nn.Linear(5, 2)).double().eval()
    x, target = some(3, 4) - 0.5, torch.tensor([[0], [1], [0]])
    found, _, logits, biases, stabiliser = relevance_of(model, x, target)
    torch.testing.assert_close(found.sum(2) + biases + stabiliser, logits, rtol=1e-9, atol=1e-9)
    z1 = model[0](x).detach()
    a1 = activation(z1.clone())
    z2 = logits[:, 0]
    hidden = a1 * model[2].weight[target[:, 0]] * (z2 / (z2 + EPSILON * z2.sign()))[:, None]
    expected = x * ((hidden / (z1 + EPSILON * z1.sign())) @ model[0].weight)
    torch.testing.assert_close(found[:, 0], expected.detach(), rtol=1e-9, atol=1e-12)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 2, 3, padding=1), nn.Sequential(nn.Flatten(), nn.Linear(96, 2))

    def forward(self, x):
        return self.last(x + self.first(x))


class Functional(nn.Module):
    def __init__(self, middle):
        super().__init__()
        self.first, self.last, self.middle = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(2, 2), middle

    def forward(self, x):
        return self.last(self.middle(self.first(x)))


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(72, 2)), "for 1, a BatchNorm2d"),
        (nn.Sequential(nn.Flatten(), nn.Linear(96, 2), nn.Softmax(1)), "for 2, a Softmax"),
        (Residual(), "computes 'Add' between its modules"),
        (Functional(lambda y: y.mean((2, 3))), "computes 'Mean' between"),
        (Functional(lambda y: F.conv2d(y, y.new_ones(2, 2, 8, 6)).flatten(1)), "computes 'Convolution' between"),
        (nn.Sequential(nn.Flatten(), nn.Linear(96, 4), nn.GLU()), "for 2, a GLU"),
    ],
)
def test_a_network_that_has_no_rule_is_refused_by_name(model, named):
    with pytest.raises(BadConfiguration, match=named):
        relevance_of(model.double().eval(), some(2, 2, 8, 6), torch.tensor([[0], [1]]))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_functions_that_only_choose_or_move_numbers_are_let_through():
    model = Functional(lambda y: F.max_pool2d(F.relu(y), (8, 6)).squeeze(3).permute(0, 2, 1).flatten(1)).double().eval()
    maps, _, logits, biases, stabiliser = relevance_of(model, some(2, 2, 8, 6), torch.tensor([[0], [1]]))
    torch.testing.assert_close(maps.sum((2, 3, 4)) + biases + stabiliser, logits, rtol=1e-9, atol=1e-9)


def test_a_linear_layer_over_time_books_the_bias_of_its_own_axis():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)).double().eval()
    found, _, logits, biases, stabiliser = relevance_of(model, some(2, 8, 6), torch.tensor([[0], [1]]))
    torch.testing.assert_close(found.sum((2, 3)) + biases + stabiliser, logits, rtol=1e-9, atol=1e-9)
