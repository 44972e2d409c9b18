"""`focalbench table`: print a results folder's table again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from focalbench.cli.folders import latest


def table(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="A results folder. Default: the one in results that was written last."),
    ] = None,
    format: Annotated[  # noqa: A002
        Literal["rich", "markdown", "summary", "overview", "latex", "csv"],
        typer.Option(
            help="rich, markdown, summary (side by side), overview (a line each), latex or csv.", metavar="FORMAT"
        ),
    ] = "rich",
) -> None:
    """Print the table of a finished sweep."""
    from rich.console import Console

    from focalbench.cli.render import read_classes, read_table
    from focalbench.report import tables

    folder = folder or latest()
    rows = read_table(folder)
    classes = read_classes(folder)
    if format == "rich":
        tables.print_rich(rows, Console(), classes)
    elif format in ("markdown", "latex"):
        write = tables.markdown if format == "markdown" else tables.latex
        typer.echo(write(rows, classes), nl=False)
    else:
        plain = {"summary": tables.summary, "overview": tables.overview, "csv": tables.csv_text}[format]
        typer.echo(plain(rows), nl=False)
