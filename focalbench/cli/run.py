"""`focalbench run`: an experiment file from start to finish, its figures and the numbers that guard it included."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focalbench.cli.job import (
    BackendOption,
    DryRunOption,
    JsonOption,
    LevelOption,
    SchedulerOption,
    StoreOption,
    WorkersOption,
    fitting_all,
    foresee,
    make_backend,
    make_job,
    run_job,
)
from focalbench.cli.stopping import stopping
from focalbench.errors import InputError

if TYPE_CHECKING:
    from focalbench.sweep import Outcome


def run(
    file: Annotated[Path, typer.Argument(help="An experiment file, such as experiments/headline.toml.")],
    data: Annotated[
        list[Path] | None, typer.Option(help="A data file of the experiment that lies outside its folder; repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the results. Default: results/NAME.")] = None,
    store: StoreOption = None,
    backend: BackendOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    log_level: LevelOption = "info",
) -> None:
    """Run an experiment file and write its results folder."""
    from focalbench.experiment import load
    from focalbench.plan import make_plan

    experiment, checks = load(file, tuple(data or ()))
    if out is None and file.stem == "..":
        raise InputError(f"{file} gives its results no name; choose an --out")
    where = make_backend(backend, workers, scheduler, experiment.device)
    job = make_job(out or Path("results") / file.stem, store, where, as_json=as_json, log_level=log_level)
    with stopping(lambda: "stopped: nothing was begun"):
        short = [make_plan(check) for check in checks]  # one that cannot run is refused before the long runs
    from focalbench.cli.render import conclude  # these load torch, so a mistake in the file is told before
    from focalbench.regression import seal
    from focalbench.report.figures import draw_results

    def finish(outcome: Outcome) -> None:
        draw_results(job.folder)
        seal(job.folder, file, outcome.made_with, fitting_all(where, short), tuple(data or ()))

    if dry_run:
        foresee(experiment, job)
        return
    conclude(run_job(experiment, job, finish), job.folder, as_json=as_json)
