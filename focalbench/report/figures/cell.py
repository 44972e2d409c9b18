"""What every figure of a data set is drawn from, and what they share: colours, error bars, levels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from focalbench.analysis.evidence import Evidence
from focalbench.analysis.rows import ArmRow, ClassRow, Spread
from focalbench.analysis.statistics import INTERVAL_SEEDS
from focalbench.report import spread, style
from focalbench.report.curves import CurvePoint
from focalbench.report.words import baseline_name

Values = NDArray[np.float64]

# whose learning curves are drawn, at every start
FOLLOWED = ("bce", "pos_weight", "gamma=2", "gamma=5")
FOLLOWED_SOFTMAX = ("ce", "weighted_ce", "softmax gamma=2", "softmax gamma=5")  # beside bce
STARTS = {"own": style.SOLID, "prior": style.DASH_DOT, "zero": style.DASHES, "learned": style.DOTS}


@dataclass(frozen=True)
class OfCell:
    """What is drawn of one data set at one rate: its rows of the table, its curves, its classes if it has some, and
    the runs behind the rows, None where they are not there; read when they are asked for.
    """

    rows: list[ArmRow]
    curves: list[CurvePoint]
    classes: list[ClassRow]
    runs: Callable[[], Evidence | None] = lambda: None


def followed(cell: Sequence[ArmRow]) -> tuple[str, ...]:
    """The names of the arms whose curves are drawn."""
    return (*FOLLOWED_SOFTMAX, "bce") if baseline_name(cell) == "CE" else FOLLOWED


def of_bars(cell: Sequence[ArmRow], alone: str) -> str:
    """What error bars show; alone: whose interval each is."""
    seeds = cell[0].n_seeds
    if seeds >= INTERVAL_SEEDS:
        return f"95% interval{alone}"
    return f"lowest and highest of {seeds} seeds" if seeds > 1 else "one seed"


def bars_of(spreads: Sequence[Spread | None]) -> tuple[Values, tuple[Values, Values]]:
    """Means, and what an error bar reaches below and above each; NaN where there is none."""
    y = np.array([np.nan if each is None else each.mean for each in spreads])
    ends = [None if each is None else spread.limits(each) for each in spreads]
    low, high = np.array([each or (np.nan, np.nan) for each in ends]).T
    return y, (y - low, high - y)


def gamma_of(row: ArmRow) -> float:
    """0 where a loss has none."""
    return 0.0 if row.gamma is None else row.gamma


def arm_color(row: ArmRow) -> str:
    """The baseline in ink, its class weights in vermillion, focal losses along the ramp of gamma."""
    fixed = {"ce": style.INK, "weighted_ce": style.VERMILLION, "bce": style.INK, "pos_weight": style.VERMILLION}
    if row.loss == "bce" and row.delta is not None:
        return style.MUTED  # beside cross entropy
    return fixed.get(str(row.loss), style.gamma_color(gamma_of(row)))


def levels_of(first: ArmRow) -> dict[str, float]:
    """Between what a value lies, as far as it is known; several classes have a chance each."""
    if first.metric is not None:
        return {"no skill": first.metric.without_skill(first.prevalence)}
    chance = first.prevalence if first.n_classes is None else None
    levels = {"chance": chance, "Bayes ceiling": first.bayes_average_precision}
    return {name: value for name, value in levels.items() if value is not None}


def name_levels(ax: Axes, levels: dict[str, float]) -> None:
    """Name heights right of the panel; those beyond it at its end, with an arrow."""
    bottom, top = ax.get_ylim()
    names: list[style.End] = []
    for name, value in levels.items():
        beyond = " ↑" if value > top else " ↓" if value < bottom else ""
        place = min(max(value, bottom), top)
        names.append((ax.get_xlim()[1], place, f"{name}\n{value:.3g}{beyond}", style.MUTED))
    style.name_beside(ax, names)
