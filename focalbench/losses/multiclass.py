"""Softmax focal loss: one class of many is right.

With m = x_t - log sum_{j != t} e^{x_j}, the true class's lead over all others, softmax's p_t is sigmoid(m). So the
softmax focal loss is the binary one of a positive with logit m, and inherits its exactness: 1 - p_t never cancels.
Source: Lin et al., Focal Loss for Dense Object Detection, arXiv 1708.02002, footnote 1.
"""

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid

from focalbench.errors import InputError
from focalbench.losses.binary import Hyperparameter, focal_gradient, focal_loss
from focalbench.losses.checks import (
    check_at_least_zero,
    check_probabilities,
    check_tensors,
    holds,
    result_dtype,
    widened,
)

__all__ = [
    "softmax_focal_loss",
]


def softmax_focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: Tensor | None = None,
    gamma: Hyperparameter = 2.0,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
) -> Tensor:
    """Focal loss alpha[t] (1 - p_t)^gamma CE, unreduced, p_t = softmax(logits)[t].

    A logit of -inf is a class that is not there, for smoothing too. NaN logits give NaN.

    Args:
        logits: (C), (N, C) or (N, C, *), floating, C >= 2; half precision is computed in float32.
        targets: class indices (), (N) or (N, *), of any integer type, in [0, C) or ignore_index. Or class
            probabilities, floating, of the logits' shape, in [0, 1]: the loss is then the expectation over the class,
            sum_c targets_c x the loss at class c, and ignore_index is not looked at.
        alpha: class weights (C,), each >= 0, or None. The range is not checked here.
        gamma: focusing exponent, >= 0.
        label_smoothing: e in [0, 1): CE is against (1 - e) one-hot + e / C, as torch's; the factor (1 - p_t)^gamma
            stays that of the true class. The range is not checked here.
        ignore_index: the class index where loss and gradient are 0.

    Returns:
        The shape of the class indices and the logits' dtype (float32 for half precision under autocast).

    Raises:
        InputError: for shapes and classes that do not fit, for probabilities outside [0, 1], and for gamma outside its
            range.

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017 (arXiv 1708.02002), footnote 1.
    """
    check_classes(logits, targets)
    check_at_least_zero("gamma", gamma)
    if logits.ndim == 1:
        batch = logits[None], targets[None]
        return softmax_focal_loss(
            *batch, alpha=alpha, gamma=gamma, label_smoothing=label_smoothing, ignore_index=ignore_index
        )[0]
    weights = _class_weights(logits, alpha)
    x = widened(logits)
    if targets.is_floating_point():
        check_probabilities(targets)
        loss = _of_probabilities(x, targets.to(x.dtype), gamma, label_smoothing, weights)
        return loss.to(result_dtype(logits))
    index = targets.long()
    valid = index != ignore_index
    if not holds(~valid | ((index >= 0) & (index < x.shape[1]))):
        raise InputError(f"targets must lie in [0, {x.shape[1]}) or equal ignore_index {ignore_index}")
    # ignored positions are cut off here: not even a NaN in them reaches the others' gradient
    x = torch.where(valid.unsqueeze(1), x, 0.0)
    loss = _of_classes(x, torch.where(valid, index, 0), gamma, label_smoothing, weights)
    return torch.where(valid, loss, 0.0).to(result_dtype(logits))


def _of_classes(x: Tensor, index: Tensor, gamma: Hyperparameter, smoothing: float, weights: Tensor | None) -> Tensor:
    x = x - x.detach().amax(1, keepdim=True)  # a common offset costs no digits
    which = index.unsqueeze(1)
    lead = x.gather(1, which).squeeze(1) - _log_total(x.masked_fill(_is_class(which, x), -torch.inf)).squeeze(1)
    loss = _focal(lead, gamma)
    if smoothing:
        loss = (1 - smoothing) * loss + smoothing * _focus(lead, gamma) * _mean_cross_entropy(x).squeeze(1)
    return loss if weights is None else _times(weights.to(x.dtype)[index], loss)


def _of_probabilities(
    x: Tensor, shares: Tensor, gamma: Hyperparameter, smoothing: float, weights: Tensor | None
) -> Tensor:
    lead = _all_leads(x)
    loss = _focal(lead, gamma)
    if smoothing:
        loss = (1 - smoothing) * loss + smoothing * _focus(lead, gamma) * _mean_cross_entropy(x)
    if weights is not None:
        shares = shares * weights.to(x.dtype).view(-1, *[1] * (x.ndim - 2))
    return _times(shares, loss).sum(1)


def _times(weight: Tensor, loss: Tensor) -> Tensor:
    """Their product, 0 where the weight is: the loss of a class that is not there is infinite."""
    return torch.where(weight == 0, 0.0, weight * loss)


def _focal(lead: Tensor, gamma: Hyperparameter) -> Tensor:
    return focal_loss(lead, torch.ones((), dtype=torch.bool, device=lead.device), gamma=gamma)


def _focus(lead: Tensor, gamma: Hyperparameter) -> Tensor:
    """(1 - p)^gamma, which an infinite lead does not move."""
    limits = torch.finfo(lead.dtype)
    return torch.exp(gamma * logsigmoid(-lead.clamp(limits.min, limits.max)))


