"""The pictures of a results folder, drawn from its exported files only."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from focalbench.analysis.recommendation import main_rows
from focalbench.analysis.rows import ArmRow, ClassRow, Kind, Spread
from focalbench.analysis.statistics import INTERVAL_SEEDS, LEAST_SEEDS
from focalbench.base.rows import read_rows
from focalbench.report import spread, style
from focalbench.report.curves import Curve, CurvePoint
from focalbench.report.folder import CLASSES, CURVES, FOREST, PICTURES, TABLE, picture_name
from focalbench.report.metric import heading
from focalbench.report.owned import FIGURES, make_folder, write_bytes
from focalbench.report.words import baseline_name, cells, how_taken, of_cell
from focalbench.runs.run import Cell

Values = NDArray[np.float64]

# whose learning curves are drawn, at every start
FOLLOWED = ("bce", "pos_weight", "gamma=2", "gamma=5")
FOLLOWED_SOFTMAX = ("ce", "weighted_ce", "softmax gamma=2", "softmax gamma=5")  # beside bce
MOST_CLASSES = 12  # drawn, the rarest ones
ARM_ROOM, CLASS_ROOM = 2.3, 0.68  # inches for a name
NO_ALPHA, BALANCED = "no alpha", "balanced alpha"
STARTS = {"own": style.SOLID, "prior": style.DASH_DOT, "zero": style.DASHES, "learned": style.DOTS}


@dataclass(frozen=True)
class OfCell:
    """What is drawn of one data set at one rate: its rows of the table, its curves, and its classes if it has some."""

    rows: list[ArmRow]
    curves: list[CurvePoint]
    classes: list[ClassRow]


def draw_results(folder: Path, out: Path | None = None) -> list[Path]:
    """Draw every cell of a results folder into folder/figures (or out), all of them or none; return the paths written.

    Raises InputError where the folder holds no table.
    """
    with tempfile.TemporaryDirectory() as draft:
        drawn = {path.name: path.read_bytes() for path in _draw(folder, Path(draft))}
    place, inside = picture_place(folder, out)
    make_folder(place / inside)
    write_bytes(place, {inside + name: content for name, content in drawn.items()})
    return [place / inside / name for name in drawn]


def _draw(folder: Path, target: Path) -> list[Path]:
    written = []
    for of in drawn_cells(folder):
        for kind in PICTURES:
            if (fig := picture(of, kind)) is not None:
                written += style.save(fig, target, f"{kind}_{picture_name(*of.rows[0].cell)}")
    if (fig := forest(read_rows(folder / TABLE, ArmRow))) is not None:
        written += style.save(fig, target, FOREST)
    return written


def drawn_cells(folder: Path) -> list[OfCell]:
    """What is drawn of each cell of a results folder."""
    table, curves = read_rows(folder / TABLE, ArmRow), read_rows(folder / CURVES, CurvePoint)
    classes = read_rows(folder / CLASSES, ClassRow) if (folder / CLASSES).is_file() else []
    return [
        OfCell(rows, [point for point in curves if point.cell == rows[0].cell], of_cell(rows, classes))
        for rows in cells(table)
    ]


def picture(of: OfCell, kind: str) -> Figure | None:
    """A picture of a cell with its heading, by its name in PICTURES; None where there is nothing to draw."""
    fig = DRAWN[kind](of)
    if fig is not None:
        style.heading(fig, of.rows[0].dataset, how_taken(of.rows))
    return fig


def picture_place(folder: Path, out: Path | None = None) -> tuple[Path, str]:
    """The folder whose manifest names the pictures of a results folder, and what their names there begin with."""
    if out is None or out.resolve() == (folder / FIGURES).resolve():
        return folder, f"{FIGURES}/"
    return out, ""


def _followed(cell: Sequence[ArmRow]) -> tuple[str, ...]:
    return (*FOLLOWED_SOFTMAX, "bce") if baseline_name(cell) == "CE" else FOLLOWED


def _of_bars(cell: Sequence[ArmRow], alone: str) -> str:
    """What error bars show; alone: whose interval each is."""
    seeds = cell[0].n_seeds
    if seeds >= INTERVAL_SEEDS:
        return f"95% interval{alone}"
    return f"lowest and highest of {seeds} seeds" if seeds > 1 else "one seed"


def _bars(spreads: Sequence[Spread | None]) -> tuple[Values, tuple[Values, Values]]:
    """Means, and what an error bar reaches below and above each; NaN where there is none."""
    y = np.array([np.nan if each is None else each.mean for each in spreads])
    ends = [None if each is None else spread.limits(each) for each in spreads]
    low, high = np.array([each or (np.nan, np.nan) for each in ends]).T
    return y, (y - low, high - y)


# ---- AUCPR against gamma


def _by_gamma(of: OfCell) -> Figure | None:
    cell = of.rows
    lines = _gamma_lines(cell)
    if not lines:
        return None
    fig, (ax,) = style.figure(6.0, 3.8)
    for i, (label, points) in enumerate(lines.items()):
        color, mark = (style.BLUE, "o") if label.startswith(NO_ALPHA) else (style.VERMILLION, "s")
        x = np.array([_gamma(row) for row in points]) + 0.05 * (i - (len(lines) - 1) / 2)  # no interval hides another
        dash = STARTS[str(points[0].init)]
        y, bars = _bars([row.value for row in points])
        ax.errorbar(x, y, bars, color=color, marker=mark, ls=dash, label=label, ms=3, lw=1.2, elinewidth=0.8)
    _zoom(ax, cell[0], [row for points in lines.values() for row in points])
    ax.set(xlabel=r"focusing exponent $\gamma$ (0: no focusing)")
    ax.set(ylabel=f"mean test {heading(cell[0].by)}\n({_of_bars(cell, '')})")
    style.name_above(fig, ax)  # intervals fill the space around these lines: no room for a label at each
    return fig


def _gamma_lines(cell: Sequence[ArmRow]) -> dict[str, list[ArmRow]]:
    """The rows that differ in gamma alone, by what they share; only where there are several."""
    plain, weighted, focal = _gamma_losses(cell)
    lines: dict[str, list[ArmRow]] = {}
    arms = [row for row in cell if row.kind is Kind.ARM and row.resampling is None]
    for row in sorted(arms, key=lambda row: row.loss != plain):
        if row.loss in (plain, focal) and row.alpha is None:
            lines.setdefault(f"{NO_ALPHA}, {row.init} start", []).append(row)
        elif row.loss == weighted or (row.loss, row.alpha) == (focal, "balanced"):
            lines.setdefault(f"{BALANCED}, {row.init} start", []).append(row)
    return {label: sorted(rows, key=_gamma) for label, rows in lines.items() if len(rows) > 1}


def _gamma_losses(cell: Sequence[ArmRow]) -> tuple[str, str, str]:
    """The losses without focusing, without and with weights, and the focal loss that extends them."""
    softmax = baseline_name(cell) == "CE"
    return ("ce", "weighted_ce", "softmax_focal") if softmax else ("bce", "pos_weight", "focal")


def _gamma(row: ArmRow) -> float:
    return 0.0 if row.gamma is None else row.gamma


def _zoom(ax: Axes, first: ArmRow, rows: Sequence[ArmRow]) -> None:
    """Show what these rows span, and the ceiling and chance where they are no farther off than that; name both."""
    found = [row.value for row in rows]
    ends = [end for each in found for end in spread.limits(each) or (each.mean,)]
    low, high = min(ends), max(ends)
    levels = _levels(first)
    near = [value for value in levels.values() if 2 * low - high <= value <= 2 * high - low]
    style.zoom(ax, min(low, *near, high), max(low, *near, high))
    for value in near:
        style.level(ax, value)
    _name_levels(ax, levels)


def _levels(first: ArmRow) -> dict[str, float]:
    """Between what a value lies, as far as it is known; several classes have a chance each."""
    if first.metric is not None:
        return {"no skill": first.metric.without_skill(first.prevalence)}
    chance = first.prevalence if first.n_classes is None else None
    levels = {"chance": chance, "Bayes ceiling": first.bayes_average_precision}
    return {name: value for name, value in levels.items() if value is not None}


def _name_levels(ax: Axes, levels: dict[str, float]) -> None:
    """Name heights right of the panel; those beyond it at its end, with an arrow."""
    bottom, top = ax.get_ylim()
    names: list[style.End] = []
    for name, value in levels.items():
        beyond = " ↑" if value > top else " ↓" if value < bottom else ""
        place = min(max(value, bottom), top)
        names.append((ax.get_xlim()[1], place, f"{name}\n{value:.3g}{beyond}", style.MUTED))
    style.name_beside(ax, names)


# ---- differences to BCE


def _differences(of: OfCell) -> Figure | None:
    cell = of.rows
    rows = [(row, row.delta) for row in cell if row.delta is not None][::-1]
    if not rows:
        return None
    fig, (ax,) = style.figure(6.0, 1.4 + 0.19 * len(rows))
    margin = cell[0].margin
    ax.axvspan(-margin, margin, color=style.MUTED, alpha=0.15, linewidth=0)
    low, high = _shown(rows)
    for y, (row, delta) in enumerate(rows):
        color = _start_color(row)
        if not low <= delta.mean <= high:
            _beyond(ax, delta.mean < low, y, f"{delta.mean:+.{spread.digits(margin)}f}", color)
            continue
        face = "white" if row.budget_limited else color
        ax.plot(delta.mean, y, "o", color=color, markersize=4, markerfacecolor=face)
        if ends := spread.limits(delta):
            ax.plot(np.clip(ends, low, high), (y, y), color=color, linewidth=1)
    ax.axvline(0, color=style.MUTED, linewidth=0.8)
    ax.set(xlim=style.widened(*ax.get_xlim()), ylim=(-0.7, len(rows) - 0.3))
    ax.set_yticks(range(len(rows)), [style.fitted(row.arm, ARM_ROOM) for row, _ in rows], parse_math=False)
    ax.tick_params(axis="y", length=0)
    fig.supxlabel(_of_differences(cell, rows), fontsize=style.TEXT_SIZE + 1)
    return fig


def _shown(rows: Sequence[tuple[ArmRow, Spread]]) -> tuple[float, float]:
    """What the axis of differences spans: all losses, and half as much again on either side for references."""
    losses = [delta for row, delta in rows if row.kind is not Kind.REFERENCE]
    if not losses:
        return -np.inf, np.inf
    ends = [end for delta in losses for end in (spread.limits(delta) or (delta.mean, delta.mean))]
    low, high = min(0.0, *ends), max(0.0, *ends)
    room = max((high - low) / 2, rows[0][0].margin)
    return low - room, high + room


def _beyond(ax: Axes, left: bool, y: float, text: str, color: str) -> None:
    """A difference beyond an end of the axis: an arrow there, and the number."""
    place, side = (0.01, "left") if left else (0.99, "right")
    arrow = f"← {text}" if left else f"{text} →"
    ax.text(
        place, y, arrow, transform=ax.get_yaxis_transform(), ha=side, va="center", color=color, size=style.TEXT_SIZE
    )


def _start_color(row: ArmRow) -> str:
    if row.kind is Kind.REFERENCE:
        return style.BLUE
    return style.INK if row.init == "own" else style.VERMILLION


def _of_differences(cell: Sequence[ArmRow], rows: Sequence[tuple[ArmRow, Spread]]) -> str:
    """What the horizontal axis shows, and what it takes to read it."""
    baseline, margin = baseline_name(cell), spread.number(cell[0].margin, spread.digits(cell[0].margin))
    tuned = f" (tuned: tuned {baseline})" if any(row.kind is Kind.TUNED for row, _ in rows) else ""
    hollow = "; hollow: at this budget" if any(row.budget_limited for row, _ in rows) else ""
    of_bars = _of_bars(
        cell, " for all rows of a start at once" if cell[0].n_seeds >= LEAST_SEEDS else " of each row alone"
    )
    what = f"test {heading(cell[0].by)} minus that of {baseline}, same start{tuned}"
    return f"{what}\n{of_bars}; grey: within {margin}{hollow}"


# ---- all data sets at once


def forest(table: Sequence[ArmRow]) -> Figure | None:
    """A row a data set, a panel an arm: differences over the margin of each; None of few data sets."""
    rows = [row for row in table if row.over is not None and row.over.relative is not None and row.kind is Kind.ARM]
    every = list(dict.fromkeys(row.arm for row in rows if row.init == main_rows(table)[0].init))
    if not every:
        return None
    arms = ([arm for arm in every if arm in OF_MANY] + [arm for arm in every if arm not in OF_MANY])[:MOST_ARMS]
    sets = list(dict.fromkeys(row.cell for row in table))
    names = [style.fitted(_set_name(cell), SET_ROOM) for cell in sets]
    height = 1.5 + 0.22 * (len(sets) + 1)
    fig, axes = style.figure(max(FOREST_PANEL * len(arms) + SET_ROOM, LEAST_FOREST), height, len(arms))
    for ax, arm in zip(axes, arms, strict=True):
        own = {row.cell: row for row in rows if row.arm == arm}
        for place, cell in enumerate(sets):
            if (row := own.get(cell)) is not None and row.delta is not None:
                _whisker(ax, len(sets) - place, row.delta, 1 / row.margin, style.INK)
        over = next(iter(own.values())).over
        assert over is not None
        assert over.relative is not None
        _whisker(ax, 0, over.relative, 1 / MARGIN_SHARE, style.BLUE)
        ax.axvline(0, color=style.MUTED, linewidth=0.8)
        ax.axvspan(-1, 1, color=style.MUTED, alpha=0.15, linewidth=0)
        ax.set(xlim=(-SHOWN_MARGINS, SHOWN_MARGINS), ylim=(-0.7, len(sets) + 0.7), xticks=(-3, 0, 3))
        ax.set_yticks(range(len(sets) + 1), ["mean over data sets", *names[::-1]], parse_math=False)
        ax.tick_params(axis="y", length=0, labelleft=ax is axes[0])
        style.title(ax, "\n".join(style.fitted(part, FOREST_PANEL) for part in arm.split(" ", 1)))
    fig.supxlabel(OF_FOREST, fontsize=style.TEXT_SIZE + 1)
    return fig


def _set_name(cell: Cell) -> str:
    rate = "natural rate" if cell.positive_rate is None else f"{cell.positive_rate:g}"
    return f"{cell.dataset}, {rate}" + (f", noise {cell.label_noise:g}" if cell.label_noise else "")


def _whisker(ax: Axes, y: float, found: Spread, scale: float, color: str) -> None:
    """A difference with its limits, in margins; an arrow where it lies beyond the panel."""
    low, high = spread.limits(found) or (found.mean, found.mean)
    ends = np.clip(np.array([low, high]) * scale, -SHOWN_MARGINS, SHOWN_MARGINS)
    ax.plot(ends, (y, y), color=color, linewidth=1)
    place = float(np.clip(found.mean * scale, -SHOWN_MARGINS, SHOWN_MARGINS))
    mark = "<" if place == -SHOWN_MARGINS else ">" if place == SHOWN_MARGINS else "o"
    ax.plot(place, y, mark, color=color, markersize=4)


MOST_ARMS, SET_ROOM, FOREST_PANEL, LEAST_FOREST, SHOWN_MARGINS = 7, 2.2, 1.15, 6.0, 4.0
OF_MANY = (  # the arms of the default sweep that are shown, if there are too many
    *("pos_weight", "alpha=0.75", "alpha=0.99", "gamma=1", "gamma=2", "gamma=5", "alpha=0.25 gamma=2"),
)
MARGIN_SHARE = 0.1  # of what the baseline gains on no skill, which a margin usually is
OF_FOREST = (
    "difference to the baseline over the data set's margin, with simultaneous 95% interval;\n"
    "grey: within the margin; blue: random-effects mean of the differences as shares of\n"
    "what the baseline gains on no skill, a tenth of which is drawn as one margin"
)


# ---- validation AUCPR by epoch


def _by_epoch(of: OfCell) -> Figure | None:
    cell, lines = of.rows, _followed_curves(of.rows, of.curves)
    if not lines:
        return None
    fig, (ax,) = style.figure(6.0, 3.8)
    for row, x, y in lines:
        mark = "o" if len(x) == 1 else ""
        ax.plot(x, y, color=_arm_color(row), linestyle=STARTS[str(row.init)], linewidth=1.3, marker=mark, ms=3)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    level = _levels(cell[0]).get("chance")
    chance = "" if level is None else f"; chance {level:.3g}"
    ax.set(xlabel="epoch", ylabel=f"validation AUCPR, mean over seeds\n(chosen learning rates{chance})")
    style.zoom(ax, min(y.min() for _, _, y in lines), max(y.max() for _, _, y in lines))
    style.name_beside(ax, [(x[-1], y[-1], row.arm, _arm_color(row)) for row, x, y in lines])
    return fig


def _followed_curves(cell: Sequence[ArmRow], curves: Sequence[CurvePoint]) -> list[tuple[ArmRow, Values, Values]]:
    """Rows of the table with epochs and validation AUCPR; one of several that are equal: pos_weight's start is zero."""
    found: list[tuple[ArmRow, Values, Values]] = []
    for row in cell:
        if row.kind is Kind.ARM and row.name in _followed(cell):
            mine = [point for point in curves if point.arm == row.arm and point.curve is Curve.VALIDATION]
            points = np.array([(point.x, point.mean) for point in mine if point.mean is not None], dtype=np.float64)
            x, y = points.reshape(-1, 2).T
            if len(x) and not any(np.array_equal(y, other) for _, _, other in found):
                found.append((row, x, y))
    return found


