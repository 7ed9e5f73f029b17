"""Several processes that learn as one: sums and rows over all of them, through which gradients flow.

Each process computes the loss of the whole batch from gathered embeddings. Its gradients reach every process's part,
and DistributedDataParallel averages them: so they equal those of one process that holds the whole batch. Every process
must hold equally many rows. Outside torch.distributed, nothing here changes anything.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn


def processes() -> int:
    """How many processes learn together; 1 outside torch.distributed."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def summed(x: Tensor) -> Tensor:
    """Σ over the processes of x, of the same shape everywhere"""
    return _Sum.apply(x) if processes() > 1 else x  # type: ignore[no-any-return, no-untyped-call]


def gathered(x: Tensor) -> Tensor:
    """x (rows, …) of every process, one below the other in the order of their ranks → (processes · rows, …)"""
    return _Rows.apply(x) if processes() > 1 else x  # type: ignore[no-any-return, no-untyped-call]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.detach().clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return _total(gradient)


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.rows = len(x)
        parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(processes())]
        distributed.all_gather(parts, x.detach().contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        start = distributed.get_rank() * ctx.rows
        return _total(gradient)[start : start + ctx.rows]


def _total(gradient: Tensor) -> Tensor:
    total = gradient.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


class TogetherBatchNorm(nn.modules.batchnorm._BatchNorm):
    """BatchNorm whose mean and variance are of the batch over all processes; on the CPU too, unlike SyncBatchNorm.

    x (batch, channels, …) → the same shape
    """

    def _check_input_dim(self, x: Tensor) -> None:
        """Any number of dimensions serves."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or processes() == 1:
            return super().forward(x)
        values = x if x.element_size() >= 4 else x.float()
        others = [0, *range(2, x.ndim)]
        count = processes() * x.numel() // x.shape[1]
        mean = summed(values.sum(others)) / count
        variance = summed((values - _along(mean, x)).square().sum(others)) / count
        self._remember(mean.detach(), variance.detach() * count / max(count - 1, 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return ((values - _along(mean, x)) * _along(scale, x) + _along(self.bias, x)).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), momentum)
        self.running_var.lerp_(variance.to(self.running_var), momentum)


def _along(values: Tensor, x: Tensor) -> Tensor:
    """values (channels,) as they multiply x (batch, channels, …)"""
    return values.view(1, -1, *[1] * (x.ndim - 2))


def synchronised(model: nn.Module) -> nn.Module:
    """The model, in place, with every BatchNorm taking its statistics over all processes. Weights stay."""
    for name, child in model.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            setattr(model, name, _together(child))
        else:
            synchronised(child)
    return model


def _together(norm: nn.modules.batchnorm._BatchNorm) -> TogetherBatchNorm:
    new = TogetherBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    new.load_state_dict(norm.state_dict())
    new.train(norm.training)
    return new.to(next(norm.parameters()))
