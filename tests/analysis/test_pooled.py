"""Data sets as units: counts of verdicts, a random-effects mean that covers, and tables joined."""

import numpy as np
import pytest

from focalbench.analysis.comparison import compare
from focalbench.analysis.pooled import LEAST_TABLES, joined, random_effects
from focalbench.analysis.rows import ArmRow, OverTables, Verdict
from focalbench.analysis.run_rows import RunRow
from focalbench.analysis.statistics import t_quantile
from focalbench.errors import InputError
from focalbench.report.tables import latex, markdown, overview
from tests.support.runs import BCE, GAMMA, changed, draws, ends, made_row, mean_of, reference_row


def on_sets(gains: list[float], seeds: int = 10) -> list[RunRow]:
    """BCE, gamma 2 and boosting on so many data sets, with these gains of gamma 2."""
    rows = []
    for place, gain in enumerate(gains):
        common = {"dataset": f"set{place}"}
        rows += [made_row(BCE, s, v, **common) for s, v in enumerate(draws(0.4, seeds, 2 * place))]
        rows += [made_row(GAMMA, s, v, **common) for s, v in enumerate(draws(0.4 + gain, seeds, 2 * place + 1))]
        rows += [reference_row(s, 0.5, **common) for s in range(seeds)]
    return rows


def over_of(table: list[ArmRow], arm: str) -> OverTables:
    found = {row.over for row in table if row.arm == arm}
    assert len(found) == 1  # the same on every data set's row
    (over,) = found
    assert over is not None
    return over


def test_verdicts_are_counted_and_differences_pooled() -> None:
    table = compare(on_sets([0.1, 0.1, -0.1, 0.0, 0.002]))
    over = over_of(table, "gamma=2")
    by_verdict = [row.verdict for row in table if row.arm == "gamma=2"]
    counts = [by_verdict.count(v) for v in (Verdict.BETTER, Verdict.WORSE, Verdict.WITHIN, Verdict.UNDECIDED)]
    assert [over.better, over.worse, over.within, over.undecided] == counts
    assert (over.better, over.worse, over.tables) == (2, 1, 5)
    assert mean_of(over.delta) == pytest.approx(0.02, abs=0.01)
    low, high = ends(over.delta)
    assert low < 0 < high  # the data sets disagree
    assert mean_of(over.relative) == pytest.approx(mean_of(over.delta) / (0.4 - 0.01), rel=0.05)
    assert over_of(table, "boosting").better == 5
    assert all(row.over is None for row in table if row.arm == "bce")


def test_of_one_data_set_there_is_nothing_and_of_few_there_are_counts_only() -> None:
    assert all(row.over is None for row in compare(on_sets([0.1])))
    few = over_of(compare(on_sets([0.1] * (LEAST_TABLES - 1))), "gamma=2")
    assert (few.tables, few.better, few.delta, few.relative) == (LEAST_TABLES - 1, LEAST_TABLES - 1, None, None)
    short = over_of(compare(on_sets([0.1] * 5, seeds=3)), "gamma=2")
    assert (short.better, short.delta) == (0, None)  # too few seeds for an interval


def test_of_equal_errors_and_much_spread_it_is_students_interval() -> None:
    values, errors = np.array([1.0, 4.0, -2.0, 8.0, 3.0]), np.full(5, 0.01)
    found = random_effects(values, errors)
    half = t_quantile(4, 0.975) * values.std(ddof=1) / np.sqrt(5)
    assert found.mean == pytest.approx(values.mean(), rel=1e-4)
    assert ends(found) == pytest.approx((values.mean() - half, values.mean() + half), rel=1e-3)


def test_without_spread_between_data_sets_weights_are_those_of_the_errors() -> None:
    values, errors = np.array([1.0, 1.0, 1.0, 1.3]), np.array([0.1, 0.2, 0.4, 1.0])
    weights = errors**-2
    found = random_effects(values, errors)
    assert found.mean == pytest.approx(weights @ values / weights.sum())
    half = t_quantile(3, 0.975) / np.sqrt(weights.sum())  # no narrower than without the correction
    assert ends(found) == pytest.approx((found.mean - half, found.mean + half))


@pytest.mark.parametrize("between", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("sets", [5, 9])
def test_the_interval_covers_the_mean_of_the_population(between: float, sets: int) -> None:
    rng, covered, draws_made = np.random.default_rng(0), 0, 2000
    for _ in range(draws_made):
        errors = rng.choice([0.2, 0.5, 1.0], sets)
        low, high = ends(random_effects(rng.normal(3, between, sets) + errors * rng.normal(size=sets), errors))
        covered += low <= 3 <= high
    assert covered / draws_made >= 0.93


def test_tables_are_joined_and_pooled_anew() -> None:
    rows = on_sets([0.1, 0.1, -0.1, 0.0, 0.002])
    first = [row for row in rows if row.settings.dataset in ("set0", "set1")]
    rest = [row for row in rows if row not in first]
    together = joined([compare(first), compare(rest)])
    assert over_of(together, "gamma=2") == over_of(compare(rows), "gamma=2")
    with pytest.raises(InputError, match="two of the folders hold set0 at the same rate"):
        joined([compare(first), compare(first)])
    asked = {"metric": "log_loss"} | {f"{k}_metric{p}": 0.4 for k in ("val", "test") for p in ("", "_quarter", "_half")}
    with pytest.raises(InputError, match="compared by different metrics"):
        joined([compare(first), compare([changed(row, **asked) for row in rest])])


def test_the_words_say_what_the_mean_is_of() -> None:
    table = compare(on_sets([0.1, 0.1, -0.1, 0.0, 0.002]))
    for text in (markdown(table), overview(table), latex(table)):
        assert "Over 5 data sets" in text
        assert "the mean over data sets like these (random effects)" in text
    assert "Over " not in markdown(compare(on_sets([0.1, 0.1])))