def _mean_cross_entropy(x: Tensor) -> Tensor:
    """-log p on average over the classes that are there."""
    there = x != -torch.inf
    return torch.where(there, -log_softmax(x, 1), 0.0).sum(1, keepdim=True) / there.sum(1, keepdim=True)


def _all_leads(x: Tensor) -> Tensor:
    """Each class's logit less the logsumexp of the others'; differentiable, unlike `leads` at infinite logits too."""
    x = x - x.detach().amax(1, keepdim=True)
    largest = _is_class(x.detach().argmax(1, keepdim=True), x)
    odds = torch.exp(x)
    others = torch.where(largest, 1.0, odds.sum(1, keepdim=True) - odds).log()  # at least the largest's, which is 1
    return x - torch.where(largest, _log_total(x.masked_fill(largest, -torch.inf)), others)


def _log_total(x: Tensor) -> Tensor:
    """Logsumexp over the classes, (N, 1, *); where none is there it is -inf, and its gradient 0."""
    top = x.detach().amax(1, keepdim=True).clamp(min=torch.finfo(x.dtype).min)
    total = torch.exp(x - top).sum(1, keepdim=True)
    nothing = total == 0
    return torch.where(nothing, -torch.inf, torch.where(nothing, 1.0, total).log() + top)


def _is_class(index: Tensor, x: Tensor) -> Tensor:
    """A mask (N, C, *) of the classes (N, 1, *)."""
    return torch.arange(x.shape[1], device=x.device).view(-1, *[1] * (x.ndim - 2)) == index


def softmax_focal_gradient(logits: Tensor, targets: Tensor, gamma: Hyperparameter, weights: Tensor) -> Tensor:
    """Derivative of weights x softmax focal loss by the logits, in closed form; unchecked.

    d/dx_c = FL'(m) ([c = t] - [c != t] softmax over the other classes of x_c), m the true class's lead. logits: (run,
    class, sample), finite. targets: (class, sample), one-hot, of the logits' dtype. gamma: >= 0, a float or (run, 1,
    1). weights: of each sample, broadcasting with (run, 1, sample).
    """
    others = logits.masked_fill(targets.bool(), -torch.inf)
    largest = others.amax(1, keepdim=True)
    odds = torch.exp(others - largest)
    total = sum_classes(odds)  # at least 1
    lead = sum_classes(logits * targets) - largest - torch.log(total)
    slope = focal_gradient(lead, torch.ones_like(lead), gamma, weights)
    return slope * (targets - odds / total)


def leads(logits: Tensor) -> Tensor:
    """Log odds of each class under a softmax: its logit less the logsumexp of the others'; (run, class, sample).

    The largest class is told apart: without it, one can be taken from the sum of all without losing a digit.
    """
    (first, second), where = logits.topk(2, dim=1)[0].unbind(1), logits.argmax(1, keepdim=True)
    first, second = first.unsqueeze(1), second.unsqueeze(1)
    odds = torch.exp(logits - first)
    others = torch.log(sum_classes(odds) - odds) + first
    rest = torch.exp(logits.scatter(1, where, -torch.inf) - second)
    return logits - others.scatter(1, where, torch.log(sum_classes(rest)) + second)


def sum_classes(values: Tensor) -> Tensor:
    """Sum (run, class, sample) over the classes one by one, so that its bits do not depend on runs and samples."""
    total = values[:, :1].clone()
    for k in range(1, values.shape[1]):
        total += values[:, k : k + 1]
    return total


def check_classes(logits: Tensor, targets: Tensor) -> None:
    """Raise InputError unless these are logits and class indices or class probabilities."""
    check_tensors(logits=logits, targets=targets)
    if not logits.is_floating_point():
        raise InputError(f"logits must be floating point, got {logits.dtype}")
    shapes = f"got logits {tuple(logits.shape)} and targets {tuple(targets.shape)}"
    if logits.ndim == 0 or logits.shape[min(1, logits.ndim - 1)] < 2:
        raise InputError(f"logits must be (C), (N, C) or (N, C, *) with C >= 2; {shapes}")
    if targets.dtype == torch.bool or (targets.is_floating_point() and targets.shape == positions(logits)):
        raise InputError(f"targets must be integer class indices, got {targets.dtype}; probabilities are one a class")
    if targets.shape != (logits.shape if targets.is_floating_point() else positions(logits)):
        raise InputError(
            f"targets must be class indices (), (N) or (N, *), or floating and of the logits' shape; {shapes}"
        )


def positions(logits: Tensor) -> torch.Size:
    """The shape without the classes: (), (N) or (N, *)."""
    return logits.shape[:0] if logits.ndim < 2 else logits.shape[:1] + logits.shape[2:]


def _class_weights(logits: Tensor, alpha: Tensor | None) -> Tensor | None:
    if alpha is None:
        return None
    check_tensors(alpha=alpha)
    classes = logits.shape[1]
    if alpha.shape != (classes,):
        raise InputError(f"alpha must hold one weight for each of the {classes} classes, got {tuple(alpha.shape)}")
    return alpha
