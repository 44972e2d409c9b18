"""Which runs a row of a table rests on: chosen on validation, for every seed, from an arm's candidates.

A cell is one data set at one rate. Its fixed arms of one start are compared with the baseline (BCE, or the cross
entropy of a softmax where there is one) at that start; tuned rows (the best arm of a family) and references stand
beside them.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, TypeVar

import numpy as np

from focalbench.analysis.rows import Kind
from focalbench.analysis.run_rows import RunRow, Settings
from focalbench.analysis.statistics import Floats
from focalbench.runs.arm import with_start
from focalbench.runs.metric import AVERAGE_PRECISION, Metric
from focalbench.runs.result import ByMetric, Early, Outcome

Key = TypeVar("Key", bound=Hashable)
EDGE_SHARE = 0.5  # of the seeds: beyond it, an end of the grid of learning rates is named
REFERENCE = "reference"  # the family of scikit-learn's models


@dataclass(frozen=True, slots=True)
class Trained:
    """A row of runs.csv whose run did not fail."""

    settings: Settings
    outcome: Outcome


class Budget(NamedTuple):
    """A part of the epochs: what a run would have had by then."""

    early: Callable[[Outcome], Early | None]
    by_metric: Callable[[Outcome], ByMetric | None]


QUARTER = Budget(lambda outcome: outcome.quarter, lambda outcome: outcome.by_metric_quarter)
HALF = Budget(lambda outcome: outcome.half, lambda outcome: outcome.by_metric_half)


@dataclass(frozen=True)
class Entry:
    """One row in the making: the chosen run of every seed, and all runs it was chosen among."""

    name: str
    kind: Kind
    init: str | None
    chosen: tuple[Trained, ...]
    considered: tuple[Trained, ...]

    @property
    def first(self) -> Settings:
        """What was asked of the first seed's run."""
        return self.chosen[0].settings

    def by_seed(self, value: Callable[[Outcome], float | None]) -> Floats:
        """A number of the chosen runs by seed, (seed,); NaN where a run has none."""
        found = (value(row.outcome) for row in self.chosen)
        return np.array([np.nan if each is None else each for each in found], dtype=np.float64)

    @property
    def test(self) -> Floats:
        """Test average precision by seed, (seed,)."""
        return self.by_seed(lambda outcome: outcome.test_average_precision)

    @property
    def metric(self) -> Metric:
        """What validation chooses by, and verdicts rest on."""
        return self.first.metric or AVERAGE_PRECISION

    @property
    def score(self) -> Floats:
        """The metric by seed, (seed,)."""
        return self.test if self.metric.is_usual else self.by_seed(lambda outcome: _test(outcome.by_metric))

    @property
    def run_ids(self) -> list[str]:
        """The chosen runs."""
        return [row.settings.run_id for row in self.chosen]

    def test_early(self, budget: Budget) -> Floats:
        """Test average precision by seed had training, and the choice, stopped at a part of the epochs."""
        return np.array([early.test_average_precision for early, _ in self._early(budget)], dtype=np.float64)

    def score_early(self, budget: Budget) -> Floats:
        """As test_early, the metric."""
        if self.metric.is_usual:
            return self.test_early(budget)
        return np.array([_test(found) for _, found in self._early(budget)], dtype=np.float64)

    def _early(self, budget: Budget) -> list[tuple[Early, ByMetric | None]]:
        rows = [
            [(early, budget.by_metric(row.outcome)) for row in of_seed if (early := budget.early(row.outcome))]
            for of_seed in by(self.considered, seed)
        ]
        sign = -1 if self.metric.lower_is_better else 1
        return [choose(of_seed, lambda found: _validation(*found), sign) for of_seed in rows]


def cells_of(rows: Iterable[RunRow]) -> list[list[Trained]]:
    """The runs of each data set at one rate, without the seeds of which a run failed; none where all are so."""
    cells = (whole_seeds(list(cell)) for _, cell in groupby(rows, key=lambda row: row.settings.cell))
    return [cell for cell in cells if cell]


def failed_seeds(rows: Iterable[RunRow], cell: Sequence[Trained]) -> int:
    """How many seeds of a cell's data set and rate were left out."""
    every = {row.settings.seed for row in rows if row.settings.cell == cell[0].settings.cell}
    return len(every) - len({row.settings.seed for row in cell})


def whole_seeds(cell: Sequence[RunRow]) -> list[Trained]:
    """A failed run has no number, and without it a seed's arms no longer have equal terms: the seed goes for all."""
    failed = {row.settings.seed for row in cell if row.outcome is None}
    return [
        Trained(row.settings, row.outcome)
        for row in cell
        if row.outcome is not None and row.settings.seed not in failed
    ]


def entries_of(cell: Sequence[Trained]) -> list[Entry]:
    """The rows in the making of a cell, with the runs that validation chose for each seed."""
    return [*_arms(cell), *_tuned(cell), *_references(cell)]


def _arms(cell: Sequence[Trained]) -> list[Entry]:
    fixed = [row for row in cell if row.settings.family != REFERENCE and row.settings.restart == 0]
    return [arm_entry(rows[0].settings.arm, rows) for rows in by(fixed, lambda asked: asked.arm)]


