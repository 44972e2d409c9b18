"""The binary losses in torch: elementwise, unreduced, hyperparameters broadcasting over a leading run axis.

Notation as in reference.py: u = x (1 - 2y), q = sigmoid(u) = 1 - p_t, ce = -log p_t.
A run's numbers must not depend on its company, so every value here comes from torch operations whose bits do
not depend on an element's position: exp, log1p, logsigmoid, arithmetic. torch.sigmoid and softplus are not
among them: the vector body and the scalar tail of their loops round differently.
Source: Lin et al., Focal Loss for Dense Object Detection, arXiv 1708.02002.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from focalbench.arms import Arm
from focalbench.errors import InputError
from focalbench.losses.reference import class_alpha

Hyperparameter = float | Tensor


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy -log p_t, unreduced.

    logits: any shape, finite floats. targets: 0 or 1, broadcasting with logits. Returns their common shape.
    """
    return -logsigmoid(-_signed(logits, targets))


def focal_loss(
    logits: Tensor, targets: Tensor, *, alpha: Hyperparameter | None = None, gamma: Hyperparameter = 2.0
) -> Tensor:
    """Focal loss alpha_t (1 - p_t)^gamma (-log p_t), unreduced (the paper's eq. 5).

    logits: any shape, finite floats. targets: 0 or 1. alpha in [0, 1] weights positives, 1 - alpha negatives;
    None weights both by 1. gamma >= 0. All broadcast: with logits (run, output, sample) a value per
    run has shape (run, 1, 1). Raises InputError outside these ranges.
    """
    _check(targets, alpha, gamma)
    u = _signed(logits, targets)
    loss = torch.exp(gamma * logsigmoid(u)) * -logsigmoid(-u)
    y = targets.to(logits.dtype)
    return loss if alpha is None else (alpha * y + (1 - alpha) * (1 - y)) * loss


def focal_gradient(logits: Tensor, targets: Tensor, gamma: Hyperparameter, weights: Hyperparameter) -> Tensor:
    """Derivative of weights x focal loss by the logit, in closed form (the paper's eq. 10); unchecked.

    d/dx = weights q^gamma (q + gamma p_t ce) (1 - 2y). logits: (run, output, sample), finite. targets: 0 or
    1, of the logits' dtype. gamma: >= 0, a float or (run, 1, 1). weights: the class weight of each sample.
    All broadcast. A gamma of 0.0 skips what it does not need and gives the same bits as a tensor of zeros.
    """
    sign = 1 - 2 * targets
    u = logits * sign
    e = torch.exp(-u.abs())
    larger = 1 / (1 + e)  # of the two probabilities q and p_t
    smaller = e * larger
    q = torch.where(u > 0, larger, smaller)
    if isinstance(gamma, float) and gamma == 0:
        return weights * q * sign
    p_t = torch.where(u > 0, smaller, larger)
    log1p_e = torch.log1p(e)
    ce = u.clamp(min=0) + log1p_e
    focus = torch.exp(gamma * (u.clamp(max=0) - log1p_e))
    return weights * (focus * (q + gamma * p_t * ce)) * sign


def class_weights(arm: Arm, prevalence: float) -> tuple[float, float]:
    """Weights of a positive and of a negative under an arm, divided by their mean over the training rows.

    prevalence: share of positives in the training rows, in (0, 1), else InputError. After the division
    pos_weight and balanced alpha, which differ by a factor, are one loss.

    >>> class_weights(Arm("pos_weight"), 0.25)
    (2.0, 0.6666666666666666)
    """
    alpha = class_alpha(arm, prevalence)
    positive, negative = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    mean = prevalence * positive + (1 - prevalence) * negative
    return positive / mean, negative / mean


def _signed(logits: Tensor, targets: Tensor) -> Tensor:
    return logits * (1 - 2 * targets.to(logits.dtype))


def _check(targets: Tensor, alpha: Hyperparameter | None, gamma: Hyperparameter) -> None:
    if not bool(((targets == 0) | (targets == 1)).all()):
        raise InputError("targets must be 0 or 1; soft targets have no agreed focal loss, so round them first")
    if alpha is not None and not _within(alpha, 0, 1):
        raise InputError(f"alpha must lie in [0, 1] or be None (off), got {alpha}")
    if not _within(gamma, 0, torch.finfo(torch.float64).max):
        raise InputError(f"gamma must be a finite number >= 0, got {gamma}")


def _within(value: Hyperparameter, low: float, high: float) -> bool:
    value = torch.as_tensor(value, dtype=torch.float64)
    return bool(((value >= low) & (value <= high)).all())
