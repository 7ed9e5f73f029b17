"""Why the network said so: layer-wise relevance propagation with the ε-rule.

Jiang et al. 2024, section 4.5, Eq. 1:

    R_j = Σ_k  a_j w_jk / (ε + Σ_{0,j} a_j w_jk) · R_k

The sum in the denominator holds the bias. So what arrives at neuron k is shared between its inputs (the map), its bias
b_k / (z_k ± ε) · R_k, and ε itself ±ε / (z_k ± ε) · R_k. Here all three are computed, and their sum must be the logit.
ε takes the sign of z_k, as in Bach et al. 2015. Convolutions, linear layers and average pooling follow the rule;
activations pass relevance on; maximum pooling gives it to the winner.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlcore.classify.predict import Classifier
from mlcore.classify.zennit_compat import Activation, AvgPool, Convolution, Epsilon, LayerMapComposite, Linear, Pass

EPSILON = 1e-6
BATCH = 32  # larger ones are slower

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Relevance:
    """Maps of n windows for t classes each, in float64, and the account that checks them."""

    maps: Floats  # (n, t, channels, freq, time); their sum is what the input contributed to the logit
    logits: Floats  # (n, t), what is explained
    biases: Floats  # (n, t), what the biases took
    stabiliser: Floats  # (n, t), what ε took; about 1e-6 of the logit

    @property
    def error(self) -> Floats:
        """|logit − (map + biases + ε)|: zero but for rounding. → (n, t)"""
        accounted: Floats = self.maps.sum(axis=(2, 3, 4)) + self.biases + self.stabiliser
        return np.abs(self.logits - accounted)


def explain(classifier: Classifier, windows: NDArray[np.floating], targets: NDArray[np.integer]) -> Relevance:
    """LRP-ε maps of normalised windows (n, components, samples) for class indices `targets` (n, t).

    Safe to call from several threads at once: each call hooks its own copy of the network, in float64, for float32
    maps of single events may be wrong by several percent.
    """
    targets = np.asarray(targets)
    if targets.ndim != 2 or len(targets) != len(windows):
        raise ValueError(
            f"targets has shape {targets.shape}, but must be ({len(windows)} windows, classes to explain)."
        )
    network = copy.deepcopy(classifier.model).double().eval()
    pieces = [
        relevance_of(
            network, classifier.inputs(windows[i : i + BATCH]).double(), torch.as_tensor(targets[i : i + BATCH])
        )
        for i in range(0, len(windows), BATCH)
    ]
    maps, logits, biases, stabiliser = (torch.cat(parts).numpy() for parts in zip(*pieces, strict=True))
    return Relevance(maps, logits, biases, stabiliser)


def relevance_of(network: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Maps (n, t, …), logits, biases' and ε's shares (n, t) of inputs (n, …) for class indices targets (n, t).

    One forward pass, one backward pass a target. Hooks `network` while it works: never share it between threads.
    """
    inputs = inputs.detach().requires_grad_()
    ledger = Ledger()
    with torch.enable_grad(), ledger.watch(network), composite().context(network):
        outputs = network(inputs)
        maps = []
        for column in targets.T:
            one_hot = torch.nn.functional.one_hot(column, outputs.shape[1])
            ledger.open_column(len(inputs))
            (relevance,) = torch.autograd.grad(outputs, inputs, outputs.detach() * one_hot, retain_graph=True)
            maps.append(relevance.detach())
    logits = outputs.detach().gather(1, targets)
    return torch.stack(maps, dim=1), logits, torch.stack(ledger.biases, 1), torch.stack(ledger.stabiliser, 1)


def composite() -> LayerMapComposite:
    """Pure LRP-ε in zennit's terms; layers without a rule (maximum pooling, flatten, dropout) follow their gradient."""
    rules = [
        (Activation, Pass()),
        (Convolution, Epsilon(EPSILON)),
        (Linear, Epsilon(EPSILON)),
        (AvgPool, Epsilon(EPSILON)),
    ]
    return LayerMapComposite(layer_map=rules)


class Ledger:
    """Books what biases and ε take from each layer's relevance, from Eq. 1 and not from what the map leaves over."""

    def __init__(self) -> None:
        self.biases: list[Tensor] = []
        self.stabiliser: list[Tensor] = []
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def watch(self, network: nn.Module) -> "Ledger":
        for module in network.modules():
            if isinstance(module, (Convolution, Linear, AvgPool)):
                self._handles.append(module.register_forward_hook(self._watch_output))
        return self

    def open_column(self, windows: int) -> None:
        """Start the account of the next target."""
        self.biases.append(torch.zeros(windows, dtype=torch.float64))
        self.stabiliser.append(torch.zeros(windows, dtype=torch.float64))

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _watch_output(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # under zennit the gradient at a layer's output is the relevance that reaches it
        output.register_hook(lambda relevance: self._book(module, output.detach(), relevance.detach()))

    def _book(self, module: nn.Module, z: Tensor, relevance: Tensor) -> None:
        """z, relevance (n, neurons, …): a layer's outputs and what reached them"""
        epsilon = torch.where(z < 0, -EPSILON, EPSILON)
        share = (relevance / (z + epsilon)).flatten(2) if z.ndim > 2 else (relevance / (z + epsilon)).unsqueeze(2)
        bias = getattr(module, "bias", None)
        if bias is not None:
            self.biases[-1] += (share.sum(2) * bias.detach()).sum(1)
        self.stabiliser[-1] += (share * epsilon.reshape(share.shape)).sum((1, 2))
