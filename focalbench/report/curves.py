"""Curves of a comparison, averaged over seeds: what the figures read. One row a point of curves.csv."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from focalbench.analysis.records import Record
from focalbench.analysis.selection import Entry, cells_of, entries_of
from focalbench.analysis.statistics import Sample, mean_interval
from focalbench.runs.arms import scored_epochs
from focalbench.runs.result import Number, Result

CURVE_COLUMNS = (
    "dataset",
    "positive_rate",
    "label_noise",
    "arm",
    "kind",
    "curve",
    "x",
    "mean",
    "low",
    "high",
)
CURVE_TEXTS = frozenset(("dataset", "arm", "kind", "curve"))


def curve_records(records: Sequence[Record], result: Callable[[str], Result]) -> list[Record]:
    """Validation AUCPR by epoch, precision at 200 recalls and reliability bins, of every row's chosen runs.

    result: of a run_id; asked for one row of the table after the other, because the curves of all would fill memory.
    """
    return [point for cell in cells_of(records) for entry in entries_of(cell) for point in _entry_points(entry, result)]


def _entry_points(entry: Entry, result: Callable[[str], Result]) -> list[Record]:
    chosen = [result(str(row["run_id"])).curves for row in entry.chosen]
    points: list[Record] = []
    for curve in ("validation", "precision", "reliability_observed"):
        matrix = _matrix(chosen, curve)
        if not matrix.size:
            continue
        count = matrix.shape[1]
        grid = np.arange(1, count + 1) / (count if curve == "precision" else 1)
        if curve == "validation":
            grid = np.array(scored_epochs(cast(int, entry.chosen[0]["epochs"]), count))
        if curve == "reliability_observed":
            expected = np.ma.masked_invalid(_matrix(chosen, "reliability_expected"))
            grid = expected.mean(axis=0).filled(np.nan)
        points += [_point(entry, curve, x, column) for x, column in zip(grid.tolist(), matrix.T, strict=True)]
    return points


def _matrix(chosen: Sequence[dict[str, list[float | None]]], curve: str) -> NDArray[np.float64]:
    """One curve of every run that has it, (run, point), NaN where it is not defined."""
    return np.array([curves[curve] for curves in chosen if curve in curves], dtype=np.float64)


def _point(entry: Entry, curve: str, x: float, column: NDArray[np.float64]) -> Record:
    present = column[~np.isnan(column)]
    first = entry.chosen[0]
    where = {name: first[name] for name in ("dataset", "positive_rate", "label_noise")}
    place = None if np.isnan(x) else x  # a reliability bin that is empty in every run lies nowhere
    point: dict[str, Number] = {**where, "arm": entry.name, "kind": entry.kind, "curve": curve, "x": place}
    if not len(present):
        return point | {"mean": None, "low": None, "high": None}
    interval = mean_interval(Sample(present))
    low, high = (None if np.isnan(v) else v for v in (interval.low, interval.high))
    return point | {"mean": interval.estimate, "low": low, "high": high}
