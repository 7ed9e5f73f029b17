"""Iterative normalisation: a batch whitened without an eigendecomposition. Huang et al. 2019, arXiv:1904.03441.

VIbCReg (Lee & Aune 2021) puts it behind the projector, with T = 5 and 64 groups.
"""

import torch
from torch import Tensor, nn

from mlcore.errors import BadConfiguration
from mlcore.pretrain.together import processes, summed


class IterNorm(nn.Module):
    """x (batch, features) → the same shape; in each group of features, means 0 and covariance near the identity

    While training, statistics are of the batch, over all processes where several learn together (each then holds
    equally many rows). In evaluation mode they are running means of the batches' means and whitening matrices.
    How near the identity is a matter of T: directions of small variance need more iterations. With groups of 64
    features and batches of 128, the paper's T = 5 takes a third of the correlation, T = 9 nearly all (as its test
    shows). Computed in float32 at least, also under autocast.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(
        self, features: int, groups: int = 64, iterations: int = 5, epsilon: float = 1e-5, momentum: float = 0.1
    ):
        super().__init__()
        if features % groups:
            raise BadConfiguration(f"{features} features are not divided by {groups} groups. Choose a multiple.")
        self.groups, self.iterations, self.epsilon, self.momentum = groups, iterations, epsilon, momentum
        size = features // groups
        self.weight, self.bias = nn.Parameter(torch.ones(features)), nn.Parameter(torch.zeros(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("whitening", torch.eye(size).repeat(groups, 1, 1))  # (groups, size, size)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            x = x if x.element_size() >= 4 else x.float()
            mean, whitening = self._of_batch(x) if self.training else (self.mean, self.whitening)
            groups = (x - mean).unflatten(1, (self.groups, -1)).transpose(0, 1)  # (groups, batch, size)
            whitened = (groups @ whitening).transpose(0, 1).flatten(1)  # the whitening matrix is symmetric
            return whitened * self.weight + self.bias

    def _of_batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        count = processes() * len(x)
        mean = summed(x.sum(dim=0)) / count
        groups = (x - mean).unflatten(1, (self.groups, -1)).transpose(0, 1)
        covariance = summed(groups.transpose(1, 2) @ groups) / count
        whitening = inverse_root(covariance, self.iterations, self.epsilon)
        with torch.no_grad():
            self.mean.lerp_(mean, self.momentum)
            self.whitening.lerp_(whitening, self.momentum)
        return mean, whitening


def inverse_root(covariance: Tensor, iterations: int, epsilon: float) -> Tensor:
    """Σ^(−1/2) of covariances (…, size, size), by Newton's iterations

    With Σ_N = (Σ + εI) / tr(Σ + εI) and P_0 = I,
        P_k = ½ (3 P_{k−1} − P_{k−1}³ Σ_N),   Σ^(−1/2) ≈ P_T / √tr(Σ + εI)      Huang et al. 2019, Eqs. 3–5

    Computed with Q_k = P_k Σ_N beside P_k: the same numbers by as many products, but rounding does not grow however
    many iterations there are.
    """
    identity = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    covariance = covariance + epsilon * identity
    trace = covariance.diagonal(dim1=-2, dim2=-1).sum(dim=-1)[..., None, None]
    q = covariance / trace
    p = step = 1.5 * identity - 0.5 * q  # P_1
    for _ in range(iterations - 1):
        q = q @ step
        step = 1.5 * identity - 0.5 * p @ q
        p = step @ p
    return p * torch.rsqrt(trace)
