"""Influences against what scikit-learn's average precision loses without each row, and their sums over buckets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from focalbench.metrics.influence import BUCKETS, Floats, average_precision_influences, bucket_of, bucket_sums

Bools = NDArray[np.bool_]
numbers = st.integers(0, 10_000)


def left_out(scores: Floats, positive: Bools, weights: Floats | None = None) -> Floats:
    """The same by its definition: every row left out in turn, by another library."""
    mass = np.ones(len(scores)) if weights is None else weights
    counted = mass > 0

    def precision(rows: Bools) -> float:
        return float(average_precision_score(positive[rows], scores[rows], sample_weight=mass[rows]))

    every, place = precision(counted), np.arange(len(scores))
    lost = np.array([every - precision(counted & (place != i)) if counted[i] else 0 for i in place])
    positives = (counted & positive).sum()
    lost[positive] *= (positives - 1) / positives
    for of_class in (counted & positive, counted & ~positive):
        lost[of_class] -= lost[of_class].mean()
    return lost


def drawn(seed: int) -> tuple[Floats, Bools, np.random.Generator]:
    """A few rows with scores that tie more or less often, two or more of each class."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(5, 40))
    scores = rng.integers(0, rng.choice([2, 3, 8, 1000]), rows).astype(float)
    return scores, np.arange(rows) < rng.integers(2, rows - 1), rng


@settings(max_examples=12)
@given(numbers)
def test_influences_are_what_is_lost_without_each_row(seed: int) -> None:
    scores, positive, rng = drawn(seed)
    expected = left_out(scores, positive)
    assert average_precision_influences(scores, positive) == pytest.approx(expected, abs=1e-12)
    order = rng.permutation(len(scores))
    assert average_precision_influences(scores[order], positive[order]) == pytest.approx(expected[order], abs=1e-12)
    assert average_precision_influences(np.exp(scores / 1000), positive) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=12)
@given(numbers)
def test_influences_of_weighted_rows_are_exact_where_those_of_a_class_weigh_the_same(seed: int) -> None:
    scores, positive, rng = drawn(seed)
    weights = np.where(positive, rng.choice([1, 0.3, 2.5]), rng.choice([0.1, 1, 2]))
    found = average_precision_influences(scores, positive, weights)
    assert found == pytest.approx(left_out(scores, positive, weights), abs=1e-12)
    assert average_precision_influences(scores, positive, 7 * weights) == pytest.approx(found, abs=1e-12)


@settings(max_examples=12)
@given(numbers)
def test_rows_without_weight_move_nothing(seed: int) -> None:
    scores, positive, rng = drawn(seed)
    more = np.concatenate([scores, rng.normal(0, 5, 6)])
    targets = np.concatenate([positive, [True, False] * 3])
    weights = np.concatenate([np.ones(len(scores)), np.zeros(6)])
    found = average_precision_influences(more, targets, weights)
    assert found[len(scores) :].tolist() == [0] * 6
    assert found[: len(scores)] == pytest.approx(average_precision_influences(scores, positive), abs=1e-12)
    assert found == pytest.approx(left_out(more, targets, weights), abs=1e-12)


def test_influences_of_rows_of_any_weight_are_nearly_what_is_lost() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(400) < 0.3
    scores, weights = rng.normal(positive, 1), rng.exponential(size=400)
    found, expected = average_precision_influences(scores, positive, weights), left_out(scores, positive, weights)
    assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max()
    assert np.corrcoef(found, expected)[0, 1] > 0.9995


@pytest.mark.parametrize("positives", [1, 9])
def test_a_class_of_one_row_has_no_influence(positives: int) -> None:
    positive = np.arange(10) < positives
    found = average_precision_influences(np.arange(10.0), positive)
    assert np.isfinite(found).all()
    assert found[positive if positives == 1 else ~positive].tolist() == [0]


def test_what_influences_are_for_the_variance_of_average_precision() -> None:
    """The variance of average precision over test sets is the sum of squared influences, as the jackknife promises."""
    rng, precisions, estimates = np.random.default_rng(1), [], []
    positive = np.arange(2000) < 200
    for _ in range(300):
        scores = rng.normal(1.5 * positive, 1)
        precisions.append(average_precision_score(positive, scores))
        estimates.append(np.square(average_precision_influences(scores, positive)).sum())
    assert np.mean(estimates) == pytest.approx(np.var(precisions), rel=3 * np.sqrt(2 / 300))


# ---- buckets


def test_units_are_dealt_evenly_and_alike_in_every_split() -> None:
    units = np.arange(100_000)
    buckets = bucket_of(units)
    counts = np.bincount(buckets, minlength=BUCKETS)
    assert len(counts) == BUCKETS
    assert np.square(counts - counts.mean()).sum() / counts.mean() < BUCKETS + 4 * np.sqrt(2 * BUCKETS)  # chi squared
    some = np.random.default_rng(0).permutation(units)[:500]
    assert (bucket_of(some) == buckets[some]).all()
    together = (buckets[1:] == buckets[:-1]).mean()  # neighbours share one as often as any two
    assert together == pytest.approx(1 / BUCKETS, abs=4 / np.sqrt(BUCKETS * len(units)))


def splitmix(unit: int) -> int:
    """Its finaliser with Python's integers."""
    z = (unit + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def test_the_deal_stays() -> None:
    """Sums that are stored meet sums of later versions in the same buckets."""
    units = [0, 1, 2, 1000, 2**40, 2**62]
    assert bucket_of(np.array(units)).tolist() == [splitmix(unit) % 256 for unit in units]
    assert BUCKETS == 256


@settings(max_examples=20)
@given(numbers)
def test_sums_over_buckets_add_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    units, influences = rng.integers(0, 10**9, 300), rng.normal(0, 0.01, 300)
    sums = np.array(bucket_sums(influences, units))
    assert len(sums) == BUCKETS
    exact = np.array([influences[bucket_of(units) == bucket].sum() for bucket in range(BUCKETS)])
    assert sums == pytest.approx(exact, rel=6e-4, abs=1e-15)
    assert all(float(f"{value:.3e}") == value for value in sums)


def test_rows_of_one_group_share_a_bucket() -> None:
    sums = np.array(bucket_sums(np.full(50, 0.5), np.full(50, 7)))
    assert np.flatnonzero(sums).tolist() == bucket_of(np.array([7])).tolist()
    assert sums.sum() == 25
