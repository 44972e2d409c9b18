"""`focalbench check`: are the reported numbers intact, and does this code still make them?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focalbench.cli.folders import RESULTS
from focalbench.cli.job import make_backend
from focalbench.cli.messages import say
from focalbench.datasets.tables.targets import listed
from focalbench.errors import InputError

if TYPE_CHECKING:
    from focalbench.jobs.check import Report, Target


def check(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A results folder. Default: every one in results/ with an experiments/NAME.toml."),
    ] = None,
    experiment: Annotated[
        Path | None,
        typer.Option(help="Its experiment file. Default: experiments/NAME.toml beside results, or its own."),
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="A data file of the experiment that lies outside its folder; repeatable.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes. Default: one a core.")] = None,
    draw: Annotated[
        str | None, typer.Option(help="A word that draws other runs of runs.csv to train again than runs.csv does.")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Record what moved in the short runs as a deliberate change.")
    ] = False,
) -> None:
    """Check results folders: their files, the short runs of their experiment, and a sample of runs.csv trained again.

    The sample is one run of every loss and one of a reference model. Exits with 1 where anything moved.
    """
    from focalbench.jobs.check import accept as record_change
    from focalbench.jobs.check import check_all, open_case
    from focalbench.jobs.machine import fitting
    from focalbench.plan.planning import Plan

    backend, targets = make_backend(None, workers, None, "cpu"), _targets(folder, experiment, tuple(data or ()))
    cases = [open_case(target, draw, accepting=accept) for target in targets]
    absent = [name for case in cases for name in case.absent]
    if accept and absent:
        raise InputError(f"--accept needs all data sets, and {listed(absent)} are not available here")
    runs = tuple(run for case in cases for run in case.runs)
    stale = [] if folder is not None else _page_faults()
    typer.echo(f"training {len(runs)} runs again", err=True)
    reports = check_all(cases, fitting(backend, Plan(runs, (), ())))
    for report in reports:
        _show(report, accepted=accept)
        if accept and report.changes and not report.case.problems:
            record_change(report.case.target, report.fresh)
    if stale or any(report.faults or (report.changes and not accept) for report in reports):
        raise typer.Exit(1)


def _page_faults() -> list[str]:
    """What is wrong with the report beside the results folders, said; nothing where there is none."""
    from focalbench.report.page.target import faults_of

    page = RESULTS / "report.html"
    found = faults_of(page) if page.is_file() else []
    for line in found:
        say(line)
    if found:
        say(f"make it again: focalbench report {RESULTS} --out {page}")
    return found


def _targets(folder: Path | None, experiment: Path | None, given: tuple[Path, ...]) -> list[Target]:
    from focalbench.jobs.check import Target, experiment_file, find_targets

    if folder is not None:
        return [Target(folder, experiment or experiment_file(folder), given)]
    if experiment is not None or given:
        raise InputError("--experiment and --data belong to one results folder; name it")
    return find_targets()


def _show(report: Report, *, accepted: bool) -> None:
    """What moved, and a folder's one line."""
    from focalbench.report.folder import CHECK

    folder, file = report.case.target.folder, report.case.target.file
    for line in (*report.faults, *report.changes):
        say(line)
    say(f"{folder}: {_counts(report)}")
    if absent := report.case.absent:
        say(f"{folder}: {listed(absent)} are not available here, so their runs were not trained again")
    if report.faults:
        say(f"run again: focalbench run {file}")
    elif report.changes and accepted:
        say(f"accepted: {folder / CHECK} now holds this code's numbers; commit it with the reason")


def _counts(report: Report) -> str:
    from focalbench.jobs.agreement import ROUNDING, moved

    files = (
        "files as they were made" if not report.case.problems else f"{len(report.case.problems)} faults in the files"
    )
    kinds = (("short runs", report.short), ("runs trained again", report.sampled))
    told = [f"{len(found) - len(moved(found))} of {len(found)} {name} the same" for name, found in kinds]
    rounded = sum(each.status == ROUNDING for _, found in kinds for each in found)
    return ", ".join([files, *told]) + (f" ({rounded} but for rounding)" if rounded else "")
