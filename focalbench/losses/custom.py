"""Your own loss, named as module:NAME on the command line: found, checked, and called one run at a time.

One at a time, because torch.func.vmap rounds otherwise than the loss by itself, so that a run's numbers would depend on
its company; and a step of the network costs more than the loss.
"""

import copy
import hashlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from focalbench.errors import InputError

Loss = Callable[[Tensor, Tensor], Tensor]


class Custom:
    """One run's own copy of a loss, which may keep a state; a call gives the mean loss of logits (sample,)."""

    def __init__(self, spec: str, loss: Loss, *, column: bool) -> None:
        self.spec, self.loss, self.column = spec, loss, column

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss as one number, of logits (sample,) and targets (sample,) of 0 or 1. Raises InputError if it fails."""
        try:
            value = self.loss(logits[:, None] if self.column else logits, targets)
        except Exception as error:
            raise InputError(f"--loss {self.spec} failed: {type(error).__name__}: {_one_line(error)}") from error
        if not isinstance(value, Tensor) or value.numel() not in (1, len(logits)):
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise InputError(f"--loss {self.spec} must return one number, or one for each sample; it returned {got}")
        return value.mean()

    def gradient(self, logits: Tensor, targets: Tensor) -> Tensor:
        """D loss / d logits, (sample,); 0 where the loss does not depend on them, as without positives it may not."""
        with torch.enable_grad():
            x = logits.detach().clone().requires_grad_()
            value = self(x, targets)
            if not value.requires_grad:
                return torch.zeros_like(logits)
            (gradient,) = torch.autograd.grad(value, x, allow_unused=True)
        return torch.zeros_like(logits) if gradient is None else gradient


def make_custom(spec: str) -> Custom:
    """Find module:NAME and give a run its own copy of the loss.

    NAME: an nn.Module instance, a class or function that needs no arguments to build a loss, or a function of logits
    and targets. The loss is called with logits (sample,), or (sample, 1) if it refuses those, and targets (sample,) of
    0 or 1, both float32, and returns one number or one for each sample. Raises InputError for anything else.
    """
    found = _found(spec)
    loss = _built(spec, found)
    if isinstance(loss, nn.Module) and any(parameter.requires_grad for parameter in loss.parameters()):
        raise InputError(f"--loss {spec} has parameters of its own to train, and the sweep trains the network's only")
    flat = Custom(spec, loss, column=False)
    try:
        _try(flat)
    except InputError as refused:
        column = Custom(spec, _built(spec, found), column=True)
        try:
            _try(column)
        except InputError:
            raise refused from None
        return Custom(spec, _built(spec, found), column=True)
    return Custom(spec, _built(spec, found), column=False)


def _try(loss: Custom) -> None:
    """Call a loss on a batch of both classes, whose gradient must be there, and on one without positives."""
    x = torch.linspace(-2, 2, 64)
    mixed = torch.zeros(64)
    mixed[[40, 60]] = 1
    gradient = loss.gradient(x, mixed)
    if not bool(gradient.isfinite().all()) or not bool(gradient.any()):
        raise InputError(f"--loss {loss.spec} gives no finite gradient to logits from -2 to 2, two of 64 positive")
    loss.gradient(x, torch.zeros(64))


def _built(spec: str, found: Any) -> Loss:
    """A new loss from what NAME means; a copy of an instance, so that no run sees another's state."""
    try:
        if isinstance(found, nn.Module):
            return copy.deepcopy(found)
        loss = found() if inspect.isclass(found) or _needs_nothing(found) else found
    except Exception as error:
        raise InputError(f"--loss {spec} cannot be built: {type(error).__name__}: {_one_line(error)}") from error
    if not callable(loss):
        raise InputError(f"--loss {spec} is no loss: {type(loss).__name__} cannot be called with logits and targets")
    built: Loss = loss
    return built


def _needs_nothing(found: Any) -> bool:
    try:
        inspect.signature(found).bind()
    except (TypeError, ValueError):  # it wants arguments, or is no function that could tell
        return False
    return True


@cache
def source_hash(spec: str) -> str:
    """Hash of the source behind module:NAME: of the module's file, or of its whole package's (64 hex digits).

    Asked once a process, which imports the source once too.
    """
    _found(spec)
    top = sys.modules[spec.split(":")[0].split(".")[0]]
    file = top.__file__
    if file is None or not file.endswith(".py"):
        raise InputError(f"--loss {spec}: {top.__name__} has no source file to name the loss by; wrap it in one")
    files = sorted(Path(file).parent.rglob("*.py")) if hasattr(top, "__path__") else [Path(file)]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _found(spec: str) -> Any:
    module_name, _, name = spec.partition(":")
    module = _imported(spec, module_name)
    if not hasattr(module, name):
        raise InputError(f"--loss {spec}: {module_name} holds no {name!r}")
    return getattr(module, name)


def _imported(spec: str, name: str) -> ModuleType:
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109 (a console script does not look where it was started)
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        why = f"{type(error).__name__}: {_one_line(error)}"
        raise InputError(f"--loss {spec}: cannot import {name} ({why}); start in its folder or install it") from None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
