"""What `sweep` and `run` share: plan, warn, run with a progress display, stop safely, and say how it ended."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focalbench.cli.messages import listen
from focalbench.cli.progress import progress
from focalbench.cli.stopping import stopping
from focalbench.errors import InputError, MachineError

if TYPE_CHECKING:
    from focalbench.experiment import Experiment
    from focalbench.plan import Plan
    from focalbench.pools import Backend
    from focalbench.sweep import Outcome, State

logger = logging.getLogger(__name__)
# options that `sweep` and `run` share
StoreOption = Annotated[Path | None, typer.Option(help="The database of runs. Default: runs.sqlite in --out.")]
BackendOption = Annotated[str | None, typer.Option(help="serial, loky (local processes) or dask.")]
WorkersOption = Annotated[int | None, typer.Option(help="Processes. Default: one a core.")]
SchedulerOption = Annotated[str | None, typer.Option(help="A Dask scheduler, such as tcp://host:8786.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print runs, time, memory and disk, from short trials; write nothing.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Progress and table as lines of JSON.")]
LevelOption = Annotated[str, typer.Option(help="debug, info, warning or error.")]


@dataclass(frozen=True)
class Job:
    """Where and how a plan runs: the folder of its files, the store's file (None: in the folder), the workers, and
    whether standard output is for machines.
    """

    folder: Path
    store: Path | None
    backend: Backend
    as_json: bool

    @property
    def database(self) -> Path:
        """The store's file."""
        from focalbench.report.folder import DATABASE

        return self.store or self.folder / DATABASE


def make_job(folder: Path, store: Path | None, backend: Backend, *, as_json: bool, log_level: str) -> Job:
    """A job, its messages on. Raises InputError for an unknown level, or a store in a folder that is not there."""
    listen(log_level)
    if store is not None and not store.parent.is_dir():
        raise InputError(f"--store {store}: there is no folder {store.parent}; make it first")
    if store is not None:
        from focalbench.report.folder import WRITTEN
        from focalbench.store import is_begun

        if not is_begun(store) and not os.access(store.parent, os.W_OK):
            raise InputError(f"--store {store}: no file can be made in {store.parent}; choose another folder")
        if store.name in WRITTEN and store.resolve().parent == folder.resolve():
            raise InputError(f"--store {store}: {store.name} is what the results are written to; choose another name")
    return Job(folder, store, backend, as_json)


def run_job(experiment: Experiment, job: Job, finish: Callable[[Outcome], None] | None = None) -> Outcome:
    """Plan and run an experiment into a folder, and finish it there, with pictures.

    Ctrl-C or SIGTERM says what is safe and exits with 130. Raises MachineError, with what is safe.
    """
    from focalbench.execution import check_backend
    from focalbench.report.owned import refuse_foreign, working_in
    from focalbench.sweep import check_store, names_in, run_experiment

    latest: State | None = None

    def safe() -> str:
        if latest is None:
            return "nothing was begun"
        return f"{latest.safe} of {latest.total} runs are safe; the same command goes on from there"

    with stopping(lambda: f"stopped: {safe()}"):
        plan = _planned(experiment)
        backend = fitting(job.backend, plan)
        check_backend(backend)
        refuse_foreign(job.folder, ())
        check_store(plan, job.database)
        names = names_in(job.folder, plan, job.store, pictures=finish is not None)
        try:
            with working_in(job.folder, names), progress(as_json=job.as_json) as watch:

                def see(state: State) -> None:
                    nonlocal latest
                    latest = state
                    watch(state)

                outcome = run_experiment(experiment, plan, job.folder, backend, see, job.store)
                if finish is not None:
                    finish(outcome)
                return outcome
        except (MachineError, InputError) as error:
            if latest is None:
                raise
            raise type(error)(f"{error}; {safe()}") from None


def foresee(experiment: Experiment, job: Job) -> None:
    """Print what a plan would cost, from trials on this machine; nothing is written."""
    from focalbench.cli.foresight import show_estimate
    from focalbench.estimate import estimate
    from focalbench.execution import check_backend
    from focalbench.sweep import stored

    with stopping(lambda: "stopped: it was only a plan"):
        plan = _planned(experiment)
        backend = fitting(job.backend, plan)
        check_backend(backend)
        done = stored(plan, job.database)
        found = estimate(plan, [run for run in plan.runs if run.run_id not in done], backend)
    show_estimate(found, job.folder, as_json=job.as_json)


def _planned(experiment: Experiment) -> Plan:
    """The plan, and what is to be said of it."""
    from focalbench.plan import make_plan

    plan = make_plan(experiment)
    for note in plan.notes:
        logger.info(note)
    for warning in plan.warnings:
        logger.warning(warning)
    return plan


def fitting_all(backend: Backend, plans: Sequence[Plan]) -> Backend:
    """The backend with as many local workers as memory is free for, whichever plan they train."""
    for plan in plans:
        backend = fitting(backend, plan)
    return backend


def fitting(backend: Backend, plan: Plan) -> Backend:
    """The backend with as many local workers as memory is free for, at least one."""
    from focalbench.memory import free_bytes
    from focalbench.plan import worker_bytes

    free, each = free_bytes(), worker_bytes(plan.runs)
    if free is None or backend.scheduler is not None:
        return backend
    workers = max(1, min(backend.workers, free // each))
    if each > free:
        logger.warning(
            f"a worker may need {each / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free: fewer --rows"
        )
    elif workers < backend.workers:
        logger.warning(f"memory is free for {workers} of {backend.workers} workers, {each / 1e9:.1f} GB each")
    return replace(backend, workers=workers)


def make_backend(name: str | None, workers: int | None, scheduler: str | None, device: str) -> Backend:
    """The backend asked for, or local processes, one a core (one in all beside a GPU). Raises InputError for what does
    not go together.
    """
    from focalbench.pools import BACKENDS, Backend

    if name is not None and name not in BACKENDS:
        raise InputError(f"unknown --backend {name!r}; choose one of {', '.join(BACKENDS)}")
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
    from focalbench.sweep import cores

    return 1 if device == "cuda" else cores()


def resolve_device(name: str) -> str:
    """Turn auto into what this machine has. Raises InputError for cuda where there is none."""
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"unknown --device {name!r}; choose auto, cpu or cuda")
    if name == "cpu" or (name == "auto" and metadata.version("torch").endswith("+cpu")):  # told without loading it
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise InputError("--device cuda: this torch sees no CUDA device; use --device cpu")
    return "cpu"
