"""How long a plan takes, told in a moment: a model of what its parts cost, scaled to the speed of this machine now.

A dry run, which trains a little of everything, is nearer the truth and takes longer.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from focalbench.base.amounts import clock
from focalbench.base.text import setting
from focalbench.datasets.build import names_of, split_counts, width
from focalbench.datasets.preprocessing import coding_of
from focalbench.errors import InputError
from focalbench.execution.pools import Backend, Stack
from focalbench.jobs.estimate import makespan
from focalbench.plan.planning import Plan
from focalbench.plan.stacks import make_stacks
from focalbench.runs.arm import is_custom
from focalbench.runs.reference import is_own
from focalbench.runs.run import Recipe, Run, scored_epochs
from focalbench.training.references import LOGISTIC, is_reference

PROBE = (64, 32, 32, 256)  # how many products, of which sizes, tell a machine's speed
PROBE_SECONDS, PROBE_SHARE = 0.2, 0.01  # for how long at most, and as a share of what is foretold
PROBED = 0.41e-3  # processor seconds of them where the costs were measured
# processor seconds there, of 230 stacks of many kinds
STACK, STEP, RUN = 0.011, 0.55e-3, 4.9e-3  # of each, whatever its size; a run is measured once for each output
ACTIVATION, PRODUCT = 3.4e-9, 1.16e-10  # of a unit, and of a weight, for a row of a run's batch, there and back
SCORED, TESTED = 2.2e-8, 4.8e-7  # of an output and a row: of validation whenever it is scored, of the test at the end
BUILT = 4.2e-7  # of a row that is drawn or split
LINEAR, LINEAR_NUMBER, LINEAR_SCORE = 0.025, 3e-8, 8.8e-7  # of a model, a number in its rows, a row it scores
TREES, TREE_NUMBER, TREE_SCORE = 0.1, 3.8e-6, 2e-7
LIBRARIES = {  # of a model of a library's, of a training row, of a number in a row of any split
    "lightgbm": (0.2, 4.5e-5, 1e-8),
    "xgboost": (0.2, 3.5e-5, 1.4e-8),
    "catboost": (0.3, 4.5e-5, 1.1e-7),
}
STARTING, STARTING_WORKERS, FILE = 1.0, 2.5, 2e-3  # of this process, of workers, and a run's part of the files


@dataclass(frozen=True)
class Forecast:
    """Seconds of what is missing of a plan, and until its first seed is whole; by run_id, what share of the training of
    what is missing each run is.
    """

    seconds: float
    first_seed: float
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Sizes:
    """Of the data of a run: rows of its splits, numbers in a row, outputs."""

    train: int
    validation: int
    test: int
    features: int
    outputs: int

    @property
    def rows(self) -> int:
        """Of all splits."""
        return self.train + self.validation + self.test


def forecast_within(plan: Plan, stored: Collection[str], backend: Backend, budget: float | None) -> Forecast | None:
    """How long a plan takes, as far as that is known. stored: run_ids; budget: seconds. Raises InputError where the
    first seed alone takes longer than the budget.
    """
    found = forecast(plan, stored, backend)
    if budget is not None and found is not None and found.first_seed > budget:
        asked, takes = setting("budget", f"{budget:g}s"), clock(found.first_seed)
        raise InputError(f"{asked}: one seed takes about {takes} here; allow more, or train less")
    return found


def forecast(plan: Plan, stored: Collection[str], backend: Backend) -> Forecast | None:
    """Of the runs of a plan that are not stored; None where nothing is known of what trains them: a GPU, another
    machine, losses or models of your own.
    """
    missing = [run for run in plan.runs if run.run_id not in stored]
    if not _is_known(missing, backend):
        return None
    if not missing:
        return Forecast(FILE * len(plan.runs), 0.0, {})
    stacks = make_stacks(missing)
    costs = list(_costs(stacks, backend.workers))
    slower = slowness(backend.workers, min(PROBE_SECONDS, PROBE_SHARE * sum(costs)))
    start = STARTING + (STARTING_WORKERS if backend.name != "serial" else 0.0)
    first = [cost for stack, cost in zip(stacks, costs, strict=True) if _is_first(stack, stacks[0])]
    whole, seed = (slower * (start + makespan(each, backend.workers)) for each in (costs, first))
    return Forecast(whole + slower * FILE * len(plan.runs), seed, _shares(stacks, costs))


def _shares(stacks: Sequence[Stack], costs: Sequence[float]) -> dict[str, float]:
    whole = sum(costs)
    pairs = zip(stacks, costs, strict=True)
    return {run.run_id: cost / len(stack) / whole for stack, cost in pairs for run in stack}


def _is_known(runs: Sequence[Run], backend: Backend) -> bool:
    return backend.scheduler is None and all(
        run.training.device == "cpu" and not (is_custom(run.arm.loss) or is_own(run.training.model)) for run in runs
    )


def _is_first(stack: Stack, first: Stack) -> bool:
    return (stack[0].recipe.dataset, stack[0].seed) == (first[0].recipe.dataset, first[0].seed)


def _costs(stacks: Sequence[Stack], workers: int) -> Iterator[float]:
    """Processor seconds of each. Sizes are those of a recipe's first seed."""
    sizes: dict[Recipe, Sizes] = {}
    begun: Counter[tuple[Recipe, int]] = Counter()
    for run, *others in stacks:
        if run.recipe not in sizes:
            sizes[run.recipe] = sizes_of(run)
        begun[run.recipe, run.seed] += 1
        build = BUILT * sizes[run.recipe].rows if begun[run.recipe, run.seed] <= workers else 0.0  # each once a seed
        yield build + stack_seconds((run, *others), sizes[run.recipe])


