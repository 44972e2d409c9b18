"""From the records of runs to one row an arm: choose on validation, average over seeds, compare with the baseline.

A cell is one data set at one rate. Its fixed arms of one start are one family of tests, compared with the baseline
(BCE, or the cross entropy of a softmax where there is one) at that start; tuned rows (the best arm of a family, chosen
on validation) and references stand outside it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import cast

import numpy as np
from numpy.typing import NDArray

from focalbench.records import FAILED, METRICS, Record
from focalbench.statistics import (
    INTERVAL_SEEDS,
    LEAST_SEEDS,
    corrected_t_p,
    holm,
    indistinguishable_from_best,
    max_t,
    mean_interval,
    simultaneous_critical,
    smallest_detectable,
)
from focalbench.store import Number

Floats = NDArray[np.float64]

LEVEL = 0.05
SMOKE_TEST = "smoke test"  # the verdict of every row where the plan is too small to support any
LATE_EPOCHS, LATE_SEEDS = (
    0.1,
    0.2,
)  # budget-limited: the last tenth of the epochs chosen by over a fifth of seeds
EDGE_RISE = 0.01  # ... or validation AP still rising by more than this at an edge learning rate
FLIP_SEED = 20_170_807  # a table is recomputed exactly, so its random flips are fixed

# the columns of a quantity: its mean over the seeds, a 95% interval from 4 seeds on, the lowest and the highest seed
AUCPR = ("average_precision", "ap_low", "ap_high", "ap_min", "ap_max")
DELTA = ("delta", "delta_low", "delta_high", "delta_min", "delta_max")
OWN_START = ("delta_vs_own_start", "own_start_low", "own_start_high", "own_start_min", "own_start_max")
SIZES = ("train_rows", "train_positives", "val_rows", "val_positives", "test_rows", "test_positives")
TABLE_COLUMNS = (
    *("dataset", "positive_rate", "label_noise", "kind", "arm", "family", "loss", "alpha", "gamma", "init"),
    *("n_seeds", "failed_seeds", "candidates", "diverged", "prevalence", "test_prevalence", "bayes_average_precision"),
    *("n_classes", "unmeasured"),
    *SIZES,
    *AUCPR,
    *DELTA,
    *("p_value", "p_adjusted", "verdict", "in_best_set", "smallest_detectable", "budget_limited"),
    *OWN_START,
    *("average_precision_quarter", "average_precision_half"),
    *METRICS,
)


@dataclass(frozen=True)
class Entry:
    """One row in the making: the chosen record of every seed, and all records it was chosen among."""

    name: str
    kind: str  # arm, tuned or reference
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


def compare(records: Sequence[Record], *, claims: bool = True) -> list[Record]:
    """The rows of table.csv from the rows of runs.csv, cell by cell in plan order.

    claims: whether differences are tested; without it every verdict is "smoke test".
    """
    rows: list[Record] = []
    for _, cell in groupby(records, key=_cell):
        every = list(cell)
        if whole := _whole_seeds(every):
            failed = {"failed_seeds": len(_by(every, "seed")) - len(_by(whole, "seed"))}
            rows += [{**row, **failed} for row in _compare_cell(whole, claims=claims)]
    return rows


def cells_of(records: Sequence[Record]) -> list[list[Record]]:
    """The records of each data set at one rate, without the seeds of which a run failed."""
    cells = (_whole_seeds(list(cell)) for _, cell in groupby(records, key=_cell))
    return [cell for cell in cells if cell]


def _whole_seeds(cell: list[Record]) -> list[Record]:
    """A failed run has no number, and without it a seed's arms no longer have equal terms: the seed goes for all."""
    failed = {row["seed"] for row in cell if row["status"] == FAILED}
    return [row for row in cell if row["seed"] not in failed]


def entries_of(records: Sequence[Record]) -> list[Entry]:
    """The rows in the making of every cell, with the runs that validation chose for each seed."""
    return [entry for cell in cells_of(records) for entry in _entries(cell)]


