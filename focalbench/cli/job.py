"""What `sweep` and `run` share: plan, warn, run with a progress display, stop safely, and say how it ended."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from focalbench.base.amounts import read_seconds
from focalbench.cli.dry_run import announce, show_estimate
from focalbench.cli.ending import Ended
from focalbench.cli.messages import listen
from focalbench.cli.options import BackendName, Level
from focalbench.cli.stopping import PATIENCE, stopping
from focalbench.display.page import LivePage
from focalbench.display.progress import progress
from focalbench.errors import InputError, MachineError

if TYPE_CHECKING:
    from focalbench.execution.pools import Backend
    from focalbench.jobs.sweep import SweepResult
    from focalbench.jobs.trainer import Done, Execution, State, Watch
    from focalbench.plan.experiment import Experiment
    from focalbench.plan.planning import Plan

WRITING = 20.0  # seconds that the table may take after Ctrl-C
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Where and how a plan runs: the folder of its files, the store's file (None: in the folder), the workers, whether
    standard output is for machines, the seconds that it may take (None: as many as it does), and a page to keep
    current (None: none).
    """

    folder: Path
    store: Path | None
    backend: Backend
    as_json: bool
    budget: float | None = None
    report: Path | None = None

    @property
    def database(self) -> Path:
        """The store's file."""
        from focalbench.report.folder import DATABASE

        return self.store or self.folder / DATABASE


def make_job(
    folder: Path,
    store: Path | None,
    backend: Backend,
    *,
    as_json: bool,
    log_level: Level,
    budget: str | None,
    report: Path | None = None,
) -> Job:
    """A job, its messages on. Raises InputError for a store in a folder that is not there, for no time, and for a
    report that cannot be written.
    """
    listen(log_level)
    if report is not None:
        from focalbench.report.page.target import check_target

        check_target(report, "report")
    seconds = None if budget is None else read_seconds("--budget", budget)
    if store is not None and not store.parent.is_dir():
        raise InputError(f"--store {store}: there is no folder {store.parent}; make it first")
    if store is not None:
        from focalbench.execution.store import is_begun
        from focalbench.report.folder import WRITTEN

        if not is_begun(store) and not os.access(store.parent, os.W_OK):
            raise InputError(f"--store {store}: no file can be made in {store.parent}; choose another folder")
        if store.name in WRITTEN and store.resolve().parent == folder.resolve():
            raise InputError(f"--store {store}: {store.name} is what the results are written to; choose another name")
    return Job(folder, store, backend, as_json, seconds, report)


class Result(Protocol):
    """What a study comes to."""

    @property
    def done(self) -> Done:
        """What was trained, and how that ended."""


Found = TypeVar("Found", bound=Result)


@dataclass(frozen=True)
class Study(Generic[Found]):
    """Runs with a purpose. plan: may read data first; names: of all that `run` writes in the folder; run: trains what
    is missing, and writes.
    """

    plan: Callable[[], Plan]
    names: Callable[[], Sequence[str]]
    run: Callable[[Plan, Execution], Found]


def sweep_study(make: Callable[[], Experiment], job: Job) -> Study[SweepResult]:
    """The study whose results are a table. make: may read data first."""
    experiment: Experiment | None = None

    def planned() -> Plan:
        from focalbench.plan.planning import make_plan

        nonlocal experiment
        experiment = make()
        return make_plan(experiment)

    def run(plan: Plan, how: Execution) -> SweepResult:
        from focalbench.jobs.sweep import run_experiment

        return run_experiment(experiment or make(), plan, job.folder, how, job.store)

    def names() -> Sequence[str]:
        from focalbench.jobs.sweep import names_in

        return names_in(job.folder, job.store)

    return Study(planned, names, run)


@dataclass(frozen=True)
class Finish(Generic[Found]):
    """What is done in the folder of a table. names: of what it writes there, from a plan; check: raises InputError
    where it could not be done; always: also with the table of a sweep that was stopped.
    """

    do: Callable[[Found], None]
    names: Callable[[Plan], Sequence[str]] = lambda _: ()
    check: Callable[[Plan], None] = lambda _: None
    always: bool = False


