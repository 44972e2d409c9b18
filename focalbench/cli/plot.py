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
    from focalbench.report.figures import draw_results, picture_place
    from focalbench.report.folder import CURVES, check_unchanged, picture_files
    from focalbench.report.formulas import FILES, draw_formulas
    from focalbench.report.owned import finish_more, working_in

    if folder is None:
        place = out or Path("figures")
        with working_in(place, FILES):
            written = draw_formulas(place)
            finish_more(place, FILES, {})
    else:
        rows = read_table(folder)
        read_classes(folder)
        check_unchanged(folder, [CURVES])
        place, inside = picture_place(folder, out)
        with working_in(place, [inside + Path(name).name for name in picture_files(rows)]):
            written = draw_results(folder, out)
            finish_more(place, [path.relative_to(place).as_posix() for path in written], {})
    for path in written:
        typer.echo(path)
