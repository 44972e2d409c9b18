"""`focalbench advise`: what to train with on this table, at which threshold, and the code and model to take home."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from focalbench.cli.columns import check_columns, column_options
from focalbench.cli.folders import folder_of
from focalbench.cli.job import Finish, make_backend, make_job, run_job, sweep_study
from focalbench.cli.options import (
    DATA,
    OUTPUT,
    RUNNING,
    STATISTICS,
    LevelOption,
    QuietOption,
    WorkersOption,
    data_names,
    level,
    setting,
)
from focalbench.errors import InputError
from focalbench.runs.columns import NO_COLUMNS, Columns
from focalbench.runs.metric import Metric, ThresholdAt

if TYPE_CHECKING:
    from focalbench.cli.ending import Ended
    from focalbench.jobs.refit import Refitted
    from focalbench.jobs.sweep import SweepResult
    from focalbench.plan.experiment import Experiment
    from focalbench.report.advice import Advice

logger = logging.getLogger(__name__)


@column_options
def advise(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A CSV or Parquet file, or a name that focalbench datasets lists.",
            autocompletion=data_names,
        ),
    ],
    columns: Columns = NO_COLUMNS,
    cost: Annotated[
        str | None,
        typer.Option(
            help="What a false alarm and a missed positive cost, such as 1:50; the threshold costs least.",
            metavar="FP:FN",
            rich_help_panel=DATA,
        ),
    ] = None,
    capacity: Annotated[
        str | None,
        typer.Option(
            help="How many rows can be looked at, such as 50/day (with --time), or a share of them, 1%.",
            metavar="ROWS",
            rich_help_panel=DATA,
        ),
    ] = None,
    metric: Annotated[str, setting("metric", STATISTICS, "METRIC")] = "average_precision",
    seeds: Annotated[int, setting("seeds", STATISTICS)] = 10,
    budget: Annotated[
        str, typer.Option(help="How long the comparison may take.", metavar="TIME", rich_help_panel=RUNNING)
    ] = "2m",
    workers: WorkersOption = None,
    code: Annotated[
        Literal["best", "pytorch", "scikit-learn", "lightgbm", "xgboost", "none"],
        typer.Option(
            help="The code that is printed: best (of what is advised), pytorch, scikit-learn, lightgbm, xgboost or "
            "none; all is in advice.md.",
            metavar="LIBRARY",
            rich_help_panel=OUTPUT,
        ),
    ] = "best",
    save: Annotated[
        Path | None,
        typer.Option(
            help="A new file for the model that is advised, fitted on training and validation rows, with its threshold "
            "(a skops file; focalbench predict scores new rows with it).",
            metavar="FILE",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder of the results. Default: results/ and the data's name.", rich_help_panel=OUTPUT
        ),
    ] = None,
    quiet: QuietOption = False,
    log_level: LevelOption = "info",
) -> None:
    """Say what to train with on a table, at which threshold, and write the code and the model."""
    from focalbench.plan.experiment import Experiment

    check_columns(data, columns)
    if cost is not None and capacity is not None:
        raise InputError("--cost and --capacity are two ways to put a threshold; give one")
    if capacity is not None and "/" in capacity and columns.time is None:
        raise InputError(
            f"--capacity {capacity} needs --time, a column of dates; or give a share of the rows, such as 1%"
        )
    asked = f"cost={cost}" if cost is not None else f"capacity={capacity}" if capacity is not None else None
    experiment = Experiment(
        datasets=(data,),
        columns=columns,
        seeds=seeds,
        metric=Metric.parse(metric),
        threshold_at=None if asked is None else ThresholdAt.parse(asked),
    )
    if save is not None:
        _check_saving(save, data)
    folder = out or folder_of(data)
    where = make_backend(None, workers, None, "cpu")
    said = level(quiet=quiet, asked=log_level)
    job = make_job(folder, None, where, as_json=False, log_level=said, budget=budget)
    assert job.budget is not None
    seconds = job.budget
    found: list[Advice] = []
    kept: list[Refitted] = []

    def finish(result: SweepResult) -> None:
        found.extend(_written(folder))
        if save is not None:
            kept.append(_kept(result, experiment, found[0], save))

    from focalbench.report.folder import ADVICE

    def afforded() -> Experiment:
        from focalbench.jobs.affordable import affordable

        chosen, notes = affordable(experiment, where, seconds)
        for note in notes:
            logger.info(note)
        return chosen

    _, ended = run_job(sweep_study(afforded, job), job, Finish(finish, lambda _: (ADVICE,), always=True))
    _show(found[0], ended, code, [] if save is not None else _of_threshold(found[0], data))
    if save is not None:
        _show_kept(kept[0], save)


def _check_saving(file: Path, data: str) -> None:
    from focalbench.datasets.files.file import exists
    from focalbench.jobs.keeping import check_keeping

    if not exists(data):
        raise InputError(f"--save keeps a model of a file, and {data} is none; leave it out, or name a file")
    check_keeping(file)


def _written(folder: Path) -> list[Advice]:
    """The advice of a folder, as a page in it, too."""
    from focalbench.report.folder import ADVICE
    from focalbench.report.owned import finish_more, write_texts
    from focalbench.report.reading import advice_of

    found = advice_of(folder)
    write_texts(folder, {ADVICE: "\n".join(each.markdown() for each in found)})
    finish_more(folder, [ADVICE])
    return found


def _kept(result: SweepResult, experiment: Experiment, advice: Advice, file: Path) -> Refitted:
    """Fit the model that is advised once more, and keep it."""
    from focalbench.jobs.keeping import keep_model
    from focalbench.jobs.refit import refit

    logger.info("fitting the model that is advised on training and validation rows")
    run = result.done.plan.runs[0]
    found = refit(run.recipe, run.seed, advice.model.arm, advice.trained, experiment.threshold_at)
    keep_model(found.model, file)
    return found


def _of_threshold(advice: Advice, data: str) -> list[str]:
    """Whose threshold it is that the advice speaks of, and how to have one."""
    from focalbench.datasets.files.file import exists

    if advice.model.operating is None:
        return []
    one = "; --save FILE keeps one model with one threshold, and says which probability that is" if exists(data) else ""
    return [f"Each seed chose a threshold of its own, on its validation rows and for the model that it trained{one}."]


def _show(advice: Advice, ended: Ended, code: str, more: Sequence[str]) -> None:
    from rich.console import Console

    from focalbench.base.text import with_options
    from focalbench.cli.messages import option_name, say
    from focalbench.report.grid import print_lines

    say(advice.title)
    print_lines([*(with_options(sentence, option_name) for sentence in advice.sentences), *more], Console())
    named = dict(advice.code)
    library = next(iter(named)) if code == "best" else code
    if library in named:
        typer.echo(f"\nWith {library}, X_train, y_train and X_new being arrays of numbers:\n")
        typer.echo(named[library])
    elif library != "none":
        say(f"- There is no code of {library}'s for {advice.model.name}.")
    stopped = ended.stopped()
    for sentence in filter(None, (stopped[:1].upper() + stopped[1:], ended.peeking(), ended.summary())):
        say(sentence.removesuffix(".") + ".")


def _show_kept(found: Refitted, file: Path) -> None:
    from focalbench.cli.messages import say

    right = "" if found.precision is None else f", {found.precision:.0%} of them rightly"
    say(
        f"{file}: on {found.test_rows:,} rows that it was not fitted on, {found.positives:,} of them positive (they "
        "had a part in choosing the loss and its settings, so expect a little less elsewhere), its average "
        f"precision is {found.average_precision:.3f}; from a probability of {found.threshold:.3g} on it flags "
        f"{found.flagged:,}{right}, and finds {found.recall:.0%} of the positives."
    )
    say(f"Score new rows: focalbench predict {file} new.csv")
