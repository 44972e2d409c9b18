"""`focalbench run`: an experiment file from start to finish, its figures and the numbers that guard it included."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focalbench.cli.job import run_job, worker_count


def run(
    file: Annotated[Path, typer.Argument(help="An experiment file, such as experiments/headline.toml.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the results. Default: results/NAME.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes. Default: one a core.")] = None,
) -> None:
    """Run an experiment file and write its results folder."""
    from focalbench.experiment import load

    experiment, _ = load(file)
    from focalbench.cli.render import show  # these load torch, so a mistake in the file is told before
    from focalbench.regression import seal
    from focalbench.report.figures import draw_results

    folder = out or Path("results") / file.stem
    count = worker_count(workers, experiment.device)
    outcome = run_job(experiment, folder, count)
    draw_results(folder)
    seal(folder, file, outcome.made_with, count)
    show(outcome, folder)
