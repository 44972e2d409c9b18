"""Your own loss, named as module:NAME on the command line: asked for gradients in processes of its own.

There it can reach nothing of other runs: a module may set torch's default type, threads or generators, put functions in
the place of torch's, or end its process. Each run has a process, so that its numbers do not depend on its company.
"""

import atexit
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from focalbench.errors import InputError
from focalbench.training.own.process import BAD, CONSTANT, GOOD, HASH, TRAIN
from focalbench.training.own.processes import PATIENCE, EndedError, Process, begin_process
from focalbench.training.rivals import ClassCounts


class LossKilledError(InputError, MemoryError):
    """The system ended the process of a loss, perhaps for memory: when planning a refusal, in a worker a death."""


class Custom:
    """One run's own copy of a loss, which may keep a state. Ask for the gradient of a batch, then take it."""

    def __init__(self, spec: str) -> None:
        self.spec = spec
        with _present(spec):
            self._process = _begin(spec, TRAIN)
        self._take()

    def to(self, device: str) -> "Custom":
        """Move what the loss holds to the training device, before the first batch."""
        self._process.tell(device.encode())
        self._take()
        return self

    def ask(self, logits: Tensor, targets: Tensor) -> None:
        """Hand in a batch: logits (sample,) and targets (sample,) of 0 or 1."""
        self._process.tell(torch.stack([logits, targets]).cpu().numpy().tobytes())

    def gradient(self) -> Tensor:
        """D mean loss / d logits, (sample,), of the batch that was handed in. Raises InputError if the loss fails."""
        return torch.frombuffer(bytearray(self._take()), dtype=torch.float32)

    def _take(self) -> bytes:
        with _present(self.spec):
            return _good(self._process.answer())


def make_custom(spec: str) -> Custom:
    """Find module:NAME and give a run its own copy of the loss. Raises InputError for what is no loss (own_loss)."""
    return Custom(spec)


@cache
def source_hash(spec: str) -> str:
    """Hash of the source behind module:NAME (64 hex digits), asked once a process; see source.module_hash."""
    return _asked(spec, HASH).decode()


@cache
def custom_constant(spec: str, counts: ClassCounts) -> float:
    """The logit that, given to every row, minimises a loss of your own; see rivals.constant_of."""
    return float(_asked(spec, CONSTANT, *counts))


def _asked(spec: str, task: str, *arguments: float) -> bytes:
    with _present(spec):
        return _good(_begin(spec, task, *arguments).answer())


def _begin(spec: str, task: str, *arguments: float) -> Process:
    """A process of its own for one task."""
    process = _module(spec, os.getcwd()).fork(f"the loss {spec}")  # noqa: PTH109 (of which it is a part where modules lie)
    process.tell(json.dumps([task, *arguments]).encode())
    return process


@cache
def _module(spec: str, folder: str) -> Process:
    """The process that has imported a module."""
    try:
        process = _server(os.getpid()).fork(f"the loss {spec}")
    except EndedError:
        forget_processes()
        raise
    _good(process.ask(json.dumps([spec, folder, sys.path]).encode()))
    return process


@cache
def _server(mine: int) -> Process:
    """The process behind all others of this process, and of none that this one forks."""
    if not hasattr(os, "fork"):
        raise InputError("a loss of your own needs a system whose processes can fork, such as Linux or macOS")
    server = begin_process()
    atexit.register(lambda: server.end() if mine == os.getpid() else None)
    return server


def _good(answer: bytes) -> bytes:
    if not answer.startswith(GOOD):
        raise InputError(answer.removeprefix(BAD).decode())
    return answer.removeprefix(GOOD)


@contextmanager
def _present(spec: str) -> Iterator[None]:
    """Raise InputError where the process of a loss is no longer there, or does not answer."""
    try:
        yield
    except TimeoutError:
        raise InputError(f"the loss {spec} has given no answer for {PATIENCE // 60} minutes; does it end?") from None
    except EndedError as error:
        _module.cache_clear()
        if error.code < 0:
            raise LossKilledError(f"the loss {spec}: {signal.Signals(-error.code).name} ended its process") from None
        raise InputError(f"the loss {spec} ended its process, with code {error.code}; a loss returns a value") from None


def forget_processes() -> None:
    """End all of them; the next ones begin anew."""
    _server(os.getpid()).end()
    for each in (_module, _server):
        each.cache_clear()
