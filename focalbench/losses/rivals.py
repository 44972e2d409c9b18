"""The rivals of the focal loss on binary logits, batched over runs.

All take logits (run, output, sample), floating (output = 1 when binary; half precision is computed in float32), and
targets of 0 or 1, (sample,) or expanding to the logits' shape. A hyperparameter is a float or a tensor that broadcasts
over the runs, (run, 1, 1), and takes no part in a sum over samples. Elementwise losses return the logits' shape,
unreduced; those that need the batch return (run, output). NaN logits give NaN. Everything else that is outside the
stated ranges raises InputError with the argument's name.
Notation: y' = 2y - 1, x_t = y' x, p = sigmoid(x), p_t = sigmoid(x_t), CE = -log p_t. Probabilities are exp(logsigmoid),
which is exact in both tails and whose bits do not depend on an element's position (binary.py).
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from focalbench.base.intervals import within
from focalbench.errors import InputError
from focalbench.losses.binary import Hyperparameter, Weights
from focalbench.losses.checks import check_shapes, holds

__all__ = [
    "asymmetric_loss",
    "class_balanced_weights",
    "deferred_weights",
    "dice_loss",
    "focal_tversky_loss",
    "hinge_loss",
    "label_smoothed_cross_entropy",
    "ldam_loss",
    "logit_adjusted_loss",
    "ohem_loss",
    "poly1_loss",
    "smooth_ap_loss",
    "topk_loss",
    "tversky_loss",
]

# ---- class weights


def class_balanced_weights(positives: float, negatives: float, beta: float) -> Weights:
    """Weights (1 - beta) / (1 - beta^n) of a class of n rows, divided by their mean over the training rows.

    Args:
        positives, negatives: rows of each class, >= 1.
        beta: in [0, 1). 0 weights all rows by 1; beta -> 1 gives both classes the same total weight.

    Returns:
        The weight of a positive and that of a negative.

    Raises:
        InputError: for values outside these ranges.

    References:
        Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019.

    >>> class_balanced_weights(1, 3, 0.0)
    Weights(positive=1.0, negative=1.0)
    """
    _check_counts(positives, negatives)
    _check_in("beta", beta, "[0, 1)")
    log_beta = math.log(beta) if beta else -math.inf
    positive, negative = (-1 / math.expm1(count * log_beta) for count in (positives, negatives))
    mean = (positives * positive + negatives * negative) / (positives + negatives)
    return Weights(positive / mean, negative / mean)


def deferred_weights(epoch: int, epochs: int, weights: Weights, start: float = 0.8) -> Weights:
    """Deferred reweighting: ones while epoch / epochs < start, then the weights.

    Args:
        epoch: counts from 0, in [0, epochs).
        epochs: number of epochs in the whole training.
        weights: of a positive and of a negative, used from the start on.
        start: in [0, 1]. 0 weights from the first epoch, 1 never does. 0.8 begins, as the authors do, at epoch 160 of
            200.

    Returns:
        The weights of this epoch.

    Raises:
        InputError: for epoch or start outside these ranges.

    References:
        Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019.

    >>> deferred_weights(159, 200, Weights(9.0, 0.5)), deferred_weights(160, 200, Weights(9.0, 0.5))
    (Weights(positive=1.0, negative=1.0), Weights(positive=9.0, negative=0.5))
    """
    _check_in("epoch", epoch, f"[0, {epochs})")
    _check_in("start", start, "[0, 1]")
    return weights if epoch / epochs >= start else Weights(1.0, 1.0)


# ---- elementwise losses


def hinge_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Hinge loss max(0, 1 - y' x), unreduced; its gradient at the kink is 0.

    Args:
        logits: (run, output, sample), floating.
        targets: 0 or 1, (sample,) or of a shape that expands to the logits'.

    Returns:
        The logits' shape, unreduced.

    Raises:
        InputError: for targets other than 0 and 1, and for shapes that do not fit.

    References:
        Cortes & Vapnik, Support-Vector Networks, Machine Learning 1995.
    """
    x, positive = _inputs(logits, targets)
    return torch.relu(1 - _target_logit(x, positive)).to(logits.dtype)


