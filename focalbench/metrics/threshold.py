"""Metrics at one operating point: precision among the first k, recall at a bearable false positive rate or at a
precision, the least cost, net benefit, Matthews correlation at a threshold.
"""

import math

import torch
from torch import Tensor

from focalbench.errors import InputError
from focalbench.metrics.ranking import ascending_order, checked_weights, per_run, weighted_curve

__all__ = [
    "least_cost",
    "mcc_at_prevalence",
    "mcc_at_threshold",
    "net_benefit",
    "net_benefit_curve",
    "precision_at_k",
    "r_precision",
    "recall_at_fpr",
    "recall_at_precision",
]

ROUNDING = 1e-12  # of a sum of weights
DECISIONS = tuple(
    10 ** (place / 10) / 2000 for place in range(31)
)  # probabilities from .0005 to .5 of a decision curve


def precision_at_k(scores: Tensor, targets: Tensor, k: float, weights: Tensor | None = None) -> Tensor:
    """Share of positives among the k highest scores, in expectation over random order of ties.

    Args:
        scores: (run, sample), finite.
        targets: (sample,), 0 or 1.
        k: more than 0, at most sample; for a share q of the rows, k = q * sample.
        weights: (sample,), >= 0; they are divided by their mean, so that a total weight of k counts as k rows do
            without weights. None: 1 each.

    Returns:
        (run,) float64 in [0, 1].

    Raises:
        InputError: for a k out of range, wrong shapes or weights, other targets, or a class missing or without weight.
    """
    if not 0 < k <= len(targets):
        raise InputError(f"k must be more than 0 and at most the {len(targets)} samples, got {k}")
    if weights is None:
        return per_run(lambda row, positive: _precision(row, positive, k), scores, targets)
    mass = checked_weights(weights, targets)
    return per_run(lambda row, positive: _weighted_precision(row, positive, mass, k), scores, targets)


