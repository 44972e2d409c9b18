"""Which pictures there are of a results folder, by their names, and writing them; from its exported files only."""

import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache, partial
from pathlib import Path

from matplotlib.figure import Figure

from focalbench.analysis.evidence import Evidence
from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.analysis.run_rows import RunRow
from focalbench.analysis.selection import cells_of, entries_of
from focalbench.base.rows import read_rows
from focalbench.errors import InputError
from focalbench.report import style
from focalbench.report.curves import CurvePoint
from focalbench.report.figures.by_gamma import by_gamma, by_rate
from focalbench.report.figures.cell import OfCell
from focalbench.report.figures.curves import by_epoch
from focalbench.report.figures.differences import by_class, differences
from focalbench.report.figures.forest import forest, set_name
from focalbench.report.figures.heat_map import heat_map
from focalbench.report.figures.outcomes import net_benefit, precision_recall, reliability
from focalbench.report.folder import (
    CLASSES,
    CURVES,
    FOREST,
    INFLUENCES,
    NAMES,
    PICTURES,
    RATES,
    RUNS,
    TABLE,
    picture_name,
    rates_picture,
)
from focalbench.report.influences import read_influences
from focalbench.report.owned import FIGURES, USUAL_FORMATS, make_folder, write_bytes
from focalbench.report.words import cells, how_taken, of_cell, seeds
from focalbench.runs.run import Cell

# every kind of picture of a data set at one rate, by its name in folder.PICTURES; None where there is nothing to draw
DRAWN: dict[str, Callable[[OfCell], Figure | None]] = {
    "gamma": by_gamma,
    "differences": differences,
    "epochs": by_epoch,
    "classes": by_class,
    "precision_recall": precision_recall,
    "net_benefit": net_benefit,
    "reliability": reliability,
    "heat_map": heat_map,
}


def draw_results(
    folder: Path,
    out: Path | None = None,
    *,
    names: Collection[str] = NAMES,
    formats: Sequence[str] = USUAL_FORMATS,
) -> list[Path]:
    """Draw the pictures of these names of a results folder into folder/figures (or out), all of them or none; return
    the paths written.

    Raises InputError where the folder holds no table, or nothing to draw under one of names that were chosen.
    """
    with tempfile.TemporaryDirectory() as draft:
        drawn = {path.name: path.read_bytes() for path in _draw(folder, Path(draft), names, formats)}
    place, inside = picture_place(folder, out)
    make_folder(place / inside)
    write_bytes(place, {inside + name: content for name, content in drawn.items()})
    return [place / inside / name for name in drawn]


def _draw(folder: Path, target: Path, names: Collection[str], formats: Sequence[str]) -> list[Path]:
    written: dict[str, list[Path]] = {name: [] for name in names}
    found = drawn_cells(folder)
    for of in found:
        for kind in filter(written.__contains__, PICTURES):
            if (fig := picture(of, kind)) is not None:
                file = f"{kind}_{picture_name(*of.rows[0].cell)}"
                written[kind] += style.save(fig, target, file, formats)
    for kind in filter(written.__contains__, (RATES, FOREST)):
        for file, fig in of_folder(found, kind).items():
            written[kind] += style.save(fig, target, file, formats)
    empty = [name for name, paths in written.items() if not paths]
    if empty and tuple(names) != NAMES:
        raise InputError(f"there is nothing to draw in the figure {empty[0]!r} of {folder}")
    return [path for paths in written.values() for path in paths]


def check_names(names: Iterable[str]) -> None:
    """Raise InputError where no figure has one of these names."""
    for name in names:
        if name not in NAMES:
            raise InputError(f"no figure is called {name!r}; choose one of {', '.join(NAMES)}")


def drawn_cells(folder: Path) -> list[OfCell]:
    """What is drawn of each cell of a results folder."""
    table, curves = read_rows(folder / TABLE, ArmRow), read_rows(folder / CURVES, CurvePoint)
    classes = read_rows(folder / CLASSES, ClassRow) if (folder / CLASSES).is_file() else []
    by_cell: dict[Cell, list[CurvePoint]] = {}
    for point in curves:
        by_cell.setdefault(point.cell, []).append(point)
    evidence = cache(partial(_evidence, folder))

    def runs_of(cell: Cell) -> Evidence | None:
        return evidence().get(cell)

    return [
        OfCell(rows, by_cell.get(cell, []), of_cell(rows, classes), partial(runs_of, cell))
        for rows in cells(table)
        for cell in [rows[0].cell]
    ]


def _evidence(folder: Path) -> dict[Cell, Evidence]:
    """The runs behind each cell of a table; none where the folder is without them."""
    if not (folder / RUNS).is_file():
        return {}
    influences = read_influences(folder / INFLUENCES)
    found = cells_of(read_rows(folder / RUNS, RunRow))
    return {runs[0].settings.cell: Evidence(entries_of(runs), influences) for runs in found}


def picture(of: OfCell, kind: str) -> Figure | None:
    """A picture of a cell with its heading, by its name in PICTURES; None where there is nothing to draw."""
    fig = DRAWN[kind](of)
    if fig is not None:
        style.heading(fig, of.rows[0].dataset, how_taken(of.rows))
    return fig


def of_folder(found: Sequence[OfCell], kind: str) -> dict[str, Figure]:
    """The pictures of this kind (FOREST or RATES) of several cells, by the names of their files without endings."""
    if kind == FOREST:
        drawn = {FOREST: forest([(set_name(of.rows[0].cell), of.rows) for of in found])}
    else:
        groups: dict[tuple[str, float], list[list[ArmRow]]] = {}
        for of in found:
            groups.setdefault((of.rows[0].dataset, of.rows[0].label_noise), []).append(of.rows)
        drawn = {rates_picture(*which): _rates(rates) for which, rates in groups.items()}
    return {file: fig for file, fig in drawn.items() if fig is not None}


def _rates(rates: Sequence[list[ArmRow]]) -> Figure | None:
    fig, first = by_rate(rates), rates[0][0]
    if fig is not None:
        noise = f", label noise {first.label_noise:g}" if first.label_noise else ""
        style.heading(fig, first.dataset, f"{noise}, {seeds(first)}")
    return fig


def first_picture(folder: Path, name: str) -> Figure | None:
    """The picture of this name of a folder's first data set, or of the folder; None where there is nothing to draw."""
    found = drawn_cells(folder)
    if name in PICTURES:
        return picture(found[0], name)
    return next(iter(of_folder(found, name).values()), None)


def picture_place(folder: Path, out: Path | None = None) -> tuple[Path, str]:
    """The folder whose manifest names the pictures of a results folder, and what their names there begin with."""
    if out is None or out.resolve() == (folder / FIGURES).resolve():
        return folder, f"{FIGURES}/"
    return out, ""
