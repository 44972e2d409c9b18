import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from focalbench.datasets.dataset import Counts, SplitCounts
from focalbench.datasets.prevalence import (
    largest_split,
    positive_parts,
    synthetic_counts,
    table_counts,
    warnings_for,
)
from focalbench.errors import InputError
from focalbench.runs.run import Recipe

rates = st.floats(0.0005, 0.6)
noises = st.sampled_from([0.0, 0.1, 0.49])


def refusal(ask: Callable[[], SplitCounts]) -> str:
    try:
        ask()
    except InputError as error:
        return str(error)
    return ""


@given(st.floats(0.001, 0.99), st.integers(0, 200), st.integers(0, 200))
def test_largest_split_is_the_largest(rate: float, positives: int, negatives: int) -> None:
    fits = [n for n in range(positives + negatives + 1) if round(rate * n) <= positives]
    best = max(n for n in fits if n - round(rate * n) <= negatives)
    assert largest_split(rate, positives, negatives) == Counts(best, round(rate * best))


@given(rates, st.integers(1, 100_000), noises)
def test_synthetic_counts_are_exact_or_refused(rate: float, rows: int, noise: float) -> None:
    recipe = Recipe("mixture", rows, rate, noise)
    try:
        counts = synthetic_counts(recipe)
    except InputError:
        assert round(rate * rows) < 20
        return
    assert counts.train.rows == counts.validation.rows == rows
    assert all(part.positives == round(rate * part.rows) >= 20 for part in counts.each)
    assert counts.test.positives >= 200
    assert counts.test.rows == rows or round(rate * (counts.test.rows - 1)) < 200


@given(rates, st.integers(1, 20_000), st.integers(1, 3_000), st.integers(10, 20_000), noises)
@example(1986 / 13_818, 10**6, 1986, 11_832, 0.0)  # rounding would exceed 60%
def test_table_counts_are_exact_or_refused(
    rate: float, asked: int, positives: int, negatives: int, noise: float
) -> None:
    rows = positives + negatives
    try:
        counts = table_counts(Recipe("file", asked, rate, noise), rows, positives)
    except InputError:
        return
    assert all(part.positives == round(rate * part.rows) >= 20 for part in counts.each)
    assert counts.train.rows <= min(asked, 0.6 * rows)
    assert counts.validation.rows <= min(counts.train.rows, 0.2 * rows)
    assert sum(part.negatives for part in counts.each) <= negatives
    raised = rate if rate > positives / rows else None  # up to the table's own rate the parts are those of that rate
    parts = positive_parts(Recipe("file", asked, raised), rows, positives)
    assert sum(parts) == positives
    assert all(part.positives <= most for part, most in zip(counts.each, parts, strict=True))


@given(st.integers(1, 20_000), st.integers(1, 3_000), st.integers(10, 20_000), noises, rates)
@example(10**6, 100, 9_907, 0.0, 0.001)  # the lowest is nearly the natural rate
def test_the_rates_named_in_a_refusal_are_accepted(
    asked: int, positives: int, negatives: int, noise: float, rate: float
) -> None:
    rows = positives + negatives

    def counts(rate: float) -> SplitCounts:
        return table_counts(Recipe("file", asked, rate, noise), rows, positives)

    message = refusal(lambda: counts(rate))
    named = re.search(r"from (\S+) to (\S+), or", message)
    if named is None:
        hopeless = "no rate gives that" in message or (positives < 100 and "at least 100 are needed" in message)
        assert not message or (hopeless and refusal(lambda: counts(positives / rows)))
        return
    lowest, highest = float(named[1]), float(named[2])
    assert not refusal(lambda: counts(lowest)) + refusal(lambda: counts(highest))
    assert not lowest <= rate <= highest
    assert refusal(lambda: counts(lowest * 0.99))


@pytest.mark.parametrize("rate", [0.0001, 0.999999])
def test_the_synthetic_rates_named_are_accepted(rate: float) -> None:
    with pytest.raises(InputError) as caught:
        synthetic_counts(Recipe("mixture", 70_000, rate))
    named = re.search(r"from (\S+) to (\S+), or", str(caught.value))
    assert named is not None
    assert max(map(len, named.groups())) <= len("0.0004876")
    for reachable in named.groups():
        synthetic_counts(Recipe("mixture", 70_000, float(reachable)))
    assert float(named[1]) == pytest.approx(20 / 70_000, rel=0.03)


@given(st.lists(st.floats(0.0005, 0.3), min_size=2, max_size=6), st.integers(100, 20_000))
def test_positives_of_every_split_never_fall_as_the_rate_rises_to_the_tables_own(
    several: list[float], asked: int
) -> None:
    found = []
    for rate in sorted(several):
        try:
            found.append(table_counts(Recipe("file", asked, rate), 20_000, 6_000))
        except InputError:
            continue
    for low, high in pairwise(found):
        assert all(a.positives <= b.positives for a, b in zip(low.each, high.each, strict=True))


def test_the_natural_rate_leaves_few_rows_over() -> None:
    counts = table_counts(Recipe("file", 10**9), 225_014, 18_543)
    assert counts.train.rows == pytest.approx(0.6 * 225_014, abs=20)
    assert sum(part.rows for part in counts.each) > 225_014 - 20
    assert counts == table_counts(Recipe("file", 10**9, 18_543 / 225_014), 225_014, 18_543)


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        (Recipe("mixture", 40_000, 0.0), "between 0 and 1"),
        (Recipe("mixture", 40_000, 1.0), "between 0 and 1"),
        (Recipe("mixture", 70_000, float("nan")), "between 0 and 1"),
        (Recipe("mixture", 40_000, 0.1, 0.5), "label noise"),
        (Recipe("mixture", 40_000, 0.1, -0.1), "label noise"),
        (Recipe("mixture", 40_000), "no natural positive rate"),
        (Recipe("mixture", 0, 0.1), "must be positive"),
        (Recipe("mixture", 19, 0.1), "no rate gives that"),
        (Recipe("mixture", 40_000, 1e-300), "is not reachable"),
    ],
)
def test_bad_recipes_are_refused(recipe: Recipe, says: str) -> None:
    with pytest.raises(InputError, match=says):
        synthetic_counts(recipe)


def test_warnings_name_the_thin_splits() -> None:
    thin = SplitCounts(Counts(1000, 29), Counts(1000, 29), Counts(1000, 99))
    enough = SplitCounts(Counts(1000, 20), Counts(1000, 30), Counts(1000, 100))
    assert [text.split()[0] for text in warnings_for(Recipe("file", 1), [enough, thin])] == ["validation", "test"]
    assert warnings_for(Recipe("file", 1), [enough]) == ()
