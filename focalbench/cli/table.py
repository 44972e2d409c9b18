"""`focalbench table`: print a results folder's table again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from focalbench.errors import InputError
from focalbench.shown import shown

FORMATS = ("rich", "markdown", "summary", "overview", "latex", "csv")


def table(
    folder: Annotated[Path, typer.Argument(help="A results folder.")] = Path("results/sweep"),
    format: Annotated[  # noqa: A002
        str, typer.Option(help="rich, markdown, summary (side by side), overview (a line each), latex or csv.")
    ] = "rich",
) -> None:
    """Print the table of a finished sweep."""
    from rich.console import Console

    from focalbench.cli.render import read_classes, read_table, written_by_a_sweep
    from focalbench.report import tables

    if format not in FORMATS:
        raise InputError(f"unknown --format {format!r}; choose one of {', '.join(FORMATS)}")
    rows = read_table(folder)
    classes = read_classes(folder)
    with written_by_a_sweep(folder):
        if format == "rich":
            console = Console()
            with console.capture() as captured:
                tables.print_rich(rows, console, classes)
            text = captured.get()
        elif format in ("markdown", "latex"):
            write = tables.markdown if format == "markdown" else tables.latex
            text = write(rows, classes)
        else:
            text = {"summary": tables.summary, "overview": tables.overview, "csv": tables.csv_text}[format](rows)
        if format == "csv" and sys.stdout.isatty():  # its cells are as they are, which a terminal might obey
            text = "".join(f"{shown(line)}\n" for line in text.removesuffix("\n").split("\n"))
    print(text, end="")
