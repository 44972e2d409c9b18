"""Train what a plan lacks, into a store: how far it is, how it ended, and the rows of what is there."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal

from focalbench.analysis.rows import ArmRow
from focalbench.analysis.run_rows import RunRow, run_row
from focalbench.base.provenance import other_versions
from focalbench.datasets.tables.targets import listed
from focalbench.errors import InputError
from focalbench.execution.drive import Finished, execute
from focalbench.execution.pools import Backend
from focalbench.execution.store import Store
from focalbench.jobs.budget import Budget
from focalbench.plan.planning import Plan
from focalbench.plan.stacks import make_stacks
from focalbench.plan.whole_seeds import Tally, Whole
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
class Execution:
    """Where runs are trained, who watches, how long it may take (None: as long as it does), and which share of the
    training that is missing each run is, by run_id, as Forecast has them (None: equal ones).
    """

    backend: Backend = field(default_factory=Backend)
    watch: Watch = lambda _: None
    budget: Budget | None = None
    shares: Mapping[str, float] | None = None


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
class Done:
    """A plan, how many of its runs were trained and how many taken from the store, those that failed, under which
    library versions all were made, and how training ended.
    """

    plan: Plan
    new_runs: int
    old_runs: int
    failed: tuple[Run, ...]
    made_with: frozenset[str]  # JSON as the store keeps it
    ending: Ending

    @property
    def other_versions(self) -> bool:
        """Whether some runs were made with other library versions than this process has."""
        return any(map(other_versions, self.made_with))


class Trainer:
    """A plan whose runs come from the store or are trained.

    table: of whole seeds, for whoever watches.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        how: Execution,
        table: Callable[[Whole], Sequence[ArmRow]] = lambda _: (),
    ) -> None:
        store.check_takes(plan.runs)
        self.plan, self.store, self.how = plan, store, how
        done = store.done(plan.runs)
        self.missing = [run for run in plan.runs if run.run_id not in done]
        self.state = State(len(plan.runs), len(done), seeds=Tally(plan.runs), table=table)
        self.state.seeds.see(run for run in plan.runs if run.run_id in done)
        self._rows: dict[str, RunRow] = {}  # as far as they were asked for
        self._lacking: dict[str, tuple[str, ...]] = {}  # by run_id: metrics that came after the run
        self.shares = how.shares or {run.run_id: 1 / len(self.missing) for run in self.missing}
        self.begin = time.monotonic()

    def train(self) -> Stopped | None:
        """Train what is missing; say why it was stopped before its end, where there are whole seeds."""
        try:
            self._train()
        except KeyboardInterrupt:
            self.state.safe = len(self.store.done(self.plan.runs))  # a stack may have been stored, and not counted yet
            if not self.state.seeds.count:
                raise
            return "by hand" if self._is_short else None
        if not self._is_short:
            return None
        if self.how.budget is not None and not self.state.seeds.count:
            raise InputError(self._too_short(self.how.budget))
        return "by budget"

    def _train(self) -> None:
        self._tell()
        enough = self.how.budget.is_spent if self.how.budget is not None else lambda: False
        with closing(execute(make_stacks(self.missing), self.how.backend, enough)) as stacks:
            for finished in stacks if self.missing else ():
                self._keep(finished)
                self._tell()

    def _keep(self, finished: Finished) -> None:
        if finished.result is None:
            self.state.failed += finished.stack
            self._rows |= {run.run_id: run_row(run, None) for run in finished.stack}
        else:
            self.store.add(finished.stack, finished.result.results, finished.result.versions)
            self.state.safe += len(finished.stack)
        self.state.left -= sum(self.shares.get(run.run_id, 0.0) for run in finished.stack)
        self.state.seeds.see(finished.stack)

    def _tell(self) -> None:
        if self.how.budget is not None:
            self.how.budget.see(self.state.seeds.count, self.state.done)
        self.how.watch(self.state)

    @property
    def _is_short(self) -> bool:
        return self.state.done < self.state.total

    def _too_short(self, budget: Budget) -> str:
        seconds = time.monotonic() - self.begin
        left = self.state.seconds_left(seconds)
        takes = "" if left is None else f", which takes about {(seconds + left) / self.state.seeds.planned:.2g} s here"
        return f"{budget.seconds:g} s were over before one seed was done{takes}"

    def influences(self, run_id: str) -> Sequence[Sequence[float]]:
        """What the test rows of a run do."""
        return self.store.result(run_id).influences

    def rows(self, plan: Plan) -> list[RunRow]:
        """The rows of some of the runs, which are done."""
        for run in plan.runs:
            if run.run_id not in self._rows:
                found = self.store.result(run.run_id)
                self._rows[run.run_id] = run_row(run, found.outcome)
                self._lacking |= {run.run_id: found.lacks} if found.lacks else {}
        return [self._rows[run.run_id] for run in plan.runs]

    def warn_of_lacking(self, plan: Plan) -> None:
        """Say which metrics cannot be averaged, because runs were stored before these were measured."""
        if lacking := [self._lacking[run.run_id] for run in plan.runs if run.run_id in self._lacking]:
            logger.warning(_lack(lacking, len(plan.runs)))

    def done(self, plan: Plan, stopped: Stopped | None) -> Done:
        """What was done for some of the runs, and how training ended."""
        old = self.state.total - len(self.missing)
        made_with = frozenset(self.store.versions(plan.runs))
        return Done(plan, self.state.safe - old, old, tuple(self.state.failed), made_with, self._ending(stopped))

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
