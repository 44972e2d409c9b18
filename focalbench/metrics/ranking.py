"""Metrics of order alone: average precision, ROC AUC and the precision-recall curve, one value per run."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from focalbench.errors import InputError

__all__ = [
    "average_precision",
    "precision_recall_grid",
    "roc_auc",
]

FEW = 64  # positives


def average_precision(scores: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Average precision of each run: the mean, over the positives, of the precision at the positive's own score.

    It is the step-wise average precision, the same as scikit-learn's, ties included.

    Args:
        scores: (run, sample), finite, higher is more positive.
        targets: (sample,), 0 or 1.
        weights: (sample,), >= 0; None: 1 each.

    Returns:
        (run,) float64 in (0, 1]; chance is the prevalence, weighted if there are weights.

    Raises:
        InputError: for wrong shapes or weights, other targets, or a class missing or without weight.
    """
    if weights is None:
        return per_run(lambda row, positive: _precisions(row, positive).mean(), scores, targets)
    mass = checked_weights(weights, targets)
    return per_run(lambda row, positive: _weighted_average_precision(row, positive, mass), scores, targets)


def roc_auc(scores: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Each run's probability that a positive scores higher than a negative, ties counting half.

    It is Mann-Whitney's U over the number of pairs.

    Args:
        scores: (run, sample), finite.
        targets: (sample,), 0 or 1.
        weights: (sample,), >= 0; a pair weighs the product of its two. None: 1 each.

    Returns:
        (run,) float64 in [0, 1].

    Raises:
        InputError: for wrong shapes or weights, other targets, or a class missing or without weight.
    """
    if weights is None:
        return per_run(_roc_auc, scores, targets)
    mass = checked_weights(weights, targets)
    return per_run(lambda row, positive: _weighted_roc_auc(row, positive, mass), scores, targets)


def precision_recall_grid(scores: Tensor, targets: Tensor, points: int = 200, weights: Tensor | None = None) -> Tensor:
    """Precision of each run at the recalls k / points, k = 1..points, without interpolation.

    The precision is that of the highest threshold whose recall reaches k / points.

    Args:
        scores: (run, sample), finite.
        targets: (sample,), 0 or 1.
        points: >= 1.
        weights: (sample,), >= 0; None: 1 each.

    Returns:
        (run, points) float64 in (0, 1].

    Raises:
        InputError: for points < 1, wrong shapes or weights, other targets, or a class missing or without weight.
    """
    if points < 1:
        raise InputError(f"the precision-recall curve needs at least one point, got {points}")
    if weights is not None:
        mass = checked_weights(weights, targets)
        return per_run(lambda row, positive: _weighted_grid(row, positive, mass, points), scores, targets)

    def curve(row: Tensor, positive: Tensor) -> Tensor:
        precisions = _precisions(row, positive)
        level = torch.arange(1, points + 1, device=row.device)
        return precisions[(points - level) * len(precisions) // points]

    return per_run(curve, scores, targets)


def checked_weights(weights: Tensor, targets: Tensor) -> Tensor:
    """The weights, divided by their mean.

    Args:
        weights: (sample,), finite, >= 0 and not all 0 within a class.
        targets: (sample,), 0 or 1.

    Returns:
        (sample,) float64 of mean 1.

    Raises:
        InputError: for weights of another shape, not finite or < 0, or a class without weight.
    """
    mass = weights.double()
    if mass.shape != targets.shape or not _are_weights(mass):
        raise InputError(f"weights must be finite, >= 0 and of the targets' shape {tuple(targets.shape)}")
    if not all(bool((mass * (targets == label)).any()) for label in (0, 1)):
        raise InputError("weights leave one class without any; metrics need positives and negatives")
    mass = mass / mass.max()  # twice, because a sum of the largest numbers would be infinite
    return mass / mass.mean()


def _are_weights(mass: Tensor) -> bool:
    low, high = mass.aminmax()  # both NaN where one is
    return bool((low >= 0) & high.isfinite())


def per_run(metric: Callable[[Tensor, Tensor], Tensor], scores: Tensor, targets: Tensor) -> Tensor:
    """metric(row, positive) of each run, stacked.

    One row is computed at a time, so that a run's value never depends on the other runs, not even in the last bit.

    Args:
        metric: a function of one run's scores (sample,) and of positive, the (sample,) bool mask of the targets.
        scores: (run, sample), at least one run.
        targets: (sample,), 0 or 1, both present.

    Returns:
        What metric returns, stacked along a first dimension (run, ...).

    Raises:
        InputError: for wrong shapes, no run, targets other than 0 or 1, or a missing class.
    """
    if scores.ndim != 2 or not len(scores) or scores.shape[1:] != targets.shape:
        shapes = f"{tuple(scores.shape)} and {tuple(targets.shape)}"
        raise InputError(f"scores must be (run, sample) and targets (sample,), got {shapes}")
    positive = targets.bool()
    if not (positive == targets).all():
        raise InputError("targets must be 0 or 1; recode them")
    if positive.all() or not positive.any():
        raise InputError("targets hold one class only; metrics need positives and negatives, so use more rows")
    return torch.stack([metric(row, positive) for row in scores.detach().contiguous()])


def _precisions(row: Tensor, positive: Tensor) -> Tensor:
    """Return TP / (TP + FP) at the score of each positive, positives in ascending order: (positive,)."""
    ranked = _ascending(row.masked_select(positive))
    return _reaching(ranked, ranked).double() / _flagged(row, ranked)


def _flagged(row: Tensor, ranked: Tensor) -> Tensor:
    """How many of all scores reach each positive's; a pass over them for each is cheaper than a sort, while few."""
    if not _in_numpy(row) or len(ranked) > FEW:
        return _reaching(_ascending(row.masked_select(row >= ranked[0])), ranked)
    scores = row.numpy()
    return torch.tensor([np.count_nonzero(scores >= score) for score in ranked.numpy()])


def _reaching(ranked: Tensor, thresholds: Tensor) -> Tensor:
    """How many of these ascending scores reach each threshold."""
    return len(ranked) - torch.searchsorted(ranked, thresholds)


def _ascending(scores: Tensor) -> Tensor:
    if not _in_numpy(scores):
        return scores.sort().values
    return torch.from_numpy(np.sort(scores.numpy()))  # three times as fast as torch's, which also keeps the places


def _in_numpy(scores: Tensor) -> bool:
    """Whether NumPy can look at these scores where they lie."""
    return scores.device.type == "cpu" and scores.dtype != torch.bfloat16


def _roc_auc(row: Tensor, positive: Tensor) -> Tensor:
    ranked, negatives = _ascending(row.masked_select(positive)), _ascending(row.masked_select(~positive))
    below = torch.searchsorted(negatives, ranked).sum()
    not_above = torch.searchsorted(negatives, ranked, right=True).sum()
    return (below + not_above).double() / (2 * len(ranked) * len(negatives))


def _weighted_average_precision(row: Tensor, positive: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean, over the positives, of the weighted precision at the positive's own score."""
    own, true_positives, false_positives = weighted_curve(row, positive, weights)
    return (own * _precision(true_positives, false_positives)).sum() / own.sum()


def _weighted_grid(row: Tensor, positive: Tensor, weights: Tensor, points: int) -> Tensor:
    own, true_positives, false_positives = weighted_curve(row, positive, weights)
    level = torch.arange(1, points + 1, device=row.device).double() / points * own.sum() * (1 - 1e-12)
    reached = len(own) - torch.searchsorted(true_positives.flip(0), level) - 1
    return _precision(true_positives, false_positives)[reached]


def _precision(true_positives: Tensor, false_positives: Tensor) -> Tensor:
    return torch.where(true_positives > 0, true_positives / (true_positives + false_positives), 0.0)


def weighted_curve(row: Tensor, positive: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each positive's weight, and the weight of the positives and of the negatives that reach its score, ties included.

    Args:
        row: (sample,), the scores of one run.
        positive: (sample,), bool.
        weights: (sample,).

    Returns:
        Own weight, weight of the positives and weight of the negatives: three (positive,), by ascending score.
    """
    ranked, own = _by_score(row, weights, positive)
    negatives, others = _by_score(row, weights, ~positive)
    true_positives = _from_here_on(own)[torch.searchsorted(ranked, ranked)]
    return own, true_positives, _from_here_on(others)[torch.searchsorted(negatives, ranked)]


def _by_score(row: Tensor, weights: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
    """The scores of some rows in ascending order, and their weights."""
    scores, own = row.masked_select(members), weights.masked_select(members)
    if bool((own == own[0]).all()):  # as those of negatives are in a test that is weighted to a rate
        return _ascending(scores), own
    order = ascending_order(scores)
    return scores[order], own[order]


def ascending_order(scores: Tensor) -> Tensor:
    """The places of these scores from the lowest to the highest; those that tie in any order.

    Args:
        scores: (sample,).

    Returns:
        (sample,) int64.
    """
    if not _in_numpy(scores):
        return scores.argsort()
    return torch.from_numpy(np.argsort(scores.numpy()))  # five times as fast as torch's


def _from_here_on(weights: Tensor) -> Tensor:
    """The sum of the weights from each place on, and 0 beyond the last."""
    return torch.cat([weights.flip(0).cumsum(0).flip(0), weights.new_zeros(1)])


def _weighted_roc_auc(row: Tensor, positive: Tensor, weights: Tensor) -> Tensor:
    ranked, own = _by_score(row, weights, positive)
    negatives, others = _by_score(row, weights, ~positive)
    below = torch.cat([others.new_zeros(1), others.cumsum(0)])  # weight of the negatives below a place
    won = below[torch.searchsorted(negatives, ranked)] + below[torch.searchsorted(negatives, ranked, right=True)]
    return (own * won).sum() / 2 / (own.sum() * others.sum())