def label_smoothed_cross_entropy(logits: Tensor, targets: Tensor, *, smoothing: Hyperparameter = 0.1) -> Tensor:
    """Cross entropy against t = y (1 - e) + e / 2, that is (1 - e/2) CE(y) + e/2 CE(1 - y), unreduced.

    Args:
        logits: (run, output, sample), floating.
        targets: 0 or 1, (sample,) or of a shape that expands to the logits'.
        smoothing: e in [0, 1]; 0 is cross entropy.

    Returns:
        The logits' shape, unreduced.

    Raises:
        InputError: for values outside these ranges, and for shapes that do not fit.

    References:
        Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016, section 7.
    """
    _check_in("smoothing", smoothing, "[0, 1]", logits)
    x_t = _target_logit(*_inputs(logits, targets))
    half = smoothing / 2
    return (-(1 - half) * logsigmoid(x_t) - half * logsigmoid(-x_t)).to(logits.dtype)


def poly1_loss(logits: Tensor, targets: Tensor, *, epsilon: Hyperparameter = 1.0) -> Tensor:
    """PolyLoss-1: CE + epsilon (1 - p_t), unreduced.

    With epsilon below -1 the loss would grow as p_t nears 1. At -1 the value on easy samples is a difference of nearly
    equal numbers; it is right to the rounding of CE.

    Args:
        logits: (run, output, sample), floating.
        targets: 0 or 1, (sample,) or of a shape that expands to the logits'.
        epsilon: >= -1; 0 is cross entropy.

    Returns:
        The logits' shape, unreduced.

    Raises:
        InputError: for values outside these ranges, and for shapes that do not fit.

    References:
        Leng et al., PolyLoss: A Polynomial Expansion Perspective of Classification Loss Functions, ICLR 2022.
    """
    _check_in("epsilon", epsilon, "[-1, inf)", logits)
    x_t = _target_logit(*_inputs(logits, targets))
    return (epsilon * torch.exp(logsigmoid(-x_t)) - logsigmoid(x_t)).to(logits.dtype)


def logit_adjusted_loss(
    logits: Tensor, targets: Tensor, *, prevalence: Hyperparameter, tau: Hyperparameter = 1.0
) -> Tensor:
    """Cross entropy at x + tau log(pi / (1 - pi)), unreduced, pi the prevalence; scores stay the plain logits.

    Args:
        logits: (run, output, sample), floating.
        targets: 0 or 1, (sample,) or of a shape that expands to the logits'.
        prevalence: share of positives in the training rows, in (0, 1).
        tau: strength of the adjustment, >= 0; 0 is cross entropy.

    Returns:
        The logits' shape, unreduced.

    Raises:
        InputError: for values outside these ranges, and for shapes that do not fit.

    References:
        Menon et al., Long-Tail Learning via Logit Adjustment, ICLR 2021.
    """
    _check_in("prevalence", prevalence, "(0, 1)", logits)
    _check_in("tau", tau, "[0, inf)", logits)
    x, positive = _inputs(logits, targets)
    share = _tensor(prevalence, x)
    adjusted = x + tau * (share.log() - torch.log1p(-share))
    return _cross_entropy(adjusted, positive).to(logits.dtype)


def ldam_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    positives: Hyperparameter,
    negatives: Hyperparameter,
    max_margin: Hyperparameter = 0.5,
    scale: Hyperparameter = 30.0,
) -> Tensor:
    """Label-distribution-aware margin loss log(1 + exp(-s (y' x - m_y))), unreduced, m_c = C / n_c^(1/4).

    This is the binary form: x is the lead of the positive class over the negative one. C is chosen so that the larger
    margin, that of the rarer class, is max_margin. A max_margin of 0 and a scale of 1 give cross entropy. Weights,
    deferred or not, multiply the result.

    Args:
        logits: (run, output, sample), floating.
        targets: 0 or 1, (sample,) or of a shape that expands to the logits'.
        positives, negatives: training rows of each class, >= 1.
        max_margin: margin of the rarer class, >= 0.
        scale: s > 0. The authors' 30 is for logits bound to [-1, 1] (cosines); free logits want another.

    Returns:
        The logits' shape, unreduced.

    Raises:
        InputError: for values outside these ranges, and for shapes that do not fit.

    References:
        Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019.
    """
    _check_counts(positives, negatives, logits)
    _check_in("max_margin", max_margin, "[0, inf)", logits)
    _check_in("scale", scale, "(0, inf)", logits)
    x, positive = _inputs(logits, targets)
    ours, theirs = _tensor(positives, x), _tensor(negatives, x)
    rarity = torch.minimum(ours, theirs) / torch.where(positive, ours, theirs)
    margin = max_margin * rarity.sqrt().sqrt()  # exactly rounded, as ** is not
    return -logsigmoid(scale * (_target_logit(x, positive) - margin)).to(logits.dtype)


def asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma_positive: Hyperparameter = 0.0,
    gamma_negative: Hyperparameter = 4.0,
    margin: Hyperparameter = 0.05,
) -> Tensor:
    """Asymmetric loss (ASL), unreduced: positives -(1-p)^g+ log p, negatives -p_m^g- log(1-p_m), p_m = max(p - m, 0).

    Negatives of probability at most the margin m have no loss and no gradient. With both gammas equal and m = 0 it is
    the focal loss without alpha.

    Args:
        logits: (run, output, sample), floating.
        targets: 0 or 1, (sample,) or of a shape that expands to the logits'.
        gamma_positive, gamma_negative: focusing exponents g+ and g- of the two classes, >= 0.
        margin: m in [0, 1).

    Returns:
        The logits' shape, unreduced.

    Raises:
        InputError: for values outside these ranges, and for shapes that do not fit.

    References:
        Ridnik et al., Asymmetric Loss for Multi-Label Classification, ICCV 2021.
    """
    _check_in("gamma_positive", gamma_positive, "[0, inf)", logits)
    _check_in("gamma_negative", gamma_negative, "[0, inf)", logits)
    _check_in("margin", margin, "[0, 1)", logits)
    x, positive = _inputs(logits, targets)
    log_p, log_q = logsigmoid(x), logsigmoid(-x)
    on_negatives = _shifted_focal(log_p, log_q, gamma_negative, _tensor(margin, x).log())
    return torch.where(positive, -torch.exp(gamma_positive * log_q) * log_p, on_negatives).to(logits.dtype)


def _shifted_focal(log_p: Tensor, log_q: Tensor, gamma: Hyperparameter, log_margin: Tensor) -> Tensor:
    """-p_m^gamma log(1 - p_m), by logarithms, so that nothing underflows; log_margin may be -inf."""
    hidden = log_p <= log_margin  # p_m = 0; a NaN is not hidden
    below = torch.where(hidden, -1.0, log_margin - log_p)  # log(m / p) < 0
    log_shifted = log_p + torch.log(-torch.expm1(below))
    ce = -_log_add_exp(log_q, log_margin).clamp(max=0)  # 1 - p_m = q + m, which rounding must not lift above 1
    return torch.where(hidden, 0.0, torch.exp(gamma * log_shifted) * ce)


def _log_add_exp(a: Tensor, b: Tensor) -> Tensor:
    """log(e^a + e^b); as torch.logaddexp, of bits that do not depend on a position."""
    return torch.maximum(a, b) + torch.log1p(torch.exp(-(a - b).abs()))


# ---- losses of a whole batch


def ohem_loss(logits: Tensor, targets: Tensor, *, ratio: Hyperparameter = 3.0) -> Tensor:
    """Online hard example mining at a fixed ratio: mean CE of all positives and the hardest `ratio` negatives for each.

    Args:
        logits: (run, output, sample), floating.
        targets: 0 or 1, (sample,) or of a shape that expands to the logits'.
        ratio: negatives for each positive, > 0. round(ratio x positives) negatives are kept, at least 1, at most all. A
            batch without positives counts as one with 1.

    Returns:
        (run, output).

    Raises:
        InputError: for values outside these ranges, and for shapes that do not fit.

    References:
        Shrivastava et al., Training Region-Based Object Detectors with Online Hard Example Mining, CVPR 2016.
        The fixed ratio of 3 is that of Liu et al., SSD, ECCV 2016, and of "OHEM 1:3" in the focal loss paper.
    """
    _check_in("ratio", ratio, "(0, inf)", logits)
    x, positive = _inputs(logits, targets, samples=True)
    ce = _cross_entropy(x, positive)
    positives = positive.sum(-1, keepdim=True)
    negatives = (ratio * positives.clamp(min=1)).round().clamp(min=1)
    return _mean_of_largest(ce, torch.where(positive, torch.inf, ce), positives + negatives).to(logits.dtype)


