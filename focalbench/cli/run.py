"""`focalbench run`: an experiment file from start to finish, its figures and the numbers that guard it included."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focalbench.cli.claims import claims_study, run_claims_file
from focalbench.cli.folders import repeat_of
from focalbench.cli.job import Finish, make_backend, make_job, print_estimate, run_job, sweep_study
from focalbench.cli.keys import print_keys
from focalbench.cli.options import (
    DATA,
    OUTPUT,
    BackendOption,
    BudgetOption,
    DryRunOption,
    JsonOption,
    LevelOption,
    QuietOption,
    ReportOption,
    SchedulerOption,
    StoreOption,
    WorkersOption,
    level,
)
from focalbench.cli.stopping import stopping

if TYPE_CHECKING:
    from focalbench.jobs.sweep import SweepResult
    from focalbench.jobs.trainer import Done


def run(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An experiment file, such as experiments/headline.toml.")
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="A data file of the experiment that lies outside its folder; repeatable.",
            metavar="FILE",
            rich_help_panel=DATA,
        ),
    ] = None,
    keys: Annotated[  # noqa: ARG001
        bool,
        typer.Option(
            "--keys",
            help="Print an experiment file with every key, what it means and its default.",
            metavar="",
            callback=print_keys,
            is_eager=True,
        ),
    ] = False,
    workers: WorkersOption = None,
    backend: BackendOption = None,
    scheduler: SchedulerOption = None,
    budget: BudgetOption = None,
    dry_run: DryRunOption = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder of the results. Default: results/NAME; results/X-again for results/X/experiment.toml.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    store: StoreOption = None,
    report: ReportOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    log_level: LevelOption = "info",
) -> None:
    """Run an experiment file and write its results folder."""
    from focalbench.plan.planning import make_plan
    from focalbench.plan.toml import load, load_claims

    given = tuple(data or ())
    (experiment, checks), claims = load(file, given), load_claims(file, given)
    where = make_backend(backend, workers, scheduler, experiment.device)
    said = level(quiet=quiet, asked=log_level)
    job = make_job(out or repeat_of(file), store, where, as_json=as_json, log_level=said, budget=budget, report=report)
    with stopping(lambda: "stopped: nothing was begun"):
        short = [make_plan(check) for check in checks]  # one that cannot run is refused before the long runs

    def guard(done: Done) -> None:
        from focalbench.jobs.check import finish_folder
        from focalbench.jobs.machine import fitting_all

        finish_folder(job.folder, file, done.made_with, fitting_all(where, short), given)

    if claims is not None:
        run_claims_file(claims_study(claims, file, job), job, guard, dry_run=dry_run)
        return
    study = sweep_study(lambda: experiment, job)
    if dry_run:
        print_estimate(study.plan, job)
        return
    from focalbench.cli.render import conclude  # these load torch, so a mistake in the file is told before
    from focalbench.report.figures import draw_results
    from focalbench.report.folder import pictures_of

    def finish(result: SweepResult) -> None:
        draw_results(job.folder)
        guard(result.done)

    found, ended = run_job(study, job, Finish(finish, pictures_of))
    conclude(found, ended, job.folder, as_json=as_json)