def _entries(records: list[Record]) -> list[Entry]:
    return [*_arms(records), *_tuned(records), *_references(records)]


def _cell(row: Record) -> tuple[Number, ...]:
    return row["dataset"], row["positive_rate"], row["label_noise"]


def _compare_cell(records: list[Record], *, claims: bool) -> list[Record]:
    entries = _entries(records)
    ratio = split_ratio(records[0])
    findings: dict[str, dict[str, Number]] = {}
    for start in dict.fromkeys(entry.init for entry in entries if entry.kind == "arm"):
        fixed = [entry for entry in entries if entry.kind == "arm" and entry.init == start]
        findings |= _findings(fixed, ratio) if claims else {entry.name: {"verdict": SMOKE_TEST} for entry in fixed}
    return [
        dict.fromkeys(TABLE_COLUMNS)
        | _summary(entry, ratio)
        | _against_baseline(entry, entries, ratio)
        | _against_own_start(entry, entries, ratio)
        | findings.get(entry.name, {})
        for entry in entries
    ]


def split_ratio(row: Record) -> float | None:
    """Test rows over training rows where a real table is split anew for every seed; None for fresh draws."""
    if row["source"] == "synthetic":
        return None
    return cast(int, row["test_rows"]) / cast(int, row["train_rows"])


# ---- choosing, on validation only


def _arms(records: list[Record]) -> list[Entry]:
    fixed = [row for row in records if row["family"] != "reference" and row["restart"] == 0]
    groups = _by(fixed, "arm")
    return [_entry(str(name), "arm", rows) for name, rows in groups.items()]


def _tuned(records: list[Record]) -> list[Entry]:
    """A row for every family that was given the same number of candidates as the largest one."""
    entries = []
    for rows in _by([row for row in records if row["family"] != "reference"], "init").values():
        families = _by(rows, "family")
        most = max(map(_candidates, families.values()))
        baseline = families[baseline_family(rows)]
        if not _candidates(baseline, restart=0) < most == _candidates(baseline):
            continue  # nothing to tune, or the baseline was not given as many candidates
        start = "" if rows[0]["init"] == "own" else f" ({rows[0]['init']} start)"
        for family, members in families.items():
            if _candidates(members) == most:
                entries.append(_entry(f"{family}, tuned{start}", "tuned", members))
    return entries


def _references(records: list[Record]) -> list[Entry]:
    groups = _by([row for row in records if row["family"] == "reference"], "arm")
    return [Entry(str(name), "reference", None, tuple(rows), tuple(rows)) for name, rows in groups.items()]


def _by(records: Iterable[Record], column: str) -> dict[Number, list[Record]]:
    groups: dict[Number, list[Record]] = {}
    for row in records:
        groups.setdefault(row[column], []).append(row)
    return groups


def _candidates(rows: list[Record], restart: int | None = None) -> int:
    counted = [row for row in rows if restart is None or row["restart"] == restart]
    return len({(row["arm"], row["restart"], row["lr"]) for row in counted})


def _entry(name: str, kind: str, rows: list[Record]) -> Entry:
    chosen = tuple(choose(of_seed, "val_average_precision") for of_seed in _by(rows, "seed").values())
    return Entry(name, kind, cast(str, rows[0]["init"]), chosen, tuple(rows))


def choose(candidates: Sequence[Record], column: str) -> Record:
    """The candidate with the best validation average precision; the first of equals; a missing value is worst."""

    def value(row: Record) -> float:
        return -np.inf if row[column] is None else cast(float, row[column])

    return max(candidates, key=value)


# ---- one row


