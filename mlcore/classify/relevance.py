"""Why the network said so: layer-wise relevance propagation with the ε-rule.

Jiang et al. 2024, section 4.5, Eq. 1:

    R_j = Σ_k  a_j w_jk / (ε + Σ_{0,j} a_j w_jk) · R_k

The sum in the denominator holds the bias. So what arrives at neuron k is shared between its inputs (the map), its bias
b_k / (z_k ± ε) · R_k, and ε itself ±ε / (z_k ± ε) · R_k. Here all three are computed, and their sum must be the logit.
ε takes the sign of z_k, as in Bach et al. 2015. Convolutions, linear layers and average pooling follow the rule;
activations pass relevance on; maximum pooling gives it to the winner. Attributes that enter beside the map get their
relevance by the same rule.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlcore.classify.epsilon import EPSILON, Guard, Ledger, composite
from mlcore.classify.float64 import quick_convolutions
from mlcore.classify.predict import Classifier

__all__ = ["EPSILON", "Relevance", "explain", "relevance_of"]

BATCH = 8  # windows; what is unfolded of more leaves the caches

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Relevance:
    """Maps of n windows for t classes each, in float64, and the account that checks them."""

    maps: Floats  # (n, t, channels, freq, time); their sum is what the input contributed to the logit
    attributes: Floats  # (n, t, a), what each attribute beside the map contributed; a is 0 where the network takes none
    logits: Floats  # (n, t), what is explained
    biases: Floats  # (n, t), what the biases took
    stabiliser: Floats  # (n, t), what ε took; about 1e-6 of the logit

    @property
    def error(self) -> Floats:
        """|logit − (map + attributes + biases + ε)|: zero but for rounding. → (n, t)"""
        accounted: Floats = self.maps.sum(axis=(2, 3, 4)) + self.attributes.sum(axis=2) + self.biases + self.stabiliser
        return np.abs(self.logits - accounted)

    def only(self, target: int) -> "Relevance":
        """Of one of the t targets, (n, 1, …)."""
        return Relevance(*(part[:, target : target + 1] for part in self._parts))

    def against(self, first: int, second: int) -> "Relevance":
        """Why class `first` of the t and not `second`: maps (n, 1, …) of the difference of their logits.

        LRP-ε is linear in its seed, so the difference of two maps is the map of the difference, at no cost.
        """
        return Relevance(*(part[:, first : first + 1] - part[:, second : second + 1] for part in self._parts))

    def window(self, row: int, targets: int) -> "Relevance":
        """Of one of the n windows, and its first targets."""
        return Relevance(*(part[row : row + 1, :targets] for part in self._parts))

    @property
    def _parts(self) -> tuple[Floats, ...]:
        return self.maps, self.attributes, self.logits, self.biases, self.stabiliser


def explain(classifier: Classifier, windows: NDArray[np.floating], targets: NDArray[np.integer]) -> Relevance:
    """LRP-ε maps of normalised windows (n, components, samples) for class indices `targets` (n, t).

    Safe to call from several threads at once: each call hooks its own copy of the network, in float64, for float32
    maps of single events may be wrong by several percent. Raises BadConfiguration for a network with a layer that
    LRP-ε has no rule for.
    """
    targets = np.asarray(targets)
    if targets.ndim != 2 or len(targets) != len(windows):
        raise ValueError(
            f"targets has shape {targets.shape}, but must be ({len(windows)} windows, classes to explain)."
        )
    network = double_copy(classifier.model)
    pieces = []
    for rows in (slice(i, i + BATCH) for i in range(0, len(windows), BATCH)):
        inputs, attributes = classifier.inputs(windows[rows]), classifier.attributes(windows[rows])
        pieces.append(relevance_of(network, inputs, torch.as_tensor(targets[rows]), attributes))
    return Relevance(*(torch.cat(parts).numpy() for parts in zip(*pieces, strict=True)))


def double_copy(model: nn.Module) -> nn.Module:
    """The network in float64, laid out as the CPU's float64 convolutions like it, for one thread to hook."""
    network = copy.deepcopy(model).double().eval().requires_grad_(False)
    return quick_convolutions(network.to(memory_format=torch.contiguous_format))  # type: ignore[call-overload]


def relevance_of(
    network: nn.Module, inputs: Tensor, targets: Tensor, attributes: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """A `Relevance`'s fields, as tensors, of inputs (n, …) and attributes (n, a) for class indices targets (n, t).

    One forward pass, one backward pass a target. Hooks `network` (float64) while it works: never share it between
    threads.
    """
    given = [inputs.detach().double().contiguous().requires_grad_()]
    if attributes is not None and attributes.shape[1]:
        given.append(attributes.detach().double().requires_grad_())
    ledger, found = Ledger(), []
    with torch.enable_grad(), composite(network, ledger).context(network), Guard(network) as guard:
        outputs = network(*given)
        guard.check(outputs)
        for column in targets.T:
            ledger.open_column(len(inputs))
            seed = outputs.detach() * nn.functional.one_hot(column, outputs.shape[1])
            found.append(torch.autograd.grad(outputs, given, seed, retain_graph=True))
    maps, *beside = (torch.stack(parts, dim=1) for parts in zip(*found, strict=True))
    return (
        maps,
        beside[0] if beside else maps.new_zeros(*targets.shape, 0),
        outputs.detach().gather(1, targets),
        torch.stack(ledger.biases, 1),
        torch.stack(ledger.stabiliser, 1),
    )
