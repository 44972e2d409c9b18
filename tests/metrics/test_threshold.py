import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import (
    confusion_matrix,
    matthews_corrcoef,
    metric_at_thresholds,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_curve,
)

from focalbench.errors import InputError
from focalbench.metrics import (
    least_cost,
    mcc_at_prevalence,
    mcc_at_threshold,
    net_benefit,
    net_benefit_curve,
    precision_at_k,
    r_precision,
    recall_at_fpr,
    recall_at_precision,
)
from focalbench.metrics.threshold import DECISIONS

samples = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=2, max_size=6).filter(
    lambda pairs: len({y for _, y in pairs}) == 2
)


def mean_over_orders(pairs: list[tuple[int, int]], k: int) -> float:
    """The precision among the first k, over every order that keeps higher scores first."""
    descending = sorted((score for score, _ in pairs), reverse=True)
    orders = [order for order in permutations(pairs) if [score for score, _ in order] == descending]
    return float(np.mean([sum(target for _, target in order[:k]) / k for order in orders]))


@given(samples, st.data())
def test_precision_at_k_is_the_mean_over_all_orders_of_ties(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(pairs)))
    scores, targets = torch.tensor(pairs).T
    expected = pytest.approx(mean_over_orders(pairs, k), rel=1e-12)
    assert precision_at_k(scores[None].float(), targets, k).item() == expected


@given(samples)
def test_r_precision_is_that_among_as_many_as_there_are_positives(pairs: list[tuple[int, int]]) -> None:
    scores, targets = torch.tensor(pairs).T
    expected = pytest.approx(mean_over_orders(pairs, sum(target for _, target in pairs)), rel=1e-12)
    assert r_precision(scores[None].float(), targets).item() == expected


@given(st.lists(st.booleans(), min_size=2, max_size=60).filter(lambda found: 0 < sum(found) < len(found)))
def test_at_r_precision_is_recall(targets: list[bool]) -> None:
    """Which is why it has a name of its own: the threshold where scikit-learn's two are equal."""
    scores, flagged = np.arange(len(targets)), np.arange(len(targets)) >= len(targets) - sum(targets)
    found = r_precision(torch.from_numpy(scores)[None].double(), torch.tensor(targets)).item()
    assert found == pytest.approx(precision_score(targets, flagged, zero_division=0))
    assert found == pytest.approx(recall_score(targets, flagged))


MANY = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1)), min_size=2, max_size=60).filter(
    lambda pairs: len({y for _, y in pairs}) == 2
)


@given(MANY, st.one_of(st.integers(-1, 21), st.sampled_from([-math.inf, 0.5, math.inf])))
def test_the_matthews_correlation_is_scikit_learns(pairs: list[tuple[int, int]], threshold: float) -> None:
    scores, targets = torch.tensor(pairs).T
    expected = matthews_corrcoef(targets.numpy(), scores.numpy() >= threshold)
    assert mcc_at_threshold(scores[None].double(), targets, threshold).item() == pytest.approx(expected, abs=1e-12)


def test_where_all_or_none_are_called_positive_nothing_correlates() -> None:
    scores, targets = torch.tensor([[3.0, 2.0, 1.0, 0.0]]), torch.tensor([1, 0, 1, 0])
    assert [mcc_at_threshold(scores, targets, threshold).item() for threshold in (-1, 0, 4)] == [0, 0, 0]
    weights = torch.tensor([1.0, 1.0, 1.0, 0.0])  # the one row below the threshold has none
    assert mcc_at_threshold(scores, targets, 1, weights).item() == 0
    assert mcc_at_prevalence(torch.zeros(1, 4), targets).item() == 0


def correlation(targets: list[int], called: NDArray[np.bool_]) -> float:
    """Pearson's, which Matthews's is of two answers; 0 where one does not vary, as scikit-learn has it."""
    varies = 0 < sum(targets) < len(targets) and 0 < called.sum() < len(called)
    return float(np.corrcoef(targets, called)[0, 1]) if varies else 0.0


