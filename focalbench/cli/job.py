"""What `sweep` and `run` share: plan, warn, run with a progress display, stop safely, and say how it ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from focalbench.cli.messages import listen
from focalbench.cli.progress import progress
from focalbench.cli.stopping import stopping
from focalbench.errors import InputError, MachineError

if TYPE_CHECKING:
    from focalbench.experiment import Experiment
    from focalbench.pools import Backend
    from focalbench.sweep import Outcome, State

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Where and how a plan runs: the folder of its files, the store's file (None: in the folder), the workers, and
    whether standard output is for machines.
    """

    folder: Path
    store: Path | None
    backend: Backend
    as_json: bool


def make_job(folder: Path, store: Path | None, backend: Backend, *, as_json: bool, log_level: str) -> Job:
    """A job, its messages on. Raises InputError for an unknown level."""
    listen(log_level)
    return Job(folder, store, backend, as_json)


def run_job(experiment: Experiment, job: Job, finish: Callable[[Outcome], None] = lambda _: None) -> Outcome:
    """Plan and run an experiment into a folder, and finish it there.

    Ctrl-C or SIGTERM says what is safe and exits with 130. Raises MachineError, with what is safe.
    """
    from focalbench.disk import alone_in
    from focalbench.plan import make_plan
    from focalbench.report.folder import make_folder
    from focalbench.sweep import run_experiment

    latest: State | None = None

    def safe() -> str:
        if latest is None:
            return "nothing was begun"
        return f"{latest.safe} of {latest.total} runs are safe; the same command goes on from there"

    with stopping(lambda: f"stopped: {safe()}"):
        plan = make_plan(experiment)
        for note in plan.notes:
            logger.info(note)
        for warning in plan.warnings:
            logger.warning(warning)
        make_folder(job.folder)
        try:
            with alone_in(job.folder), progress(as_json=job.as_json) as watch:

                def see(state: State) -> None:
                    nonlocal latest
                    latest = state
                    watch(state)

                outcome = run_experiment(experiment, plan, job.folder, job.backend, see, job.store)
                finish(outcome)
                return outcome
        except MachineError as error:
            raise MachineError(f"{error}; {safe()}") from None


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
    if scheduler is not None:
        return Backend("dask", count, scheduler)
    return Backend(name or ("serial" if count == 1 else "loky"), count)


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
