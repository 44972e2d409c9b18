"""Curves of a comparison, averaged over seeds: what the figures read. One row a point of curves.csv."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np

from focalbench.analysis.rows import Kind
from focalbench.analysis.run_rows import RunRow
from focalbench.analysis.selection import Entry, cells_of, entries_of
from focalbench.analysis.statistics import Floats, Sample, mean_interval
from focalbench.base.rows import As
from focalbench.metrics.threshold import DECISIONS
from focalbench.runs.result import Curves, Result
from focalbench.runs.run import Cell, scored_epochs


class Curve(StrEnum):
    """Which curve a point lies on: average precision on validation by epoch, precision by recall on the test, share of
    positives by mean probability of a bin of the scores (raw, by the loss's inverse, by Platt's line, by isotonic
    regression), net benefit by the probability from which one acts.
    """

    VALIDATION = "validation"
    PRECISION = "precision"
    RELIABILITY = "reliability_observed"
    NET_BENEFIT = "net_benefit"
    RECOVERED = "reliability_recovered"
    PLATT = "reliability_platt"
    ISOTONIC = "reliability_isotonic"


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A row of curves.csv: the mean over the seeds, with a 95% interval of their spread alone, which on re-splits of
    one table does not show what their test rows share. x: None of a bin that is empty in all.
    """

    dataset: str
    positive_rate: float | None
    label_noise: float
    arm: str
    kind: Kind
    curve: Curve
    x: Annotated[float | None, As(whole=True)]  # an epoch has no fraction
    mean: float | None
    low: float | None
    high: float | None

    @property
    def cell(self) -> Cell:
        """Of which table."""
        return Cell(self.dataset, self.positive_rate, self.label_noise)


def curve_points(rows: Sequence[RunRow], result: Callable[[str], Result]) -> list[CurvePoint]:
    """Validation AUCPR by epoch, precision at 200 recalls, reliability bins, net benefit: of every row's chosen runs.

    result: of a run_id; asked for one row of the table after the other, because the curves of all would fill memory.
    """
    return [point for cell in cells_of(rows) for entry in entries_of(cell) for point in _entry_points(entry, result)]


def _entry_points(entry: Entry, result: Callable[[str], Result]) -> Iterator[CurvePoint]:
    curves = [result(run_id).curves for run_id in entry.run_ids]
    for curve, grid, values in _grids(curves, entry.first.epochs or 0):
        for x, column in zip(grid, values.T, strict=True):
            yield _point(entry, curve, x, column)


def _grids(curves: Sequence[Curves], epochs: int) -> Iterator[tuple[Curve, Sequence[float], Floats]]:
    """Each curve that there is, with its places and its values, (run, point)."""
    validation = _matrix([each.validation for each in curves])
    if count := validation.shape[-1]:
        yield Curve.VALIDATION, scored_epochs(epochs, count), validation
    precision = _matrix([each.precision for each in curves])
    if count := precision.shape[-1]:
        yield Curve.PRECISION, (np.arange(1, count + 1) / count).tolist(), precision
    yield from _reliability(Curve.RELIABILITY, [(each.reliability_expected, each) for each in curves])
    benefit = _matrix([each.net_benefit for each in curves])
    if benefit.shape[-1]:
        yield Curve.NET_BENEFIT, DECISIONS, benefit
    yield from _reliability(Curve.RECOVERED, [(each.reliability_recovered, each) for each in curves])
    yield from _reliability(Curve.PLATT, [(each.reliability_platt, each) for each in curves])
    yield from _reliability(Curve.ISOTONIC, [(each.reliability_isotonic, each) for each in curves])


def _reliability(
    curve: Curve, found: Sequence[tuple[tuple[float | None, ...], Curves]]
) -> Iterator[tuple[Curve, Sequence[float], Floats]]:
    """What is observed in each bin, by the mean of the probabilities (run by run) that stand there; of the runs that
    have them.
    """
    observed = _matrix([each.reliability_observed for expected, each in found if expected])
    if observed.shape[-1]:
        means = np.ma.masked_invalid(_matrix([expected for expected, _ in found]))
        yield curve, means.mean(axis=0).filled(np.nan).tolist(), observed


def _matrix(curves: Sequence[tuple[float | None, ...]]) -> Floats:
    """One curve of every run that has it, (run, point), NaN where it is not defined."""
    return np.array([curve for curve in curves if curve], dtype=np.float64)


def _point(entry: Entry, curve: Curve, x: float, column: Floats) -> CurvePoint:
    first, present = entry.first, column[~np.isnan(column)]
    low = mean = high = None
    if len(present):
        interval = mean_interval(Sample(present))
        mean, (low, high) = interval.estimate, (None if np.isnan(v) else v for v in (interval.low, interval.high))
    place = None if np.isnan(x) else x
    return CurvePoint(*first.cell, entry.name, entry.kind, curve, place, mean, low, high)
