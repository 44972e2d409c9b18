"""`focalbench plot`: the pictures of a results folder, or those of the formulas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from focalbench.cli.claims import holds_claims, plot_claims
from focalbench.cli.folders import latest
from focalbench.cli.messages import say
from focalbench.cli.options import OUTPUT
from focalbench.errors import InputError
from focalbench.report.owned import FORMATS, USUAL_FORMATS


def plot(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="A results folder. Default: the one in results that was written last."),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", help="Which figures, or which claims by their ids. Default: all that there are."
        ),
    ] = None,
    formulas: Annotated[
        bool, typer.Option("--formulas", help="The losses and their gradients instead, into figures.", metavar="")
    ] = False,
    format: Annotated[  # noqa: A002
        list[str] | None,
        typer.Option(
            help="png, svg or pdf; repeatable. Default: png and svg.", metavar="FORMAT", rich_help_panel=OUTPUT
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where to write. Default: figures in the folder.", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Draw the figures of a finished sweep, as PNG and SVG or as asked for."""
    formats = list(dict.fromkeys(format or USUAL_FORMATS))
    for ending in formats:
        if ending not in FORMATS:
            raise InputError(f"unknown --format {ending!r}; choose one of {', '.join(FORMATS)}")
    if formulas and folder is not None:
        raise InputError(f"--formulas draws no results; leave {folder} out")
    if formulas:
        written = _plot_formulas(out or Path("figures"), formats)
    else:
        place = folder or latest()
        chosen = list(dict.fromkeys(names or ()))
        plot = plot_claims if holds_claims(place) else _plot_results
        written = plot(place, out, chosen, formats)
    for path in written:
        say(path)


def _plot_formulas(place: Path, formats: Sequence[str]) -> list[Path]:
    from focalbench.report.formulas import NAMES, draw_formulas
    from focalbench.report.owned import finish_more, working_in

    files = [f"{name}.{ending}" for name in NAMES for ending in formats]
    with working_in(place, files):
        written = draw_formulas(place, formats)
        finish_more(place, files)
    return written


def _plot_results(folder: Path, out: Path | None, names: Sequence[str], formats: Sequence[str]) -> list[Path]:
    from focalbench.report.figures import check_names, draw_results, picture_place
    from focalbench.report.folder import CURVES, NAMES, check_unchanged, picture_files
    from focalbench.report.owned import finish_more, working_in
    from focalbench.report.reading import classes_of, table_of, written_by_a_sweep

    check_names(names)
    rows = table_of(folder)
    classes_of(folder)
    check_unchanged(folder, [CURVES])
    place, inside = picture_place(folder, out)
    files = picture_files((row.cell for row in rows), formats, names or NAMES)
    with working_in(place, [inside + Path(name).name for name in files]), written_by_a_sweep(folder):
        written = draw_results(folder, out, names=names or NAMES, formats=formats)
        finish_more(place, [path.relative_to(place).as_posix() for path in written])
    return written
