"""How often intervals on re-splits of one table hold the truth of fresh tables, counted over trained runs.

Each regime draws many tables from one population and compares losses on each, on 10 seeds, as a sweep does: the
package's own splits, networks, influences and intervals. The truth of a difference is its mean over all tables. Of the
measuring only average precision is done. METHOD 3 has the regimes; here none may cover below .93, nor may a copy of
the baseline (another draw of its first weights) be called better or worse in more than 1 of 20 families, each within
two standard errors of what so many tables can tell. Metrics at a threshold are done in four of them.

The population is one in which classes overlap. Of the plain mixture, whose average precision is .98 on a table like
"census", the differences of seeds are so skewed that Student's t covers less, whatever the variance.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from torch import Tensor

from focalbench.analysis.rows import Verdict
from focalbench.analysis.statistics import Sample, mean_interval, shared_covariance
from focalbench.analysis.verdicts import findings
from focalbench.datasets import build
from focalbench.datasets.dataset import Counts
from focalbench.datasets.synthetic.mixtures import draw
from focalbench.datasets.tables.table import Table
from focalbench.metrics.ranking import average_precision
from focalbench.runs.arm import Arm
from focalbench.runs.columns import Columns
from focalbench.runs.metric import AVERAGE_PRECISION, Metric
from focalbench.runs.result import NO_CALIBRATION, Curves, Outcome, Scores
from focalbench.runs.run import Recipe, Run, TestPrevalence, Training
from focalbench.training import measuring
from focalbench.training import stack as stack_module
from focalbench.training.evaluation import Measured
from focalbench.training.stack import run_stack

Floats = NDArray[np.float64]

TABLES = int(os.environ.get("COVERAGE_TABLES", "120"))  # of each regime
POPULATION = "mixture:scale=1.2"
SEEDS = 10
TRAINING = Training(hidden=(16,), epochs=6, batch_size=256)
ARMS = (Arm("bce"), Arm("pos_weight"), Arm("focal", gamma=2.0))
COPIES = 4  # of the baseline, tested at once
LEAST, ALARMS = 0.93, 0.05


LOG = Path(__file__).parents[2] / "results" / "faults" / "coverage.jsonl"
DIFFERENCES, MEAN = ("pos_weight - BCE", "gamma 2 - BCE", "copy - BCE"), "mean of BCE"


@dataclass(frozen=True)
class Regime:
    """A table of so many positives and negatives, and how it is split; groups: rows in each, 1 for none; folds: 0 for
    none.
    """

    positives: int
    negatives: int
    rate: float | None
    rows: int
    test: TestPrevalence = "thin"
    groups: int = 1
    folds: int = 0


REGIMES = {
    "thin": Regime(18_568, 51_600, 0.006, 10_000),
    "thin, weighted": Regime(18_568, 51_600, 0.006, 10_000, "weight"),
    "census": Regime(3_714, 41_286, None, 8_000),
    "fraud": Regime(492, 56_470, None, 8_000),
    "late": Regime(600, 30_000, 0.0094, 8_000, "weight"),
    "sixty": Regime(300, 19_700, None, 40_000),
    "tiny": Regime(100, 4_900, None, 40_000),
    "groups": Regime(600, 11_400, None, 40_000, groups=20),
    "folds": Regime(40, 760, None, 40_000, folds=5),
}


def table_of(regime: Regime, number: int) -> Table:
    """A fresh table; rows of a group share a shift of all their features."""
    counts = Counts(regime.positives + regime.negatives, regime.positives)
    drawn = draw(POPULATION, counts, "table", number, "coverage")
    features, groups = drawn.features, None
    if regime.groups > 1:
        groups = np.arange(drawn.rows) // regime.groups
        shifts = np.random.default_rng([number, 1]).normal(0, 0.5, (groups[-1] + 1, 1))
        features = features + shifts[groups].astype(np.float32)
    names = [f"x{i}" for i in range(features.shape[1])]
    return Table(pd.DataFrame(features, columns=names), drawn.targets, (), f"{number:064d}", groups=groups)


def values_of(regime: Regime, table: Table, metric: Metric = AVERAGE_PRECISION) -> tuple[Floats, Floats, float]:
    """A metric of every run and seed, (seed, run), their influence sums, (seed, run, bucket), and f."""
    recipe = Recipe(
        "t.csv", regime.rows, regime.rate, sha256=table.sha256, columns=Columns(target="y"), test_prevalence=regime.test
    )
    recipe = replace(recipe, folds=regime.folds)
    members = [(arm, 0) for arm in ARMS] + [(ARMS[0], restart) for restart in range(1, 1 + COPIES)]
    found = [
        run_stack(
            tuple(Run(recipe, replace(TRAINING, metric=metric), arm, 0.01, seed, restart) for arm, restart in members)
        )
        for seed in range(SEEDS)
    ]
    values = np.array([[value_of(each.outcome) for each in of_seed] for of_seed in found])
    sums = np.array([[each.influences[-1] for each in of_seed] for of_seed in found])
    return values, sums, found[0][0].outcome.train_share or 0.0


def value_of(outcome: Outcome) -> float:
    """Of the metric that chose."""
    return outcome.test_average_precision if outcome.by_metric is None else outcome.by_metric.test


def only_average_precision(logits: Tensor, back: object, targets: Tensor, weights: Tensor | None = None) -> Measured:
    """In the place of all that is measured."""
    found = float(average_precision(logits[None], targets, weights))
    return Measured(found, None, Scores(None, None, None, None, NO_CALIBRATION, NO_CALIBRATION), Curves())


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Table]]:
    """The table that the engine reads stands first in this list."""
    current: list[Table] = []
    monkeypatch.setattr(build, "load_table", lambda _: current[0])
    monkeypatch.setattr(measuring, "measure", only_average_precision)
    yield current
    stack_module._latest.clear()


def samples_of(values: Floats, sums: Floats, share: float, first: int, others: list[int]) -> list[Sample]:
    return [
        Sample(values[:, k] - values[:, first], shared_covariance(sums[:, k] - sums[:, first]), share) for k in others
    ]


CASES = [
    *((name, "average_precision") for name in REGIMES),
    *((name, by) for by in ("precision_at=1%", "recall_at_fpr=0.01", "cost=1:50") for name in ("fraud", "sixty")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "by"), CASES)
def test_intervals_of_re_splits_cover_the_truth_of_fresh_tables(name: str, by: str, tables: list[Table]) -> None:
    metric = Metric.parse(by)
    regime, estimates, errors, alarms, plain = REGIMES[name], [], [], [], []
    compared, copies = [1, 2, 3], list(range(len(ARMS), len(ARMS) + COPIES))
    for number in range(TABLES):
        tables[:] = [table_of(regime, number)]
        values, sums, share = values_of(regime, tables[0], metric)
        samples = samples_of(values, sums, share, 0, compared)
        samples.append(Sample(values[:, 0], shared_covariance(sums[:, 0]), share))
        estimates.append([sample.mean for sample in samples])
        errors.append([mean_interval(sample).high - sample.mean for sample in samples])
        plain.append([mean_interval(Sample(sample.values)).high - sample.mean for sample in samples])
        family = findings(samples_of(values, sums, share, 0, copies), 0.01)
        alarms.append(any(each.verdict in (Verdict.BETTER, Verdict.WORSE) for each in family))
    estimate, half, narrow = np.array(estimates), np.array(errors), np.array(plain)
    # the truth of a table's interval is the mean over the others, which its own estimate does not draw towards it
    truth = (TABLES * estimate.mean(axis=0) - estimate) / (TABLES - 1)
    covered, of_plain = ((np.abs(estimate - truth) <= width).mean(axis=0) for width in (half, narrow))
    what = [*DIFFERENCES, MEAN]
    line = {
        "regime": name,
        "metric": by,
        "tables": TABLES,
        "coverage": dict(zip(what, covered.round(3).tolist(), strict=True)),
        "plain t": dict(zip(what, of_plain.round(3).tolist(), strict=True)),
        "width / plain": dict(zip(what, np.median(half / narrow, axis=0).round(2).tolist(), strict=True)),
        "false alarms": float(np.mean(alarms)),
        "truth": dict(zip(what, estimate.mean(axis=0).round(4).tolist(), strict=True)),
    }
    print(json.dumps(line))
    if place := os.environ.get("COVERAGE_LOG"):
        with Path(place).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
    assert (covered >= LEAST - 2 * np.sqrt(LEAST * (1 - LEAST) / TABLES)).all(), line
    assert np.mean(alarms) <= ALARMS + 2 * np.sqrt(ALARMS * (1 - ALARMS) / TABLES), line


def table_text(lines: Sequence[dict[str, Any]]) -> str:
    """What was counted, as Markdown: lowest and highest over the three differences."""
    heads = ("regime", "metric", "tables", "differences", "the same by plain t", "width over plain t", "mean of BCE")
    rows = [f"| {' | '.join([*heads, 'false alarms'])} |"]
    rows += ["|---|---|---:|---:|---:|---:|---:|---:|"]
    for line in lines:
        found = ([line[key][name] for name in DIFFERENCES] for key in ("coverage", "plain t", "width / plain"))
        spans = (f"{min(values):.3g} to {max(values):.3g}" for values in found)
        cells = [line["regime"], line["metric"], f"{line['tables']}", *spans, f"{line['coverage'][MEAN]:.3g}"]
        rows.append("| " + " | ".join([*cells, f"{line['false alarms']:.3g}"]) + " |")
    return "\n".join([*rows, ""])


def test_the_counts_that_are_reported_are_those_of_the_log() -> None:
    lines = [json.loads(line) for line in LOG.read_text(encoding="utf-8").splitlines()]
    assert [(line["regime"], line["metric"]) for line in lines] == CASES
    assert LOG.with_suffix(".md").read_text(encoding="utf-8") == table_text(lines)
