"""What `sweep` and `run` share: plan, warn, run with a progress display, stop safely."""

from __future__ import annotations

import signal
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from focalbench.cli.progress import progress
from focalbench.errors import InputError

if TYPE_CHECKING:
    from focalbench.experiment import Experiment
    from focalbench.sweep import Outcome

INTERRUPTED = 130


def run_job(experiment: Experiment, folder: Path, workers: int) -> Outcome:
    """Plan and run an experiment into a folder; Ctrl-C or SIGTERM says what is safe and exits with 130."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    from focalbench.plan import make_plan
    from focalbench.sweep import run_experiment

    plan = make_plan(experiment)
    for note in (*plan.notes, *(f"warning: {text}" for text in plan.warnings)):
        typer.echo(note, err=True)
    safe = 0
    signal.signal(signal.SIGTERM, _interrupt)  # so that workers are never left behind

    try:
        with progress("sweep") as watch:

            def count(done: int, total: int) -> None:
                nonlocal safe
                safe = done
                watch(done, total)

            return run_experiment(experiment, plan, folder, workers, count)
    except TerminatedWorkerError:
        raise InputError(
            f"a worker process was killed, perhaps for memory; {safe} of {len(plan.runs)} runs are safe: give the same "
            "command again, with fewer --workers"
        ) from None
    except KeyboardInterrupt:
        typer.echo(
            f"stopped: {safe} of {len(plan.runs)} runs are safe; the same command goes on from there",
            err=True,
        )
        raise typer.Exit(INTERRUPTED) from None


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


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
