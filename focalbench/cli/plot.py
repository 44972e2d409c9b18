"""`focalbench plot`: the pictures of a results folder, or those of the formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focalbench.cli.folders import latest
from focalbench.cli.options import OUTPUT
from focalbench.errors import InputError


def plot(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="A results folder. Default: the one in results that was written last."),
    ] = None,
    formulas: Annotated[
        bool, typer.Option("--formulas", help="The losses and their gradients instead, into figures.", metavar="")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where to write. Default: figures in the folder.", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Draw PNG and SVG figures of a finished sweep: differences, AUCPR against gamma, validation AUCPR by epoch."""
    from focalbench.cli.render import read_classes, read_table
    from focalbench.disk import alone_in
    from focalbench.report.figures import draw_results
    from focalbench.report.folder import CURVES, check_unchanged, make_folder
    from focalbench.report.formulas import draw_formulas

    if formulas and folder is not None:
        raise InputError(f"--formulas draws no results; leave {folder} out")
    if formulas:
        target = out or Path("figures")
        make_folder(target)
        with alone_in(target):
            written = draw_formulas(target)
    else:
        folder = folder or latest()
        read_table(folder)
        read_classes(folder)
        check_unchanged(folder, [CURVES])
        with alone_in(folder):
            written = draw_results(folder, out)
    for path in written:
        typer.echo(path)