def run_job(study: Study[Found], job: Job, finish: Finish[Found] | None = None) -> tuple[Found, Ended]:
    """Plan and run a study into a folder, and finish it there.

    Ctrl-C leaves the table of the seeds that are whole; without any, and at SIGTERM, it says what is safe and exits
    with 130 or 143. Raises MachineError, with what is safe.
    """
    latest: State | None = None
    begin = time.monotonic()

    def safe() -> str:
        if latest is None:
            return "nothing was begun"
        return f"{latest.safe} of {latest.total} runs are safe; the same command goes on from there"

    def patience() -> float:
        return WRITING if latest is not None and latest.seeds.count else PATIENCE

    live = None if job.report is None else LivePage(job.report)
    shown = progress(as_json=job.as_json, seconds=job.budget)
    with stopping(lambda: f"stopped: {safe()}", patience), shown as watch:

        def see(state: State) -> None:
            nonlocal latest
            latest = state
            watch(state)
            if live is not None:
                live(state)

        try:
            result = _run(study, job, see, finish, begin)
        except (MachineError, InputError) as error:
            if latest is None:
                raise
            raise type(error)(f"{error}; {safe()}") from None
    return result, Ended(
        result.done, time.monotonic() - begin, job.budget, watch.looked or (live is not None and live.looked)
    )


def _run(study: Study[Found], job: Job, see: Watch, finish: Finish[Found] | None, begin: float) -> Found:
    from focalbench.execution.drive import check_backend
    from focalbench.jobs.budget import Budget
    from focalbench.jobs.forecast import forecast_within
    from focalbench.jobs.machine import fitting
    from focalbench.jobs.sweep import check_store
    from focalbench.jobs.trainer import Execution
    from focalbench.report.owned import refuse_foreign, working_in

    plan = _told(study.plan())
    backend = fitting(job.backend, plan)
    check_backend(backend)
    refuse_foreign(job.folder, ())
    done = check_store(plan, job.database)
    found = forecast_within(plan, done, backend, job.budget)
    names = list(study.names())
    if finish is not None:
        finish.check(plan)
        names += finish.names(plan)
    budget = None if job.budget is None else Budget(job.budget, begin)
    with working_in(job.folder, names):
        announce(plan, done, backend, found, as_json=job.as_json)
        result = study.run(plan, Execution(backend, see, budget, None if found is None else found.shares))
        if finish is not None and (finish.always or result.done.ending.stopped is None):
            finish.do(result)
        if job.report is not None:
            _report(job.folder, job.report)
        return result


def _report(folder: Path, page: Path) -> None:
    from focalbench.report.page.content import content_of
    from focalbench.report.page.render import page_text
    from focalbench.report.page.target import write_page

    write_page(page, page_text(content_of([folder])))
    logger.info(f"report: {page}")


def print_estimate(make: Callable[[], Plan], job: Job) -> None:
    """Print what a plan would cost, from trials on this machine; nothing is written."""
    from focalbench.execution.drive import check_backend
    from focalbench.jobs.estimate import estimate
    from focalbench.jobs.machine import fitting
    from focalbench.jobs.sweep import stored

    waiting = progress(as_json=job.as_json, first="planning, and timing short trials")
    with stopping(lambda: "stopped: it was only a plan"), waiting:
        plan = _told(make())
        backend = fitting(job.backend, plan)
        check_backend(backend)
        done = stored(plan, job.database)
        found = estimate(plan, [run for run in plan.runs if run.run_id not in done], backend)
    show_estimate(found, job.folder, as_json=job.as_json)


def _told(plan: Plan) -> Plan:
    """The plan, once what is to be said of it is said."""
    for note in plan.notes:
        logger.info(note)
    for warning in plan.warnings:
        logger.warning(warning)
    return plan


def make_backend(name: BackendName | None, workers: int | None, scheduler: str | None, device: str) -> Backend:
    """The backend asked for, or local processes, one a core (one in all beside a GPU). Raises InputError for what does
    not go together.
    """
    from focalbench.execution.pools import Backend

    if scheduler is not None and name not in (None, "dask"):
        raise InputError(f"--scheduler belongs to --backend dask, not to {name}")
    if scheduler is not None and workers is not None:
        raise InputError("--workers: the cluster that --scheduler names has its own; leave it out")
    if name == "serial" and (workers or 1) > 1:
        raise InputError("--backend serial is one process; leave --workers out, or use --backend loky")
    count = 1 if name == "serial" else worker_count(workers, device)
    local = name or ("serial" if count == 1 else "loky")
    return Backend(local, count) if scheduler is None else Backend("dask", count, scheduler)


def worker_count(asked: int | None, device: str) -> int:
    """The workers asked for, or one a core (one in all beside a GPU)."""
    if asked is not None and asked < 1:
        raise InputError(f"--workers must be at least 1, got {asked}")
    if device == "cuda" and asked is not None and asked > 1:
        raise InputError("--workers: a GPU takes one, whose stacks fill its memory")
    if asked is not None:
        return asked
    from focalbench.base.processors import cores

    return 1 if device == "cuda" else cores()
