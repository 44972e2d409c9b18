"""Asking the processes of somebody's own code, a loss or a model that is named as module:NAME, for answers.

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

from focalbench.errors import InputError
from focalbench.training.own.named import Own
from focalbench.training.own.process import BAD, GOOD
from focalbench.training.own.processes import PATIENCE, EndedError, Process, begin_process


class KilledError(InputError, MemoryError):
    """The system ended a process, perhaps for memory: when planning a refusal, in a worker a death."""


def asked(own: Own, task: str, *arguments: object) -> bytes:
    """The answer to a task that has one. Raises InputError where there is none."""
    with present(own):
        return good(begin(own, task, *arguments).answer())


def begin(own: Own, task: str, *arguments: object) -> Process:
    """A process of its own for one task."""
    process = module_process(own, os.getcwd()).fork(str(own))  # noqa: PTH109 (of which it is a part where modules lie)
    process.tell(json.dumps([task, *arguments]).encode())
    return process


@cache
def module_process(own: Own, folder: str) -> Process:
    """The process that has imported a module."""
    try:
        process = _server(os.getpid()).fork(str(own))
    except EndedError:
        forget_processes()
        raise
    good(process.ask(json.dumps([*own, folder, sys.path]).encode()))
    return process


@cache
def _server(mine: int) -> Process:
    """The process behind all others of this process, and of none that this one forks."""
    if not hasattr(os, "fork"):
        raise InputError("code of your own needs a system whose processes can fork, such as Linux or macOS")
    server = begin_process()
    atexit.register(lambda: server.end() if mine == os.getpid() else None)
    return server


def good(answer: bytes) -> bytes:
    """What was asked for. Raises InputError where the answer says why not."""
    if not answer.startswith(GOOD):
        raise InputError(answer.removeprefix(BAD).decode())
    return answer.removeprefix(GOOD)


@contextmanager
def present(own: Own) -> Iterator[None]:
    """Raise InputError where a process is no longer there, or does not answer."""
    try:
        yield
    except TimeoutError:
        raise InputError(f"{own} has given no answer for {PATIENCE // 60} minutes; does it end?") from None
    except EndedError as error:
        module_process.cache_clear()
        if error.code < 0:
            raise KilledError(f"{own}: {signal.Signals(-error.code).name} ended its process") from None
        raise InputError(f"{own} ended its process, with code {error.code}; {own.ending}") from None


def forget_processes() -> None:
    """End all of them; the next ones begin anew."""
    _server(os.getpid()).end()
    for each in (module_process, _server):
        each.cache_clear()
