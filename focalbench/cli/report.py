"""`focalbench report`: results folders as one HTML page that stands by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focalbench.cli.folders import latest
from focalbench.cli.messages import say


def report(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER...",
            help="Results folders, or one that holds several, shown on one page. Default: the one in results that was "
            "written last.",
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="The file to write; an earlier report is replaced.", metavar="FILE"),
    ] = Path("report.html"),
) -> None:
    """Write a finished sweep, or several, as one HTML file to send, print or keep: it loads nothing from elsewhere."""
    from focalbench.report.page.content import content_of
    from focalbench.report.page.render import page_text
    from focalbench.report.page.target import check_target, write_page
    from focalbench.report.reading import results_in, written_by_a_sweep

    check_target(out)
    places = [place for folder in folders or [latest()] for place in results_in(folder)]
    with written_by_a_sweep(places[0]):
        text = page_text(content_of(places))
    write_page(out, text)
    say(f"{out}: {len(text.encode()) / 1e6:.2f} MB")
