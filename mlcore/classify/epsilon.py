"""The ε-rule in zennit's hooks, from the one forward pass that is made anyway, with its books and its guard.

zennit's own Epsilon serves every rule that changes inputs or weights: for each class it runs each layer once more, and
discards the gradient that autograd computes. Pure LRP-ε changes neither. Of a linear layer z_k = b_k + Σ_j a_j w_jk,

    R_j = a_j · Σ_k w_jk · R_k / (z_k ± ε)

is the input times autograd's own gradient at R / (z ± ε). So two gradient hooks a layer do, and all classes share one
forward pass. Tests hold it against zennit's rule, captum's, and Eq. 1 of Jiang et al. 2024 as loops.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

from mlcore.classify.zennit_compat import Activation, AvgPool, Composite, Convolution, Hook, Linear
from mlcore.errors import BadConfiguration

EPSILON = 1e-6

# Modules whose own gradient is the rule: a maximum gives all to the winner, dropout does nothing outside of training.
BY_GRADIENT = (
    *(nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d),
)
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
# What may happen between modules: numbers move, or one of them is chosen. Sums and products would need a rule.
HARMLESS = {
    *("Alias", "Cat", "Clone", "Expand", "Identity", "Permute", "ReshapeAlias", "Select", "Slice", "Split"),
    *("SplitWithSizes", "Squeeze", "Stack", "T", "ToCopy", "Transpose", "Unbind", "UnsafeView", "Unsqueeze", "View"),
    *("Relu", "MaxPool2DWithIndices", "AdaptiveMaxPool2D", "torch::autograd::AccumulateGrad"),
}


class Ledger:
    """Books what biases and ε take from each layer's relevance, from Eq. 1 and not from what the map leaves over."""

    def __init__(self) -> None:
        self.biases: list[Tensor] = []  # (n,) for each class
        self.stabiliser: list[Tensor] = []

    def open_column(self, windows: int) -> None:
        """Start the account of the next class."""
        self.biases.append(torch.zeros(windows, dtype=torch.float64))
        self.stabiliser.append(torch.zeros(windows, dtype=torch.float64))

    def book(self, module: nn.Module, share: Tensor, epsilon: Tensor) -> None:
        """share, epsilon (n, neurons, …): a layer's R / (z ± ε), and its ±ε"""
        bias = getattr(module, "bias", None)
        if bias is not None:
            by_neuron = share.movedim(-1 if isinstance(module, nn.Linear) else 1, 1).reshape(
                *share.shape[:1], len(bias), -1
            )
            self.biases[-1] += by_neuron.sum(2) @ bias.detach().to(share.dtype)
        self.stabiliser[-1] += torch.linalg.vecdot(share.flatten(1), epsilon.flatten(1))


class Epsilon(Hook):  # type: ignore[misc]  # zennit has no types
    """LRP-ε of one layer, for every class that a gradient is asked for."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger

    def copy(self) -> "Epsilon":
        return Epsilon(self.ledger)

    def pre_forward(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Last of all backwards: the gradient becomes relevance."""
        values = inputs[0].detach()
        own = inputs[0].view_as(inputs[0])  # others may read the same tensor, and want their gradient apart
        own.register_hook(lambda gradient: gradient * values)
        return (own,)

    def post_forward(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """First of all backwards: what arrives is divided by z ± ε, and booked."""
        z = output.detach()
        epsilon = torch.full_like(z, EPSILON).copysign_(z)
        stabilised = z + epsilon

        def divide(relevance: Tensor) -> Tensor:
            share = relevance / stabilised
            self.ledger.book(module, share, epsilon)
            return share

        output.register_hook(divide)


class Pass(Hook):  # type: ignore[misc]
    """Relevance goes on as it came. As zennit's, without the copies and the gradient that it discards."""

    def register(self, module: nn.Module) -> RemovableHandle:
        return module.register_forward_hook(lambda module, inputs, output: Through.apply(inputs[0], output.detach()))


class Through(torch.autograd.Function):
    """Forward the output that was computed, backward whatever arrives."""

    @staticmethod
    def forward(context: Any, before: Tensor, after: Tensor) -> Tensor:
        return after.view_as(after)

    @staticmethod
    def backward(context: Any, relevance: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return relevance, None


def composite(network: nn.Module, ledger: Ledger) -> Composite:
    """Pure LRP-ε for `network`, in zennit's terms. Raises BadConfiguration for a module without a rule.

    Activations pass relevance on as it came, and so does any module that says `passes_relevance = True` (one that works
    on each number alone, such as a standardisation).
    """
    hooks = {name: _rule(name, module, ledger) for name, module in network.named_modules()}  # all, before any is hooked
    return Composite(module_map=lambda context, name, module: hooks[name])


def _rule(name: str, module: nn.Module, ledger: Ledger) -> Hook | None:
    if isinstance(module, (Convolution, Linear, AvgPool)):
        return Epsilon(ledger)
    if isinstance(module, Activation) or getattr(module, "passes_relevance", False):
        return Pass()
    if isinstance(module, (*BY_GRADIENT, *CONTAINERS)) or any(module.children()):
        return None
    raise BadConfiguration(
        f"LRP-ε has no rule for {name or 'the network'}, a {type(module).__name__}, so this network cannot be "
        "explained. Use convolutions, linear layers, pooling and activations (a BatchNorm can be folded into the "
        "convolution before it)."
    )


class Guard:
    """Refuses a network that computes outside of its modules what LRP-ε has no rule for, such as a residual sum."""

    def __init__(self, network: nn.Module) -> None:
        self._inputs: dict[Node, list[Node | None]] = {}  # where a module's own operations begin, by where they end
        self._handles = [m.register_forward_hook(self._note) for m in network.modules() if not any(m.children())]

    def _note(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        before = [tensor.grad_fn for tensor in inputs]
        if output.grad_fn is not None and output.grad_fn not in before:  # dropout gives back what it was given
            self._inputs[output.grad_fn] = before

    def __enter__(self) -> "Guard":
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()

    def check(self, outputs: Tensor) -> None:
        """Raises BadConfiguration for what happens between modules on the way to `outputs`."""
        waiting, seen = [outputs.grad_fn], set()
        while waiting:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if node in self._inputs:
                waiting += self._inputs[node]
                continue
            operation = node.name().split("Backward")[0]
            if operation not in HARMLESS:
                raise BadConfiguration(
                    f"The network computes {operation!r} between its modules, for which LRP-ε has no rule, so it "
                    "cannot be explained. Residual sums, products and means must be modules that have one."
                )
            waiting += [before for before, _ in node.next_functions]
