"""Stacks to results, whatever happens to the workers: what dies is tried again in halves, and is given up at the third
death.
"""

from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass

from focalbench.errors import InputError
from focalbench.pools import Backend, Made, Pool, Stack, WorkerError, make_pool

DEATHS = 3  # of the workers of one stack, after which its runs have failed


@dataclass(frozen=True)
class Finished:
    """A stack and what it made; None where it was given up."""

    stack: Stack
    made: Made | None


@dataclass(frozen=True)
class Attempt:
    """A stack and how often it, or the larger one it was part of, has died."""

    stack: Stack
    deaths: int = 0

    def again(self, deaths: int) -> list["Attempt"]:
        """What is left to try after so many more deaths: its halves, so that one run takes few others with it."""
        half = -(-len(self.stack) // 2)
        parts = (self.stack[:half], self.stack[half:])
        return [Attempt(part, self.deaths + deaths) for part in parts if part]


def execute(stacks: Iterable[Stack], backend: Backend) -> Generator[Finished]:
    """Yield each stack, or its parts, as it finishes, in no particular order. Raises MachineError where the workers are
    out of reach.
    """
    pool = make_pool(backend)
    whole = False
    try:
        yield from _drive(pool, deque(map(Attempt, stacks)))
        whole = True
    finally:
        pool.close(at_once=not whole)


def _drive(pool: Pool, waiting: deque[Attempt]) -> Generator[Finished]:
    running: dict[object, Attempt] = {}
    while waiting or running:
        while waiting and len(running) < pool.slots():
            attempt = waiting.popleft()
            running[pool.submit(attempt.stack)] = attempt
        for future in pool.wait(running):
            attempt = running.pop(future)
            try:
                made = pool.made(future)
            except WorkerError as death:
                if attempt.deaths + death.deaths < DEATHS:
                    waiting.extendleft(reversed(attempt.again(death.deaths)))
                else:
                    yield Finished(attempt.stack, None)
                continue
            _check(attempt.stack, made)
            yield Finished(attempt.stack, made)


def _check(stack: Stack, made: Made) -> None:
    """Raise InputError where a worker's idea of a run's identity is another."""
    if [result.run_id for result in made[0]] != [run.run_id for run in stack]:
        raise InputError("the workers have another version of focalbench than this process; install the same")
