"""`focalbench table`: print a results folder's table again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from focalbench.cli.claims import holds_claims, show_claims
from focalbench.cli.folders import latest


def table(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER...",
            help="Results folders, shown as one table. Default: the one in results that was written last.",
        ),
    ] = None,
    format: Annotated[  # noqa: A002
        Literal["rich", "markdown", "summary", "overview", "latex", "csv"],
        typer.Option(
            help="rich, markdown, summary (side by side), overview (a line each), latex or csv.", metavar="FORMAT"
        ),
    ] = "rich",
) -> None:
    """Print the table of a finished sweep, or of several together."""
    from rich.console import Console

    from focalbench.analysis.pooled import joined
    from focalbench.cli.render import for_terminal
    from focalbench.report import tables
    from focalbench.report.reading import classes_of, table_of, written_by_a_sweep

    places = folders or [latest()]
    if any(map(holds_claims, places)):
        show_claims(places, format)
        return
    tables_read = [table_of(place) for place in places]
    classes = [row for place in places for row in classes_of(place)]
    with written_by_a_sweep(places[0]):
        rows = joined(tables_read)
        if format == "rich":
            text = tables.terminal_text(rows, Console(), classes)
        elif format in ("markdown", "latex"):
            write = tables.markdown if format == "markdown" else tables.latex
            text = write(rows, classes)
        else:
            text = {"summary": tables.summary, "overview": tables.overview, "csv": tables.csv_text}[format](rows)
        if format == "csv":
            text = for_terminal(text)
    print(text, end="")
