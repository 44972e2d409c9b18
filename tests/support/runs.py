"""Records of runs that nobody trained, and the rows of tables that they make."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from focalbench.analysis.evidence import Influences
from focalbench.analysis.records import RUN_COLUMNS, Record
from focalbench.analysis.rows import ArmRow, Spread
from focalbench.metrics.influence import BUCKETS
from focalbench.runs.result import Number

Array = NDArray[np.float64]
BCE: Mapping[str, Number] = {"arm": "bce", "family": "bce", "loss": "bce", "gamma": 0.0, "init": "own"}
GAMMA: Mapping[str, Number] = {"arm": "gamma=2", "family": "focal", "loss": "focal", "gamma": 2.0, "init": "own"}
FIVE: Mapping[str, Number] = {**GAMMA, "arm": "gamma=5", "gamma": 5.0}
COMMON: Mapping[str, Number] = {
    **{"dataset": "mixture", "source": "synthetic", "positive_rate": 0.01, "label_noise": 0.0, "restart": 0},
    **{"lr": 0.01, "epochs": 20, "epoch": 7, "status": "ok", "train_rows": 1000, "train_positives": 10},
    **{"val_rows": 1000, "val_positives": 10, "test_rows": 1000, "test_positives": 10, "bayes_average_precision": 0.7},
}
TABLE: Mapping[str, Number] = {"source": "table", "split": "rows", "train_share": 0.6}


def run_record(arm: Mapping[str, Number], seed: int, test: float, val: Number = 0.5, **changes: Number) -> Record:
    row: dict[str, Number] = {**dict.fromkeys(RUN_COLUMNS), **COMMON, **arm, "seed": seed}
    row |= {"run_id": f"{arm['arm']} {seed}", "test_average_precision": test, "val_average_precision": val}
    for budget in ("quarter", "half"):
        row |= {f"test_average_precision_{budget}": test, f"val_average_precision_{budget}": val}
    return row | changes


def reference_record(seed: int, test: float, **changes: Number) -> Record:
    reference: dict[str, Number] = {"arm": "boosting", "family": "reference", "loss": "bce", "gamma": None}
    return run_record(reference, seed, test, init=None, lr=None, epochs=None, epoch=None, **changes)


def draws(mean: float, seeds: int, seed: int = 0) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).normal(mean, 0.01, seeds)]


def two_arms(seeds: int, gain: float, **changes: Number) -> list[Record]:
    bce, gamma = draws(0.4, seeds), draws(0.4 + gain, seeds, 1)
    rows = [run_record(BCE, seed, value, **changes) for seed, value in enumerate(bce)]
    return rows + [run_record(GAMMA, seed, value, **changes) for seed, value in enumerate(gamma)]


def sums_of(records: Iterable[Record], scale: float, outputs: int = 1) -> Influences:
    """Influence sums for each of these runs, of which an arm's seeds share a part."""
    rng, shape, shared = np.random.default_rng(11), (outputs, BUCKETS), dict[Number, Array]()
    found = {}
    for row in records:
        of_arm = shared.setdefault(row["arm"], rng.normal(0, scale, shape))
        found[str(row["run_id"])] = (of_arm + rng.normal(0, scale, shape)).tolist()
    return lambda run_id: found.get(run_id, ())


def by_arm(table: Iterable[ArmRow]) -> dict[str, ArmRow]:
    return {row.arm: row for row in table}


def number(value: Number) -> float:
    assert isinstance(value, (int, float))
    return float(value)


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