def _summary(entry: Entry, ratio: float | None) -> dict[str, Number]:
    first = entry.chosen[0]
    asked = {name: first[name] for name in ("dataset", "positive_rate", "label_noise", "family", *SIZES)}
    if entry.kind == "arm":
        asked |= {name: first[name] for name in ("loss", "alpha", "gamma")}
    return {
        **asked,
        "kind": entry.kind,
        "arm": entry.name,
        "init": entry.init,
        "n_seeds": len(entry.chosen),
        "candidates": _candidates(list(entry.considered)),
        "diverged": sum(row["status"] == "diverged" for row in entry.considered),
        "prevalence": _mean(_prevalence(entry)),
        "test_prevalence": _mean(entry.column("test_prevalence")),
        "n_classes": len(_classes(first, measured=True)) or None,
        "unmeasured": ", ".join(_classes(first, measured=False)) or None,
        **_within_0_and_1(mean_columns(entry.test, AUCPR, ratio)),
        "budget_limited": None if entry.kind == "reference" else str(budget_limited(entry)).lower(),
        **{name: _mean_or_none(entry, name) for name in ("bayes_average_precision", *METRICS)},
        **{f"average_precision_{name}": _within(entry, name) for name in ("quarter", "half")},
    }


def _classes(row: Record, *, measured: bool) -> list[str]:
    """The classes or labels that the average is over, or those left out; none for a binary target."""
    every = [] if row["classes"] is None else json.loads(cast(str, row["classes"]))
    return [each["name"] for each in every if (each["test_average_precision"] is not None) == measured]


def _prevalence(entry: Entry) -> Floats:
    """Of the test rows, by weight where they have one; the mean over classes: what chance reaches. (seed,)."""
    counted = entry.column("test_positives") / entry.column("test_rows")
    weighted = entry.column("test_prevalence")
    return np.where(np.isnan(weighted), counted, weighted)


def _within(entry: Entry, budget: str) -> float | None:
    """Mean test AP had training, and the choice of epoch and candidate, stopped at an earlier budget."""
    if entry.kind == "reference":
        return None
    by_seed = _by(entry.considered, "seed").values()
    chosen = [choose(rows, f"val_average_precision_{budget}") for rows in by_seed]
    return float(np.mean([cast(float, row[f"test_average_precision_{budget}"]) for row in chosen]))


def _mean_or_none(entry: Entry, name: str) -> float | None:
    """A metric's mean over the seeds; none where the way back to probabilities failed in some: the rest mislead."""
    values = entry.column(name)
    return None if name.startswith("recovered_") and np.isnan(values).any() else _mean(values)


def _mean(values: Floats) -> float | None:
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def budget_limited(entry: Entry) -> bool:
    """Whether more epochs or a learning rate beyond the grid might still have changed the result.

    METHOD: over a fifth of the seeds chose the last tenth of the epochs, or mean validation average precision rises
    by more than .01 towards an edge learning rate.
    """
    epochs = cast(int, entry.chosen[0]["epochs"])
    late = np.mean(entry.column("epoch") > epochs - max(1, round(LATE_EPOCHS * epochs)))
    means = [
        np.mean([_validation(row) for row in rows])
        for _, rows in sorted(_by(entry.considered, "lr").items(), key=lambda item: cast(float, item[0]))
    ]
    rising = len(means) > 1 and max(means[0] - means[1], means[-1] - means[-2]) > EDGE_RISE
    return bool(late > LATE_SEEDS or rising)


def _validation(row: Record) -> float:
    """Validation average precision, at chance where a run never was finite."""
    value, mean = row["val_average_precision"], row["test_prevalence"]
    if value is None and row["classes"] is not None:
        value = mean
    return cast(int, row["val_positives"]) / cast(int, row["val_rows"]) if value is None else cast(float, value)


def baseline_family(records: Iterable[Record]) -> str:
    """What the rows of a cell are compared with: the cross entropy of a softmax where there is one, else BCE."""
    return "ce" if any(row["family"] == "ce" for row in records) else "bce"


def baseline_of(entry: Entry, entries: list[Entry]) -> Entry:
    """The baseline of a row: of the same start, tuned for a tuned row, the first start's for a reference."""
    kind = "arm" if entry.kind == "reference" else entry.kind
    family = baseline_family(e.chosen[0] for e in entries)
    baselines = [e for e in entries if e.kind == kind and e.chosen[0]["family"] == family]
    return next((e for e in baselines if e.init == entry.init), baselines[0])


