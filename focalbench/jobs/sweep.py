"""The main job: plan, run what is missing, write the results folder."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from focalbench.analysis.comparison import compare
from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.analysis.run_rows import RunRow, run_row
from focalbench.base.provenance import other_versions
from focalbench.datasets.tables.targets import listed
from focalbench.errors import InputError, MachineError
from focalbench.execution.drive import Finished, execute
from focalbench.execution.pools import Backend
from focalbench.execution.store import Store, is_begun
from focalbench.jobs.budget import Budget
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import Plan
from focalbench.plan.stacks import make_stacks
from focalbench.plan.whole_seeds import Tally, Whole, part_of, shortened
from focalbench.report.folder import DATABASE, to_write, write_manifest, write_results
from focalbench.report.owned import claim, make_folder, refuse_foreign
from focalbench.runs.result import Result
from focalbench.runs.run import Run

logger = logging.getLogger(__name__)
Stopped = Literal["by hand", "by budget"]


@dataclass
class State:
    """How far a sweep is: runs of the plan, those that are safe in the store, the share of the training that is left,
    the runs that failed, the seeds that are whole, and the table of whole seeds.
    """

    total: int
    safe: int = 0
    left: float = 1.0
    failed: list[Run] = field(default_factory=list)
    seeds: Tally = field(default_factory=Tally)
    table: Callable[[Whole], Sequence[ArmRow]] = lambda _: ()

    @property
    def done(self) -> int:
        """Runs that need no more training."""
        return self.safe + len(self.failed)

    def seconds_left(self, seconds: float) -> float | None:
        """What is left at the pace of so many seconds of training; None before any of it is done."""
        if self.left >= 1:
            return None
        return seconds * self.left / (1 - self.left) if self.done < self.total else 0.0


Watch = Callable[[State], None]


@dataclass(frozen=True)
class Ending:
    """How training ended. seeds: in the table, of those planned; stopped: None where all is done; left_out: data sets
    that are not in the table; runs: the safe ones of all planned; seconds_left: what the others would take at the pace
    so far, None where it is unknown.
    """

    seeds: int
    planned: int
    stopped: Stopped | None
    left_out: tuple[str, ...]
    runs: tuple[int, int]
    seconds_left: float | None


@dataclass(frozen=True)
class SweepResult:
    """The plan of a table, the table, that of single classes if any, how many runs were trained and how many taken from
    the store, those that failed, under which library versions all were made, and how training ended.
    """

    plan: Plan
    table: list[ArmRow]
    classes: list[ClassRow]
    new_runs: int
    old_runs: int
    failed: tuple[Run, ...]
    made_with: frozenset[str]  # JSON as the store keeps it
    ending: Ending

    @property
    def other_versions(self) -> bool:
        """Whether some runs were made with other library versions than this process has."""
        return any(map(other_versions, self.made_with))


def run_experiment(
    experiment: Experiment,
    plan: Plan,
    folder: Path,
    backend: Backend,
    watch: Watch,
    database: Path | None = None,
    budget: Budget | None = None,
    shares: Mapping[str, float] | None = None,
) -> SweepResult:
    """Run what the store does not hold yet, then write every file of the folder, the manifest last.

    Ctrl-C, and a budget that is spent, end the training; then the folder is that of the whole seeds. Without any,
    KeyboardInterrupt and InputError say so.
    database: the store's file, by default in the folder; others may write to it meanwhile, not to the folder
    (working_in). shares: of the training that is missing, by run_id, as Forecast has them; None for equal ones. Raises
    InputError where the folder holds files of others by our names, StoreError and MachineError; what was finished then
    is safe.
    """
    names = names_in(folder, database)
    refuse_foreign(folder, names)
    make_folder(folder)
    claim(folder, names)
    with Store(database or folder / DATABASE) as store:
        sweep = _Sweep(experiment, plan, store, watch, shares or {})
        stopped = sweep.train(backend, budget)
        return sweep.write(folder, stopped)


class _Sweep:
    """A sweep that goes on: its runs come from the store or are trained, and become a folder."""

    def __init__(
        self, experiment: Experiment, plan: Plan, store: Store, watch: Watch, shares: Mapping[str, float]
    ) -> None:
        store.check_takes(plan.runs)
        self.experiment, self.plan, self.store, self.watch = experiment, plan, store, watch
        done = store.done(plan.runs)
        self.missing = [run for run in plan.runs if run.run_id not in done]
        self.state = State(len(plan.runs), len(done), seeds=Tally(plan.runs), table=self.table)
        self.state.seeds.see(run for run in plan.runs if run.run_id in done)
        self.rows: dict[str, RunRow] = {}  # as far as they were asked for
        self.lacking: dict[str, tuple[str, ...]] = {}  # by run_id: metrics that came after the run
        self.shares = shares or {run.run_id: 1 / len(self.missing) for run in self.missing}
        self.begin = time.monotonic()

    def train(self, backend: Backend, budget: Budget | None) -> Stopped | None:
        """Train what is missing; say why it was stopped before its end, where there are whole seeds."""
        try:
            self._train(backend, budget)
        except KeyboardInterrupt:
            self.state.safe = len(self.store.done(self.plan.runs))  # a stack may have been stored, and not counted yet
            if not self.state.seeds.count:
                raise
            return "by hand" if self._is_short else None
        if not self._is_short:
            return None
        if budget is not None and not self.state.seeds.count:
            raise InputError(self._too_short(budget))
        return "by budget"

    def _train(self, backend: Backend, budget: Budget | None) -> None:
        self._tell(budget)
        enough = budget.is_spent if budget is not None else lambda: False
        with closing(execute(make_stacks(self.missing), backend, enough)) as stacks:
            for finished in stacks if self.missing else ():
                self._keep(finished)
                self._tell(budget)

    def _keep(self, finished: Finished) -> None:
        if finished.result is None:
            self.state.failed += finished.stack
            self.rows |= {run.run_id: run_row(run, None) for run in finished.stack}
        else:
            self.store.add(finished.stack, finished.result.results, finished.result.versions)
            self.state.safe += len(finished.stack)
        self.state.left -= sum(self.shares.get(run.run_id, 0.0) for run in finished.stack)
        self.state.seeds.see(finished.stack)

    def _tell(self, budget: Budget | None) -> None:
        if budget is not None:
            budget.see(self.state.seeds.count, self.state.done)
        self.watch(self.state)

    @property
    def _is_short(self) -> bool:
        return self.state.done < self.state.total

    def _too_short(self, budget: Budget) -> str:
        seconds = time.monotonic() - self.begin
        left = self.state.seconds_left(seconds)
        takes = "" if left is None else f", which takes about {(seconds + left) / self.state.seeds.planned:.2g} s here"
        return f"{budget.seconds:g} s were over before one seed was done{takes}"

    def table(self, whole: Whole) -> list[ArmRow]:
        """The table of whole seeds."""
        rows, asked = self._rows(part_of(self.plan, whole)), self.experiment
        return compare(rows, self._influences, margin=asked.margin, claims=asked.claims)

    def _influences(self, run_id: str) -> Sequence[Sequence[float]]:
        return self.store.result(run_id).influences

    def _rows(self, plan: Plan) -> list[RunRow]:
        for run in plan.runs:
            if run.run_id not in self.rows:
                found = self.store.result(run.run_id)
                self.rows[run.run_id] = run_row(run, found.outcome)
                self.lacking |= {run.run_id: found.lacks} if found.lacks else {}
        return [self.rows[run.run_id] for run in plan.runs]

    def write(self, folder: Path, stopped: Stopped | None) -> SweepResult:
        """Write the folder of all seeds, or of those that are whole."""
        ending = self._ending(stopped)
        experiment, plan = self.experiment, self.plan
        if stopped is not None:
            whole = self.state.seeds.largest
            logger.info("training is stopped; writing the table of the whole seeds")
            experiment, plan = shortened(experiment, plan, whole), part_of(plan, whole)
        made_with = frozenset(self.store.versions(plan.runs))
        table, classes = write_results(folder, experiment, plan, self._rows(plan), self.store.result)
        if lacking := [self.lacking[run.run_id] for run in plan.runs if run.run_id in self.lacking]:
            logger.warning(_lack(lacking, len(plan.runs)))
        write_manifest(folder, experiment, made_with, None)
        old = self.state.total - len(self.missing)
        return SweepResult(
            plan, table, classes, self.state.safe - old, old, tuple(self.state.failed), made_with, ending
        )

    def _ending(self, stopped: Stopped | None) -> Ending:
        seeds, left = self.state.seeds, self.state.seconds_left(time.monotonic() - self.begin)
        runs = self.state.safe, self.state.total
        if stopped is None:
            return Ending(seeds.planned, seeds.planned, None, (), runs, left)
        left_out = (dataset for dataset in seeds.datasets if dataset not in seeds.largest.datasets)
        return Ending(seeds.largest.seeds, seeds.planned, stopped, tuple(left_out), runs, left)


def _lack(lacking: Sequence[tuple[str, ...]], runs: int) -> str:
    """Which metrics cannot be averaged, because so many of the runs were stored before these were measured."""
    names = list(dict.fromkeys(name for lacks in lacking for name in lacks))
    was, means = ("was", "its mean stays") if len(names) == 1 else ("were", "their means stay")
    what = f"{len(lacking)} of {runs} runs were stored before {listed(names)} {was} measured"
    return f"{what}: {means} blank; a new `store` trains all runs anew"


def names_in(folder: Path, database: Path | None) -> list[str]:
    """The names in a results folder of all that run_experiment may write there."""
    new_store = database is None and not is_begun(folder / DATABASE)  # of an old one it is told what made it
    return to_write(store=new_store)


def check_store(plan: Plan, database: Path) -> set[str]:
    """The run_ids of a plan that a store holds. Raises StoreError where there is one that is not ours, or cannot take
    the runs that it lacks.
    """
    if not is_begun(database):
        return set()
    with Store(database) as store:
        store.check_takes(plan.runs)
        return store.done(plan.runs)


def stored(plan: Plan, database: Path) -> set[str]:
    """The run_ids of a plan that a store holds; none where there is no such file. Raises StoreError."""
    if not is_begun(database):
        return set()
    with Store(database) as store:
        return store.done(plan.runs)


def fresh_rows(runs: Sequence[Run], backend: Backend) -> list[RunRow]:
    """Train runs without any store and return their rows in this order. Raises MachineError if a run fails."""
    by_id: dict[str, Result] = {}
    for finished in execute(make_stacks(runs), backend):
        if finished.result is None:
            raise MachineError(f"{len(finished.stack)} runs failed: their worker died each time, perhaps for memory")
        by_id |= {result.run_id: result for result in finished.result.results}
    return [run_row(run, by_id[run.run_id].outcome) for run in runs]
