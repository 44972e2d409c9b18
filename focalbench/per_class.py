"""Each class or label by itself: every row's mean average precision, and its difference to the baseline."""

import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from focalbench.comparison import AUCPR, DELTA, Entry, baseline_of, cells_of, entries_of, mean_columns, split_ratio
from focalbench.records import Record
from focalbench.store import Number

CLASS_COLUMNS = (
    *("dataset", "positive_rate", "kind", "arm", "init", "class", "n_seeds"),
    *("train_positives", "val_positives", "test_positives", "prevalence", "bayes_average_precision"),
    *AUCPR,
    *DELTA,
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
        row["prevalence"] = _prevalence(entry, found, k)
        row["bayes_average_precision"] = _mean(found, k, "bayes_average_precision")
        values = _column(found, k)
        row |= _columns(values, AUCPR, ratio)
        missing = entry is baseline or values is None
        row |= _columns(None if missing else values - _column(other, k), DELTA, ratio)
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


def _prevalence(entry: Entry, found: list[list[dict[str, Any]]], k: int) -> float:
    """What chance reaches: a class's mean share of the test rows, by weight where they have one."""
    counted = [each[k]["test_positives"] / run["test_rows"] for run, each in zip(entry.chosen, found, strict=True)]
    return float(np.mean([each[k].get("test_prevalence", share) for each, share in zip(found, counted, strict=True)]))


def _columns(values: Any, names: Sequence[str], ratio: float | None) -> dict[str, Number]:
    return dict.fromkeys(names) if values is None else mean_columns(values, names, ratio)
