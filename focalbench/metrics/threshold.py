"""Metrics at one operating point: precision among the first k, recall at a bearable false positive rate."""

from torch import Tensor

from focalbench.errors import InputError
from focalbench.metrics.ranking import per_run


def precision_at_k(scores: Tensor, targets: Tensor, k: int) -> Tensor:
    """Return the share of positives among the k highest scores, in expectation over random order of ties.

    scores: (run, sample), finite. targets: (sample,) of 0/1. k: 1..sample. Returns (run,) float64 in [0, 1].
    Raises InputError for a k out of range, wrong shapes, other targets or a missing class.
    """
    if not 1 <= k <= len(targets):
        raise InputError(f"k must lie between 1 and the {len(targets)} samples, got {k}")

    def precision(row: Tensor, positive: Tensor) -> Tensor:
        threshold = row.topk(k).values[-1]
        above, tied = row > threshold, row == threshold
        return (positive[above].sum() + (k - above.sum()) * positive[tied].double().mean()) / k

    return per_run(precision, scores, targets)


def recall_at_fpr(scores: Tensor, targets: Tensor, fpr: float = 0.01) -> Tensor:
    """Return the largest recall of any threshold whose false positive rate is at most fpr.

    scores: (run, sample), finite. targets: (sample,) of 0/1. fpr: in [0, 1). Returns (run,) float64 in
    [0, 1]. Raises InputError for an fpr out of range, wrong shapes, other targets or a missing class.
    """
    if not 0 <= fpr < 1:
        raise InputError(f"the false positive rate must lie in [0, 1), got {fpr}")

    def recall(row: Tensor, positive: Tensor) -> Tensor:
        negatives = row[~positive]
        first_too_many = negatives.kthvalue(len(negatives) - _allowed(len(negatives), fpr)).values
        return (row[positive] > first_too_many).double().mean()

    return per_run(recall, scores, targets)


def _allowed(negatives: int, fpr: float) -> int:
    """Return the largest count with count / negatives <= fpr, immune to the rounding of fpr * negatives."""
    count = round(fpr * negatives)
    return count - (count / negatives > fpr)
