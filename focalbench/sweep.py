"""The main job: plan, run what is missing, write the results folder."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.arms import Run
from focalbench.errors import MachineError
from focalbench.execution import execute
from focalbench.experiment import Experiment
from focalbench.plan import Plan, make_stacks
from focalbench.platforms import other_versions
from focalbench.pools import Backend
from focalbench.records import FAILED, Record, record
from focalbench.report.folder import DATABASE, to_write, write_manifest, write_results
from focalbench.report.owned import claim, make_folder, refuse_foreign
from focalbench.standing import Standing
from focalbench.store import Result, Store, is_begun


@dataclass
class State:
    """How far a sweep is: runs of the plan, those that are safe in the store, those that failed, and who leads."""

    total: int
    safe: int = 0
    failed: list[Run] = field(default_factory=list)
    standing: Standing = field(default_factory=Standing)


Watch = Callable[[State], None]


@dataclass(frozen=True)
class Outcome:
    """A finished plan: its table, that of single classes if any, how many of its runs were new, those that failed, and
    under which library versions all were made.
    """

    plan: Plan
    table: list[ArmRow]
    classes: list[ClassRow]
    new_runs: int
    failed: tuple[Run, ...]
    made_with: frozenset[str]  # JSON as the store keeps it

    @property
    def other_versions(self) -> bool:
        """Whether some runs were made with other library versions than this process has."""
        return any(map(other_versions, self.made_with))


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_experiment(
    experiment: Experiment, plan: Plan, folder: Path, backend: Backend, watch: Watch, database: Path | None = None
) -> Outcome:
    """Run what the store does not hold yet, then write every file of the folder, the manifest last.

    database: the store's file, by default in the folder; others may write to it meanwhile, not to the folder
    (working_in). Raises InputError where the folder holds files of others by our names, StoreError and MachineError;
    what was finished then is safe.
    """
    names = names_in(folder, plan, database)
    refuse_foreign(folder, names)
    make_folder(folder)
    claim(folder, names)
    with Store(database or folder / DATABASE) as store:
        state = State(len(plan.runs))
        store.check_takes(plan.runs)
        missing = _missing(plan, store, state)
        watch(state)
        for finished in execute(make_stacks(missing), backend) if missing else ():
            if finished.made is None:
                state.failed += finished.stack
            else:
                results = finished.made.results
                store.add(finished.stack, results, finished.made.versions)
                state.safe += len(finished.stack)
                state.standing.see(finished.stack, results)
            watch(state)
        failed = {run.run_id: Result(run.run_id, {"status": FAILED}, {}, 0.0) for run in state.failed}

        def result(run_id: str) -> Result:
            return failed.get(run_id) or store.result(run_id)

        made_with = frozenset(store.versions(plan.runs))
        records = [record(run, result(run.run_id)) for run in plan.runs]
        table, classes = write_results(folder, experiment, plan, records, result)
        write_manifest(folder, experiment, made_with, {})
    return Outcome(plan, table, classes, len(missing) - len(failed), tuple(state.failed), made_with)


def names_in(folder: Path, plan: Plan, database: Path | None, *, pictures: bool = False) -> list[str]:
    """The names in a results folder of all that run_experiment may write there."""
    new_store = database is None and not is_begun(folder / DATABASE)  # of an old one it is told what made it
    return to_write(plan, store=new_store, pictures=pictures)


def check_store(plan: Plan, database: Path) -> None:
    """Raise StoreError where there is a store that is not ours, or cannot take the runs that it lacks."""
    if is_begun(database):
        with Store(database) as store:
            store.check_takes(plan.runs)


def stored(plan: Plan, database: Path) -> set[str]:
    """The run_ids of a plan that a store holds; none where there is no such file. Raises StoreError."""
    if not is_begun(database):
        return set()
    with Store(database) as store:
        return store.done(plan.runs)


def _missing(plan: Plan, store: Store, state: State) -> list[Run]:
    """The runs that are not in the store; those that are enter the state."""
    done = store.done(plan.runs)
    for run in plan.runs:
        if run.run_id in done:
            state.standing.see((run,), [store.result(run.run_id)])
    state.safe = len(done)
    return [run for run in plan.runs if run.run_id not in done]


def fresh_records(runs: Sequence[Run], backend: Backend) -> list[Record]:
    """Train runs without any store and return their records in this order. Raises MachineError if a run fails."""
    by_id: dict[str, Result] = {}
    for finished in execute(make_stacks(runs), backend):
        if finished.made is None:
            raise MachineError(f"{len(finished.stack)} runs failed: their worker died each time, perhaps for memory")
        by_id |= {result.run_id: result for result in finished.made.results}
    return [record(run, by_id[run.run_id]) for run in runs]
