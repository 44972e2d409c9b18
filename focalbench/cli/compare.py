"""`focalbench compare`: which of these models is better on the same rows, whoever trained them?"""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from focalbench.cli.about import ABOUT
from focalbench.cli.numbers import read_share
from focalbench.cli.options import DATA, STATISTICS, FormatOption, LevelOption, QuietOption, level
from focalbench.errors import InputError
from focalbench.runs.metric import Metric

logger = logging.getLogger(__name__)


def compare(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="CSV or Parquet files of scores; the first one holds the target."),
    ],
    target: Annotated[str | None, typer.Option(help=ABOUT["target"], metavar="COLUMN", rich_help_panel=DATA)] = None,
    positive: Annotated[str | None, typer.Option(help=ABOUT["positive"], metavar="VALUE", rich_help_panel=DATA)] = None,
    score: Annotated[
        list[str] | None,
        typer.Option(
            help="A column of scores, higher is more positive; repeatable. Default: all that play no other part.",
            metavar="COLUMN",
            rich_help_panel=DATA,
        ),
    ] = None,
    id: Annotated[  # noqa: A002
        str | None,
        typer.Option(
            help="The column by which rows of several files are aligned. Default: their order.",
            metavar="COLUMN",
            rich_help_panel=DATA,
        ),
    ] = None,
    group: Annotated[str | None, typer.Option(help=ABOUT["group"], metavar="COLUMN", rich_help_panel=DATA)] = None,
    weight: Annotated[str | None, typer.Option(help=ABOUT["weight"], metavar="COLUMN", rich_help_panel=DATA)] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{ABOUT['metric'].partition(': ')[2].removesuffix('.')}; repeatable. Default: average_precision.",
            metavar="METRIC",
            rich_help_panel=STATISTICS,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="The model that the others are compared with. Default: the first.",
            metavar="MODEL",
            rich_help_panel=STATISTICS,
        ),
    ] = None,
    margin: Annotated[
        str | None, typer.Option(help=ABOUT["margin"], metavar="NUMBER", rich_help_panel=STATISTICS)
    ] = None,
    format: FormatOption = "rich",  # noqa: A002
    quiet: QuietOption = False,
    log_level: LevelOption = "info",
) -> None:
    """Compare the scores that models gave to the same rows, paired, without training."""
    from focalbench.analysis.scored import at_chance, compare_scores
    from focalbench.cli.messages import listen
    from focalbench.cli.render import show_page
    from focalbench.datasets.files.scores import ScoreColumns, read_scores
    from focalbench.datasets.tables.targets import listed
    from focalbench.report.compared import compared_page

    if target is None:
        raise InputError("--target is needed: the column that says which rows are positive")
    listen(level(quiet=quiet, asked=log_level))
    metrics = list(dict.fromkeys(Metric.parse(text) for text in metric or ["average_precision"]))
    wanted = None if margin is None else read_share("--margin", margin)
    if wanted is not None and len(metrics) > 1:
        raise InputError("--margin is a difference in one metric; name one --metric")
    columns = ScoreColumns(target, positive, tuple(dict.fromkeys(score or ())), id, group, weight)
    found = read_scores(files, columns)
    for note in found.notes:
        logger.info(note)
    for warning in found.warnings:
        logger.warning(warning)
    rows = compare_scores(found, metrics, baseline, wanted)
    if low := at_chance(rows, found.prevalence):
        logger.warning(f"{listed(low)}: may rank no better than chance; are its rows aligned, and is higher positive?")
    show_page(compared_page(rows), format)
