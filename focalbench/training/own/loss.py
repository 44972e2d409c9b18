"""Somebody's own loss, named as module:NAME: found, checked and called. All of it happens in processes of its own."""

import copy
import inspect
import warnings
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from focalbench.errors import InputError
from focalbench.training.own.named import Own, errors_as, found_in
from focalbench.training.rivals import ClassCounts, constant_of, few_rows

COARSE = 61  # points of the grid where a loss can be asked for one constant at a time only
Loss = Callable[[Tensor, Tensor], Tensor]


class OwnLoss:
    """One run's own copy of a loss, which may keep a state; a call gives the mean loss of logits (sample,)."""

    def __init__(self, spec: str, loss: Loss, *, column: bool) -> None:
        self.spec, self.loss, self.column = spec, loss, column

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss as one number, of logits (sample,) and targets (sample,) of 0 or 1. Raises InputError if it fails."""
        with errors_as(f"the loss {self.spec} failed"):
            # copies, because a loss may well write into what it is given
            value = self.loss(logits[:, None] if self.column else logits.clone(), targets.clone())
            if isinstance(value, Tensor) and value.is_floating_point() and value.numel() in (1, len(logits)):
                return value.mean()
        got = f"{tuple(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
        raise InputError(f"the loss {self.spec} must return one number, or one for each sample; it returned {got}")

    def to(self, device: str) -> "OwnLoss":
        """Move what the loss holds to the training device."""
        if isinstance(self.loss, nn.Module):
            self.loss.to(device)
        return self

    def gradient(self, logits: Tensor, targets: Tensor) -> Tensor:
        """D loss / d logits, (sample,); 0 where the loss does not depend on them, as without positives it may not."""
        with torch.enable_grad(), errors_as(f"the loss {self.spec} failed"):
            x = logits.detach().clone().requires_grad_()
            value = self(x, targets)
            if not value.requires_grad:
                return torch.zeros_like(logits)
            (gradient,) = torch.autograd.grad(value, x, allow_unused=True)
        return torch.zeros_like(logits) if gradient is None else gradient


def make_loss(spec: str) -> OwnLoss:
    """Find module:NAME and give a run its own copy of the loss.

    NAME: an nn.Module instance, a class or function that needs no arguments to build a loss, or a function of logits
    and targets. The loss is called with logits (sample,), or (sample, 1) if it refuses those, and targets (sample,) of
    0 or 1, both float32, and returns one number or one for each sample. Raises InputError for anything else.
    """
    found = found_in(Own("loss", spec))
    refusals = []
    for called, column in product(_ways(spec, found), (False, True)):
        try:
            copies = [OwnLoss(spec, _built(spec, found, called=called), column=column) for _ in range(3)]
            _try(spec, copies[:2])
            return copies[2]
        except InputError as error:
            refusals.append(error)
    raise refusals[0] from None


def _try(spec: str, copies: Sequence[OwnLoss]) -> None:
    """Call copies of a loss on a batch of both classes and on one without positives: all must say the same."""
    x = torch.linspace(-2, 2, 64)
    mixed = torch.zeros(64)
    mixed[[40, 60]] = 1
    found = []
    for loss in copies:
        gradient, without = loss.gradient(x, mixed), loss.gradient(x, torch.zeros(64))
        if not bool(gradient.isfinite().all()) or not bool(gradient.any()):
            raise InputError(f"the loss {spec} gives no finite gradient to logits from -2 to 2, two of 64 positive")
        if not bool(without.isfinite().all()):
            raise InputError(f"the loss {spec} gives no finite gradient on a batch without positives, which are common")
        found.append(torch.stack([gradient, without]))
    if not torch.equal(found[0], found[1]):
        raise InputError(f"the loss {spec} gives another gradient when asked again; draw nothing at random in it")


def _ways(spec: str, found: Any) -> list[bool]:
    """Whether to call NAME for a loss (True) or to use it as it is, in the order to try."""
    if not callable(found):
        raise InputError(f"the loss {spec} is no loss: {type(found).__name__} cannot be called with logits and targets")
    if inspect.isclass(found):
        return [True]
    if not (inspect.isfunction(found) and _takes(found)):
        return [False]
    return [False, True] if _takes(found, 0, 0) else [True]


def _takes(function: Callable[..., object], *arguments: object) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    return True


def _built(spec: str, found: Any, *, called: bool) -> Loss:
    """A new loss from what NAME means, or a copy of it, so that no run sees another's state."""
    with errors_as(f"the loss {spec} cannot be built"):
        loss: Loss = copy.deepcopy(found() if called else found)
    if not callable(loss):
        raise InputError(f"the loss {spec} is no loss: {type(loss).__name__} cannot be called with logits and targets")
    if isinstance(loss, nn.Module) and any(parameter.requires_grad for parameter in loss.parameters()):
        raise InputError(f"the loss {spec} has parameters of its own to train, and the sweep trains the network's only")
    return loss


def own_constant(spec: str, counts: ClassCounts) -> float:
    """The logit that, given to every row, minimises a loss; see constant_of."""
    targets, own = few_rows(counts).float(), make_loss(spec)

    def loss(constants: Tensor) -> Tensor:
        values = [copy.deepcopy(own)(constant.float().expand(len(targets)), targets) for constant in constants]
        return torch.stack(values).double()  # a copy each: what a loss remembers is no part of the search

    with warnings.catch_warnings(), torch.enable_grad(), errors_as(f"the loss {spec} failed"):
        warnings.simplefilter("ignore")  # that all scores are equal is our doing
        return constant_of(loss, COARSE)
