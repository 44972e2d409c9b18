"""Tables that rest on another metric, and what a threshold does: directions, choices, margins, and propagated sums."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from focalbench.analysis.comparison import compare
from focalbench.analysis.evidence import Evidence
from focalbench.analysis.operating import Acting
from focalbench.analysis.rows import ArmRow, OperatingRow, Verdict
from focalbench.analysis.run_rows import RunRow
from focalbench.analysis.selection import Trained, entries_of
from focalbench.analysis.statistics import Floats, shared_covariance
from focalbench.metrics.influence import BUCKETS
from focalbench.report.tables import markdown
from focalbench.report.words import answer, decision
from focalbench.runs.metric import Metric
from tests.support.runs import BCE, GAMMA, TABLE, by_arm, draws, ends, made_row, mean_of, sums_of

COST, RECALL = "cost=1:50", "recall_at_fpr=0.01"
SEEDS = 10
PARTS = ("", "_quarter", "_half")


def with_metric(metric: str, bce: float, gamma: float, spread: float = 1.0, **changes: Any) -> list[RunRow]:
    """Both arms on seeds, with average precision the other way round."""
    rows = []
    for arm, mean, precision, seed in ((BCE, bce, 0.6, 0), (GAMMA, gamma, 0.4, 1)):
        for place, noise in enumerate(draws(0.0, SEEDS, seed)):
            value = mean + 100 * spread * noise
            rows.append(made_row(arm, place, precision, **of_metric(metric, value), **changes))
    return rows


def of_metric(metric: str, value: float) -> dict[str, Any]:
    """The columns of a run that was chosen by a metric, alike on validation and test and by any budget."""
    return {"metric": metric} | {f"{kind}_metric{part}": value for kind in ("val", "test") for part in PARTS}


def test_less_cost_is_better_in_natural_units() -> None:
    rows = by_arm(compare(with_metric(COST, 40.0, 30.0)))
    gamma = rows["gamma=2"]
    assert gamma.verdict is Verdict.BETTER
    assert mean_of(gamma.delta) == pytest.approx(-10, abs=1.5)
    low, high = ends(gamma.delta)
    assert low < mean_of(gamma.delta) < high < 0
    assert mean_of(gamma.score) == pytest.approx(30, abs=1)
    assert gamma.average_precision.mean == 0.4  # and is not looked at
    assert by_arm(compare(with_metric(COST, 30.0, 40.0)))["gamma=2"].verdict is Verdict.WORSE


def test_more_recall_is_better() -> None:
    rows = by_arm(compare(with_metric(RECALL, 0.5, 0.6, 0.01)))
    assert rows["gamma=2"].verdict is Verdict.BETTER
    assert mean_of(rows["gamma=2"].delta) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(("metric", "best"), [(COST, 20.0), (RECALL, 0.9)])
def test_the_learning_rate_is_chosen_by_the_metric(metric: str, best: float) -> None:
    low, high = (20.0, 60.0) if metric == COST else (0.2, 0.9)
    rows = [
        made_row(BCE, seed, 0.5, val, lr=lr, run_id=f"{seed} {lr}", **of_metric(metric, by))
        for seed in range(6)
        for lr, by, val in ((0.01, low, 0.9), (0.1, high, 0.1))  # average precision would choose the first
    ]
    (row,) = compare(rows)
    assert mean_of(row.score) == best


@pytest.mark.parametrize(
    ("metric", "bce", "margin"),
    [
        (COST, 400.0, 10.0),
        (COST, 490.0, 5.0),
        (COST, 40.0, 4.0),
        (RECALL, 0.5, 0.01),
    ],  # no skill costs 500: 10 of 1,000 are positive
)
def test_the_usual_margin_is_a_tenth_of_what_the_baseline_gains_or_leaves(
    metric: str, bce: float, margin: float
) -> None:
    rows = compare(with_metric(metric, bce, bce, 0.0))
    assert rows[0].margin == pytest.approx(margin)
    assert compare(with_metric(metric, bce, bce, 0.0), margin=0.25)[0].margin == 0.25


def test_a_metric_shares_what_its_own_sums_say() -> None:
    rows = with_metric(RECALL, 0.5, 0.6, 0.01, **TABLE)
    sums = sums_of(rows, 0.001, outputs=2)
    evidence = evidence_of(rows, sums)
    bce, gamma = evidence.entries
    every = np.array([[sums(f"{arm} {seed}") for seed in range(SEEDS)] for arm in ("bce", "gamma=2")])
    apart = shared_covariance(every[1][:, 1] - every[0][:, 1])
    assert evidence.difference(gamma, bce).shared == pytest.approx(apart)
    assert evidence.mean(bce).shared == pytest.approx(shared_covariance(every[0][:, 0]))


def evidence_of(rows: list[RunRow], sums: Callable[[str], Any]) -> Evidence:
    cell = [Trained(row.settings, row.outcome) for row in rows if row.outcome is not None]
    return Evidence(entries_of(cell), sums)


def words_of(metric: str, bce: float, gamma: float, spread: float) -> tuple[str, str]:
    table = compare(with_metric(metric, bce, gamma, spread))
    return decision(table), markdown(table)


def test_the_words_say_what_was_compared() -> None:
    first, page = words_of(COST, 40.0, 30.0, 1.0)
    assert first.startswith("Use gamma=2: better than BCE by 9.9 [9.0, 10.7]")
    assert first.endswith(" in cost a 1,000 rows (1 a false alarm, 50 a miss).")
    assert "compared by cost a 1,000 rows (1 a false alarm, 50 a miss)" in page
    assert "| arm | cost | vs BCE |" in page
    assert "AUCPR" not in page
    assert words_of(COST, 30.0, 40.0, 1.0)[0] == "Stay with BCE: every other loss is worse."
    assert " saves more than " in words_of(COST, 40.0, 40.0, 1.0)[0]
    assert words_of(RECALL, 0.5, 0.6, 0.01)[0].endswith(" in recall at a false positive rate of 1%.")


# ---- thresholds


def acting_rows(at: str, gains: tuple[float, float], cost: bool, **changes: Any) -> list[RunRow]:
    """gains: of recall and false positive rate."""
    rows = []
    for arm, (recall, rate), start in ((BCE, (0.5, 0.01), 0), (GAMMA, (0.5 + gains[0], 0.01 + gains[1]), 1)):
        for seed, noise in enumerate(draws(0.0, SEEDS, start)):
            r, f, pi = recall + noise, rate + 0.01 * noise, 0.01
            alerts = pi * r + (1 - pi) * f
            found: dict[str, Any] = {
                "recall": r,
                "false_positive_rate": f,
                "alerts": 1000 * alerts,
                "precision": pi * r / alerts,
            }
            found |= {"cost": 1000 * (2 * (1 - pi) * f + 50 * pi * (1 - r)) if cost else None, "threshold": -1.0}
            asked: dict[str, Any] = {f"operating_{name}": value for name, value in found.items()}
            rows.append(made_row(arm, seed, 0.5, threshold_at=at, **asked, **changes))
    return rows


def operating_of(row: ArmRow) -> OperatingRow:
    assert row.operating is not None
    return row.operating


@pytest.mark.parametrize(
    ("at", "gains", "sign"),
    [("capacity=0.02", (0.1, 0.0), 1), ("precision=0.3", (0.1, 0.0), 1), ("recall=0.5", (0.0, -0.005), -1),
     ("cost=2:50", (0.1, 0.0), -1)],
)  # fmt: skip
def test_what_the_aim_leaves_open_is_compared(at: str, gains: tuple[float, float], sign: int) -> None:
    table = compare(acting_rows(at, gains, cost=at.startswith("cost")))
    bce, gamma = map(operating_of, table)
    assert bce.delta is None
    low, high = ends(gamma.delta)
    assert low < mean_of(gamma.delta) < high
    assert sign * low > 0
    assert sign * high > 0
    assert (gamma.cost is not None) == at.startswith("cost")


def test_the_sentence_says_what_is_found_and_how_sure() -> None:
    sure = answer(compare(acting_rows("capacity=0.02", (0.1, 0.0), cost=False)))[1]
    assert sure.startswith("With 2% of the rows flagged gamma=2 finds 10 more of 100 positives than BCE [")
    unsure = answer(compare(acting_rows("capacity=0.02", (0.0005, 0.0), cost=False)))[1]
    assert "no loss is shown to find more than BCE; the best mean, gamma=2, " in unsure
    fewer = answer(compare(acting_rows("recall=0.5", (0.0, -0.005), cost=False)))[1]
    assert fewer.startswith("At a recall of 50% gamma=2 raises 4.92 fewer alerts a 1,000 rows than BCE [")
    cheaper = answer(compare(acting_rows("cost=2:50", (0.1, 0.0), cost=True)))[1]
    assert cheaper.startswith("At the least cost (2 a false alarm, 50 a miss) gamma=2 costs 5")
    few = [row for row in acting_rows("capacity=0.02", (0.1, 0.0), cost=False) if row.settings.seed < 2]
    assert all("nobody" not in said for said in answer(compare(few)))
    assert answer(compare(few))[1].endswith("; too few seeds for an interval.")


def test_beside_what_a_threshold_costs_stands_what_no_model_costs() -> None:
    """Of a prevalence of 1%: 10 misses, or 990 false alarms, of a 1,000 rows."""
    told = answer(compare(acting_rows("cost=2:50", (0.1, 0.0), cost=True)))
    assert told[2] == "Flagging nobody costs 500, everybody 1,980 a 1,000 rows."
    metric: dict[str, Any] = {"metric": "cost=1:20", "test_score": 9.0}
    rows = [made_row(arm, seed, 0.5, **metric) for arm in (BCE, GAMMA) for seed in range(2)]
    assert answer(compare(rows))[-1] == "Flagging nobody costs 200, everybody 990 a 1,000 rows."


def test_precision_alerts_and_cost_share_what_their_rates_do() -> None:
    """By finite differences of what a bucket does to recall and to the false positive rate."""
    rows = acting_rows("cost=2:50", (0.05, 0.001), cost=True, **TABLE)
    sums = sums_of(rows, 1e-6, outputs=3)  # average precision, recall, false positive rate
    evidence = evidence_of(rows, sums)
    acting, pi = Acting(evidence.entries[1], evidence), 0.01
    kept = np.array([sums(f"gamma=2 {seed}") for seed in range(SEEDS)])
    recall = acting.recall.values
    rate = (acting.alerts.values / 1000 - pi * recall) / (1 - pi)

    def moved(value: Callable[[Floats, Floats], Floats]) -> Floats:
        after = value(recall[:, None] + kept[:, 1], rate[:, None] + kept[:, 2])
        return after - value(recall[:, None], rate[:, None])

    expected = {
        "recall": moved(lambda r, _: r + np.zeros((1, BUCKETS))),
        "alerts": moved(lambda r, f: 1000 * (pi * r + (1 - pi) * f)),
        "cost": moved(lambda r, f: 1000 * (2 * (1 - pi) * f + 50 * pi * (1 - r))),
        "precision": moved(lambda r, f: pi * r / (pi * r + (1 - pi) * f)),
    }
    costs = Metric.parse("cost=2:50").costs
    assert costs is not None
    assert acting.precision is not None
    found = {
        "recall": acting.recall,
        "alerts": acting.alerts,
        "cost": acting.cost(costs),
        "precision": acting.precision,
    }
    for name, quantity in found.items():
        assert quantity.sums == pytest.approx(expected[name], rel=1e-2, abs=1e-9), name


def test_where_a_seed_flags_nothing_there_is_no_mean_precision() -> None:
    rows = acting_rows("precision=0.3", (0.0, 0.0), cost=False)
    nothing = {"recall": 0.0, "false_positive_rate": 0.0, "alerts": 0.0, "precision": None, "threshold": None}
    asked: dict[str, Any] = {f"operating_{name}": value for name, value in nothing.items()}
    rows[0] = made_row(BCE, 0, 0.5, threshold_at="precision=0.3", **asked)
    bce, gamma = map(operating_of, compare(rows))
    assert bce.precision is None
    assert gamma.precision is not None
