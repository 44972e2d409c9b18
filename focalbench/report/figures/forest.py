"""All data sets at once."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from focalbench.analysis.recommendation import main_rows
from focalbench.analysis.rows import ArmRow, Kind, OverTables, Spread
from focalbench.report import spread, style
from focalbench.runs.run import Cell

MOST_ARMS, FOREST_PANEL, LEAST_FOREST, SHOWN_MARGINS = 7, 1.15, 6.0, 4.0
MOST_ROOM, BESIDE = 3.4, 0.3  # inches for names of data sets, and beside them
OF_MANY = (  # the arms of the default sweep that are shown, if there are too many
    *("pos_weight", "alpha=0.75", "alpha=0.99", "gamma=1", "gamma=2", "gamma=5", "alpha=0.25 gamma=2"),
)
MARGIN_SHARE = 0.1  # of what the baseline gains on no skill, which a margin usually is
OF_FOREST = (
    "difference to the baseline over the data set's margin, with simultaneous 95% interval;\ngrey: within the margin"
)
OF_MEAN = (
    "; blue: random-effects mean of the differences as shares of\n"
    "what the baseline gains on no skill, a tenth of which is drawn as one margin"
)
MEAN = "mean over data sets"
DataSet = tuple[str, Sequence[ArmRow]]  # what it is called, and its rows


def forest(sets: Sequence[DataSet]) -> Figure | None:
    """A row a data set, a panel an arm: differences over the margin of each, and their mean where rows have one; None
    of one data set alone.

    The marks of a row are labelled mark_name(...).
    """
    arms = _arms([row for _, rows in sets for row in rows])
    if len(sets) < 2 or not arms:
        return None
    means = {arm: mean for arm in arms if (mean := _mean(sets, arm)) is not None}
    room = _room([MEAN, *(name for name, _ in sets)])
    first = 0 if means else 1  # line of the lowest row
    fig, axes = style.figure(
        max(FOREST_PANEL * len(arms) + room + BESIDE, LEAST_FOREST), 1.5 + 0.22 * (len(sets) + 1), len(arms)
    )
    for ax, arm in zip(axes, arms, strict=True):
        for place, (name, rows) in enumerate(sets):
            if (row := _row_of(rows, arm)) is not None and row.delta is not None:
                _whisker(ax, len(sets) - place, row.delta, 1 / row.margin, style.INK, mark_name(name, arm))
        if arm in means:
            _whisker(ax, 0, means[arm], 1 / MARGIN_SHARE, style.BLUE)
        ax.axvline(0, color=style.MUTED, linewidth=0.8)
        ax.axvspan(-1, 1, color=style.MUTED, alpha=0.15, linewidth=0)
        ax.set(xlim=(-SHOWN_MARGINS, SHOWN_MARGINS), ylim=(first - 0.7, len(sets) + 0.7), xticks=(-3, 0, 3))
        names = [*([MEAN] if means else []), *(style.fitted(name, room) for name, _ in sets[::-1])]
        ax.set_yticks(range(first, len(sets) + 1), names, parse_math=False)
        ax.tick_params(axis="y", length=0, labelleft=ax is axes[0])
        style.title(ax, "\n".join(style.fitted(part, FOREST_PANEL) for part in arm.split(" ", 1)))
    fig.supxlabel(OF_FOREST + (OF_MEAN if means else ""), fontsize=style.TEXT_SIZE + 1)
    return fig


def mark_name(name: str, arm: str) -> str:
    """What the marks of an arm on a data set are labelled."""
    return f"{name}: {arm}"


def set_name(cell: Cell) -> str:
    """What a data set is called."""
    rate = "natural rate" if cell.positive_rate is None else f"{cell.positive_rate:g}"
    return f"{cell.dataset}, {rate}" + (f", noise {cell.label_noise:g}" if cell.label_noise else "")


def _arms(table: Sequence[ArmRow]) -> list[str]:
    """Those of the usual start that are compared with the baseline; well-known ones where there are too many."""
    rows = [row for row in table if row.kind is Kind.ARM and row.delta is not None]
    every = list(dict.fromkeys(row.arm for row in rows if row.init == main_rows(table)[0].init))
    return ([arm for arm in every if arm in OF_MANY] + [arm for arm in every if arm not in OF_MANY])[:MOST_ARMS]


def _row_of(rows: Sequence[ArmRow], arm: str) -> ArmRow | None:
    return next((row for row in rows if row.kind is Kind.ARM and row.arm == arm), None)


def _mean(sets: Sequence[DataSet], arm: str) -> Spread | None:
    over = [row.over for _, rows in sets if (row := _row_of(rows, arm)) is not None]
    found: OverTables | None = next((each for each in over if each is not None), None)
    return None if found is None else found.relative


def _room(names: Sequence[str]) -> float:
    """Inches for the longest name, within what there is."""
    return min(max(style.width(name) for name in names) / style.HINTED, MOST_ROOM)


def _whisker(ax: Axes, y: float, found: Spread, scale: float, color: str, label: str = "") -> None:
    """A difference with its limits, in margins; an arrow where it lies beyond the panel."""
    low, high = spread.limits(found) or (found.mean, found.mean)
    ends = np.clip(np.array([low, high]) * scale, -SHOWN_MARGINS, SHOWN_MARGINS)
    ax.plot(ends, (y, y), color=color, linewidth=1, label=label)
    place = float(np.clip(found.mean * scale, -SHOWN_MARGINS, SHOWN_MARGINS))
    mark = "<" if place == -SHOWN_MARGINS else ">" if place == SHOWN_MARGINS else "o"
    ax.plot(place, y, mark, color=color, markersize=4, label=label)
