"""The metric against the focusing exponent."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from focalbench.analysis.rows import ArmRow, Kind
from focalbench.report import spread, style
from focalbench.report.figures.cell import STARTS, OfCell, bars_of, gamma_of, levels_of, name_levels, of_bars
from focalbench.report.metric import heading
from focalbench.report.words import baseline_name

NO_ALPHA, BALANCED = "no alpha", "balanced alpha"


def by_gamma(of: OfCell) -> Figure | None:
    """A line for arms without alpha and one for balanced alpha, at every start; None of a single gamma."""
    cell = of.rows
    lines = _gamma_lines(cell)
    if not lines:
        return None
    fig, (ax,) = style.figure(6.0, 3.8)
    for i, (label, points) in enumerate(lines.items()):
        color, mark = (style.BLUE, "o") if label.startswith(NO_ALPHA) else (style.VERMILLION, "s")
        x = np.array([gamma_of(row) for row in points]) + 0.05 * (i - (len(lines) - 1) / 2)  # no interval hides another
        dash = STARTS[str(points[0].init)]
        y, bars = bars_of([row.value for row in points])
        ax.errorbar(x, y, bars, color=color, marker=mark, ls=dash, label=label, ms=3, lw=1.2, elinewidth=0.8)
    _zoom(ax, cell[0], [row for points in lines.values() for row in points])
    ax.set(xlabel=r"focusing exponent $\gamma$ (0: no focusing)")
    ax.set(ylabel=f"mean test {heading(cell[0].by)}\n({of_bars(cell, '')})")
    style.name_above(fig, ax)  # intervals fill the space around these lines: no room for a label at each
    return fig


def _gamma_lines(cell: Sequence[ArmRow]) -> dict[str, list[ArmRow]]:
    """The rows that differ in gamma alone, by what they share; only where there are several."""
    plain, weighted, focal = gamma_losses(cell)
    lines: dict[str, list[ArmRow]] = {}
    arms = [row for row in cell if row.kind is Kind.ARM and row.resampling is None]
    for row in sorted(arms, key=lambda row: row.loss != plain):
        if row.loss in (plain, focal) and row.alpha is None:
            lines.setdefault(f"{NO_ALPHA}, {row.init} start", []).append(row)
        elif row.loss == weighted or (row.loss, row.alpha) == (focal, "balanced"):
            lines.setdefault(f"{BALANCED}, {row.init} start", []).append(row)
    return {label: sorted(rows, key=gamma_of) for label, rows in lines.items() if len(rows) > 1}


def gamma_losses(cell: Sequence[ArmRow]) -> tuple[str, str, str]:
    """The losses without focusing, without and with weights, and the focal loss that extends them."""
    softmax = baseline_name(cell) == "CE"
    return ("ce", "weighted_ce", "softmax_focal") if softmax else ("bce", "pos_weight", "focal")


def _zoom(ax: Axes, first: ArmRow, rows: Sequence[ArmRow]) -> None:
    """Show what these rows span, and the ceiling and chance where they are no farther off than that; name both."""
    found = [row.value for row in rows]
    ends = [end for each in found for end in spread.limits(each) or (each.mean,)]
    low, high = min(ends), max(ends)
    levels = levels_of(first)
    near = [value for value in levels.values() if 2 * low - high <= value <= 2 * high - low]
    style.zoom(ax, min(low, *near, high), max(low, *near, high))
    for value in near:
        style.level(ax, value)
    name_levels(ax, levels)
