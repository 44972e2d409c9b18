"""`focalbench plot`: the pictures of a results folder, or those of the formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plot(
    folder: Annotated[Path | None, typer.Argument(help="A results folder; without one: the losses' curves.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write. Default: DIR/figures, or figures.")] = None,
) -> None:
    """Draw PNG and SVG figures: losses and gradients, AUCPR against gamma, validation AUCPR by epoch."""
    from focalbench.cli.render import read_classes, read_table
    from focalbench.disk import alone_in
    from focalbench.report.figures import draw_results
    from focalbench.report.folder import CURVES, check_unchanged, make_folder
    from focalbench.report.formulas import draw_formulas

    if folder is None:
        target = out or Path("figures")
        make_folder(target)
        with alone_in(target):
            written = draw_formulas(target)
    else:
        read_table(folder)
        read_classes(folder)
        check_unchanged(folder, [CURVES])
        with alone_in(folder):
            written = draw_results(folder, out)
    for path in written:
        typer.echo(path)
