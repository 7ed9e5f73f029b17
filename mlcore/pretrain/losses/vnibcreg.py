"""VNIbCReg, and every method it is compared with: L = L_vibcreg + L_tnc. Lee et al. 2022, Eq. 1."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from mlcore.errors import BadConfiguration
from mlcore.pretrain.config import Method
from mlcore.pretrain.losses.barlow_twins import barlow_twins
from mlcore.pretrain.losses.tnc import correlation, discrimination
from mlcore.pretrain.losses.vibcreg import vibcreg
from mlcore.pretrain.losses.vicreg import vicreg

OF_EMBEDDINGS: dict[str, Callable[[Tensor, Tensor, Method], dict[str, Tensor]]] = {
    "vnibcreg": vibcreg,
    "vibcreg": vibcreg,
    "vicreg": vicreg,
    "barlow_twins": barlow_twins,
}


class Encoded(NamedTuple):
    """What the networks make of a batch of crops. Where no L_tnc is asked for, the last four are None."""

    z_t: Tensor  # embeddings (batch, dim) of the reference
    z_l: Tensor  # … and of its neighbour
    y_t: Tensor | None = None  # representations (batch, features)
    y_l: Tensor | None = None
    y_k: Tensor | None = None
    near: Tensor | None = None  # the discriminator's logits (batch,) for (y_t, y_l)
    far: Tensor | None = None  # … and for (y_t, y_k)


def loss_terms(encoded: Encoded, method: Method) -> dict[str, Tensor]:
    """The terms of the method's loss by name, each with its weight: their sum is the loss.

    L = L_vibcreg(z_t, z_l) + ρ · L_tnc(y_t, y_l, y_k)        Lee et al. 2022, Eqs. 1 and 7

    Computed in float32 at least, whatever the networks computed in. Call it outside autocast.
    """
    z_t, z_l, y_t, y_l, y_k, near, far = map(_at_least_float32, encoded)
    terms = OF_EMBEDDINGS[method.name](z_t, z_l, method)  # type: ignore[arg-type]
    if method.tnc == "none":
        return terms
    if y_t is None or y_l is None or y_k is None or near is None or far is None:
        raise BadConfiguration(
            f"method.tnc is {method.tnc!r}, but the representations or the discriminator's logits were not given. "
            "Encode all three crops and pass them, or choose tnc = 'none'."
        )
    terms["discrimination"] = method.neighbouring * discrimination(near, far)
    if method.tnc == "modified":
        terms["correlation"] = method.neighbouring * correlation(y_t, y_l, y_k)
    return terms


def _at_least_float32(tensor: Tensor | None) -> Tensor | None:
    return tensor if tensor is None or tensor.element_size() >= 4 else tensor.float()
