"""The main job: plan, run what is missing, write the results folder."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from focalbench.arms import Run
from focalbench.execution import execute
from focalbench.experiment import Experiment
from focalbench.plan import Plan, make_plan, make_stacks
from focalbench.platforms import versions
from focalbench.records import Record, record
from focalbench.report.folder import DATABASE, make_folder, write_manifest, write_results
from focalbench.store import Store

Watch = Callable[[int, int], None]  # called with (runs done, runs in the plan)


@dataclass(frozen=True)
class Outcome:
    """A finished plan: its table, that of single classes if any, how many of its runs were new, and under which library
    versions all were made.
    """

    plan: Plan
    table: list[Record]
    classes: list[Record]
    new_runs: int
    made_with: frozenset[str]  # JSON as the store keeps it

    @property
    def other_versions(self) -> bool:
        """Whether some runs were made with other library versions than this process has."""
        return bool(self.made_with - {current_versions()})


def current_versions() -> str:
    """This process's library versions as the store keeps them."""
    return json.dumps(versions(), sort_keys=True)


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_experiment(experiment: Experiment, plan: Plan, folder: Path, workers: int, watch: Watch) -> Outcome:
    """Run what the folder's store does not hold yet, then write every file of the folder, the manifest last."""
    make_folder(folder)
    with Store(folder / DATABASE) as store:
        done = store.done(plan.runs)
        missing = [run for run in plan.runs if run.run_id not in done]
        finished = len(plan.runs) - len(missing)
        watch(finished, len(plan.runs))
        stacks = make_stacks(missing)
        for stack, results in execute(stacks, min(workers, max(1, len(stacks)))):
            store.add(stack, results, current_versions())
            finished += len(stack)
            watch(finished, len(plan.runs))
        made_with = frozenset(store.versions(plan.runs))
        records = [record(run, result) for run, result in zip(plan.runs, store.results(plan.runs), strict=True)]
        table, classes = write_results(folder, experiment, records, store.result)
    write_manifest(folder, experiment, made_with, {})
    return Outcome(plan, table, classes, len(missing), made_with)


def fresh_records(experiment: Experiment, workers: int) -> list[Record]:
    """Run an experiment without any store and return its records in plan order."""
    runs: tuple[Run, ...] = make_plan(experiment).runs
    by_id = {result.run_id: result for _, results in execute(make_stacks(runs), workers) for result in results}
    return [record(run, by_id[run.run_id]) for run in runs]
