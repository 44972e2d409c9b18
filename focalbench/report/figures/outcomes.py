"""What a few rows do on the test: precision by recall, net benefit, reliability."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from focalbench.analysis.recommendation import main_rows, skill
from focalbench.analysis.rows import ArmRow, Kind
from focalbench.analysis.statistics import INTERVAL_SEEDS
from focalbench.metrics.threshold import DECISIONS
from focalbench.report import style
from focalbench.report.curves import Curve
from focalbench.report.figures.by_gamma import gamma_losses
from focalbench.report.figures.cell import OfCell, Values, name_levels
from focalbench.report.metric import aim
from focalbench.report.style import Dash

NAME_ROOM = 2.4  # inches
A_THOUSAND = 1000
LOW = 0.1  # average precision of a baseline below which precisions are looked at by their ratios
BAND = 0.15  # how opaque
PROBABILITIES = {  # what reliability is looked at of, and what heads its panel
    Curve.RELIABILITY: "raw scores",
    Curve.RECOVERED: "by the loss's inverse",
    Curve.PLATT: "by Platt's line",
    Curve.ISOTONIC: "by isotonic regression",
}
LEAST_SHARE = 1e-6  # that an axis shows
PANEL, LEAST_WIDTH = 2.6, 4.2  # inches


@dataclass(frozen=True)
class Shown:
    """A row that is drawn, and how."""

    row: ArmRow
    color: str
    dash: Dash

    @property
    def name(self) -> str:
        """To be drawn as it stands."""
        return style.fitted(self.row.arm, NAME_ROOM)


def shown_rows(cell: Sequence[ArmRow]) -> list[Shown]:
    """The baseline, its class weights, and of the other losses and the references those with the highest mean."""
    plain, weighted, _ = gamma_losses(cell)
    main = main_rows(cell)
    others = [row for row in main if row.loss not in (plain, weighted) or row.resampling is not None]
    references = [row for row in cell if row.kind is Kind.REFERENCE]
    looks = (
        (_first(main, plain), style.INK, style.SOLID),
        (_first(main, weighted), style.VERMILLION, style.DASHES),
        (max(others, key=skill, default=None), style.BLUE, style.SOLID),
        (max(references, key=skill, default=None), style.MUTED, style.DASH_DOT),
    )
    return [Shown(row, color, dash) for row, color, dash in looks if row is not None]


def _first(main: Sequence[ArmRow], loss: str) -> ArmRow | None:
    return next((row for row in main if row.loss == loss and row.resampling is None), None)


def points_of(of: OfCell, row: ArmRow, curve: Curve) -> Values:
    """A curve of a row, (point, 4): place, mean and the ends of its interval, NaN where there are none."""
    found = [
        (point.x, point.mean, point.low, point.high)
        for point in of.curves
        if (point.arm, point.kind, point.curve) == (row.arm, row.kind, curve)
        and point.x is not None
        and point.mean is not None
    ]
    return np.array(found, dtype=np.float64).reshape(-1, 4)


def _lines(of: OfCell, curve: Curve) -> list[tuple[Shown, Values]]:
    found = [(shown, points_of(of, shown.row, curve)) for shown in shown_rows(of.rows)]
    return [(shown, points) for shown, points in found if len(points)]


def _draw(ax: Axes, shown: Shown, points: Values, scale: float = 1) -> None:
    """A line with the band of its interval, where there are seeds enough for one."""
    x, mean, low, high = points.T
    ax.plot(x, scale * mean, color=shown.color, linestyle=shown.dash, linewidth=1.3, label=shown.name)
    if shown.row.n_seeds >= INTERVAL_SEEDS:
        ax.fill_between(x, scale * low, scale * high, color=shown.color, alpha=BAND, linewidth=0)


def _of_band(cell: Sequence[ArmRow]) -> str:
    seeds = cell[0].n_seeds
    if seeds >= INTERVAL_SEEDS:
        return "mean; band: 95% interval of the seeds' spread"
    return f"mean of {seeds} seeds" if seeds > 1 else "one seed"


# ---- precision by recall


def precision_recall(of: OfCell) -> Figure | None:
    """Test precision by recall, with the operating point where there is one; None where there are no curves."""
    lines = _lines(of, Curve.PRECISION)
    if not lines:
        return None
    fig, (ax,) = style.figure(6.0, 3.8)
    for shown, points in lines:
        _draw(ax, shown, points)
        _mark(ax, shown)
    _precision_axis(ax, of.rows[0], [points for _, points in lines])
    ax.set(xlim=(0, 1), xlabel=f"recall{_of_mark(lines)}", ylabel=f"test precision\n({_of_band(of.rows)})")
    if of.rows[0].n_classes is None:
        style.level(ax, of.rows[0].prevalence)
        name_levels(ax, {"chance": of.rows[0].prevalence})
    style.name_above(fig, ax)
    return fig


def _precision_axis(ax: Axes, first: ArmRow, every: Sequence[Values]) -> None:
    """From 0 on; logarithmic where precision is low, from half of what chance reaches on."""
    if first.average_precision.mean < LOW:
        means = np.concatenate([points[:, 1] for points in every])
        low = min(first.prevalence, float(means[means > 0].min(initial=1.0))) / 2
        ax.set(yscale="log", ylim=(low, 1))
        style.shares(ax.yaxis, style.decades(low, 1), percent=False)
    else:
        top = max(float(np.nanmax(points[:, 1:])) for points in every)
        ax.set(ylim=(0, min(1.02, 1.05 * top)))


def _mark(ax: Axes, shown: Shown) -> None:
    """Recall and precision at the threshold that was chosen on validation."""
    found = shown.row.operating
    if found is not None and found.precision is not None:
        ax.plot(found.recall.mean, found.precision.mean, "D", color=shown.color, ms=5, mec="white", zorder=4)


def _of_mark(lines: Sequence[tuple[Shown, Values]]) -> str:
    found = next((shown.row.operating for shown, _ in lines if shown.row.operating is not None), None)
    return "" if found is None else f"\ndiamonds: {aim(found.at)}, threshold chosen on validation"


# ---- net benefit


def net_benefit(of: OfCell) -> Figure | None:
    """Net benefit by the probability from which one acts, beside flagging all rows and none; None without curves."""
    lines = _lines(of, Curve.NET_BENEFIT)
    if not lines:
        return None
    fig, (ax,) = style.figure(6.0, 3.8)
    for shown, points in lines:
        _draw(ax, shown, points, A_THOUSAND)
    x, prevalence = np.array(DECISIONS), of.rows[0].prevalence
    every = prevalence - (1 - prevalence) * x / (1 - x)
    ax.plot(x, A_THOUSAND * every, color=style.MUTED, linestyle=style.DOTS, linewidth=1, label="flag all rows")
    ax.plot(x, 0 * x, color=style.MUTED, linewidth=0.8, label="flag none")
    top = A_THOUSAND * max(prevalence, *(float(points[:, 1].max()) for _, points in lines))
    ax.set(xscale="log", xlim=(x[0], x[-1]), ylim=(-0.15 * top, 1.1 * top))
    style.shares(ax.xaxis, [x[0], *style.decades(x[0], x[-1]), x[-1]], percent=True)
    ax.set(xlabel="probability from which one acts (by the loss's inverse, where it has one)")
    ax.set(ylabel=f"net true positives a 1,000 test rows\n({_of_band(of.rows)})")
    style.name_above(fig, ax)
    return fig


# ---- reliability


def reliability(of: OfCell) -> Figure | None:
    """Share of positives by mean probability, raw and as the folder has it recovered; None without curves."""
    found = {curve: lines for curve in PROBABILITIES if (lines := _lines(of, curve))}
    if not found:
        return None
    columns = min(2, len(found))
    rows = -(-len(found) // columns)
    fig, axes = style.figure(LEAST_WIDTH + PANEL * (columns - 1), 0.9 + PANEL * rows, len(found), columns)
    low = _least([points for lines in found.values() for _, points in lines])
    for ax, (curve, lines) in zip(axes, found.items(), strict=True):
        for shown, points in lines:
            _reliable(ax, shown, points, low)
        _diagonal(ax, low)
        style.title(ax, PROBABILITIES[curve])
    for ax in axes[-columns:]:
        ax.set_xlabel(f"mean probability in a bin{_of_arrows(found, low)}")
    for ax in axes[::columns]:
        ax.set_ylabel("share of positives there,\nmean over seeds")
    style.name_below(fig, axes[0])
    return fig


def _least(every: Sequence[Values]) -> float:
    """Where both axes begin: a little below the lowest share of positives."""
    observed = np.concatenate([points[:, 1] for points in every])
    return max(LEAST_SHARE, float(observed[observed > 0].min(initial=0.1)) / 3)


def _reliable(ax: Axes, shown: Shown, points: Values, low: float) -> None:
    x, y = points[:, 0], np.maximum(points[:, 1], low)
    ax.plot(
        np.maximum(x, low),
        y,
        linestyle=shown.dash,
        linewidth=1.2,
        marker="o",
        ms=3.5,
        color=shown.color,
        label=shown.name,
    )
    if (beyond := x < low).any():
        ax.plot(0 * x[beyond] + low, y[beyond], "<", ms=3.5, color=shown.color, clip_on=False, in_layout=False)


def _diagonal(ax: Axes, low: float) -> None:
    ax.plot((low, 1), (low, 1), color=style.MUTED, linewidth=0.8, zorder=0)
    ax.set(xscale="log", yscale="log", xlim=(low, 1), ylim=(low, 1))
    for axis in (ax.xaxis, ax.yaxis):
        style.shares(axis, style.decades(low, 1), percent=True)


def _of_arrows(found: dict[Curve, list[tuple[Shown, Values]]], low: float) -> str:
    beyond = any((points[:, 0] < low).any() for lines in found.values() for _, points in lines)
    return " (◂: less)" if beyond else ""
