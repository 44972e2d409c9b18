from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score
from torch import Tensor

from focalbench.errors import InputError
from focalbench.metrics import (
    average_precision,
    precision_recall_grid,
    roc_auc,
)
from focalbench.metrics import ranking as module
from tests.support.metrics import METRICS, Metric


@st.composite
def ranked(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Two runs of scores, tied or not, with both classes present."""
    n = draw(st.integers(2, 40))
    targets = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda y: 0 < sum(y) < len(y)))
    levels = draw(st.sampled_from([1, 3, 10, 10**6]))
    values = draw(st.lists(st.integers(0, levels - 1), min_size=2 * n, max_size=2 * n))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    return (torch.tensor(values, dtype=dtype).view(2, n) - levels / 3) / 7, torch.tensor(targets)


@given(ranked())
def test_average_precision_and_auc_agree_with_scikit_learn(example: tuple[Tensor, Tensor]) -> None:
    scores, targets = example
    for metric, oracle in ((average_precision, average_precision_score), (roc_auc, roc_auc_score)):
        expected = [oracle(targets.numpy(), row.numpy()) for row in scores]
        np.testing.assert_allclose(metric(scores, targets).numpy(), expected, rtol=1e-12)


@given(ranked(), st.integers(1, 30))
def test_grid_is_the_precision_where_the_curve_reaches_each_recall(example: tuple[Tensor, Tensor], points: int) -> None:
    scores, targets = example
    grid = precision_recall_grid(scores, targets, points)
    for row, curve in zip(scores, grid, strict=True):
        precision, recall, _ = precision_recall_curve(targets.numpy(), row.numpy())
        positives = int(targets.sum())
        hits = np.rint(recall * positives).astype(int)  # falls along the curve; its last point is artificial
        levels = range(1, points + 1)
        expected = [precision[:-1][hits[:-1] * points >= k * positives][-1] for k in levels]
        np.testing.assert_allclose(curve.numpy(), expected, rtol=1e-12)


@given(ranked())
def test_order_alone_counts(example: tuple[Tensor, Tensor]) -> None:
    scores, targets = example
    for metric in (average_precision, roc_auc, precision_recall_grid):
        assert torch.equal(metric(scores.double() ** 3 + 5, targets), metric(scores.double(), targets))


@given(ranked())
def test_negated_scores_mirror_the_auc(example: tuple[Tensor, Tensor]) -> None:
    scores, targets = example
    torch.testing.assert_close(roc_auc(-scores, targets), 1 - roc_auc(scores, targets), rtol=0, atol=1e-15)


def test_degenerate_scores() -> None:
    targets = torch.tensor([0, 0, 1, 0, 1, 0, 0, 0])
    constant, perfect = torch.zeros(8), targets.float()
    scores = torch.stack([constant, perfect, -perfect])
    assert average_precision(scores, targets).tolist() == pytest.approx([0.25, 1, (1 / 8 + 1 / 8 * 2 + 1 / 8) / 2])
    assert roc_auc(scores, targets).tolist() == [0.5, 1.0, 0.0]
    assert precision_recall_grid(scores, targets, 3).tolist() == [[0.25] * 3, [1.0] * 3, [0.25] * 3]


def test_one_positive_scores_its_reciprocal_rank() -> None:
    scores = torch.arange(10.0)[None]
    for rank in range(1, 11):
        targets = torch.zeros(10)
        targets[10 - rank] = 1
        assert average_precision(scores, targets).item() == 1 / rank


@pytest.mark.parametrize("dtype", [torch.bool, torch.int8, torch.int64, torch.float32, torch.float64])
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_targets_of_any_dtype_and_float64_results(metric: Metric, dtype: torch.dtype) -> None:
    scores = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(50) % 3 == 0
    result = metric(scores, targets.to(dtype), None)
    assert result.dtype == torch.float64
    assert len(result) == 3
    assert torch.equal(result, metric(scores, targets, None))


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_run_is_bit_identical_in_any_company_and_layout(metric: Metric, dtype: torch.dtype) -> None:
    rng = torch.Generator().manual_seed(1)
    scores = torch.randn(7, 4_099, generator=rng, dtype=dtype)
    targets = torch.rand(4_099, generator=rng) < 0.02
    together = metric(scores, targets, None)
    strided = metric(scores.T.contiguous().T, targets, None)
    alone = torch.cat([metric(scores[run : run + 1].clone(), targets, None) for run in range(7)])
    backwards = metric(scores.flip(0), targets, None).flip(0)
    for one, other in pairwise([together, strided, alone, backwards]):
        assert torch.equal(one, other)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        (torch.zeros(6), torch.tensor([0, 1, 0, 1, 0, 1]), "sample"),
        (torch.zeros(2, 5), torch.tensor([0, 1, 0, 1, 0, 1]), "sample"),
        (torch.zeros(0, 6), torch.tensor([0, 1, 0, 1, 0, 1]), "sample"),
        (torch.zeros(2, 6), torch.tensor([0, 1, 0, 1, 0, 2]), "0 or 1"),
        (torch.zeros(2, 6), torch.tensor([0, 1, 0, 1, 0, torch.nan]), "0 or 1"),
        (torch.zeros(2, 6), torch.zeros(6), "one class"),
        (torch.zeros(2, 6), torch.ones(6), "one class"),
    ],
)
def test_bad_inputs_are_refused(metric: Metric, scores: Tensor, targets: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        metric(scores, targets, None)


def test_a_grid_without_points_is_refused() -> None:
    with pytest.raises(InputError, match="at least one point"):
        precision_recall_grid(torch.zeros(1, 2), torch.tensor([0, 1]), 0)


@settings(max_examples=5)
@given(st.integers(0, 2**31))
def test_large_rare_sample_agrees_with_scikit_learn(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    targets = torch.randperm(40_000, generator=rng) < 60
    scores = torch.randn(2, 40_000, generator=rng) + 2 * targets
    expected = [average_precision_score(targets.numpy(), row.numpy()) for row in scores]
    np.testing.assert_allclose(average_precision(scores, targets).numpy(), expected, rtol=1e-12)


@given(ranked())
def test_few_positives_are_counted_as_many_are(example: tuple[Tensor, Tensor]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        found = []
        for few in (0, 64):
            patched.setattr(module, "FEW", few)
            found.append(average_precision(*example))
    assert torch.equal(*found)


def test_scores_may_want_gradients_or_have_few_digits() -> None:
    scores, targets = torch.tensor([[0.5, 0.25, 0.75]]), torch.tensor([1, 0, 0])
    for odd in (scores.requires_grad_(), scores.detach().bfloat16(), scores.detach().half()):
        assert average_precision(odd, targets).item() == 0.5