@given(samples)
def test_the_correlation_at_the_prevalence_is_the_mean_over_all_orders_of_ties(pairs: list[tuple[int, int]]) -> None:
    scores, targets = torch.tensor(pairs).T
    descending = sorted((score for score, _ in pairs), reverse=True)
    orders = [order for order in permutations(pairs) if [score for score, _ in order] == descending]
    called = np.arange(len(pairs)) < sum(target for _, target in pairs)
    expected = np.mean([correlation([target for _, target in order], called) for order in orders])
    assert mcc_at_prevalence(scores[None].float(), targets).item() == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.booleans(), min_size=2, max_size=60).filter(lambda found: 0 < sum(found) < len(found)))
def test_without_ties_it_is_the_correlation_at_the_threshold_that_calls_as_many(targets: list[bool]) -> None:
    scores, wanted = torch.arange(len(targets)).double()[None], torch.tensor(targets)
    threshold = len(targets) - sum(targets)
    found = mcc_at_prevalence(scores, wanted)
    torch.testing.assert_close(found, mcc_at_threshold(scores, wanted, threshold), rtol=0, atol=1e-12)


@given(MANY)
def test_it_is_r_precision_above_chance(pairs: list[tuple[int, int]]) -> None:
    scores, targets = torch.tensor(pairs).T
    prevalence = targets.double().mean()
    above = (r_precision(scores[None].double(), targets) - prevalence) / (1 - prevalence)
    torch.testing.assert_close(mcc_at_prevalence(scores[None].double(), targets), above, rtol=0, atol=1e-12)


def test_a_threshold_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="threshold must be a number, got nan"):
        mcc_at_threshold(torch.zeros(1, 6), torch.arange(6) % 2, math.nan)


def test_a_share_of_a_row_counts_in_part() -> None:
    scores, targets = torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([0, 1, 0])
    assert precision_at_k(scores, targets, 1.5).item() == pytest.approx(0.5 / 1.5)
    assert precision_at_k(scores, targets, 0.5).item() == 0
    assert precision_at_k(scores, targets, 3).item() == pytest.approx(1 / 3)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1)), min_size=2, max_size=60).filter(
        lambda pairs: len({y for _, y in pairs}) == 2
    ),
    st.floats(0, 1, exclude_max=True),
)
def test_recall_at_fpr_is_the_best_point_of_the_roc_curve(pairs: list[tuple[int, int]], fpr: float) -> None:
    scores, targets = torch.tensor(pairs).T
    false, true, _ = roc_curve(targets.numpy(), scores.numpy(), drop_intermediate=False)
    assert recall_at_fpr(scores[None].double(), targets, fpr).item() == pytest.approx(true[false <= fpr].max())


@pytest.mark.parametrize("negatives", [7, 50, 100, 1000])
def test_a_rate_of_exactly_m_negatives_allows_m(negatives: int) -> None:
    """Some fpr * n falls just below the integer it stands for (0.29 * 100)."""
    scores = torch.cat([torch.arange(negatives) + 0.5, torch.arange(negatives + 1)])[None].double()
    targets = torch.arange(2 * negatives + 1) >= negatives
    for allowed in range(negatives):
        expected = (allowed + 1) / (negatives + 1)  # one more positive lies above each negative let through
        assert recall_at_fpr(scores, targets, allowed / negatives).item() == pytest.approx(expected)


def test_runs_are_ranked_separately() -> None:
    targets = torch.tensor([1, 1, 0, 0, 0, 0])
    scores = torch.tensor([[6.0, 5, 4, 3, 2, 1], [1.0, 2, 3, 4, 5, 6], [0.0, 0, 0, 0, 0, 0]])
    torch.testing.assert_close(precision_at_k(scores, targets, 3), torch.tensor([2 / 3, 0, 1 / 3]).double())
    assert recall_at_fpr(scores, targets).tolist() == [1, 0, 0]


