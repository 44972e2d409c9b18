"""The main job: plan, run what is missing, write the results folder."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from focalbench.analysis.comparison import compare
from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.analysis.run_rows import RunRow, run_row
from focalbench.errors import MachineError
from focalbench.execution.drive import execute
from focalbench.execution.pools import Backend
from focalbench.execution.store import Store, is_begun
from focalbench.jobs.trainer import Done, Execution, Stopped, Trainer
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import Plan
from focalbench.plan.stacks import make_stacks
from focalbench.plan.whole_seeds import Whole, part_of, shortened
from focalbench.report.folder import DATABASE, to_write, write_manifest, write_results
from focalbench.report.owned import claim, make_folder, refuse_foreign
from focalbench.runs.result import Result
from focalbench.runs.run import Run

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepResult:
    """What was done, the table, and that of single classes if any."""

    done: Done
    table: list[ArmRow]
    classes: list[ClassRow]


def run_experiment(
    experiment: Experiment,
    plan: Plan,
    folder: Path,
    how: Execution,
    database: Path | None = None,
) -> SweepResult:
    """Run what the store does not hold yet, then write every file of the folder, the manifest last.

    Ctrl-C, and a budget that is spent, end the training; then the folder is that of the whole seeds. Without any,
    KeyboardInterrupt and InputError say so.
    database: the store's file, by default in the folder; others may write to it meanwhile, not to the folder
    (working_in). Raises InputError where the folder holds files of others by our names, StoreError and MachineError;
    what was finished then is safe.
    """
    names = names_in(folder, database)
    refuse_foreign(folder, names)
    make_folder(folder)
    claim(folder, names)
    with Store(database or folder / DATABASE) as store:
        sweep = _Sweep(experiment, plan, store, how)
        return sweep.write(folder, sweep.trainer.train())


class _Sweep:
    """A sweep that goes on: its runs come from the store or are trained, and become a folder."""

    def __init__(self, experiment: Experiment, plan: Plan, store: Store, how: Execution) -> None:
        self.experiment, self.plan, self.store = experiment, plan, store
        self.trainer = Trainer(plan, store, how, self.table)

    def table(self, whole: Whole) -> list[ArmRow]:
        """The table of whole seeds."""
        rows, asked = self.trainer.rows(part_of(self.plan, whole)), self.experiment
        return compare(rows, self.trainer.influences, margin=asked.margin, smoke_test=asked.smoke_test)

    def write(self, folder: Path, stopped: Stopped | None) -> SweepResult:
        """Write the folder of all seeds, or of those that are whole."""
        experiment, plan = self.experiment, self.plan
        if stopped is not None:
            whole = self.trainer.state.seeds.largest
            logger.info("training is stopped; writing the table of the whole seeds")
            experiment, plan = shortened(experiment, plan, whole), part_of(plan, whole)
        done = self.trainer.done(plan, stopped)
        table, classes = write_results(folder, experiment, plan, self.trainer.rows(plan), self.store.result)
        self.trainer.warn_of_lacking(plan)
        write_manifest(folder, experiment, done.made_with, None)
        return SweepResult(done, table, classes)


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
