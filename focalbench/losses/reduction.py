"""From elementwise losses to the number that is minimised: weights, denominators, several processes."""

import warnings
from typing import Literal, get_args

import torch
from torch import Tensor, distributed

from focalbench.errors import InputError
from focalbench.losses.checks import check_tensors, holds

Reduction = Literal["none", "mean", "sum", "mean_positive"]
REDUCTIONS: tuple[Reduction, ...] = get_args(Reduction)


def check_reduction(reduction: str) -> Reduction:
    """Raise InputError for a reduction that does not exist."""
    for known in REDUCTIONS:
        if known == reduction:
            return known
    raise InputError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")


def check_sample_weight(weight: Tensor, shape: torch.Size) -> Tensor:
    """Return sample weights expanded to the loss's shape, detached.

    weight: non-negative and finite, any dtype. Its dimensions are the first ones of `shape`, samples first: (N) is one
    weight a sample whatever follows; a dimension of 1 after that counts for all. Raises InputError otherwise.
    """
    check_tensors(sample_weight=weight)
    if weight.shape[:1] != shape[:1]:
        raise InputError(f"sample_weight must have one entry a sample, {_text(shape)} here, got {_text(weight.shape)}")
    try:
        expanded = weight.detach().reshape((*weight.shape, *[1] * (len(shape) - weight.ndim))).expand(shape)
    except RuntimeError:
        raise InputError(f"sample_weight of shape {_text(weight.shape)} does not broadcast to {_text(shape)}") from None
    if not holds((weight >= 0) & weight.isfinite()):
        raise InputError("sample_weight must be finite and >= 0")
    return expanded


def reduce_loss(
    loss: Tensor, reduction: Reduction, *, counted: Tensor | None, weight: Tensor | None, across_processes: bool
) -> Tensor:
    """Reduce elementwise losses, each multiplied by its weight.

    loss: any shape, zero where it is not to count. counted: what the denominator of a mean counts, a mask or a mass
    of the loss's shape; None counts all. weight: of the loss's shape, or None for ones. With across_processes
    the denominator is that of all processes and the result is multiplied by their number, so that averaging the
    gradients over processes, as DistributedDataParallel does, gives the single-process gradient. A denominator of
    nothing counts as 1.
    """
    weighted = loss if weight is None else loss * weight.to(loss.dtype)
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return weighted.sum()
    mass = _mass(loss, counted, weight)
    processes = 1
    if across_processes:
        processes = distributed.get_world_size()
        distributed.all_reduce(mass)
    if weight is not None and loss.numel() and not holds((mass > 0) | (weight > 0).any()):
        warnings.warn(
            "all sample weights are 0, so this mean is 0 and has no gradient; leave such batches out", stacklevel=2
        )
    # a mean over fewer than one positive would blow up what the negatives contribute
    floor = mass.clamp(min=1) if weight is None else torch.where(mass > 0, mass, 1)
    return weighted.sum(dtype=mass.dtype) * processes / floor


def _mass(loss: Tensor, counted: Tensor | None, weight: Tensor | None) -> Tensor:
    wide = torch.float64 if loss.dtype == torch.float64 else torch.float32
    if weight is None:
        return loss.new_tensor(float(loss.numel()), dtype=wide) if counted is None else counted.sum(dtype=wide)
    return (weight if counted is None else weight * counted).sum(dtype=wide)


def spans_processes(gather_distributed: bool | None, logits: Tensor) -> bool:
    """Whether denominators are summed over processes: None = where torch.distributed runs with more than one.

    Only where the logits want a gradient: every process takes part in a training step, but validation may well run in
    one of them alone. Raises InputError for True without an initialised process group.
    """
    running = distributed.is_available() and distributed.is_initialized()
    if gather_distributed and not running:
        raise InputError("gather_distributed=True needs an initialised torch.distributed process group")
    learns = torch.is_grad_enabled() and logits.requires_grad
    return learns and running and gather_distributed is not False and distributed.get_world_size() > 1


def _text(shape: torch.Size) -> str:
    return str(tuple(shape))
