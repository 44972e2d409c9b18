"""Stacks to results: in this process, or in worker processes with one thread each."""

from collections.abc import Iterator, Sequence

import joblib

from focalbench.arms import Run
from focalbench.store import Result

Finished = tuple[tuple[Run, ...], list[Result]]


def execute(stacks: Sequence[tuple[Run, ...]], workers: int) -> Iterator[Finished]:
    """Yield each stack with its results as it finishes, in no particular order."""
    if workers == 1:
        yield from map(_finished, stacks)
        return
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)
    yield from parallel(joblib.delayed(_finished)(stack) for stack in stacks)


def _finished(stack: tuple[Run, ...]) -> Finished:
    from focalbench.stack import run_stack  # loads torch: where the workers train, this process does without

    return stack, run_stack(stack)
