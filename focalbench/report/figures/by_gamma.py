"""The metric against the focusing exponent."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from focalbench.analysis.recommendation import main_rows
from focalbench.analysis.rows import ArmRow, Kind
from focalbench.report import spread, style
from focalbench.report.figures.cell import STARTS, OfCell, bars_of, gamma_of, levels_of, name_levels, of_bars
from focalbench.report.metric import heading
from focalbench.report.words import baseline_name

NO_ALPHA, BALANCED = "no alpha", "balanced alpha"
PANEL, MOST_COLUMNS = 2.4, 3  # inches of a rate, and rates side by side


def by_gamma(of: OfCell) -> Figure | None:
    """A line for arms without alpha and one for balanced alpha, at every start; None of a single gamma."""
    cell = of.rows
    lines = _gamma_lines(cell)
    if not lines:
        return None
    fig, (ax,) = style.figure(6.0, 3.8)
    for i, (label, points) in enumerate(lines.items()):
        _draw_line(ax, label, points, 0.05 * (i - (len(lines) - 1) / 2))
    _levels_at(ax, cell[0], [row for points in lines.values() for row in points])
    name_levels(ax, levels_of(cell[0]))
    ax.set(xlabel=r"focusing exponent $\gamma$ (0: no focusing)")
    ax.set(ylabel=f"mean test {heading(cell[0].by)}\n({of_bars(cell, '')})")
    style.name_above(fig, ax)  # intervals fill the space around these lines: no room for a label at each
    return fig


def by_rate(rates: Sequence[Sequence[ArmRow]]) -> Figure | None:
    """A data set at several rates, a panel each from the rarest on; None where there are not two with several gammas.

    rates: the rows of each.
    """
    lines = [(rows, _main_lines(rows)) for rows in sorted(rates, key=lambda rows: rows[0].prevalence)]
    shown = [(rows, found) for rows, found in lines if found]
    if len(shown) < 2:
        return None
    columns = min(MOST_COLUMNS, len(shown))
    down = -(-len(shown) // columns)
    fig, axes = style.figure(0.6 + PANEL * columns, 0.9 + PANEL * down, len(shown), columns)
    for ax, (rows, found) in zip(axes, shown, strict=True):
        for place, (label, points) in enumerate(found.items()):
            _draw_line(ax, label, points, 0.05 * (place - (len(found) - 1) / 2))
        _levels_at(ax, rows[0], [row for points in found.values() for row in points])
        style.title(ax, _rate_title(rows[0]))
    for ax in axes[-columns:]:
        ax.set_xlabel(r"focusing exponent $\gamma$")
    first = shown[0][0]
    for ax in axes[::columns]:
        ax.set_ylabel(f"mean test {heading(first[0].by)}\n({of_bars(first, '')})")
    style.name_below(fig, max(axes, key=lambda ax: len(ax.get_legend_handles_labels()[1])))
    return fig


def _main_lines(cell: Sequence[ArmRow]) -> dict[str, list[ArmRow]]:
    main = main_rows(cell)[0].init
    return {label: rows for label, rows in _gamma_lines(cell).items() if rows[0].init == main}


def _rate_title(first: ArmRow) -> str:
    rate = "natural rate" if first.positive_rate is None else f"rate {first.positive_rate:g}"
    return "\n".join([rate, *(f"{name} {value:.3g}" for name, value in levels_of(first).items())])


def _levels_at(ax: Axes, first: ArmRow, rows: Sequence[ArmRow]) -> None:
    for value in _zoom(ax, first, rows):
        style.level(ax, value)


def _draw_line(ax: Axes, label: str, points: Sequence[ArmRow], shift: float) -> None:
    """A line through rows by gamma; shift: so that no interval hides another."""
    color, mark = (style.BLUE, "o") if label.startswith(NO_ALPHA) else (style.VERMILLION, "s")
    x = np.array([gamma_of(row) for row in points]) + shift
    y, bars = bars_of([row.value for row in points])
    dash = STARTS[str(points[0].init)]
    ax.errorbar(x, y, bars, color=color, marker=mark, ls=dash, label=label, ms=3, lw=1.2, elinewidth=0.8)


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


def _zoom(ax: Axes, first: ArmRow, rows: Sequence[ArmRow]) -> list[float]:
    """Show what these rows span, and the ceiling and chance where they are no farther off than that; return these."""
    found = [row.value for row in rows]
    ends = [end for each in found for end in spread.limits(each) or (each.mean,)]
    low, high = min(ends), max(ends)
    near = [value for value in levels_of(first).values() if 2 * low - high <= value <= 2 * high - low]
    style.zoom(ax, min(low, *near, high), max(low, *near, high))
    return near