def _arm_color(row: ArmRow) -> str:
    fixed = {"ce": style.INK, "weighted_ce": style.VERMILLION, "bce": style.INK, "pos_weight": style.VERMILLION}
    if row.loss == "bce" and row.delta is not None:
        return style.MUTED  # beside cross entropy
    return fixed.get(str(row.loss), style.gamma_color(_gamma(row)))


# ---- differences to the baseline, class by class


def _by_class(of: OfCell) -> Figure | None:
    cell, classes = of.rows, of.classes
    arms = [row for row in cell if row.kind is Kind.ARM and row.arm in _followed(cell) and row.delta is not None]
    measured = [row for row in classes if row.arm == cell[0].arm and row.average_precision is not None]
    shown = sorted(measured, key=lambda row: -row.train_positives)[-MOST_CLASSES:]
    if not arms or not classes:
        return None
    fig, (ax,) = style.figure(max(4.5, 1.2 + 0.75 * len(shown)), 3.6)
    for i, arm in enumerate(arms):
        found = {row.name: row for row in classes if row.arm == arm.arm}
        x = np.arange(len(shown)) + 0.12 * (i - (len(arms) - 1) / 2)  # beside each other
        y, bars = _bars([found[row.name].delta for row in shown])
        ax.errorbar(x, y, bars, fmt="o", color=_arm_color(arm), ms=3.5, elinewidth=0.9, label=arm.arm)
    ax.axhline(0, color=style.MUTED, linewidth=0.8)
    ax.set_xticks(range(len(shown)), list(map(_class_head, shown)), parse_math=False)
    ax.set(xlabel="class, and its training rows", ylim=style.widened(*ax.get_ylim()))
    ax.set(ylabel=f"test AUCPR minus that of {baseline_name(cell)}\n({_of_bars(cell, ' of each by itself')})")
    style.name_above(fig, ax)
    return fig


def _class_head(row: ClassRow) -> str:
    return f"{style.fitted(row.name, CLASS_ROOM)}\n{row.train_positives:,.0f}"


# ---- every kind of picture, by its name in folder.PICTURES; None where a cell has nothing to draw

DRAWN: dict[str, Callable[[OfCell], Figure | None]] = {
    "gamma": _by_gamma,
    "differences": _differences,
    "epochs": _by_epoch,
    "classes": _by_class,
}