def _against_baseline(entry: Entry, entries: list[Entry], ratio: float | None) -> dict[str, Number]:
    """The paired difference to the baseline."""
    baseline = baseline_of(entry, entries)
    if baseline is entry:
        return {}
    return mean_columns(entry.test - baseline.test, DELTA, ratio)


def _against_own_start(entry: Entry, entries: list[Entry], ratio: float | None) -> dict[str, Number]:
    """The paired difference to the same arm at its own start."""
    plain = entry.name.removesuffix(f" ({entry.init} start)")
    for other in entries:
        if entry.kind == other.kind == "arm" and other.init == "own" != entry.init and other.name == plain:
            return mean_columns(entry.test - other.test, OWN_START, ratio)
    return {}


def mean_columns(values: Floats, names: Sequence[str], ratio: float | None) -> dict[str, Number]:
    """The mean of (seed,) values and how they spread, under the five names of a quantity; no interval of few seeds."""
    interval = mean_interval(values, ratio)
    enough = len(values) >= INTERVAL_SEEDS
    limits = (_finite(interval.low), _finite(interval.high)) if enough else (None, None)
    found = (interval.estimate, *limits, float(values.min()), float(values.max()))
    return dict(zip(names, found, strict=True))


def _within_0_and_1(found: dict[str, Number]) -> dict[str, Number]:
    """The limits of an average precision, which lies between 0 and 1."""
    if found["ap_low"] is None:
        return found
    return found | {
        "ap_low": max(cast(float, found["ap_low"]), 0.0),
        "ap_high": min(cast(float, found["ap_high"]), 1.0),
    }


# ---- one family of tests


def _findings(fixed: list[Entry], ratio: float | None) -> dict[str, dict[str, Number]]:
    """P-values, verdicts and the best set of the fixed arms of one start; below 6 seeds there are none."""
    baseline = baseline_of(fixed[0], fixed)
    others = [entry for entry in fixed if entry is not baseline]
    if not others or len(baseline.test) < LEAST_SEEDS:
        return {entry.name: {"verdict": "baseline" if entry is baseline else "too few seeds"} for entry in fixed}
    differences = np.stack([entry.test - baseline.test for entry in others], axis=1)
    raw, adjusted, critical = _p_values(differences, ratio)
    best = indistinguishable_from_best(np.stack([e.test for e in fixed], axis=1), _rng(), ratio)
    detectable = smallest_detectable(differences, critical, ratio)
    findings: dict[str, dict[str, Number]] = {
        entry.name: {"in_best_set": str(bool(member)).lower(), "smallest_detectable": detectable}
        for entry, member in zip(fixed, best, strict=True)
    }
    findings[baseline.name]["verdict"] = "baseline"
    for i, entry in enumerate(others):
        limited = budget_limited(entry) or budget_limited(baseline)
        verdict = _verdict(adjusted[i], differences[:, i].mean(), limited=limited)
        findings[entry.name] |= {"p_value": raw[i], "p_adjusted": adjusted[i], "verdict": verdict}
    return findings


def _p_values(differences: Floats, ratio: float | None) -> tuple[list[float], list[float], float]:
    """Raw and adjusted p-values, and the |t| beyond which any single arm is called different."""
    if ratio is None:
        raw, adjusted = max_t(differences, _rng())
        return raw.tolist(), adjusted.tolist(), simultaneous_critical(differences, _rng())
    from scipy.special import stdtrit

    raw = corrected_t_p(differences, ratio)
    critical = stdtrit(len(differences) - 1, 1 - LEVEL / 2 / differences.shape[1])
    return raw.tolist(), holm(raw).tolist(), float(critical)


def _rng() -> np.random.Generator:
    return np.random.default_rng(FLIP_SEED)


def _verdict(p_adjusted: float, difference: float, *, limited: bool) -> str:
    if limited:
        return "budget-limited"
    if p_adjusted >= LEVEL:
        return "not told apart"
    return "better" if difference > 0 else "worse"
