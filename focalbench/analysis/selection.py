"""Which runs a row of a table rests on: chosen on validation, for every seed, from an arm's candidates.

A cell is one data set at one rate. Its fixed arms of one start are compared with the baseline (BCE, or the cross
entropy of a softmax where there is one) at that start; tuned rows (the best arm of a family) and references stand
beside them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import cast

import numpy as np

from focalbench.analysis.records import FAILED, Record
from focalbench.analysis.rows import Kind
from focalbench.analysis.statistics import Floats
from focalbench.runs.result import Number


@dataclass(frozen=True)
class Entry:
    """One row in the making: the chosen record of every seed, and all records it was chosen among."""

    name: str
    kind: Kind
    init: str | None
    chosen: tuple[Record, ...]
    considered: tuple[Record, ...]

    def column(self, name: str) -> Floats:
        """A metric of the chosen records by seed, (seed,); NaN where a run has none."""
        return np.array([np.nan if r[name] is None else r[name] for r in self.chosen], dtype=np.float64)

    @property
    def test(self) -> Floats:
        """Test average precision by seed, (seed,)."""
        return self.column("test_average_precision")

    @property
    def run_ids(self) -> list[str]:
        """The chosen runs."""
        return [cast(str, row["run_id"]) for row in self.chosen]

    def test_within(self, budget: str) -> Floats:
        """Test average precision by seed had training, and the choice, stopped at a quarter or half of the epochs."""
        by_seed = by(self.considered, "seed").values()
        chosen = [choose(rows, f"val_average_precision_{budget}") for rows in by_seed]
        return np.array([row[f"test_average_precision_{budget}"] for row in chosen], dtype=np.float64)


def cells_of(records: Iterable[Record]) -> list[list[Record]]:
    """The records of each data set at one rate, without the seeds of which a run failed; none where all are so."""
    cells = (whole_seeds(list(cell)) for _, cell in groupby(records, key=_cell))
    return [cell for cell in cells if cell]


def failed_seeds(records: Iterable[Record], cell: Sequence[Record]) -> int:
    """How many seeds of a cell's data set and rate were left out."""
    every = [row for row in records if _cell(row) == _cell(cell[0])]
    return len(by(every, "seed")) - len(by(cell, "seed"))


def whole_seeds(cell: list[Record]) -> list[Record]:
    """A failed run has no number, and without it a seed's arms no longer have equal terms: the seed goes for all."""
    failed = {row["seed"] for row in cell if row["status"] == FAILED}
    return [row for row in cell if row["seed"] not in failed]


def _cell(row: Record) -> tuple[Number, ...]:
    return row["dataset"], row["positive_rate"], row["label_noise"]


def entries_of(cell: Sequence[Record]) -> list[Entry]:
    """The rows in the making of a cell, with the runs that validation chose for each seed."""
    return [*_arms(cell), *_tuned(cell), *_references(cell)]


def _arms(records: Sequence[Record]) -> list[Entry]:
    fixed = [row for row in records if row["family"] != "reference" and row["restart"] == 0]
    return [_entry(str(name), Kind.ARM, rows) for name, rows in by(fixed, "arm").items()]


def _tuned(records: Sequence[Record]) -> list[Entry]:
    """A row for every family that was given the same number of candidates as the largest one."""
    entries = []
    for rows in by([row for row in records if row["family"] != "reference"], "init").values():
        families = by(rows, "family")
        most = max(map(candidates, families.values()))
        baseline = families[baseline_family(rows)]
        if not candidates(baseline, restart=0) < most == candidates(baseline):
            continue  # nothing to tune, or the baseline was not given as many candidates
        start = "" if rows[0]["init"] == "own" else f" ({rows[0]['init']} start)"
        for family, members in families.items():
            if candidates(members) == most:
                entries.append(_entry(f"{family}, tuned{start}", Kind.TUNED, members))
    return entries


def _references(records: Sequence[Record]) -> list[Entry]:
    groups = by([row for row in records if row["family"] == "reference"], "arm")
    return [Entry(str(name), Kind.REFERENCE, None, tuple(rows), tuple(rows)) for name, rows in groups.items()]


def by(records: Iterable[Record], column: str) -> dict[Number, list[Record]]:
    """Records by their value in a column, in the order of its first ones."""
    groups: dict[Number, list[Record]] = {}
    for row in records:
        groups.setdefault(row[column], []).append(row)
    return groups


def candidates(rows: Iterable[Record], restart: int | None = None) -> int:
    """How many were trained for a seed, of all or of one restart."""
    counted = [row for row in rows if restart is None or row["restart"] == restart]
    return len({(row["arm"], row["restart"], row["lr"]) for row in counted})


def _entry(name: str, kind: Kind, rows: list[Record]) -> Entry:
    chosen = tuple(choose(of_seed, "val_average_precision") for of_seed in by(rows, "seed").values())
    return Entry(name, kind, cast(str, rows[0]["init"]), chosen, tuple(rows))


def choose(candidates: Sequence[Record], column: str) -> Record:
    """The candidate with the best validation average precision; the first of equals; a missing value is worst."""

    def value(row: Record) -> float:
        return -np.inf if row[column] is None else cast(float, row[column])

    return max(candidates, key=value)


def baseline_family(records: Iterable[Record]) -> str:
    """What the rows of a cell are compared with: the cross entropy of a softmax where there is one, else BCE."""
    return "ce" if any(row["family"] == "ce" for row in records) else "bce"


def baseline_of(entry: Entry, entries: Sequence[Entry]) -> Entry:
    """The baseline of a row: of the same start, tuned for a tuned row, the main start's for a reference."""
    kind = Kind.ARM if entry.kind is Kind.REFERENCE else entry.kind
    family = baseline_family(e.chosen[0] for e in entries)
    baselines = [e for e in entries if e.kind is kind and e.chosen[0]["family"] == family]
    return next((e for e in baselines if e.init == entry.init), baselines[0])
