"""From runs to a table: chosen on validation, paired by seed, nothing dropped, wording as the method says."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from focalbench.comparison import compare
from focalbench.records import FAILED, RUN_COLUMNS, Record
from focalbench.report.tables import markdown
from focalbench.report.words import conclusions
from focalbench.store import Number

BCE: Mapping[str, Number] = {"arm": "bce", "family": "bce", "loss": "bce", "gamma": 0.0, "init": "own"}
GAMMA: Mapping[str, Number] = {"arm": "gamma=2", "family": "focal", "loss": "focal", "gamma": 2.0, "init": "own"}
FIVE: Mapping[str, Number] = {**GAMMA, "arm": "gamma=5", "gamma": 5.0}
COMMON: Mapping[str, Number] = {
    **{"dataset": "mixture", "source": "synthetic", "positive_rate": 0.01, "label_noise": 0.0, "restart": 0},
    **{"lr": 0.01, "epochs": 20, "epoch": 7, "status": "ok", "train_rows": 1000, "train_positives": 10},
    **{"val_rows": 1000, "val_positives": 10, "test_rows": 1000, "test_positives": 10, "bayes_average_precision": 0.7},
}


def run_record(arm: Mapping[str, Number], seed: int, test: float, val: Number = 0.5, **changes: Number) -> Record:
    row: dict[str, Number] = {**dict.fromkeys(RUN_COLUMNS), **COMMON, **arm, "seed": seed}
    row |= {"test_average_precision": test, "val_average_precision": val}
    for budget in ("quarter", "half"):
        row |= {f"test_average_precision_{budget}": test / 2, f"val_average_precision_{budget}": val}
    return row | changes


def draws(mean: float, seeds: int, seed: int = 0) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).normal(mean, 0.01, seeds)]


def two_arms(seeds: int, gain: float, **changes: Number) -> list[Record]:
    bce, gamma = draws(0.4, seeds), draws(0.4 + gain, seeds, 1)
    rows = [run_record(BCE, seed, value, **changes) for seed, value in enumerate(bce)]
    return rows + [run_record(GAMMA, seed, value, **changes) for seed, value in enumerate(gamma)]


def by_arm(table: list[Record]) -> dict[str, Record]:
    return {str(row["arm"]): row for row in table}


def number(value: Number) -> float:
    assert isinstance(value, (int, float))
    return float(value)


def test_the_interval_of_the_paired_difference_is_scipys() -> None:
    rows = two_arms(10, 0.05)
    test = np.array([number(row["test_average_precision"]) for row in rows]).reshape(2, 10)
    expected = stats.ttest_rel(test[1], test[0]).confidence_interval()
    row = by_arm(compare(rows))["gamma=2"]
    assert number(row["delta"]) == pytest.approx((test[1] - test[0]).mean())
    assert (number(row["delta_low"]), number(row["delta_high"])) == pytest.approx(tuple(expected))
    assert row["verdict"] == "better"
    assert by_arm(compare(rows))["bce"]["verdict"] == "baseline"


def test_a_real_table_takes_the_wider_corrected_interval() -> None:
    fresh = by_arm(compare(two_arms(10, 0.05)))["gamma=2"]
    table = by_arm(compare(two_arms(10, 0.05, source="table", test_rows=2000)))["gamma=2"]
    ratio = (number(table["delta_high"]) - number(table["delta_low"])) / (
        number(fresh["delta_high"]) - number(fresh["delta_low"])
    )
    assert ratio == pytest.approx(np.sqrt((1 / 10 + 2) * 10))


def test_the_learning_rate_is_chosen_on_validation_not_on_test() -> None:
    rows = [run_record(BCE, seed, 0.4, lr=lr, val=val) for seed in range(6) for lr, val in ((0.01, 0.3), (0.1, 0.2))]
    tempting = [{**row, "test_average_precision": 0.9} if row["lr"] == 0.1 else row for row in rows]
    assert compare(tempting)[0]["average_precision"] == pytest.approx(0.4)


def test_fewer_than_six_seeds_get_no_p_value_and_no_claim() -> None:
    table = compare(two_arms(5, 0.2))
    assert [row["p_adjusted"] for row in table] == [None, None]
    assert by_arm(table)["gamma=2"]["verdict"] == "too few seeds"
    assert "no claim" in conclusions(table)[0]


def test_identical_values_are_no_difference() -> None:
    rows = [run_record(arm, seed, value) for arm in (BCE, GAMMA) for seed, value in enumerate(draws(0.4, 8))]
    row = by_arm(compare(rows))["gamma=2"]
    assert (row["delta"], row["p_adjusted"], row["verdict"]) == (0, 1, "not told apart")


def test_a_diverged_run_counts_at_its_value_and_is_counted() -> None:
    rows = two_arms(8, 0.0)
    rows[-1] = {**rows[-1], "status": "diverged", "val_average_precision": None, "test_average_precision": 0.01}
    row = by_arm(compare(rows))["gamma=2"]
    values = [number(r["test_average_precision"]) for r in rows[8:]]
    assert row["average_precision"] == pytest.approx(np.mean(values))
    assert (row["diverged"], row["n_seeds"]) == (1, 8)
    assert "1 run diverged" in " ".join(conclusions(compare(rows)))


def test_a_failed_run_takes_its_seed_from_all_arms_and_it_is_said() -> None:
    rows = two_arms(10, 0.05)
    broken = [
        {**row, "status": FAILED, "test_average_precision": None, "val_average_precision": None}
        if (row["arm"], row["seed"]) in (("gamma=2", 3), ("bce", 8))
        else row
        for row in rows
    ]
    table, whole = compare(broken), compare([row for row in rows if row["seed"] not in (3, 8)])
    assert [row["failed_seeds"] for row in table] == [2, 2]
    assert [{**row, "failed_seeds": 0} for row in table] == whole
    (sentence,) = (text for text in conclusions(table) if "left out" in text)
    assert sentence.startswith("2 more seeds are left out, for every arm alike")
    assert not any("more seeds are left out" in text for text in conclusions(whole))


def test_where_every_seed_has_a_failed_run_there_is_no_row() -> None:
    rows = [{**row, "status": FAILED} if row["arm"] == "gamma=2" else row for row in two_arms(6, 0.05)]
    other = [{**row, "dataset": "xor"} for row in two_arms(6, 0.05)]
    assert compare(rows) == []
    assert {row["dataset"] for row in compare([*rows, *other])} == {"xor"}
    assert "AUCPR" in markdown(compare(rows))


def test_late_epochs_or_an_edge_learning_rate_that_still_rises_support_no_verdict() -> None:
    late = [
        {**row, "epoch": 19} if row["arm"] == "gamma=2" and number(row["seed"]) < 3 else row
        for row in two_arms(10, 0.05)
    ]
    assert by_arm(compare(late))["gamma=2"]["verdict"] == "budget-limited"
    two_late = [{**row, "epoch": 10} if row["seed"] == 2 else row for row in late]
    assert by_arm(compare(two_late))["gamma=2"]["verdict"] == "better"
    for lrs in ((0.001, 0.01), (0.01, 0.1)):
        rows = [
            {**row, "lr": lr, "val_average_precision": val}
            for row in two_arms(10, 0.05)
            for lr, val in zip(lrs, (0.5, 0.48), strict=True)
        ]
        assert by_arm(compare(rows))["gamma=2"]["budget_limited"] == "true"
    flat = [
        {**row, "lr": lr, "val_average_precision": val}
        for row in two_arms(10, 0.05)
        for lr, val in ((0.001, 0.495), (0.01, 0.5), (0.1, 0.495))
    ]
    assert by_arm(compare(flat))["gamma=2"]["budget_limited"] == "false"


def test_a_limited_baseline_takes_every_verdict_away() -> None:
    rows = [{**row, "epoch": 20} if row["arm"] == "bce" else row for row in two_arms(10, 0.05)]
    table = compare(rows)
    assert by_arm(table)["gamma=2"]["verdict"] == "budget-limited"
    assert "BCE itself is budget-limited" in " ".join(conclusions(table))


def test_tuned_rows_choose_among_equally_many_candidates() -> None:
    rows = [run_record(BCE, s, 0.4 - r / 20, val=0.3 + r / 20, restart=r) for r in (0, 1) for s in range(6)]
    rows += [run_record(GAMMA, s, 0.5, val=0.2 + 0.2 * (s < 3)) for s in range(6)]
    rows += [run_record(FIVE, s, 0.3, val=0.3) for s in range(6)]
    table = by_arm(compare(rows))
    assert [table[name]["candidates"] for name in ("bce", "bce, tuned", "focal, tuned")] == [1, 2, 2]
    assert table["focal, tuned"]["average_precision"] == pytest.approx((3 * 0.5 + 3 * 0.3) / 6)
    assert table["focal, tuned"]["delta"] == pytest.approx(0.05)  # to tuned BCE, not to the fixed arm
    assert table["focal, tuned"]["p_adjusted"] is None


def test_nothing_is_tuned_when_bce_had_fewer_candidates() -> None:
    rows = [run_record(BCE, s, 0.4) for s in range(6)]
    rows += [run_record(arm, s, 0.4) for arm in (GAMMA, FIVE) for s in range(6)]
    assert [row["arm"] for row in compare(rows) if row["kind"] == "tuned"] == []


def test_starts_are_families_of_their_own_and_their_disagreement_is_said() -> None:
    zero: list[Record] = [
        {
            **row,
            "init": "zero",
            "arm": f"{row['arm']} (zero start)",
            "test_average_precision": number(row["test_average_precision"]) - 0.2 + 0.1 * (row["loss"] == "focal"),
        }
        for row in two_arms(10, 0.0)
    ]
    table = compare(two_arms(10, 0.0) + zero)
    rows = by_arm(table)
    assert rows["gamma=2"]["verdict"] == "not told apart"
    assert rows["gamma=2 (zero start)"]["verdict"] == "better"
    assert rows["bce (zero start)"]["delta_vs_own_start"] == pytest.approx(-0.2)
    said = " ".join(conclusions(table))
    assert "Depends on initialisation: within this budget gamma=2 is above BCE from a zero bias" in said
    assert "not told from BCE from their own constants" in said
    assert "changes by -0.200" in said
    assert conclusions(compare(zero + two_arms(10, 0.0)))[0].startswith(
        "Highest mean AUCPR: gamma=2 (0.4"
    )  # own, still


def test_a_disagreement_is_said_in_both_directions_and_without_a_verdict_where_the_budget_limits() -> None:
    lost: list[Record] = [
        {**row, "init": "zero", "arm": f"{row['arm']} (zero start)", "epoch": 20} for row in two_arms(10, 0.0)
    ]
    said = " ".join(conclusions(compare(two_arms(10, 0.05) + lost)))
    assert "gamma=2 is not told from BCE from a zero bias" in said
    assert "above BCE from their own constants" in said
    assert "more training may change it, so no verdict" in said


def test_a_smoke_test_supports_nothing_whatever_its_seeds() -> None:
    table = compare(two_arms(10, 0.05), claims=False)
    assert {row["verdict"] for row in table} == {"smoke test"}
    assert {row["p_adjusted"] for row in table} == {None}
    assert "supports no claim" in markdown(table)


def test_bce_alone_is_compared_with_nothing() -> None:
    assert not any("seeds" in sentence for sentence in conclusions(compare(two_arms(10, 0.0)[:10])))


def test_golden_text_of_a_small_table() -> None:
    golden = Path(__file__).with_name("golden_table.md")
    zero: list[Record] = [{**row, "init": "zero", "arm": f"{row['arm']} (zero start)"} for row in two_arms(8, 0.02)]
    assert markdown(compare(two_arms(8, -0.05) + zero)) == golden.read_text(encoding="utf-8")
