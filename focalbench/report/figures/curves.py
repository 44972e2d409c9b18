"""Curves of a few arms: validation by epoch."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from focalbench.analysis.rows import ArmRow, Kind
from focalbench.report import style
from focalbench.report.curves import Curve, CurvePoint
from focalbench.report.figures.cell import STARTS, OfCell, Values, arm_color, followed, levels_of

NAME_ROOM = 2.3  # inches


def by_epoch(of: OfCell) -> Figure | None:
    """Validation AUCPR by epoch of the arms that are followed, at every start; None where there are no curves."""
    cell, lines = of.rows, _followed_curves(of.rows, of.curves)
    if not lines:
        return None
    fig, (ax,) = style.figure(6.0, 3.8)
    for row, x, y in lines:
        mark = "o" if len(x) == 1 else ""
        ax.plot(x, y, color=arm_color(row), linestyle=STARTS[str(row.init)], linewidth=1.3, marker=mark, ms=3)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    level = levels_of(cell[0]).get("chance")
    chance = "" if level is None else f"; chance {level:.3g}"
    ax.set(xlabel="epoch", ylabel=f"validation AUCPR, mean over seeds\n(chosen learning rates{chance})")
    style.zoom(ax, min(y.min() for _, _, y in lines), max(y.max() for _, _, y in lines))
    style.name_beside(ax, [(x[-1], y[-1], style.fitted(row.arm, NAME_ROOM), arm_color(row)) for row, x, y in lines])
    return fig


def _followed_curves(cell: Sequence[ArmRow], curves: Sequence[CurvePoint]) -> list[tuple[ArmRow, Values, Values]]:
    """Rows of the table with epochs and validation AUCPR; one of several that are equal: pos_weight's start is zero."""
    found: list[tuple[ArmRow, Values, Values]] = []
    for row in cell:
        if row.kind is Kind.ARM and row.name in followed(cell):
            mine = [point for point in curves if point.arm == row.arm and point.curve is Curve.VALIDATION]
            points = np.array([(point.x, point.mean) for point in mine if point.mean is not None], dtype=np.float64)
            x, y = points.reshape(-1, 2).T
            if len(x) and not any(np.array_equal(y, other) for _, _, other in found):
                found.append((row, x, y))
    return found
