"""What a plan is and how long it takes, in a line before it runs; what it would cost, in four lines."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from focalbench.base.amounts import clock, counted
from focalbench.datasets.tables.targets import listed

if TYPE_CHECKING:
    from focalbench.execution.pools import Backend
    from focalbench.jobs.estimate import Estimate
    from focalbench.jobs.forecast import Forecast
    from focalbench.plan.planning import Plan
    from focalbench.runs.arm import Arm
    from focalbench.runs.run import Run

logger = logging.getLogger(__name__)


def announce(plan: Plan, stored: Collection[str], backend: Backend, found: Forecast | None, *, as_json: bool) -> None:
    """Say what will be done and how long that takes."""
    if as_json:
        seconds = None if found is None else found.seconds
        content = {"event": "plan", "runs": len(plan.runs), "stored": len(stored), "workers": backend.workers}
        print(json.dumps(content | {"seconds": seconds}), flush=True)
        return
    time = "" if found is None else f"; about {clock(found.seconds)}"
    logger.info(f"plan: {described(plan, stored)}; {_workers(backend)}{time}")


def described(plan: Plan, stored: Collection[str]) -> str:
    """What is trained, on what, and how."""
    from focalbench.training.references import is_reference

    networks = [run for run in plan.runs if not is_reference(run)]
    references = {run.training.model + run.arm.name for run in plan.runs if is_reference(run)}
    arms, lrs, seeds = ({run.arm for run in networks}, {run.lr for run in networks}, {run.seed for run in networks})
    sizes = [_losses(arms), counted(len(lrs), "learning rate"), counted(len(seeds), "seed")]
    parts = [f"{' x '.join(sizes)} on {_data(plan)} ({_training(networks[0])})"]
    parts += [counted(len(references), "reference model")] if references else []
    parts += [f"{len(stored):,} of {len(plan.runs):,} runs stored"] if stored else []
    return ", ".join(parts)


def _losses(arms: Collection[Arm]) -> str:
    """How many losses, and how many of them start elsewhere as well."""
    losses = len({replace(arm, init="own") for arm in arms})
    others = len(arms) - losses
    text = counted(losses, "loss", "losses")
    return f"({text} + {counted(others, 'other start')})" if others else text


def _data(plan: Plan) -> str:
    recipes = dict.fromkeys(run.recipe for run in plan.runs)
    datasets = list(dict.fromkeys(recipe.dataset for recipe in recipes))
    rates = list(dict.fromkeys(recipe.positive_rate for recipe in recipes))
    if rates == [None]:
        return f"{listed(datasets)} at {'its' if len(datasets) == 1 else 'their'} natural rate"
    texts = ["natural" if rate is None else f"{rate:g}" for rate in rates]
    return f"{listed(datasets)} at {'rate' if len(rates) == 1 else 'rates'} {listed(texts)}"


def _training(run: Run) -> str:
    from focalbench.datasets.build import split_counts

    training, rows = run.training, split_counts(run.recipe, run.seed).train.rows
    kind = "MLP" if training.model == "mlp" else training.model
    name = f"{kind} {'-'.join(map(str, training.hidden))}".strip()
    steps = training.epochs * -(-rows // training.batch_size)
    return f"{name}, {counted(training.epochs, 'epoch')} = {steps:,} steps"


def _workers(backend: Backend) -> str:
    return f"the workers of {backend.scheduler}" if backend.scheduler else counted(backend.workers, "worker")


def show_estimate(found: Estimate, folder: Path, *, as_json: bool) -> None:
    """Print an estimate as text, or as one line of JSON."""
    room = _room(folder)
    if as_json:
        typer.echo(json.dumps({"event": "estimate"} | asdict(found) | {"free_disk_bytes": room}))
        return
    workers = counted(found.workers, "worker")
    typer.echo(f"plan    {found.runs:,} runs, {found.stored:,} of them stored; {found.stacks:,} stacks on {workers}")
    typer.echo(f"time    about {clock(found.seconds)}")
    if found.memory_bytes is not None:
        free = "" if found.free_bytes is None else f" ({_size(found.free_bytes)} free)"
        typer.echo(f"memory  about {_size(found.memory_bytes)}{free}")
    typer.echo(f"disk    about {_size(found.disk_bytes)} ({_size(room)} free)")


def _room(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    place = folder.absolute()
    return shutil.disk_usage(next(each for each in (place, *place.parents) if each.is_dir())).free


def _size(count: int) -> str:
    """Bytes as a person says them.

    >>> _size(860_000_000), _size(3_456)
    ('860 MB', '3 kB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 1e3:.0f} kB"
