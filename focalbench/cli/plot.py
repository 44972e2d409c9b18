"""`focalbench plot`: the pictures of a results folder, or those of the formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focalbench.cli.messages import say


def plot(
    folder: Annotated[Path | None, typer.Argument(help="A results folder; without one: the losses' curves.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write. Default: DIR/figures, or figures.")] = None,
) -> None:
    """Draw PNG and SVG figures: losses and gradients, AUCPR against gamma, validation AUCPR by epoch."""
    from focalbench.cli.render import read_classes, read_table, written_by_a_sweep
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
        names = [inside + Path(name).name for name in picture_files(rows)]
        with working_in(place, names), written_by_a_sweep(folder):
            written = draw_results(folder, out)
            finish_more(place, [path.relative_to(place).as_posix() for path in written], {})
    for path in written:
        say(path)