def sizes_of(run: Run) -> Sizes:
    """The sizes of a run's data."""
    train, validation, test = (part.rows for part in split_counts(run.recipe, run.seed).each)
    return Sizes(
        train,
        validation,
        test,
        width(run.recipe, coding_of(run.training.preprocessing)),
        len(names_of(run.recipe)) or 1,
    )


def stack_seconds(stack: Stack, sizes: Sizes) -> float:
    """Processor seconds of a stack, where the costs were measured."""
    each = _reference_seconds(stack[0], sizes) if is_reference(stack[0]) else _network_seconds(stack, sizes)
    return each * (stack[0].recipe.folds or 1)


def _network_seconds(stack: Stack, sizes: Sizes) -> float:
    training, runs = stack[0].training, len(stack)
    scored = len(scored_epochs(training.epochs, training.evaluations))
    layers = list(pairwise((sizes.features, *training.hidden, sizes.outputs)))
    steps = training.epochs * -(-sizes.train // training.batch_size)
    units, weights = sum(units for _, units in layers), sum(inputs * units for inputs, units in layers)
    return (
        STACK
        + steps * STEP
        + runs * training.epochs * sizes.train * (units * ACTIVATION + weights * PRODUCT)
        + runs * sizes.outputs * (scored * sizes.validation * SCORED + RUN + sizes.test * TESTED)
    )


def _reference_seconds(run: Run, sizes: Sizes) -> float:
    numbers, scored = sizes.train * sizes.features, sizes.validation + sizes.test
    if run.training.model == LOGISTIC:
        return sizes.outputs * (LINEAR + numbers * LINEAR_NUMBER + scored * LINEAR_SCORE)
    if run.training.model in LIBRARIES:
        model, row, number = LIBRARIES[run.training.model]
        return sizes.outputs * (model + sizes.train * row + sizes.rows * sizes.features * number)
    return sizes.outputs * (TREES + numbers * TREE_NUMBER + scored * TREE_SCORE)


def slowness(workers: int, seconds: float) -> float:
    """How many times as long as a processor second of the costs a worker takes here, with so many at work: by products
    of small matrices, which a busy machine takes longer for, too.
    """
    with ThreadPoolExecutor(workers) as pool:
        return float(np.mean(list(pool.map(_product_seconds, [seconds] * workers)))) / PROBED


def _product_seconds(limit: float) -> float:
    count, rows, inner, columns = PROBE
    left, right = np.ones((count, rows, inner), np.float32), np.ones((count, inner, columns), np.float32)
    out = np.empty((count, rows, columns), np.float32)
    begin, done = time.perf_counter(), 0
    while time.perf_counter() - begin < limit:
        np.matmul(left, right, out=out)
        done += 1
    return (time.perf_counter() - begin) / done