def topk_loss(logits: Tensor, targets: Tensor, *, share: Hyperparameter = 0.25) -> Tensor:
    """Online hard example mining by rank: mean CE of the hardest share of the batch, whatever its class.

    Args:
        logits: (run, output, sample), floating.
        targets: 0 or 1, (sample,) or of a shape that expands to the logits'.
        share: in (0, 1]. round(share x samples) are kept, at least 1. A share of 1 is mean cross entropy.

    Returns:
        (run, output).

    Raises:
        InputError: for values outside these ranges, and for shapes that do not fit.

    References:
        Shrivastava et al., Training Region-Based Object Detectors with Online Hard Example Mining, CVPR 2016.
    """
    _check_in("share", share, "(0, 1]", logits)
    x, positive = _inputs(logits, targets, samples=True)
    ce = _cross_entropy(x, positive)
    return _mean_of_largest(ce, ce, (_tensor(share, x) * x.shape[-1]).round().clamp(min=1)).to(logits.dtype)


def _mean_of_largest(loss: Tensor, key: Tensor, count: Tensor) -> Tensor:
    """Mean of the losses with the `count` largest keys along the samples; count: (run, output, 1) or less."""
    samples = loss.shape[-1]
    ranked = loss.gather(-1, key.detach().argsort(dim=-1, descending=True, stable=True))
    kept = torch.arange(samples, device=loss.device) < count
    return torch.where(kept, ranked, 0.0).sum(-1) / count.clamp(1, max(samples, 1)).squeeze(-1)


def tversky_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: Hyperparameter = 0.3,
    beta: Hyperparameter = 0.7,
    smooth: Hyperparameter = 1.0,
) -> Tensor:
    """Soft Tversky loss 1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth).

    TP and FP sum p over positives and negatives, FN sums 1 - p over positives.

    Args:
        logits: (run, output, sample), floating.
        targets: 0 or 1, (sample,) or of a shape that expands to the logits'.
        alpha: weight of false positives, >= 0.
        beta: weight of false negatives, >= 0.
        smooth: >= 0. 0 gives a batch without positives a constant loss.

    Returns:
        (run, output).

    Raises:
        InputError: for values outside these ranges, and for shapes that do not fit.

    References:
        Salehi et al., Tversky Loss Function for Image Segmentation Using 3D Fully Convolutional Deep Networks, MLMI
        2017.
    """
    _check_in("alpha", alpha, "[0, inf)", logits)
    _check_in("beta", beta, "[0, inf)", logits)
    _check_in("smooth", smooth, "[0, inf)", logits)
    x, positive = _inputs(logits, targets, samples=True)
    p, q = logsigmoid(x).exp(), logsigmoid(-x).exp()
    hits = torch.where(positive, p, 0.0).sum(-1, keepdim=True)
    errors = torch.where(positive, beta * q, alpha * p).sum(-1, keepdim=True)
    total = (hits + errors + smooth).clamp(min=torch.finfo(x.dtype).tiny)  # nothing in nothing is no error
    return (errors / total).squeeze(-1).to(logits.dtype)  # 1 - ratio, without cancelling


