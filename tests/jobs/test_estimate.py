import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass, replace

import pytest

from focalbench.base.memory import peak_bytes
from focalbench.errors import MachineError
from focalbench.execution.pools import Backend, Stack, StackResult, WorkerError
from focalbench.jobs import estimate as module
from focalbench.jobs.estimate import estimate
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.stacks import PROCESS_BYTES, make_stacks, worker_bytes
from focalbench.runs.result import Curves, Result
from focalbench.runs.run import Recipe
from focalbench.training.references import is_reference
from tests.support.runs import outcome_with

SMALL = Experiment(positive_rates=(0.02,), rows=1500, seeds=3, epochs=10, hidden=(64, 64), lrs=(0.01,))
BEGIN, EPOCH, REFERENCE = 0.5, 0.25, 3.0


@dataclass
class Steady:
    """Workers that take just so long: a stack of n runs BEGIN + n EPOCH a epoch."""

    workers: int
    tried: int = 0

    def slots(self) -> int:
        return self.workers

    def submit(self, stack: Stack) -> tuple[int, Stack]:
        self.tried += 1
        return self.tried, stack

    def wait(self, futures: Collection[tuple[int, Stack]]) -> set[tuple[int, Stack]]:
        return set(futures)

    def result(self, future: tuple[int, Stack]) -> StackResult:
        stack = future[1]
        assert stack[0].training.epochs <= 4  # a trial is short
        curves = Curves(precision=(0.123456789,) * 200)
        results = [Result(run.run_id, outcome_with(), curves, 1.0) for run in stack]
        return StackResult(results, "{}", seconds(stack), 10**9)

    def close(self, *, at_once: bool) -> None:
        """Nothing."""


def seconds(stack: Stack) -> float:
    return REFERENCE if is_reference(stack[0]) else BEGIN + EPOCH * len(stack) * stack[0].training.epochs


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("references", [True, False])
def test_steady_workers_are_estimated_exactly(monkeypatch: pytest.MonkeyPatch, workers: int, references: bool) -> None:
    plan = make_plan(replace(SMALL, references=references))
    monkeypatch.setattr(module, "make_pool", lambda _: Steady(workers))
    found = estimate(plan, plan.runs, Backend("loky", workers))
    stacks = make_stacks(plan.runs)
    whole = sum(map(seconds, stacks))
    longest = max(map(seconds, stacks))
    assert (found.runs, found.stored, found.stacks) == (len(plan.runs), 0, len(stacks))
    # the trial says how long a start took: here less than no time, the warm-up being told but not waited for
    warm = seconds(module._for_epochs(stacks[0], 1))
    assert whole / workers - warm - 0.1 <= found.seconds <= whole / workers + longest - warm + 1
    own = peak_bytes()
    assert own is None or found.memory_bytes == pytest.approx(workers * 10**9 + own, abs=10**8)
    precision, curves = 200 * 11, 28 * 230 * 110  # bytes of each run in the store, and of all arms in curves.csv
    assert len(plan.runs) * precision < found.disk_bytes < len(plan.runs) * (precision + 2000) + curves


def test_what_is_stored_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(SMALL)
    monkeypatch.setattr(module, "make_pool", lambda _: pytest.fail("there is nothing to try"))
    found = estimate(plan, (), Backend())
    assert (found.stored, found.stacks, found.seconds) == (len(plan.runs), 0, 0.0)


def test_a_worker_needs_room_for_its_rows() -> None:
    few, many = (worker_bytes(make_plan(replace(SMALL, rows=rows)).runs) for rows in (1500, 1_000_000))
    assert few > PROCESS_BYTES
    assert many - few > 3 * 4 * 10 * 990_000  # train, validation and test; float32; ten numbers a row
    assert Recipe("mixture", 1500).rows == 1500


@pytest.mark.parametrize("seeds", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_plan_of_a_million_runs_is_bounded(seeds: int, record_property: pytest.FixtureRequest) -> None:
    code = (
        "import time; from focalbench.plan.experiment import Experiment\n"
        "from focalbench.base.memory import peak_bytes; from focalbench.plan.planning import make_plan\n"
        "from focalbench.plan.stacks import make_stacks\n"
        "begin = time.perf_counter(); before = peak_bytes() or 0\n"
        f"runs = make_plan(Experiment(tuned=True, lrs=(3e-4, 1e-3, 3e-3, 1e-2), seeds={seeds})).runs\n"
        "stacks = make_stacks(runs)\n"
        "assert sum(map(len, stacks)) == len(runs) == len({run.run_id for run in runs})\n"
        "print(len(runs), time.perf_counter() - begin, (peak_bytes() or 0) - before)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    runs, taken, held = int(said[0]), float(said[1]), int(said[2])
    assert runs == 100 * seeds
    assert held < 10**8 + 400 * runs  # bytes
    record_property(f"plan of {runs:,} runs, seconds", round(taken, 1))  # type: ignore[operator]
    record_property(f"plan of {runs:,} runs, MB", round(held / 1e6))  # type: ignore[operator]


def test_a_trial_that_dies_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dying(Steady):
        def result(self, future: tuple[int, Stack]) -> StackResult:  # noqa: ARG002
            raise WorkerError

    plan = make_plan(SMALL)
    monkeypatch.setattr(module, "make_pool", lambda _: Dying(1))
    with pytest.raises(MachineError, match="had no memory; fewer `rows` or `workers`"):
        estimate(plan, plan.runs, Backend())


def test_where_this_process_trains_its_memory_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(SMALL)
    monkeypatch.setattr(module, "make_pool", lambda _: Steady(1))
    monkeypatch.setattr(module, "peak_bytes", lambda: 3 * 10**8)  # as the system says it, it moves between two calls
    serial, one = (estimate(plan, plan.runs, Backend(name)).memory_bytes for name in ("serial", "loky"))
    assert serial is not None
    assert one is not None
    assert 10**9 <= serial < 10**9 + 10**8
    assert one - serial == pytest.approx(3 * 10**8, abs=10**5)  # what records take, as measured, differs a little
