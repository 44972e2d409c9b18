"""Curves of a comparison, averaged over seeds: what the figures read. One row a point of curves.csv."""

from collections.abc import Sequence

import numpy as np

from focalbench.comparison import Entry, entries_of
from focalbench.records import Record
from focalbench.statistics import mean_interval
from focalbench.store import Result

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


def curve_records(records: Sequence[Record], results: Sequence[Result]) -> list[Record]:
    """Validation AUCPR by epoch, precision at 200 recalls and reliability bins, of every row's chosen runs."""
    by_id = {result.run_id: result for result in results}
    return [point for entry in entries_of(records) for point in _entry_points(entry, by_id)]


def _entry_points(entry: Entry, by_id: dict[str, Result]) -> list[Record]:
    chosen = [by_id[str(row["run_id"])].curves for row in entry.chosen]
    points: list[Record] = []
    for curve in ("validation", "precision", "reliability_observed"):
        values = [curves[curve] for curves in chosen if curve in curves]
        if not values:
            continue
        matrix = np.array(values, dtype=np.float64)
        count = matrix.shape[1]
        grid = np.arange(1, count + 1) / (count if curve == "precision" else 1)
        if curve == "reliability_observed":
            expected = np.ma.masked_invalid(np.array([c["reliability_expected"] for c in chosen if c], np.float64))
            grid = expected.mean(axis=0).filled(np.nan)
        points += [_point(entry, curve, x, column) for x, column in zip(grid.tolist(), matrix.T, strict=True)]
    return points


def _point(entry: Entry, curve: str, x: float, column: np.ndarray) -> Record:
    present = column[~np.isnan(column)]
    first = entry.chosen[0]
    where = {name: first[name] for name in ("dataset", "positive_rate", "label_noise")}
    if not len(present):
        return {
            **where,
            "arm": entry.name,
            "kind": entry.kind,
            "curve": curve,
            "x": x,
            "mean": None,
            "low": None,
            "high": None,
        }
    interval = mean_interval(present)
    low, high = (None if np.isnan(v) else v for v in (interval.low, interval.high))
    return {
        **where,
        "arm": entry.name,
        "kind": entry.kind,
        "curve": curve,
        "x": x,
        "mean": interval.estimate,
        "low": low,
        "high": high,
    }