def focal_tversky_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: Hyperparameter = 0.3,
    beta: Hyperparameter = 0.7,
    gamma: Hyperparameter = 4 / 3,
    smooth: Hyperparameter = 1.0,
) -> Tensor:
    """Focal Tversky loss (1 - TI)^(1 / gamma), 1 - TI = tversky_loss, which it is at gamma 1.

    The power's slope grows without bound as 1 - TI nears 0, but the slope of 1 - TI by a logit vanishes with 1 - TI.
    Hence it is computed as exp(log(1 - TI) / gamma), the sums by their logarithms too: nothing is clipped, no epsilon
    is added, a 1 - TI that would underflow counts, and the gradient's sizes add up to at most 2 / gamma times the loss.
    Where 1 - TI is 0 (no sample that can err at a weight above 0) value and gradient are 0.

    Args:
        logits: (run, output, sample), floating.
        targets: 0 or 1, (sample,) or of a shape that expands to the logits'.
        alpha: weight of false positives, >= 0. The authors' 0.3 and 0.7, which they call beta and alpha.
        beta: weight of false negatives, >= 0.
        gamma: >= 1. The authors take it from [1, 3].
        smooth: >= 0. 0 gives a batch without positives a constant loss.

    Returns:
        (run, output).

    Raises:
        InputError: for values outside these ranges, and for shapes that do not fit.

    References:
        Abraham & Khan, A Novel Focal Tversky Loss Function with Improved Attention U-Net for Lesion Segmentation, ISBI
        2019.
    """
    _check_in("alpha", alpha, "[0, inf)", logits)
    _check_in("beta", beta, "[0, inf)", logits)
    _check_in("gamma", gamma, "[1, inf)", logits)
    _check_in("smooth", smooth, "[0, inf)", logits)
    x, positive = _inputs(logits, targets, samples=True)
    log_p, log_q = logsigmoid(x), logsigmoid(-x)
    log_alpha, log_beta, log_smooth = (_tensor(value, x).log() for value in (alpha, beta, smooth))
    hits = _log_sum_exp(torch.where(positive, log_p, -torch.inf))
    errors = _log_sum_exp(torch.where(positive, log_beta + log_q, log_alpha + log_p))
    total = _log_sum_exp(torch.cat([hits, errors, log_smooth.expand(hits.shape)], dim=-1))
    nothing = errors == -torch.inf  # in nothing perhaps, which is no error
    log_share = torch.where(nothing, 0.0, errors) - torch.where(nothing, 0.0, total)
    return torch.where(nothing, 0.0, torch.exp(log_share / gamma)).squeeze(-1).to(logits.dtype)


def _log_sum_exp(terms: Tensor) -> Tensor:
    """log of the sum of e^terms along the samples, (..., 1); -inf without gradient where there are none but -inf."""
    none = (terms == -torch.inf).all(-1, keepdim=True)
    return torch.where(none, -torch.inf, torch.where(none, 0.0, terms).logsumexp(-1, keepdim=True))


def dice_loss(logits: Tensor, targets: Tensor, *, smooth: Hyperparameter = 1.0) -> Tensor:
    """Soft Dice loss 1 - (2 TP + smooth) / (2 TP + FP + FN + smooth): Tversky's at alpha = beta = 1/2, half the smooth.

    TP and FP sum p over positives and negatives, FN sums 1 - p over positives.

    Args:
        logits: (run, output, sample), floating.
        targets: 0 or 1, (sample,) or of a shape that expands to the logits'.
        smooth: >= 0.

    Returns:
        (run, output).

    Raises:
        InputError: for values outside these ranges, and for shapes that do not fit.

    References:
        Milletari et al., V-Net, 3DV 2016, who square p in the denominator; the linear form is the usual one since.
    """
    _check_in("smooth", smooth, "[0, inf)", logits)
    return tversky_loss(logits, targets, alpha=0.5, beta=0.5, smooth=smooth / 2)


