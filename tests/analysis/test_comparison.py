"""From runs to a table: chosen on validation, paired by seed, nothing dropped, wording as the method says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from focalbench.analysis.comparison import compare
from focalbench.analysis.rows import Kind, Scope, Verdict
from focalbench.analysis.run_rows import RunRow
from focalbench.analysis.statistics import Sample, shared_covariance, simultaneous_critical
from focalbench.analysis.verdicts import FLIP_SEED
from focalbench.base.rows import Value
from focalbench.report.tables import markdown
from focalbench.report.words import conclusions
from tests.support.runs import (
    BCE,
    FIVE,
    GAMMA,
    TABLE,
    by_arm,
    changed,
    draws,
    ends,
    failed,
    made_row,
    mean_of,
    outcome_of,
    reference_row,
    sums_of,
    two_arms,
)


def by_seed(rows: list[RunRow], arms: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Test average precision, (arm, seed)."""
    return np.array([outcome_of(row).test_average_precision for row in rows]).reshape(arms, -1)


def test_the_pointwise_interval_of_the_paired_difference_is_scipys() -> None:
    rows = two_arms(10, 0.05)
    test = by_seed(rows, 2)
    expected = stats.ttest_rel(test[1], test[0]).confidence_interval()
    row = by_arm(compare(rows))["gamma=2"]
    assert mean_of(row.delta) == pytest.approx((test[1] - test[0]).mean())
    assert (row.delta_low_pointwise, row.delta_high_pointwise) == pytest.approx(tuple(expected))
    assert row.verdict is Verdict.BETTER
    assert by_arm(compare(rows))["bce"].verdict is Verdict.BASELINE


def test_the_interval_of_a_difference_is_simultaneous_over_its_start() -> None:
    rows = [*two_arms(10, 0.05), *(made_row(FIVE, seed, value) for seed, value in enumerate(draws(0.41, 10, 2)))]
    rows += [reference_row(seed, value) for seed, value in enumerate(draws(0.5, 10, 3))]
    test, table = by_seed(rows, 4), by_arm(compare(rows))
    differences = (test[1:] - test[0]).T
    critical = simultaneous_critical(differences, np.random.default_rng(FLIP_SEED))
    for name, values in zip(("gamma=2", "gamma=5", "boosting"), differences.T, strict=True):
        half = critical * values.std(ddof=1) / np.sqrt(10)
        assert ends(table[name].delta) == pytest.approx((values.mean() - half, values.mean() + half))
    alone = by_arm(compare(rows[:20]))["gamma=2"]
    assert ends(alone.delta)[0] > ends(table["gamma=2"].delta)[0]  # one comparison promises less


def test_a_table_adds_what_its_seeds_share() -> None:
    rows = two_arms(10, 0.05, **TABLE)
    sums = sums_of(rows, 0.0005)
    fresh, row = (by_arm(compare(each, sums))["gamma=2"] for each in (two_arms(10, 0.05), rows))
    values = by_seed(rows, 2)[1] - by_seed(rows, 2)[0]
    shared = np.array([np.subtract(sums(f"gamma=2 {seed}")[0], sums(f"bce {seed}")[0]) for seed in range(10)])
    sample = Sample(values, shared_covariance(shared), 0.6)
    half = stats.t.ppf(0.975, 9) * np.sqrt(values.var(ddof=1) * (1 / 10 + 0.06) + shared_covariance(shared))
    assert (row.delta_low_pointwise, row.delta_high_pointwise) == pytest.approx(
        (values.mean() - half, values.mean() + half)
    )
    assert (row.scope, fresh.scope) == (Scope.TABLE, Scope.DRAWS)
    by_flips = simultaneous_critical(values[:, None], np.random.default_rng(FLIP_SEED))
    critical = max(by_flips, stats.t.ppf(0.975, 9))
    assert ends(row.delta)[0] == pytest.approx(values.mean() - critical * sample.standard_error)
    assert ends(row.delta)[0] < ends(fresh.delta)[0]
    assert row.older_seeds == fresh.older_seeds == 0


def test_the_learning_rate_is_chosen_on_validation_not_on_test() -> None:
    rows = [made_row(BCE, seed, 0.4, lr=lr, val=val) for seed in range(6) for lr, val in ((0.01, 0.3), (0.1, 0.2))]
    tempting = [changed(row, test_average_precision=0.9) if row.settings.lr == 0.1 else row for row in rows]
    assert compare(tempting)[0].average_precision.mean == pytest.approx(0.4)


