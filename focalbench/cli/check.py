"""`focalbench check`: are the reported numbers intact, and does this code still make them?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focalbench.cli.job import fitting_all, make_backend
from focalbench.cli.messages import say


def check(
    folder: Annotated[Path, typer.Argument(help="A committed results folder.")] = Path("results/headline"),
    experiment: Annotated[
        Path | None, typer.Option(help="Its experiment file. Default: experiments/NAME.toml beside results.")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="A data file of the experiment that lies outside its folder; repeatable.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes. Default: one a core.")] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Record what moved in the short runs as a deliberate change.")
    ] = False,
) -> None:
    """Check a results folder against its files, and its declared short runs against this code."""
    from focalbench.experiment import load
    from focalbench.plan import make_plan
    from focalbench.records import RUN_COLUMNS, read_csv
    from focalbench.regression import accept as record_change
    from focalbench.regression import compare_runs, moved, rerun, verify_files
    from focalbench.report.folder import CHECK

    file = experiment or folder.parent.parent / "experiments" / f"{folder.name}.toml"
    given = tuple(data or ())
    backend = make_backend(None, workers, None, "cpu")
    problems = verify_files(folder, file, given)
    if not (folder / CHECK).is_file():
        for problem in problems:
            say(f"stale: {problem}")
        say(f"no short runs to compare with; run again: focalbench run {file}")
        raise typer.Exit(1)
    before = read_csv(folder / CHECK, RUN_COLUMNS)
    short = [make_plan(check) for check in load(file, given)[1]]
    fresh = rerun(file, fitting_all(backend, short), given)
    comparisons = compare_runs(before, fresh)
    changes = moved(comparisons)
    for line in (*(f"stale: {problem}" for problem in problems), *changes):
        say(line)
    say(f"{len(comparisons) - len(changes)} of {len(comparisons)} short runs and arm means are the same")
    if problems:
        say(f"run again: focalbench run {file}")
        raise typer.Exit(1)
    if changes and not accept:
        raise typer.Exit(1)
    if changes:
        record_change(folder, fresh)
        say(f"accepted: {folder / CHECK} now holds this code's numbers; commit it with the reason")
