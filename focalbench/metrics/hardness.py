"""How much of a focal loss a few rows carry (Lin et al. 2017, figure 4)."""

from math import ceil

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

__all__ = ["cumulative_loss", "hardest_negatives_share"]

HARDEST = 0.01  # of the negatives


def hardest_negatives_share(
    logits: Tensor, targets: Tensor, gamma: float, weights: Tensor | None = None, share: float = HARDEST
) -> Tensor:
    """Return the share of the negatives' focal loss that the hardest of them carry.

    Class weights, which all negatives have in common, drop out.

    Args:
        logits: (run, sample), finite.
        targets: (sample,) of 0/1, at least one 0.
        gamma: focusing exponent, >= 0; 0 is the cross entropy.
        weights: (sample,), what each row counts for, > 0; None for 1 each.
        share: of the negatives, by number, that count as the hardest, in (0, 1]; rounded up to whole rows.

    Returns:
        (run,) float64, in (0, 1].

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, figure 4 (cumulative loss of negatives).

    >>> hardest_negatives_share(torch.tensor([[0.0, 0.0, 9.0]]), torch.tensor([0, 0, 1]), gamma=2.0, share=0.5)
    tensor([0.5000], dtype=torch.float64)
    """
    negatives = logits.double()[:, targets == 0]
    loss = torch.exp(gamma * logsigmoid(negatives)) * softplus(negatives)
    if weights is not None:
        loss = loss * weights.double()[targets == 0]
    order = negatives.argsort(dim=1, descending=True)
    hardest = loss.gather(1, order[:, : ceil(share * negatives.shape[1])])
    return hardest.sum(dim=1) / loss.sum(dim=1)


def cumulative_loss(logits: Tensor, gamma: float, *, positive: bool, points: int = 101) -> Tensor:
    """Return the share of one class's focal loss that its easiest rows carry, at even shares of its rows.

    Args:
        logits: (sample,) of the rows of one class, finite.
        gamma: focusing exponent, >= 0.
        positive: which class these are.
        points: how many shares of the rows from 0 to 1, at least 2.

    Returns:
        (points,) float64, from 0 to 1.

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, figure 4.

    >>> cumulative_loss(torch.tensor([0.0, 0.0]), gamma=2.0, positive=False, points=3).tolist()
    [0.0, 0.5, 1.0]
    """
    wrong = (-logits if positive else logits).double().sort().values  # the log odds of the other class
    loss = torch.cat([wrong.new_zeros(1), (torch.exp(gamma * logsigmoid(wrong)) * softplus(wrong)).cumsum(0)])
    rows = torch.linspace(0, len(wrong), points).round().long()
    return loss[rows] / loss[-1]