def test_fewer_than_six_seeds_get_no_p_value_and_no_claim() -> None:
    table = compare(two_arms(5, 0.2))
    assert [row.p_adjusted for row in table] == [None, None]
    assert by_arm(table)["gamma=2"].verdict is Verdict.TOO_FEW
    assert conclusions(table)[0] == "No verdict: 5 seeds support only intervals; a verdict takes at least 6."


def test_identical_values_are_no_difference() -> None:
    rows = [made_row(arm, seed, value) for arm in (BCE, GAMMA) for seed, value in enumerate(draws(0.4, 8))]
    row = by_arm(compare(rows))["gamma=2"]
    assert (mean_of(row.delta), row.p_adjusted, row.verdict) == (0, 1, Verdict.WITHIN)
    assert ends(row.delta) == (0, 0)


def test_a_diverged_run_counts_at_its_value_and_is_counted() -> None:
    rows = two_arms(8, 0.0)
    rows[-1] = changed(rows[-1], status="diverged", val_average_precision=None, test_average_precision=0.01)
    row = by_arm(compare(rows))["gamma=2"]
    values = [outcome_of(each).test_average_precision for each in rows[8:]]
    assert row.average_precision.mean == pytest.approx(np.mean(values))
    assert (row.diverged, row.n_seeds) == (1, 8)
    assert "1 run diverged" in " ".join(conclusions(compare(rows)))


def test_a_failed_run_takes_its_seed_from_all_arms_and_it_is_said() -> None:
    rows = two_arms(10, 0.05)
    lost = ("gamma=2", 3), ("bce", 8)
    broken = [failed(row) if (row.settings.arm, row.settings.seed) in lost else row for row in rows]
    table, whole = compare(broken), compare([row for row in rows if row.settings.seed not in (3, 8)])
    assert [row.failed_seeds for row in table] == [2, 2]
    assert [replace(row, failed_seeds=0) for row in table] == whole
    (sentence,) = (text for text in conclusions(table) if "left out" in text)
    assert sentence.startswith("2 more seeds are left out, for every arm alike")
    assert not any("more seeds are left out" in text for text in conclusions(whole))


def test_where_every_seed_has_a_failed_run_there_is_no_row() -> None:
    rows = [failed(row) if row.settings.arm == "gamma=2" else row for row in two_arms(6, 0.05)]
    other = [changed(row, dataset="xor") for row in two_arms(6, 0.05)]
    assert compare(rows) == []
    assert {row.dataset for row in compare([*rows, *other])} == {"xor"}
    assert "AUCPR" in markdown(compare(rows))


def moved_late(rows: list[RunRow], arm: str, change: float) -> list[RunRow]:
    """The same runs, of which one arm stood so much lower at half of the epochs."""
    return [
        changed(row, test_average_precision_half=outcome_of(row).test_average_precision - change)
        if row.settings.arm == arm
        else row
        for row in rows
    ]


@pytest.mark.parametrize(("change", "limited"), [(0.0, False), (0.009, False), (0.011, True), (-0.011, True)])
@pytest.mark.parametrize("moving", ["gamma=2", "bce"])
def test_a_difference_that_moved_late_by_more_than_the_margin_is_marked(
    change: float, limited: bool, moving: str
) -> None:
    rows = moved_late(two_arms(10, 0.05), moving, change)
    bce, gamma = compare(rows)
    assert (bce.budget_limited, gamma.budget_limited) == (False, limited)  # the baseline moves with itself
    assert gamma.verdict is Verdict.BETTER  # a mark takes no verdict away
    said = " ".join(conclusions([bce, gamma]))
    assert ("Use gamma=2 at this budget" in said) == limited
    assert ("At this budget only, 1 row" in said) == limited
    assert (r"better\*" in markdown([bce, gamma])) == limited


def test_the_mark_depends_on_the_margin() -> None:
    rows = moved_late(two_arms(10, 0.05), "gamma=2", 0.02)
    assert [compare(rows, margin=margin)[1].budget_limited for margin in (0.019, 0.021)] == [True, False]


def test_an_end_of_the_grid_that_most_seeds_chose_is_named() -> None:
    def chosen(share: int, lrs: tuple[float, ...] = (0.001, 0.003, 0.01)) -> list[RunRow]:
        return [
            changed(row, lr=lr, val_average_precision=0.5 + (lr == (lrs[-1] if row.settings.seed < share else lrs[1])))
            for row in two_arms(10, 0.05)
            for lr in lrs
        ]

    assert [row.lr_edge for row in compare(chosen(5))] == [None, None]
    assert [row.lr_edge for row in compare(chosen(6))] == [0.01, 0.01]
    assert [row.lrs for row in compare(chosen(6))] == ["0.001, 0.003, 0.01"] * 2
    assert [row.lr_edge for row in compare(two_arms(10, 0.05))] == [None, None]  # a grid of one has no ends
    said = " ".join(conclusions(compare(chosen(6))))
    assert "More than half of the seeds chose 0.01, an end of the grid of learning rates, for bce, gamma=2" in said
    assert "a wider grid is 0.001, 0.003, 0.01, 0.03." in said