@pytest.mark.parametrize("k", [0, -1, 7, 6.5, float("nan")])
def test_k_out_of_range_is_refused(k: int) -> None:
    with pytest.raises(InputError, match="k must be more than 0 and at most the 6 samples"):
        precision_at_k(torch.zeros(1, 6), torch.arange(6) % 2, k)


@pytest.mark.parametrize("fpr", [-0.1, 1.0, float("nan")])
def test_fpr_out_of_range_is_refused(fpr: float) -> None:
    with pytest.raises(InputError, match="false positive rate"):
        recall_at_fpr(torch.zeros(1, 6), torch.arange(6) % 2, fpr)


@given(MANY, st.floats(0.01, 1))
def test_recall_at_a_precision_is_the_best_point_of_the_precision_recall_curve(
    pairs: list[tuple[int, int]], wanted: float
) -> None:
    scores, targets = torch.tensor(pairs).T
    precision, recall, _ = precision_recall_curve(targets.numpy(), scores.numpy())
    expected = max(recall[precision >= wanted * (1 - 1e-12)], default=0.0)
    assert recall_at_precision(scores[None].double(), targets, wanted).item() == pytest.approx(expected)


def mean_cost(targets: list[int], flagged: list[int], alarm: float, miss: float) -> float:
    (_, alarms), (misses, _) = confusion_matrix(targets, flagged, labels=[0, 1])
    return float(alarm * alarms + miss * misses) / len(targets)


@given(MANY, st.floats(0.1, 10), st.floats(0.1, 10))
def test_the_least_cost_is_the_least_over_all_thresholds(
    pairs: list[tuple[int, int]], alarm: float, miss: float
) -> None:
    scores, targets = torch.tensor(pairs).T
    costs, _ = metric_at_thresholds(
        targets.numpy(), scores.double().numpy(), mean_cost, metric_params={"alarm": alarm, "miss": miss}
    )
    nothing = miss * targets.double().mean().item()
    found = least_cost(scores[None].double(), targets, alarm, miss).item()
    assert found == pytest.approx(min(nothing, *costs), abs=1e-12)


@given(MANY, st.floats(0.01, 0.99))
def test_net_benefit_is_what_its_definition_says(pairs: list[tuple[int, int]], threshold: float) -> None:
    scores, targets = torch.tensor(pairs).T
    logits = (scores.double() - 10) / 3
    flagged = torch.sigmoid(logits).numpy() >= threshold
    hits, alarms = (flagged & (targets.numpy() == label) for label in (1, 0))
    expected = hits.mean() - alarms.mean() * threshold / (1 - threshold)
    assert net_benefit(logits[None], targets, threshold).item() == pytest.approx(expected, abs=1e-12)


def test_numbers_of_an_operating_point_out_of_range_are_refused() -> None:
    scores, targets = torch.zeros(1, 4), torch.tensor([0, 1, 0, 1])
    for wrong in (0.0, -1.0, 1.1, float("nan")):
        with pytest.raises(InputError, match="precision must lie"):
            recall_at_precision(scores, targets, wrong)
    for wrong in (0.0, 1.0, float("nan")):
        with pytest.raises(InputError, match="threshold is a probability"):
            net_benefit(scores, targets, wrong)
    for wrong in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match="costs must be"):
            least_cost(scores, targets, wrong, 1.0)
        with pytest.raises(InputError, match="costs must be"):
            least_cost(scores, targets, 1.0, wrong)


@given(MANY)
def test_a_decision_curve_is_the_net_benefit_at_each_probability(pairs: list[tuple[int, int]]) -> None:
    scores, targets = torch.tensor(pairs).T
    logits = (scores.float() - 12) / 3
    logits[0] = float(torch.logit(torch.tensor(DECISIONS[7], dtype=torch.float64)))  # nearly at one of them
    (found,) = net_benefit_curve(logits[None], targets)
    expected = [net_benefit(logits[None], targets, threshold).item() for threshold in DECISIONS]
    assert found.tolist() == pytest.approx(expected, abs=1e-12)
