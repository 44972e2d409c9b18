"""Rows of runs that nobody trained, and the rows of tables that they make."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from focalbench.analysis.evidence import Influences
from focalbench.analysis.rows import ArmRow, Spread
from focalbench.analysis.run_rows import RunRow
from focalbench.base.rows import Value, columns, flatten, rows_of
from focalbench.metrics.influence import BUCKETS
from focalbench.runs.result import Outcome

Array = NDArray[np.float64]
BCE: Mapping[str, Value] = {"arm": "bce", "family": "bce", "loss": "bce", "gamma": 0.0, "init": "own"}
GAMMA: Mapping[str, Value] = {"arm": "gamma=2", "family": "focal", "loss": "focal", "gamma": 2.0, "init": "own"}
FIVE: Mapping[str, Value] = {**GAMMA, "arm": "gamma=5", "gamma": 5.0}
COMMON: Mapping[str, Value] = {
    **{"dataset": "mixture", "source": "synthetic", "positive_rate": 0.01, "label_noise": 0.0, "restart": 0},
    **{"params": "{}", "model": "mlp", "hidden": "64-64", "sampler": "random", "lr": 0.01, "epochs": 20, "epoch": 7},
    **{"status": "ok", "train_rows": 1000, "train_positives": 10, "val_rows": 1000, "val_positives": 10},
    **{"test_rows": 1000, "test_positives": 10, "bayes_average_precision": 0.7, "data_sha256": "0"},
}
TABLE: Mapping[str, Value] = {"source": "table", "split": "rows", "train_share": 0.6}


def made_row(arm: Mapping[str, Value], seed: int, test: float, val: Value = 0.5, **changes: Value) -> RunRow:
    """A row of runs.csv of an arm; changes: other values by column."""
    row: dict[str, Value] = {**dict.fromkeys(columns(RunRow)), **COMMON, **arm, "seed": seed}
    row |= {"run_id": f"{arm['arm']} {seed}", "test_average_precision": test, "val_average_precision": val}
    for budget in ("quarter", "half"):
        row |= {f"test_average_precision_{budget}": test, f"val_average_precision_{budget}": val}
    (made,) = rows_of(RunRow, [row | changes])
    return made


def reference_row(seed: int, test: float, **changes: Value) -> RunRow:
    reference: dict[str, Value] = {"arm": "boosting", "family": "reference", "loss": "bce", "gamma": None}
    return made_row(reference, seed, test, init=None, lr=None, epochs=None, epoch=None, **changes)


def changed(row: RunRow, **changes: Value) -> RunRow:
    """The same row but for some columns."""
    (made,) = rows_of(RunRow, [flatten(row) | changes])
    return made


def failed(row: RunRow) -> RunRow:
    """The row of the same run, had it failed."""
    return RunRow(row.settings, None)


def outcome_with(**changes: Value) -> Outcome:
    """An outcome that nobody computed; changes: other values by column."""
    usual = {**dict.fromkeys(columns(Outcome)), **COMMON, "test_average_precision": 0.5}
    (made,) = rows_of(Outcome, [usual | changes])
    return made


def outcome_of(row: RunRow) -> Outcome:
    """The outcome of a run that did not fail."""
    assert row.outcome is not None
    return row.outcome


def draws(mean: float, seeds: int, seed: int = 0) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).normal(mean, 0.01, seeds)]


def two_arms(seeds: int, gain: float, **changes: Value) -> list[RunRow]:
    bce, gamma = draws(0.4, seeds), draws(0.4 + gain, seeds, 1)
    rows = [made_row(BCE, seed, value, **changes) for seed, value in enumerate(bce)]
    return rows + [made_row(GAMMA, seed, value, **changes) for seed, value in enumerate(gamma)]


def sums_of(rows: Iterable[RunRow], scale: float, outputs: int = 1) -> Influences:
    """Influence sums for each of these runs, of which an arm's seeds share a part."""
    rng, shape, shared = np.random.default_rng(11), (outputs, BUCKETS), dict[str, Array]()
    found = {}
    for row in rows:
        of_arm = shared.setdefault(row.settings.arm, rng.normal(0, scale, shape))
        found[row.settings.run_id] = (of_arm + rng.normal(0, scale, shape)).tolist()
    return lambda run_id: found.get(run_id, ())


def by_arm(table: Iterable[ArmRow]) -> dict[str, ArmRow]:
    return {row.arm: row for row in table}


def ends(spread: Spread | None) -> tuple[float, float]:
    """The limits of an interval that is there."""
    assert spread is not None
    assert spread.low is not None
    assert spread.high is not None
    return spread.low, spread.high


def mean_of(spread: Spread | None) -> float:
    """The mean of a spread that is there."""
    assert spread is not None
    return spread.mean
