from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve, roc_curve

from focalbench.metrics import precision_at_k
from focalbench.metrics.influence import BUCKETS, Floats, average_precision_influences, bucket_sums
from focalbench.metrics.left_out import At, Reached, Rows, left_out_sums, precision_at, recall_at_fpr
from focalbench.metrics.left_out import recall_at_precision as at_precision


def example(seed: int, n: int = 3000, positives: int = 200) -> tuple[Floats, np.ndarray, Floats, np.ndarray]:
    """Scores, which rows are positive, weights of two kinds, and units."""
    rng = np.random.default_rng(seed)
    positive = rng.permutation(np.arange(n) < positives)
    scores = rng.normal(size=n) + 2 * positive
    return scores, positive, np.where(positive, 0.3, 1.0), rng.integers(0, 10**9, n)


def mean_where_positive(found: Reached) -> float:
    """AP as a function of what is reached, so that these sums can be compared with average precision's own."""
    own = np.diff(found.true, prepend=0.0)
    return float(own @ (found.true / np.maximum(found.true + found.false, 1e-12)) / found.positives)


@pytest.mark.parametrize("seed", range(3))
def test_of_average_precision_they_are_the_sums_of_its_influences(seed: int) -> None:
    scores, positive, weights, units = example(seed)
    found = left_out_sums(mean_where_positive, scores, Rows.of(positive, weights, units))
    expected = np.array(bucket_sums(average_precision_influences(scores, positive, weights), units))
    # a bucket of twelve rows is left out at once, so what is linear agrees and the rest nearly
    assert np.corrcoef(found, expected)[0, 1] > 0.999
    assert np.square(found).sum() == pytest.approx(np.square(expected).sum(), rel=0.05)


def rescaled(positive: np.ndarray, weights: Floats, gone: np.ndarray) -> Floats:
    """Weights without some rows, those that are left of their class standing in for them."""
    left = np.where(gone, 0.0, weights)
    for members in (positive, ~positive):
        left[members] *= weights[members].sum() / left[members].sum()
    return left


def by_scikit_learn(kind: str, value: float) -> Callable[[Floats, np.ndarray, Floats], float]:
    def recall_at(scores: Floats, positive: np.ndarray, weights: Floats) -> float:
        if kind == "fpr":
            fpr, tpr, _ = roc_curve(positive, scores, sample_weight=weights, drop_intermediate=False)
            return float(tpr[fpr <= value * (1 + 1e-9)].max())
        precision, recall, _ = precision_recall_curve(positive, scores, sample_weight=weights)
        return float(recall[precision >= value * (1 - 1e-9)].max())

    return recall_at


@pytest.mark.parametrize(
    ("at", "kind", "value"),
    [(recall_at_fpr(0.05), "fpr", 0.05), (at_precision(0.6), "precision", 0.6)],
)
@pytest.mark.parametrize("ties", [False, True])
def test_a_bucket_left_out_is_the_metric_without_its_rows(at: At, kind: str, value: float, ties: bool) -> None:
    scores, positive, weights, units = example(5, 800, 90)
    scores = scores.round(1) if ties else scores
    rows, metric = Rows.of(positive, weights, units), by_scikit_learn(kind, value)
    whole, found = metric(scores, positive, weights), left_out_sums(at, scores, rows)
    sums = np.zeros(BUCKETS)
    for members in (positive, ~positive):
        share = np.bincount(rows.bucket[members], weights[members], minlength=BUCKETS) / weights[members].sum()
        parts = np.zeros(BUCKETS)
        for bucket in range(BUCKETS):
            gone = members & (rows.bucket == bucket)
            without = metric(scores, positive, rescaled(positive, weights, gone)) if gone.any() else whole
            parts[bucket] = (1 - share[bucket]) * (whole - without)
        sums += parts - share * parts.sum()
    assert np.abs(sums).max() > 1e-4
    assert found == pytest.approx(sums, abs=1e-9)


def test_the_mean_of_a_class_is_split_exactly() -> None:
    scores, positive, weights, units = example(3)
    rows, flagged = Rows.of(positive, weights, units), (scores > 1).astype(float)
    found = rows.mean_sums(flagged, positive)
    assert found.sum() == pytest.approx(0, abs=1e-12)
    bucket = int(rows.bucket[positive][0])
    gone = positive & (rows.bucket == bucket)
    share = gone.sum() / positive.sum()
    lost = flagged[positive].mean() - flagged[positive & ~gone].mean()
    assert found[bucket] == pytest.approx((1 - share) * lost, abs=1e-12)


@given(st.integers(0, 10**6), st.floats(1, 300))
def test_precision_among_the_highest_is_the_metrics_own(seed: int, k: float) -> None:
    scores, positive, _, units = example(seed, 400, 40)
    rows = Rows.of(positive, None, units)
    seen: list[Reached] = []

    def at(found: Reached) -> float:
        seen.append(found)
        return precision_at(k)(found)

    left_out_sums(at, scores, rows)
    expected = precision_at_k(torch.from_numpy(scores)[None], torch.from_numpy(positive), k).item()
    assert precision_at(k)(seen[0]) == pytest.approx(expected, abs=1e-9)
