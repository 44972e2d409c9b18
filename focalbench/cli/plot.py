"""`focalbench plot`: the pictures of a results folder, or those of the formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focalbench.cli.claims import holds_claims, plot_claims
from focalbench.cli.folders import latest
from focalbench.cli.messages import say
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
    """Draw the figures of a finished sweep, as PNG and SVG."""
    from focalbench.report.figures import draw_results, picture_place
    from focalbench.report.folder import CURVES, check_unchanged, picture_files
    from focalbench.report.formulas import FILES, draw_formulas
    from focalbench.report.owned import finish_more, working_in
    from focalbench.report.reading import classes_of, table_of, written_by_a_sweep

    if formulas and folder is not None:
        raise InputError(f"--formulas draws no results; leave {folder} out")
    if formulas:
        place = out or Path("figures")
        with working_in(place, FILES):
            written = draw_formulas(place)
            finish_more(place, FILES)
    else:
        folder = folder or latest()
        if holds_claims(folder):
            for path in plot_claims(folder, out):
                say(path)
            return
        rows = table_of(folder)
        classes_of(folder)
        check_unchanged(folder, [CURVES])
        place, inside = picture_place(folder, out)
        names = [inside + Path(name).name for name in picture_files(row.cell for row in rows)]
        with working_in(place, names), written_by_a_sweep(folder):
            written = draw_results(folder, out)
            finish_more(place, [path.relative_to(place).as_posix() for path in written])
    for path in written:
        say(path)
