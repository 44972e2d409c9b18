"""Weighted metrics: a weight of k is the row k times, a weight of 0 is no row; and scikit-learn's where it has them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, matthews_corrcoef, precision_score, roc_auc_score, roc_curve
from torch import Tensor

from focalbench.errors import InputError
from focalbench.metrics import (
    average_precision,
    calibration,
    mcc_at_prevalence,
    mcc_at_threshold,
    precision_at_k,
    ranking,
    recall_at_fpr,
    roc_auc,
    threshold,
)
from tests.support.metrics import METRICS


@st.composite
def weighted(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """Two runs of scores, tied or not; targets of both classes; whole weights, some of them 0, in both classes."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n = draw(st.integers(6, 60))
    targets = rng.permutation(np.arange(n) < draw(st.integers(2, n - 2))).astype(np.int64)
    counts = rng.integers(0, 4, n)
    counts[[np.argmax(targets), np.argmin(targets)]] += 1
    scores = rng.standard_normal((2, n))
    if draw(st.booleans()):
        scores = scores.round()
    return torch.from_numpy(scores), torch.from_numpy(targets), torch.from_numpy(counts)


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=60)
@given(weighted())
def test_a_weight_counts_the_row_so_many_times(name: str, example: tuple[Tensor, Tensor, Tensor]) -> None:
    scores, targets, counts = example
    repeated = torch.repeat_interleave(torch.arange(len(targets)), counts)
    found = METRICS[name](scores, targets, counts)
    expected = METRICS[name](scores[:, repeated], targets[repeated], None)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9, equal_nan=True)
    torch.testing.assert_close(
        METRICS[name](scores, targets, 0.3 * counts), found, rtol=1e-6, atol=1e-9, equal_nan=True
    )


@pytest.mark.parametrize("name", METRICS)
@given(weighted())
def test_weights_of_one_change_nothing(name: str, example: tuple[Tensor, Tensor, Tensor]) -> None:
    scores, targets, counts = example
    ones, plain = torch.ones_like(counts), METRICS[name](scores, targets, None)
    torch.testing.assert_close(METRICS[name](scores, targets, ones), plain, rtol=1e-9, atol=1e-12, equal_nan=True)


@given(weighted(), st.integers(0, 10**6))
def test_the_ranking_metrics_are_scikit_learns(example: tuple[Tensor, Tensor, Tensor], seed: int) -> None:
    scores, targets, _ = example
    weights = np.random.default_rng(seed).exponential(size=len(targets))
    for metric, oracle in ((average_precision, average_precision_score), (roc_auc, roc_auc_score)):
        expected = [oracle(targets, row, sample_weight=weights) for row in scores]
        assert metric(scores, targets, torch.from_numpy(weights)).tolist() == pytest.approx(expected, rel=1e-9)


