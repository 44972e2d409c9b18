"""All data sets at once."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from focalbench.analysis.recommendation import main_rows
from focalbench.analysis.rows import ArmRow, Kind, Spread
from focalbench.report import spread, style
from focalbench.runs.run import Cell

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
