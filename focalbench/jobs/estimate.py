"""What a plan will cost, before it runs: time, memory and disk, from its own stacks trained for a few epochs here."""

import heapq
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from focalbench.analysis.run_rows import RunRow, run_row
from focalbench.base.memory import free_bytes, peak_bytes
from focalbench.base.rows import rows_text
from focalbench.errors import MachineError
from focalbench.execution.drive import make_pool
from focalbench.execution.pools import Backend, Pool, Stack, StackResult, WorkerError
from focalbench.execution.store import result_of, to_json
from focalbench.plan.planning import Plan
from focalbench.plan.stacks import make_stacks
from focalbench.runs.run import Run
from focalbench.training.references import is_reference

FEW, MORE = 2, 4  # epochs of a trial, whose difference is what an epoch costs
HEADER = 150  # bytes that the store keeps with a run beside its texts: hashes, versions' share of a page, index
EPOCH_BYTES = 20  # of a number of the validation curve
POINT = 110  # bytes of a line of curves.csv
POINTS = 220  # lines of it for each arm, beside one an epoch


@dataclass(frozen=True)
class Estimate:
    """A plan's cost. stacks: trained together; seconds: of the whole command; memory_bytes: all its processes at once,
    None where the system does not say; free_bytes: of this machine now; disk_bytes: the store and the folder.
    """

    runs: int
    stored: int
    stacks: int
    workers: int
    seconds: float
    memory_bytes: int | None
    free_bytes: int | None
    disk_bytes: int


@dataclass(frozen=True)
class Trial:
    """What stacks like one were seen to cost. begin: seconds of a stack beside its epochs; run_bytes: a run's, on disk
    and as a record in memory.
    """

    begin: float
    epoch: float
    peak_bytes: int | None
    disk_bytes: float
    record_bytes: float

    def seconds(self, stack: Stack) -> float:
        """Of a stack of this kind."""
        return self.begin + self.epoch * stack[0].training.epochs


def estimate(plan: Plan, missing: Sequence[Run], backend: Backend) -> Estimate:
    """Try one stack of every kind on all workers at once, and sum up. missing: the runs that are not stored yet."""
    stacks = make_stacks(missing)
    if not stacks:
        return Estimate(len(plan.runs), len(plan.runs), 0, backend.workers, 0.0, peak_bytes(), free_bytes(), 0)
    pool = make_pool(backend)
    try:
        trials, start = _trials(pool, stacks)
        workers = pool.slots()
    finally:
        pool.close(at_once=True)
    seconds = start + makespan([trials[_kind(stack)].seconds(stack) for stack in stacks], workers)
    peaks = [trial.peak_bytes for trial in trials.values()]
    own = 0 if backend.name == "serial" else peak_bytes()  # this process is the worker then
    memory = None if own is None or None in peaks else own + workers * max(peak or 0 for peak in peaks)
    if memory is not None:
        memory += round(sum(trials[_kind(stack)].record_bytes * len(stack) for stack in stacks))
    curves = {(run.recipe, run.arm.name, run.arm.init, run.training.model) for run in plan.runs}
    rows = len(curves) * (POINTS + plan.runs[0].training.epochs)
    disk = sum(trials[_kind(stack)].disk_bytes * len(stack) for stack in stacks) + POINT * rows
    stored = len(plan.runs) - len(missing)
    return Estimate(len(plan.runs), stored, len(stacks), workers, seconds, memory, free_bytes(), round(disk))


def _kind(stack: Stack) -> tuple[object, ...]:
    """What a stack costs depends on its data, its training, and how many it is; rates hardly move it."""
    run = stack[0]
    return run.recipe.dataset, run.recipe.rows, run.training, run.arm if is_reference(run) else len(stack)


def _trials(pool: Pool, stacks: Sequence[Stack]) -> tuple[dict[tuple[object, ...], Trial], float]:
    """A trial of each kind, and the seconds until workers had started."""
    examples: dict[tuple[object, ...], Stack] = {}
    for stack in stacks:
        examples.setdefault(_kind(stack), stack)
    began = time.perf_counter()
    warm = _run(pool, [_for_epochs(stacks[0], 1)] * pool.slots())
    start = time.perf_counter() - began - median(found.seconds for found in warm)
    references = [stack for stack in examples.values() if is_reference(stack[0])]
    fitted = dict(zip(map(_kind, references), _run(pool, references), strict=True))
    trials = {
        kind: _trial(stack, [fitted[kind]], 0.0) if kind in fitted else _network_trial(pool, stack)
        for kind, stack in examples.items()
    }
    return trials, start


def _network_trial(pool: Pool, stack: Stack) -> Trial:
    few, more = (_run(pool, [_for_epochs(stack, epochs)] * pool.slots()) for epochs in (FEW, MORE))
    return _trial(stack, more, max(0.0, (_seconds(more) - _seconds(few)) / (MORE - FEW)))


def _trial(stack: Stack, results: Sequence[StackResult], epoch: float) -> Trial:
    peaks = [each.peak_bytes for each in results if each.peak_bytes is not None]
    disk, kept = _bytes(stack, results[0])
    return Trial(_seconds(results) - MORE * epoch, epoch, max(peaks, default=None), disk, kept)


def _seconds(results: Sequence[StackResult]) -> float:
    return median(each.seconds for each in results)


def _for_epochs(stack: Stack, epochs: int) -> Stack:
    return tuple(replace(run, training=replace(run.training, epochs=epochs)) for run in stack)


def _run(pool: Pool, stacks: Sequence[Stack]) -> list[StackResult]:
    """Run stacks, one on every worker at a time: as busy as they will be."""
    waiting, results = list(enumerate(stacks)), {}
    running: dict[object, int] = {}
    while waiting or running:
        while waiting and len(running) < pool.slots():
            place, stack = waiting.pop(0)
            running[pool.submit(stack)] = place
        for future in pool.wait(running):
            place = running.pop(future)
            try:
                results[place] = pool.result(future)
            except WorkerError:
                what = f"a trial of {len(stacks[place])} runs ended its worker, or had no memory"
                raise MachineError(f"{what}; fewer `rows` or `workers` take less") from None
    return [results[place] for place in range(len(stacks))]


def _bytes(stack: Stack, found: StackResult) -> tuple[float, float]:
    """What a run of a stack takes on disk, and its row in memory."""
    kept = [to_json(result) for result in found.results]
    tracemalloc.start()
    rows = [run_row(run, result_of(run.run_id, text).outcome) for run, text in zip(stack, kept, strict=True)]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    texts = [text + run.identity for run, text in zip(stack, kept, strict=True)]
    curve = EPOCH_BYTES * (stack[0].training.epochs - MORE)  # of validation, which a trial has few epochs of
    written = (len(rows_text(RunRow, rows)) + sum(map(len, texts))) / len(stack)
    return written + len(found.versions) + HEADER + curve, held / len(stack)


def makespan(seconds: Sequence[float], workers: int) -> float:
    """When the last of so many workers ends that each take the next stack in turn.

    >>> makespan([3.0, 1.0, 1.0, 2.0], 2)
    4.0
    """
    ends = [0.0] * workers
    for each in seconds:
        heapq.heapreplace(ends, ends[0] + each)
    return max(ends)