def arm_entry(name: str, rows: Sequence[Trained]) -> Entry:
    """The runs that validation chooses among some, for each seed."""
    return _entry(name, Kind.ARM, rows)


def _tuned(cell: Sequence[Trained]) -> list[Entry]:
    """A row for every family that was given the same number of candidates as the largest one."""
    entries = []
    for rows in by([row for row in cell if row.settings.family != REFERENCE], lambda asked: asked.init):
        families = by(rows, family)
        most = max(map(candidates, families))
        baseline = next(members for members in families if family(members[0].settings) == baseline_family(rows))
        if not candidates(baseline, restart=0) < most == candidates(baseline):
            continue  # nothing to tune, or the baseline was not given as many candidates
        for members in families:
            if candidates(members) == most:
                name = with_start(f"{family(members[0].settings)}, tuned", rows[0].settings.init)
                entries.append(_entry(name, Kind.TUNED, members))
    return entries


def _references(cell: Sequence[Trained]) -> list[Entry]:
    groups = by([row for row in cell if row.settings.family == REFERENCE], lambda asked: asked.arm)
    return [Entry(rows[0].settings.arm, Kind.REFERENCE, None, tuple(rows), tuple(rows)) for rows in groups]


def by(rows: Iterable[Trained], key: Callable[[Settings], Key]) -> list[list[Trained]]:
    """Runs by something that was asked of them, in the order of the first ones."""
    groups: dict[Key, list[Trained]] = {}
    for row in rows:
        groups.setdefault(key(row.settings), []).append(row)
    return list(groups.values())


def seed(asked: Settings) -> int:
    """The seed of a run."""
    return asked.seed


def family(asked: Settings) -> str:
    """The family of a run's arm."""
    return asked.family


def candidates(rows: Iterable[Trained], restart: int | None = None) -> int:
    """How many were trained for a seed, of all or of one restart."""
    counted = [row.settings for row in rows if restart is None or row.settings.restart == restart]
    return len({(asked.arm, asked.restart, asked.lr) for asked in counted})


def _entry(name: str, kind: Kind, rows: Sequence[Trained]) -> Entry:
    metric = rows[0].settings.metric or AVERAGE_PRECISION
    sign = -1 if metric.lower_is_better else 1
    chosen = tuple(choose(of_seed, _reached, sign) for of_seed in by(rows, seed))
    return Entry(name, kind, rows[0].settings.init, chosen, tuple(rows))


Candidate = TypeVar("Candidate")


def choose(
    candidates: Sequence[Candidate], validation: Callable[[Candidate], float | None], sign: int = 1
) -> Candidate:
    """The candidate that is best on validation; the first of equals; a missing value is worst. sign: -1 where a lower
    value is better.
    """

    def value(candidate: Candidate) -> float:
        found = validation(candidate)
        return -np.inf if found is None else sign * found

    return max(candidates, key=value)


def _reached(row: Trained) -> float | None:
    """What validation reached, by the metric that chooses."""
    found = row.outcome.by_metric
    return row.outcome.val_average_precision if found is None else found.val


def _validation(early: Early, found: ByMetric | None) -> float | None:
    return early.val_average_precision if found is None else found.val


def _test(found: ByMetric | None) -> float | None:
    return None if found is None else found.test


def grid_of(entry: Entry) -> list[float]:
    """The grid of learning rates."""
    return sorted({row.settings.lr for row in entry.considered if row.settings.lr is not None})


def edge(entry: Entry) -> float | None:
    """The end of the grid of learning rates that more than half of the seeds chose; none of a grid of one."""
    rates = grid_of(entry)
    ends = {rates[0], rates[-1]} if len(rates) > 1 else set()
    chosen = np.array([row.settings.lr for row in entry.chosen], dtype=np.float64)
    return next((end for end in sorted(ends) if np.mean(chosen == end) > EDGE_SHARE), None)


def prevalence(entry: Entry) -> Floats:
    """Of the test rows, by weight where they have one; the mean over classes: what chance reaches. (seed,)."""
    counted = entry.by_seed(lambda each: each.sizes.test_positives / each.sizes.test_rows)
    weighted = entry.by_seed(lambda each: each.test_prevalence)
    return np.where(np.isnan(weighted), counted, weighted)


def baseline_family(rows: Iterable[Trained]) -> str:
    """What the rows of a cell are compared with: the cross entropy of a softmax where there is one, else BCE."""
    return "ce" if any(row.settings.family == "ce" for row in rows) else "bce"


def baseline_of(entry: Entry, entries: Sequence[Entry]) -> Entry:
    """The baseline of a row: of the same start, tuned for a tuned row, the main start's for a reference."""
    kind = Kind.ARM if entry.kind is Kind.REFERENCE else entry.kind
    wanted = baseline_family(e.chosen[0] for e in entries)
    baselines = [e for e in entries if e.kind is kind and e.first.family == wanted]
    return next((e for e in baselines if e.init == entry.init), baselines[0])
