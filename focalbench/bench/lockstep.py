"""Ours on the same problem: the trainer's own stacks, on one core or one process a core."""

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import lru_cache

import numpy as np

from focalbench.bench.problem import LR, SEED, Problem, drawn
from focalbench.bench.timing import Work
from focalbench.plan.stacks import stack_size
from focalbench.runs.run import Training
from focalbench.training.loop import Member, Steps, train_epoch
from focalbench.training.models import Network, Parameters, draw_weights
from focalbench.training.optimizers import Adam
from focalbench.training.stack import one_thread
from focalbench.training.stack_loss import StackLoss, WeightedFocal

Stack = tuple[Network, StackLoss, Steps]
BCE, MIXED = (0.0,), (0.0, 2.0, 5.0)  # gammas, one run after the other


def lockstep(problem: Problem, gammas: tuple[float, ...] = BCE) -> Work:
    """An epoch of every run, stack after stack, in this process."""
    return lambda: train_stacks(problem, problem.runs, gammas)


def lockstep_everywhere(problem: Problem, processes: Sequence[Executor]) -> Work:
    """An epoch of equally many runs in each of some processes of one thread, an executor for each."""
    share = problem.runs // len(processes)

    def work() -> None:
        begun = [process.submit(train_stacks, problem, share) for process in processes]
        for each in begun:
            each.result()

    return work


def train_stacks(problem: Problem, runs: int, gammas: tuple[float, ...] = BCE) -> None:
    """An epoch of so many runs, on one thread; the first call in a process builds them."""
    rows, order = drawn(problem)
    with one_thread():
        for network, loss, adam in _stacks(problem, runs, gammas):
            train_epoch(network, loss, adam, rows, order, problem.batch_size)


def runs_of_a_stack(problem: Problem) -> int:
    """How many the tool would train together."""
    training = Training(hidden=problem.hidden, batch_size=problem.batch_size, device=problem.device)
    return min(problem.runs, stack_size(training))


@lru_cache(maxsize=16)
def _stacks(problem: Problem, runs: int, gammas: tuple[float, ...]) -> list[Stack]:
    size = runs_of_a_stack(problem)
    return [_stack(problem, min(size, runs - start), gammas) for start in range(0, runs, size)]


def _stack(problem: Problem, runs: int, gammas: tuple[float, ...]) -> Stack:
    rng = np.random.default_rng(SEED)
    members = [
        Member(draw_weights(problem.architecture, rng), LR, WeightedFocal(gammas[run % len(gammas)], (1.0,), (1.0,)))
        for run in range(runs)
    ]
    parameters = Parameters(problem.architecture, runs, problem.device)
    parameters.load([member.layers for member in members])
    network = Network(problem.architecture, parameters, problem.batch_size)
    loss = StackLoss([member.loss for member in members], 1, problem.device)
    return network, loss, Steps(Adam(parameters, [member.lr for member in members]))
