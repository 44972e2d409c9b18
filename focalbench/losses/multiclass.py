"""Softmax focal loss: one class of many is right.

With m = x_t - log sum_{j != t} e^{x_j}, the true class's lead over all others, softmax's p_t is sigmoid(m). So the
softmax focal loss is the binary one of a positive with logit m, and inherits its exactness: 1 - p_t never cancels.
Source: Lin et al., Focal Loss for Dense Object Detection, arXiv 1708.02002, footnote 1.
"""

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, one_hot

from focalbench.errors import InputError
from focalbench.losses.binary import Hyperparameter, focal_gradient, focal_loss


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

    logits: (N, C) or (N, C, *), floating, C >= 2. targets: (N) or (N, *), class indices in [0, C) or ignore_index,
    where loss and gradient are 0. alpha: (C,), each >= 0, or None. gamma >= 0. label_smoothing in [0, 1): CE is
    against (1 - e) one-hot + e / C, as torch's; the factor (1 - p_t)^gamma stays that of the true class. Returns
    the targets' shape and the logits' dtype; half precision is computed in float32; NaN logits give NaN.
    Raises InputError for shapes and classes that do not fit.
    """
    _check(logits, targets, alpha, ignore_index)
    valid = targets != ignore_index
    index = torch.where(valid, targets, 0).unsqueeze(1)
    x = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    # ignored positions are cut off here: not even a NaN in them reaches the others' gradient
    x = torch.where(valid.unsqueeze(1), x, 0.0)
    x = x - x.detach().amax(1, keepdim=True)  # a common offset costs no digits
    is_target = one_hot(index.squeeze(1), x.shape[1]).movedim(-1, 1).bool()
    lead = x.gather(1, index).squeeze(1) - x.masked_fill(is_target, -torch.inf).logsumexp(1)
    hit = torch.ones_like(lead)
    loss = focal_loss(lead, hit.bool(), gamma=gamma)
    if label_smoothing:
        # the smoothed part of CE beside the true class's, under the same focusing factor
        focus = torch.exp(gamma * torch.nn.functional.logsigmoid(-lead))
        loss = (1 - label_smoothing) * loss - label_smoothing * focus * log_softmax(x, 1).mean(1)
    if alpha is not None:
        loss = loss * alpha.to(loss)[index.squeeze(1)]
    return torch.where(valid, loss, 0.0).to(logits.dtype)


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


def _check(logits: Tensor, targets: Tensor, alpha: Tensor | None, ignore_index: int) -> None:
    shapes = f"got logits {tuple(logits.shape)} and targets {tuple(targets.shape)}"
    if logits.ndim < 2 or logits.shape[1] < 2 or targets.shape != logits.shape[:1] + logits.shape[2:]:
        raise InputError(f"logits must be (N, C) or (N, C, *) with C >= 2, targets (N) or (N, *); {shapes}")
    if not logits.is_floating_point():
        raise InputError(f"logits must be floating point, got {logits.dtype}")
    if targets.is_floating_point() or targets.dtype == torch.bool:
        raise InputError(f"targets must be integer class indices, got {targets.dtype}")
    classes = logits.shape[1]
    if alpha is not None and alpha.shape != (classes,):
        raise InputError(f"alpha must hold one weight for each of the {classes} classes, got {tuple(alpha.shape)}")
    if not torch.compiler.is_compiling():
        known = (targets == ignore_index) | ((targets >= 0) & (targets < classes))
        if not bool(known.all()):
            raise InputError(f"targets must lie in [0, {classes}) or equal ignore_index {ignore_index}")