def test_tuned_rows_choose_among_equally_many_candidates() -> None:
    rows = [made_row(BCE, s, 0.4 - r / 20, val=0.3 + r / 20, restart=r) for r in (0, 1) for s in range(6)]
    rows += [made_row(GAMMA, s, 0.5, val=0.2 + 0.2 * (s < 3)) for s in range(6)]
    rows += [made_row(FIVE, s, 0.3, val=0.3) for s in range(6)]
    table = by_arm(compare(rows))
    assert [table[name].candidates for name in ("bce", "bce, tuned", "focal, tuned")] == [1, 2, 2]
    assert table["focal, tuned"].average_precision.mean == pytest.approx((3 * 0.5 + 3 * 0.3) / 6)
    assert mean_of(table["focal, tuned"].delta) == pytest.approx(0.05)  # to tuned BCE, not to the fixed arm
    assert (table["focal, tuned"].p_adjusted, table["focal, tuned"].verdict) == (None, None)


def test_nothing_is_tuned_when_bce_had_fewer_candidates() -> None:
    rows = [made_row(BCE, s, 0.4) for s in range(6)]
    rows += [made_row(arm, s, 0.4) for arm in (GAMMA, FIVE) for s in range(6)]
    assert [row.arm for row in compare(rows) if row.kind is Kind.TUNED] == []


def from_zero(rows: list[RunRow], **changes: Value) -> list[RunRow]:
    """The same runs, started at zero."""
    return [changed(row, init="zero", arm=f"{row.settings.arm} (zero start)", **changes) for row in rows]


def test_starts_are_families_of_their_own_and_their_disagreement_is_said() -> None:
    reached = {row: outcome_of(row).test_average_precision - 0.2 for row in two_arms(10, 0.1)}
    lower = [changed(row, test_average_precision=ap, test_average_precision_half=ap) for row, ap in reached.items()]
    zero = from_zero(lower)
    table = compare(two_arms(10, 0.0) + zero)
    rows = by_arm(table)
    assert rows["gamma=2"].verdict in (Verdict.WITHIN, Verdict.UNDECIDED)
    assert rows["gamma=2 (zero start)"].verdict is Verdict.BETTER
    assert mean_of(rows["bce (zero start)"].own_start) == pytest.approx(-0.2)
    said = " ".join(conclusions(table))
    assert "Depends on the start: gamma=2 against BCE is better from a zero bias (+.1" in said
    assert f"and {rows['gamma=2'].verdict} from their own constants" in said
    assert "The start: BCE from a zero bias instead of its own constant changes by -.200" in said
    assert conclusions(compare(zero + two_arms(10, 0.0)))[0].startswith("Stay with BCE")  # of the own start, still


def test_a_disagreement_is_said_in_both_directions_and_at_a_budget_that_limits() -> None:
    lost = from_zero(moved_late(two_arms(10, 0.0), "gamma=2", 0.05))
    table = compare(two_arms(10, 0.05) + lost)
    said = " ".join(conclusions(table))
    verdict = by_arm(table)["gamma=2 (zero start)"].verdict
    assert f"Depends on the start, at this budget: gamma=2 against BCE is {verdict} from a zero bias" in said
    assert "and better from their own constants (+.0" in said


def test_two_starts_that_decide_nothing_or_the_same_do_not_disagree() -> None:
    for gain in (0.0, 0.05):
        zero = from_zero(two_arms(10, gain))
        assert not any("Depends on the start" in text for text in conclusions(compare(two_arms(10, gain) + zero)))


def test_a_smoke_test_supports_nothing_whatever_its_seeds() -> None:
    table = compare(two_arms(10, 0.05), smoke_test=True)
    assert {row.verdict for row in table} == {Verdict.SMOKE_TEST}
    assert {row.p_adjusted for row in table} == {None}
    assert "supports no claim" in markdown(table)


def test_bce_alone_is_compared_with_nothing() -> None:
    assert conclusions(compare(two_arms(10, 0.0)[:10]))[0] == "BCE alone: there is no other loss to compare it with."


def test_golden_text_of_a_small_table() -> None:
    golden = Path(__file__).with_name("golden_table.md")
    zero = from_zero(two_arms(8, 0.02))
    assert markdown(compare(two_arms(8, -0.05) + zero)) == golden.read_text(encoding="utf-8")