@given(weighted(), st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_recall_at_a_false_positive_rate_is_the_best_point_of_scikit_learns_curve(
    example: tuple[Tensor, Tensor, Tensor], seed: int, fpr: float
) -> None:
    scores, targets, _ = example
    weights = np.random.default_rng(seed).exponential(size=len(targets))
    for row in scores:
        false, true, _ = roc_curve(targets, row, sample_weight=weights, drop_intermediate=False)
        found = recall_at_fpr(row[None], targets, fpr, torch.from_numpy(weights))
        assert found.item() == pytest.approx(true[false <= fpr + 1e-12].max())  # but for rounding
        for reached in false[false < 0.999]:  # a rate that a threshold has to the bit
            most = true[false <= reached * (1 + 1e-9)].max()
            assert recall_at_fpr(row[None], targets, reached, torch.from_numpy(weights)).item() == pytest.approx(most)


@given(weighted(), st.floats(0.01, 100))
def test_negatives_of_one_weight_are_measured_as_any(example: tuple[Tensor, Tensor, Tensor], weight: float) -> None:
    """Which is a way of its own, that of tests that are weighted to a rate."""
    scores, targets, _ = example
    weights = torch.where(targets == 1, weight, 1.0).double()
    for metric, oracle in ((average_precision, average_precision_score), (roc_auc, roc_auc_score)):
        expected = [oracle(targets, row, sample_weight=weights) for row in scores]
        assert metric(scores, targets, weights).tolist() == pytest.approx(expected, rel=1e-9)


@given(weighted(), st.integers(0, 10**6), st.floats(0, 1))
def test_precision_among_the_rows_above_a_threshold_is_scikit_learns(
    example: tuple[Tensor, Tensor, Tensor], seed: int, level: float
) -> None:
    scores, targets, _ = example
    weights = torch.from_numpy(np.random.default_rng(seed).exponential(size=len(targets)))
    for row in scores:
        flagged = row >= row.quantile(level)
        k = float(weights[flagged].sum() / weights.mean())
        expected = precision_score(targets, flagged, sample_weight=weights)
        found = precision_at_k(row[None], targets, min(k, len(targets)), weights)
        assert found.item() == pytest.approx(expected, rel=1e-9)


@given(weighted(), st.integers(0, 10**6), st.floats(0, 1))
def test_the_matthews_correlation_at_a_threshold_is_scikit_learns(
    example: tuple[Tensor, Tensor, Tensor], seed: int, level: float
) -> None:
    scores, targets, _ = example
    weights = torch.from_numpy(np.random.default_rng(seed).exponential(size=len(targets)))
    threshold = float(scores[0].quantile(level))
    expected = [matthews_corrcoef(targets, row >= threshold, sample_weight=weights) for row in scores]
    assert mcc_at_threshold(scores, targets, threshold, weights).tolist() == pytest.approx(expected, abs=1e-12)


@given(weighted(), st.integers(0, 10**6))
def test_the_matthews_correlation_at_the_prevalence_is_that_of_rows_cut_at_the_weight_of_the_positives(
    example: tuple[Tensor, Tensor, Tensor], seed: int
) -> None:
    """A row across the cut is two rows, one called positive; where rows tie, each of them is cut alike."""
    scores, targets, _ = example
    weights = torch.from_numpy(np.random.default_rng(seed).exponential(size=len(targets)))
    wanted = float(weights[targets == 1].sum())
    for row in scores:
        above = torch.tensor([float(weights[row > score].sum()) for score in row])
        tied = torch.tensor([float(weights[row == score].sum()) for score in row])
        called = ((wanted - above) / tied).clamp(0, 1) * weights
        halves = torch.cat([called, weights - called]).clamp(min=0)
        expected = matthews_corrcoef(targets.repeat(2), np.arange(2 * len(row)) < len(row), sample_weight=halves)
        assert mcc_at_prevalence(row[None], targets, weights).item() == pytest.approx(expected, abs=1e-6)


def test_weights_too_small_for_a_product_of_four_have_a_correlation() -> None:
    scores, targets = torch.tensor([[3.0, 2.0, 1.0, 0.0]]), torch.tensor([1, 0, 1, 0])
    tiny = torch.tensor([1e-200, 1e-200, 1e-200, 1.0], dtype=torch.float64)
    assert mcc_at_threshold(scores, targets, 2.0, tiny).item() == pytest.approx(0.5)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("weights", [[1.0, -1.0, 1.0], [1.0, np.nan, 1.0], [1.0, np.inf, 1.0], [0.0, 1.0, 1.0], [1.0]])
def test_senseless_weights_are_refused(name: str, weights: list[float]) -> None:
    with pytest.raises(InputError, match="weights"):
        METRICS[name](torch.zeros(1, 3), torch.tensor([1, 0, 0]), torch.tensor(weights))


def test_weighting_every_positive_is_less_biased_than_thinning_them() -> None:
    """A test part of 400 positives among 4,000 rows, brought to a rate of 0.5%; the truth from many fresh rows."""
    rate, draws = 0.005, 300
    rng = np.random.default_rng(0)

    def scores(positives: int, negatives: int) -> tuple[Tensor, Tensor]:
        drawn = np.concatenate([rng.normal(2, 1, positives), rng.normal(0, 1, negatives)])
        return torch.from_numpy(drawn)[None], (torch.arange(positives + negatives) < positives).long()

    truth = float(average_precision(*scores(20_000, 3_980_000)))
    weighted, thinned = [], []
    for _ in range(draws):
        x, y = scores(400, 3_600)
        weights = torch.where(y == 1, rate / (1 - rate) * 3_600 / 400, 1.0)
        weighted.append(float(average_precision(x, y, weights)))
        kept = torch.cat([torch.arange(18), torch.arange(400, 4_000)])  # 18 of 3,618
        thinned.append(float(average_precision(x[:, kept], y[kept])))
    bias = [abs(np.mean(values) - truth) for values in (weighted, thinned)]
    assert bias[0] < bias[1]
    assert bias[0] < 0.02
    assert np.std(weighted) < 0.6 * np.std(thinned)


def test_every_metric_is_held_to_these() -> None:
    assert set(METRICS) == {*calibration.__all__, *ranking.__all__, *threshold.__all__}