def smooth_ap_loss(logits: Tensor, targets: Tensor, *, tau: Hyperparameter = 0.01) -> Tensor:
    """Smooth-AP: 1 - mean over positives i of (1 + sum_P G) / (1 + sum_P G + sum_N G), G = sigmoid((x_j - x_i) / tau).

    The sums run over the other positives j and over the negatives j; a tie counts half. As tau -> 0 it is 1 - average
    precision. A batch without positives gives 0 with zero gradient.

    Memory: positives x samples for each run and output. It does not run under torch.func.vmap over targets, since the
    number of positives gives the shape.

    Args:
        logits: (run, output, sample), floating.
        targets: 0 or 1, (sample,) or of a shape that expands to the logits'.
        tau: temperature of the sigmoid, > 0.

    Returns:
        (run, output).

    Raises:
        InputError: for values outside these ranges, and for shapes that do not fit.

    References:
        Brown et al., Smooth-AP: Smoothing the Path Towards Large-Scale Image Retrieval, ECCV 2020.
    """
    _check_in("tau", tau, "(0, inf)", logits)
    x, positive = _inputs(logits, targets, samples=True)
    count = positive.sum(-1, keepdim=True)
    most = int(count.max()) if count.numel() else 0
    index = positive.to(torch.uint8).argsort(dim=-1, descending=True, stable=True)[
        ..., :most
    ]  # the positives come first
    ahead = _share_ahead(x, index, tau)
    true = torch.where(positive.unsqueeze(-2), ahead, 0.0).sum(-1)
    false = torch.where(positive.unsqueeze(-2), 0.0, ahead).sum(-1)
    is_positive = torch.arange(most, device=x.device) < count  # the rest fills up rows with fewer positives than others
    error = torch.where(is_positive, false / (1 + true + false), 0.0)  # 1 - precision, without cancelling
    nothing = (0 * x).sum(-1)  # a NaN among the logits shows even when there is no positive
    return (error.sum(-1) / count.clamp(min=1).squeeze(-1) + nothing).to(logits.dtype)


def _share_ahead(x: Tensor, index: Tensor, tau: Hyperparameter) -> Tensor:
    """Smoothed "sample j is ahead of sample index[i]", (..., i, j), 0 for j = index[i]."""
    tau = tau.unsqueeze(-1) if isinstance(tau, Tensor) and tau.ndim else tau
    lead = x.unsqueeze(-2) - x.gather(-1, index).unsqueeze(-1)
    itself = index.unsqueeze(-1) == torch.arange(x.shape[-1], device=x.device)
    return logsigmoid(lead / tau).exp().masked_fill(itself, 0.0)


# ---- what they share


def _inputs(logits: Tensor, targets: Tensor, *, samples: bool = False) -> tuple[Tensor, Tensor]:
    """The logits in float32 or wider, and where the targets are positive, of the same shape; checked."""
    check_shapes(logits, targets)
    if samples and logits.ndim == 0:
        raise InputError("logits must have a last axis of samples, got a single number")
    if not holds((targets == 0) | (targets == 1)):
        raise InputError("targets must be 0 or 1; this loss has no agreed form for soft targets")
    x = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    return x, (targets == 1).expand(x.shape)


def _target_logit(x: Tensor, positive: Tensor) -> Tensor:
    return torch.where(positive, x, -x)


def _cross_entropy(x: Tensor, positive: Tensor) -> Tensor:
    return -logsigmoid(_target_logit(x, positive))


def _tensor(value: Hyperparameter, like: Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)


def _check_counts(positives: Hyperparameter, negatives: Hyperparameter, logits: Tensor | None = None) -> None:
    _check_in("positives", positives, "[1, inf)", logits)
    _check_in("negatives", negatives, "[1, inf)", logits)


def _check_in(name: str, value: Hyperparameter, interval: str, logits: Tensor | None = None) -> None:
    """Raise InputError unless a value lies in an interval such as "[0, 1)" and, of a shape, fits the logits' runs."""
    if not holds(torch.as_tensor(within(value, interval))):
        raise InputError(f"{name} must lie in {interval}, got {value}")
    if logits is not None and isinstance(value, Tensor) and not _fits(value.shape, logits.shape):
        shapes = f"{tuple(value.shape)} with logits {tuple(logits.shape)}"
        raise InputError(f"{name} must be a number or one value per run, of shape (run, 1, 1); got {shapes}")


def _fits(shape: torch.Size, logits: torch.Size) -> bool:
    """Whether a hyperparameter's shape broadcasts to the logits' and leaves the samples alone."""
    if not shape:
        return True
    padded = (1,) * (len(logits) - len(shape)) + tuple(shape)
    return (
        len(padded) == len(logits) and padded[-1] == 1 and all(a in (1, b) for a, b in zip(padded, logits, strict=True))
    )