def r_precision(scores: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Precision among as many of the highest scores as there are positives; the recall there is the same.

    Args:
        scores: (run, sample), finite.
        targets: (sample,), 0 or 1.
        weights: (sample,), >= 0; with them, the highest scores have as much weight as the positives. None: 1 each.

    Returns:
        (run,) float64 in [0, 1]; chance is the prevalence, weighted if there are weights.

    Raises:
        InputError: for wrong shapes or weights, other targets, or a class missing or without weight.
    """
    if weights is None:
        return per_run(lambda row, positive: _precision(row, positive, int(positive.sum())), scores, targets)
    mass = checked_weights(weights, targets)

    def precision(row: Tensor, positive: Tensor) -> Tensor:
        return _weighted_precision(row, positive, mass, float(mass[positive].sum()))

    return per_run(precision, scores, targets)


def mcc_at_threshold(scores: Tensor, targets: Tensor, threshold: float, weights: Tensor | None = None) -> Tensor:
    """Matthews correlation of the targets with what a threshold calls positive: the rows of score >= threshold.

    It is scikit-learn's matthews_corrcoef: 0 where all rows or none are called positive.

    Args:
        scores: (run, sample), finite.
        targets: (sample,), 0 or 1.
        threshold: any number, compared in the scores' dtype.
        weights: (sample,), >= 0; with them, the confusion matrix holds weights. None: 1 each.

    Returns:
        (run,) float64 in [-1, 1]; chance is 0.

    Raises:
        InputError: for a threshold of NaN, wrong shapes or weights, other targets, or a class missing or without
            weight.

    References:
        Matthews, Comparison of the Predicted and Observed Secondary Structure of T4 Phage Lysozyme, Biochimica et
        Biophysica Acta 1975.
    """
    if math.isnan(threshold):
        raise InputError(f"the threshold must be a number, got {threshold}")
    mass = torch.ones_like(targets, dtype=torch.float64) if weights is None else checked_weights(weights, targets)
    return per_run(lambda row, positive: _matthews(row >= threshold, positive, mass), scores, targets)


def mcc_at_prevalence(scores: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Matthews correlation where as many of the highest scores are called positive as there are positives.

    The threshold is that of r_precision, set by the number of positives among these very targets, not chosen on other
    rows; scores that tie with it count in part: the value is the mean over random order of ties. Where as many are
    called positive as are, false positives are as many as false negatives, and the correlation is R-precision above
    chance, (r - pi) / (1 - pi), pi the prevalence: it compares tests of different rates, and orders runs on one test as
    R-precision does.

    Args:
        scores: (run, sample), finite.
        targets: (sample,), 0 or 1.
        weights: (sample,), >= 0; with them, the highest scores have as much weight as the positives. None: 1 each.

    Returns:
        (run,) float64 in [-1, 1]; chance is 0.

    Raises:
        InputError: for wrong shapes or weights, other targets, or a class missing or without weight.

    References:
        Matthews, Comparison of the Predicted and Observed Secondary Structure of T4 Phage Lysozyme, Biochimica et
        Biophysica Acta 1975.
    """
    precision = r_precision(scores, targets, weights)
    mass = torch.ones_like(targets, dtype=torch.float64) if weights is None else checked_weights(weights, targets)
    odds = mass[targets == 1].sum() / mass[targets == 0].sum()
    return (precision - (1 - precision) * odds).clamp(min=-1)  # (r - pi) / (1 - pi), without cancelling


def recall_at_fpr(scores: Tensor, targets: Tensor, fpr: float = 0.01, weights: Tensor | None = None) -> Tensor:
    """Largest recall of any threshold whose false positive rate is at most fpr.

    Args:
        scores: (run, sample), finite.
        targets: (sample,), 0 or 1.
        fpr: in [0, 1).
        weights: (sample,), >= 0; with them, both rates are shares of weight. None: 1 each.

    Returns:
        (run,) float64 in [0, 1].

    Raises:
        InputError: for an fpr out of range, wrong shapes or weights, other targets, or a class missing or without
            weight.
    """
    if not 0 <= fpr < 1:
        raise InputError(f"the false positive rate must lie in [0, 1), got {fpr}")
    if weights is not None:
        mass = checked_weights(weights, targets)
        return per_run(lambda row, positive: _weighted_recall(row, positive, mass, fpr), scores, targets)

    def recall(row: Tensor, positive: Tensor) -> Tensor:
        negatives = row[~positive]
        first_too_many = negatives.kthvalue(len(negatives) - _allowed(len(negatives), fpr)).values
        return (row[positive] > first_too_many).double().mean()

    return per_run(recall, scores, targets)


def recall_at_precision(scores: Tensor, targets: Tensor, precision: float, weights: Tensor | None = None) -> Tensor:
    """Largest recall of any threshold whose precision is at least so much; 0 where no threshold has it.

    Args:
        scores: (run, sample), finite.
        targets: (sample,), 0 or 1.
        precision: in (0, 1].
        weights: (sample,), >= 0; with them, both are shares of weight. None: 1 each.

    Returns:
        (run,) float64 in [0, 1].

    Raises:
        InputError: for a precision out of range, wrong shapes or weights, other targets, or a class missing or without
            weight.
    """
    if not 0 < precision <= 1:
        raise InputError(f"the precision must lie in (0, 1], got {precision}")
    mass = torch.ones_like(targets, dtype=torch.float64) if weights is None else checked_weights(weights, targets)

    def recall(row: Tensor, positive: Tensor) -> Tensor:
        own, reached, false_positives = weighted_curve(row, positive, mass)
        enough = reached >= precision * (reached + false_positives) * (1 - ROUNDING)
        return (reached * enough).max() / own.sum()

    return per_run(recall, scores, targets)


def least_cost(
    scores: Tensor, targets: Tensor, false_positive: float, false_negative: float, weights: Tensor | None = None
) -> Tensor:
    """Least mean cost of any threshold, that of flagging nothing among them.

    Args:
        scores: (run, sample), finite.
        targets: (sample,), 0 or 1.
        false_positive: what a flagged negative costs, > 0.
        false_negative: what a missed positive costs, > 0.
        weights: (sample,), >= 0; with them, the mean is a weighted one. None: 1 each.

    Returns:
        (run,) float64 >= 0, in the unit of the costs, for each row. The threshold is chosen on these very rows, so the
        value is better than what other rows would cost.

    Raises:
        InputError: for a cost that is not above 0, wrong shapes or weights, other targets, or a class missing or
            without weight.

    References:
        Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001.
    """
    if not (0 < false_positive < math.inf and 0 < false_negative < math.inf):
        raise InputError(f"costs must be finite and above 0, got {false_positive} and {false_negative}")
    mass = torch.ones_like(targets, dtype=torch.float64) if weights is None else checked_weights(weights, targets)

    def cost(row: Tensor, positive: Tensor) -> Tensor:
        own, reached, false_positives = weighted_curve(row, positive, mass)
        missed = false_negative * own.sum()
        costs = missed + false_positive * false_positives - false_negative * reached
        return costs.min().clamp(max=missed) / mass.sum()

    return per_run(cost, scores, targets)


def net_benefit(logits: Tensor, targets: Tensor, threshold: float, weights: Tensor | None = None) -> Tensor:
    """Net benefit of acting on the rows whose probability is at least a threshold: TP/n - FP/n x t / (1 - t).

    Args:
        logits: (run, sample), finite, log odds of a probability.
        targets: (sample,), 0 or 1.
        threshold: t in (0, 1): the probability at which acting and not acting are worth the same.
        weights: (sample,), >= 0; with them, TP, FP and n are sums of weight. None: 1 each.

    Returns:
        (run,) float64, at most the prevalence; 0 is that of never acting.

    Raises:
        InputError: for a threshold out of range, wrong shapes or weights, other targets, or a class missing or without
            weight.

    References:
        Vickers & Elkin, Decision Curve Analysis: A Novel Method for Evaluating Prediction Models, Medical Decision
        Making 2006.
    """
    if not 0 < threshold < 1:
        raise InputError(f"the threshold is a probability between 0 and 1, got {threshold}")
    mass = torch.ones_like(targets, dtype=torch.float64) if weights is None else checked_weights(weights, targets)
    at, odds = math.log(threshold) - math.log1p(-threshold), threshold / (1 - threshold)

    def benefit(row: Tensor, positive: Tensor) -> Tensor:
        flagged = mass * (row.double() >= at)
        return (flagged[positive].sum() - odds * flagged[~positive].sum()) / mass.sum()

    return per_run(benefit, logits, targets)


def net_benefit_curve(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Net benefit at each of the probabilities DECISIONS: a decision curve.

    Args:
        logits: (run, sample), finite, log odds of a probability.
        targets: (sample,), 0 or 1.
        weights: (sample,), >= 0. None: 1 each.

    Returns:
        (run, probability) float64, at most the prevalence.

    Raises:
        InputError: for wrong shapes or weights, other targets, or a class missing or without weight.

    References:
        As net_benefit.
    """
    mass = torch.ones_like(targets, dtype=torch.float64) if weights is None else checked_weights(weights, targets)
    levels = torch.tensor(DECISIONS, dtype=torch.float64)
    places = torch.logit(levels)

    def curve(row: Tensor, positive: Tensor) -> Tensor:
        reached = torch.bucketize(row.double(), places, right=True)  # how many of the levels each row reaches
        hits, alarms = (
            torch.bincount(reached[own], mass[own], len(places) + 1).flip(0).cumsum(0).flip(0)[1:]
            for own in (positive, ~positive)
        )
        return (hits - levels / (1 - levels) * alarms) / mass.sum()

    return per_run(curve, logits, targets)


def _matthews(called: Tensor, positive: Tensor, mass: Tensor) -> Tensor:
    """0 where a row or a column of the confusion matrix is empty."""
    hits, false_alarms = mass[called & positive].sum(), mass[called & ~positive].sum()
    misses, rejections = mass[~called & positive].sum(), mass[~called & ~positive].sum()
    margins = torch.stack([hits + false_alarms, misses + rejections, hits + misses, false_alarms + rejections])
    if not margins.all():
        return margins.new_zeros(())
    # each root by itself, because a product of small weights would underflow
    return ((hits * rejections - false_alarms * misses) / margins.sqrt().prod()).clamp(-1, 1)


def _precision(row: Tensor, positive: Tensor, k: float) -> Tensor:
    """Rows above the k-th score count in full, those that tie with it in part."""
    threshold = row.topk(math.ceil(k)).values[-1]
    above, tied = row > threshold, row == threshold
    return (positive[above].sum() + (k - above.sum().double()) * positive[tied].double().mean()) / k


def _weighted_precision(row: Tensor, positive: Tensor, mass: Tensor, k: float) -> Tensor:
    descending = ascending_order(row).flip(0)
    reached = mass[descending].cumsum(0)
    last = torch.searchsorted(reached, min(k, float(reached[-1])) * (1 - ROUNDING))
    threshold = row[descending[last]]
    above, tied, own = mass * (row > threshold), mass * (row == threshold), positive.double()
    return (above @ own + (k - above.sum()) * (tied @ own) / tied.sum()) / k


def _weighted_recall(row: Tensor, positive: Tensor, mass: Tensor, fpr: float) -> Tensor:
    """A threshold between two positives lets negatives through, and no positive more than that at the upper one."""
    own, _, false_positives = weighted_curve(row, positive, mass)
    bearable = fpr * mass[~positive].sum() * (1 + ROUNDING)
    return own[false_positives <= bearable].sum() / own.sum()


def _allowed(negatives: int, fpr: float) -> int:
    """Return the largest count with count / negatives <= fpr, immune to the rounding of fpr * negatives."""
    count = round(fpr * negatives)
    return count - (count / negatives > fpr)
