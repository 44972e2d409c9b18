"""What the losses in torch ask of their inputs, and the dtypes that they compute in and return."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from focalbench.errors import InputError

HALF = (torch.float16, torch.bfloat16)


def widened(logits: Tensor) -> Tensor:
    """Logits as they are computed with: half precision becomes float32."""
    return logits.float() if logits.dtype in HALF else logits


def result_dtype(logits: Tensor) -> torch.dtype:
    """The dtype of an elementwise loss: the logits', float32 for half precision under autocast, as torch's losses."""
    device = logits.device.type
    autocast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.float32 if autocast and logits.dtype in HALF else logits.dtype


def check_shapes(logits: Tensor, targets: Tensor) -> None:
    """Raise InputError unless logits are floating and targets expand to their shape and want no gradient."""
    check_tensors(logits=logits, targets=targets)
    if not logits.is_floating_point():
        raise InputError(f"logits must be floating point, got {logits.dtype}")
    check_expands("targets", targets, logits)
    if targets.requires_grad:
        raise InputError("targets take no gradient here; detach them")


def check_tensors(**values: object) -> None:
    """Raise InputError for what is no tensor."""
    for name, value in values.items():
        if not isinstance(value, Tensor):
            raise InputError(f"{name} must be a tensor, got {type(value).__name__}; use torch.as_tensor")


def check_expands(name: str, value: Tensor, x: Tensor) -> None:
    """Raise InputError unless a value expands to the logits' shape."""
    try:
        value.expand(x.shape)
    except RuntimeError:
        shapes = f"{tuple(value.shape)}, the logits {tuple(x.shape)}"
        raise InputError(f"{name} must have the logits' shape or expand to it; they have {shapes}") from None


def check_probabilities(targets: Tensor) -> None:
    """Raise InputError for a target outside [0, 1]."""
    if not holds((targets >= 0) & (targets <= 1)):
        raise InputError("targets must lie in [0, 1]")


def check_alpha(alpha: float | Tensor) -> None:
    """Raise InputError unless alpha lies in [0, 1] everywhere."""
    if not _satisfies(alpha, lambda value: (value >= 0) & (value <= 1)):
        raise InputError(f"alpha must lie in [0, 1] or be None (off), got {alpha}")


def check_at_least_zero(name: str, value: float | Tensor) -> None:
    """Raise InputError unless a hyperparameter is finite and >= 0 everywhere."""
    if not _satisfies(value, lambda value: (value >= 0) & (value < math.inf)):
        raise InputError(f"{name} must be a finite number >= 0, got {value}")


def _satisfies(value: float | Tensor, condition: Callable[[Any], Any]) -> bool:
    """Whether a value is a number or a tensor of numbers for which a condition holds."""
    if isinstance(value, Tensor):
        return holds(condition(value))
    return isinstance(value, Real) and bool(condition(value))


def seen(value: Tensor) -> float:
    """A value, NaN where none can be looked at (see holds)."""
    try:
        return float(value)
    except RuntimeError:
        return math.nan


def holds(condition: Tensor) -> bool:
    """Whether a condition is true everywhere; it is taken to be where no value can be looked at: by a compiler, under
    vmap, on meta and fake tensors.
    """
    if torch.compiler.is_compiling():
        return True
    try:
        return bool(condition.all())
    except RuntimeError:
        return True
