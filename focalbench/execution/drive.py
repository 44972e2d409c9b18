"""Stacks to results, whatever happens to the workers: what dies is tried again by itself and in halves, which take less
memory, and is given up at the third death.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from focalbench.errors import InputError
from focalbench.execution.cluster import DaskPool, check_cluster
from focalbench.execution.pools import Backend, LokyPool, Pool, SerialPool, Stack, StackResult, WorkerError

logger = logging.getLogger(__name__)
LONG = 600.0  # seconds of a stack after which it is said to take long
DEATHS = 3  # of the workers of one stack, after which its runs have failed


@dataclass(frozen=True)
class Finished:
    """A stack and its result; None where it was given up."""

    stack: Stack
    result: StackResult | None


@dataclass(frozen=True)
class Attempt:
    """A stack and how often it, or the larger one it was part of, has died."""

    stack: Stack
    deaths: int = 0

    def again(self) -> list["Attempt"]:
        """What is left to try after one more death: its halves, so that one run takes few others with it."""
        half = -(-len(self.stack) // 2)
        return [Attempt(part, self.deaths + 1) for part in (self.stack[:half], self.stack[half:]) if part]


class SlowStacks:
    """Logs stacks that take long, ever more rarely: a loss may be one that never ends."""

    def __init__(self) -> None:
        self._due: dict[object, tuple[float, float]] = {}  # when it began, when to log it

    def log(self, running: Mapping[Any, Stack]) -> None:
        """Log those that are due."""
        now = time.monotonic()
        self._due = {future: self._due.get(future, (now, LONG)) for future in running}
        for future, stack in running.items():
            begun, due = self._due[future]
            if now - begun >= due:
                names = ", ".join(sorted({run.arm.name for run in stack}))
                what = f"{len(stack)} runs of seed {stack[0].seed} ({names})"
                logger.info(f"{what} have been training for {due / 60:.0f} minutes")
                self._due[future] = begun, 2 * due


def make_pool(backend: Backend) -> Pool:
    """The pool of a backend. Raises InputError where it cannot be made."""
    if backend.name == "dask":
        return DaskPool(backend)
    return SerialPool() if backend.name == "serial" else LokyPool(backend.workers)


def check_backend(backend: Backend) -> None:
    """Raise InputError where the pool of a backend cannot be made; sooner than make_pool, and cheaper."""
    if backend.name == "dask":
        check_cluster(backend)


def execute(
    stacks: Iterable[Stack], backend: Backend, enough: Callable[[], bool] = lambda: False
) -> Generator[Finished]:
    """Yield each stack, or its parts, as it finishes, in no particular order. Raises MachineError where the workers are
    out of reach. enough: asked every second or so, or after each stack; ends it all at once.
    """
    pool = make_pool(backend)
    whole = False
    try:
        whole = yield from _drive(pool, deque(map(Attempt, stacks)), enough)
    finally:
        pool.close(at_once=not whole)


def _drive(pool: Pool, waiting: deque[Attempt], enough: Callable[[], bool]) -> Generator[Finished, None, bool]:
    """Returns whether all is done."""
    running: dict[object, Attempt] = {}
    slow = SlowStacks()
    while (waiting or running) and not enough():
        while waiting and len(running) < pool.slots() and not (running and _must_wait(waiting[0], running.values())):
            attempt = waiting.popleft()
            running[pool.submit(attempt.stack)] = attempt
        done = pool.wait(running)
        slow.log({future: attempt.stack for future, attempt in running.items() if future not in done})
        for future in done:
            attempt = running.pop(future)
            try:
                result = pool.result(future)
            except WorkerError as error:
                deaths = attempt.deaths + 1
                logger.warning(
                    f"a worker {error}, with {len(attempt.stack)} runs of seed {attempt.stack[0].seed}; "
                    + (f"they are tried again ({deaths} of {DEATHS} times)" if deaths < DEATHS else "these have failed")
                )
                if deaths < DEATHS:
                    waiting.extendleft(reversed(attempt.again()))
                else:
                    yield Finished(attempt.stack, None)
                continue
            _check(attempt.stack, result)
            logger.debug(f"{len(attempt.stack)} runs of seed {attempt.stack[0].seed}: {result.seconds:.2f} s")
            yield Finished(attempt.stack, result)
    return not (waiting or running)


def _must_wait(first: Attempt, running: Iterable[Attempt]) -> bool:
    """Whether the first in line has to wait: what died has all memory for itself when it is tried again."""
    return first.deaths > 0 or any(attempt.deaths for attempt in running)


def _check(stack: Stack, found: StackResult) -> None:
    """Raise InputError where a worker's idea of a run's identity is another."""
    if [result.run_id for result in found.results] != [run.run_id for run in stack]:
        raise InputError("the workers have another version of focalbench than this process; install the same")
