"""Each class or label by itself: every row's mean average precision, and its difference to the baseline."""

import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from focalbench.analysis.evidence import Evidence, Influences, no_influences, spread
from focalbench.analysis.records import Record
from focalbench.analysis.rows import ClassRow, Kind
from focalbench.analysis.selection import Entry, baseline_of, cells_of, entries_of
from focalbench.analysis.statistics import Floats

Classes = list[list[dict[str, Any]]]  # by seed and class: what runs.csv holds of each


def per_class(records: Sequence[Record], influences: Influences = no_influences) -> list[ClassRow]:
    """The rows of classes.csv from those of runs.csv: every arm and class in plan order; none for binary targets.

    Counts are means over the seeds. Differences are paired by seed, against the same baseline as the table's; their
    intervals are those of each by itself.
    """
    rows: list[ClassRow] = []
    for cell in cells_of(records):
        if cell[0]["classes"] is not None:
            entries = [entry for entry in entries_of(cell) if entry.kind is not Kind.TUNED]
            evidence = Evidence(entries, influences)
            rows += [row for entry in entries for row in _rows(entry, baseline_of(entry, entries), evidence)]
    return rows


def _rows(entry: Entry, baseline: Entry, evidence: Evidence) -> list[ClassRow]:
    first = entry.chosen[0]
    found, other = _classes(entry), _classes(baseline)
    places = iter(range(len(found[0])))  # of the measured ones among the influences
    rows: list[ClassRow] = []
    for k, name in enumerate(each["name"] for each in found[0]):
        values, theirs = _column(found, k), _column(other, k)
        mean = difference = None
        if values is not None and theirs is not None:
            place = next(places)
            mean = spread(evidence.of_output(values, place, entry))
            if entry is not baseline:
                difference = spread(evidence.of_output(values - theirs, place, entry, baseline))
        row = ClassRow(
            dataset=cast(str, first["dataset"]),
            positive_rate=cast(float | None, first["positive_rate"]),
            kind=entry.kind,
            arm=entry.name,
            init=entry.init,
            name=name,
            n_seeds=len(found),
            train_positives=_mean(found, k, "train_positives") or 0.0,
            val_positives=_mean(found, k, "val_positives") or 0.0,
            test_positives=_mean(found, k, "test_positives") or 0.0,
            prevalence=_prevalence(entry, found, k),
            bayes_average_precision=_mean(found, k, "bayes_average_precision"),
            average_precision=mean,
            delta=difference,
        )
        rows.append(row)
    return rows


def _classes(entry: Entry) -> Classes:
    return [json.loads(cast(str, row["classes"])) for row in entry.chosen]


def _column(found: Classes, k: int) -> Floats | None:
    values = [classes[k]["test_average_precision"] for classes in found]
    return None if None in values else np.array(values, dtype=np.float64)


def _mean(found: Classes, k: int, name: str) -> float | None:
    values = [classes[k][name] for classes in found]
    return None if None in values else float(np.mean(values))


def _prevalence(entry: Entry, found: Classes, k: int) -> float:
    """What chance reaches: a class's mean share of the test rows, by weight where they have one."""
    counted = [each[k]["test_positives"] / run["test_rows"] for run, each in zip(entry.chosen, found, strict=True)]
    return float(np.mean([each[k].get("test_prevalence", share) for each, share in zip(found, counted, strict=True)]))
