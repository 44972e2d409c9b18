"""Differences to the baseline: a row an arm, or class by class."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from focalbench.analysis.rows import ArmRow, ClassRow, Kind, Spread
from focalbench.analysis.statistics import LEAST_SEEDS
from focalbench.report import spread, style
from focalbench.report.colors import readable
from focalbench.report.figures.cell import OfCell, arm_color, bars_of, followed, of_bars
from focalbench.report.metric import heading
from focalbench.report.words import baseline_name

ARM_ROOM, CLASS_ROOM = 2.3, 0.68  # inches for a name
MOST_CLASSES = 12  # drawn, the rarest ones


def differences(of: OfCell) -> Figure | None:
    """A row an arm or reference, the margin as a band; None of the baseline alone."""
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
        place,
        y,
        arrow,
        transform=ax.get_yaxis_transform(),
        ha=side,
        va="center",
        color=readable(color),
        size=style.TEXT_SIZE,
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
    told = of_bars(cell, " for all rows of a start at once" if cell[0].n_seeds >= LEAST_SEEDS else " of each row alone")
    what = f"test {heading(cell[0].by)} minus that of {baseline}, same start{tuned}"
    return f"{what}\n{told}; grey: within {margin}{hollow}"


# ---- class by class


def by_class(of: OfCell) -> Figure | None:
    """The rarest classes side by side; None of a binary target."""
    cell, classes = of.rows, of.classes
    arms = [row for row in cell if row.kind is Kind.ARM and row.arm in followed(cell) and row.delta is not None]
    measured = [row for row in classes if row.arm == cell[0].arm and row.average_precision is not None]
    shown = sorted(measured, key=lambda row: -row.train_positives)[-MOST_CLASSES:]
    if not arms or not classes:
        return None
    fig, (ax,) = style.figure(max(4.5, 1.2 + 0.75 * len(shown)), 3.6)
    for i, arm in enumerate(arms):
        found = {row.name: row for row in classes if row.arm == arm.arm}
        x = np.arange(len(shown)) + 0.12 * (i - (len(arms) - 1) / 2)  # beside each other
        y, bars = bars_of([found[row.name].delta for row in shown])
        ax.errorbar(x, y, bars, fmt="o", color=arm_color(arm), ms=3.5, elinewidth=0.9, label=arm.arm)
    ax.axhline(0, color=style.MUTED, linewidth=0.8)
    ax.set_xticks(range(len(shown)), list(map(_class_head, shown)), parse_math=False)
    ax.set(xlabel="class, and its training rows", ylim=style.widened(*ax.get_ylim()))
    ax.set(ylabel=f"test AUCPR minus that of {baseline_name(cell)}\n({of_bars(cell, ' of each by itself')})")
    style.name_above(fig, ax)
    return fig


def _class_head(row: ClassRow) -> str:
    return f"{style.fitted(row.name, CLASS_ROOM)}\n{row.train_positives:,.0f}"
