"""Each class or label by itself: every row's mean average precision, and its difference to the baseline."""

import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from focalbench.comparison import Entry, baseline_of, cells_of, entries_of, split_ratio
from focalbench.records import Record
from focalbench.statistics import mean_interval
from focalbench.store import Number

CLASS_COLUMNS = (
    *("dataset", "positive_rate", "kind", "arm", "init", "class", "n_seeds"),
    *("train_positives", "val_positives", "test_positives", "bayes_average_precision"),
    *("average_precision", "ap_low", "ap_high", "delta", "delta_low", "delta_high"),
)


def per_class(records: Sequence[Record]) -> list[Record]:
    """The rows of classes.csv from those of runs.csv: every arm and class in plan order; none for binary targets.

    Counts are means over the seeds. Differences are paired by seed, against the same baseline as the table's; their
    intervals are those of each by itself.
    """
    rows: list[Record] = []
    for cell in cells_of(records):
        if cell[0]["classes"] is not None:
            entries = [entry for entry in entries_of(cell) if entry.kind != "tuned"]
            rows += [row for entry in entries for row in _rows(entry, baseline_of(entry, entries))]
    return rows


def _rows(entry: Entry, baseline: Entry) -> list[Record]:
    first, ratio = entry.chosen[0], split_ratio(entry.chosen[0])
    found, other = _classes(entry), _classes(baseline)
    rows: list[Record] = []
    for k, name in enumerate(each["name"] for each in found[0]):
        row: dict[str, Number] = {column: first[column] for column in ("dataset", "positive_rate")}
        row |= {"kind": entry.kind, "arm": entry.name, "init": entry.init, "class": name, "n_seeds": len(found)}
        row |= {f"{split}_positives": _mean(found, k, f"{split}_positives") for split in ("train", "val", "test")}
        row["bayes_average_precision"] = _mean(found, k, "bayes_average_precision")
        values = _column(found, k)
        row |= _interval(values, ratio, ("average_precision", "ap_low", "ap_high"))
        missing = entry is baseline or values is None
        row |= _interval(None if missing else values - _column(other, k), ratio, ("delta", "delta_low", "delta_high"))
        rows.append(row)
    return rows


def _classes(entry: Entry) -> list[list[dict[str, Any]]]:
    return [json.loads(cast(str, row["classes"])) for row in entry.chosen]


def _column(found: list[list[dict[str, Any]]], k: int) -> Any:
    values = [classes[k]["test_average_precision"] for classes in found]
    return None if None in values else np.array(values, dtype=np.float64)


def _mean(found: list[list[dict[str, Any]]], k: int, name: str) -> float | None:
    values = [classes[k][name] for classes in found]
    return None if None in values else float(np.mean(values))


def _interval(values: Any, ratio: float | None, names: tuple[str, str, str]) -> dict[str, Number]:
    if values is None:
        return dict.fromkeys(names)
    interval = mean_interval(values, ratio)
    found = (interval.estimate, interval.low, interval.high)
    return {name: float(value) if np.isfinite(value) else None for name, value in zip(names, found, strict=True)}
