"""From what a focal loss learns back to the class probability, and its own best constant.

The focal loss is not proper. With A and B the sizes of its gradient at logit x for a positive and a negative,
the x that minimises the expected loss at true probability eta has eta A = (1 - eta) B, so logit(eta) is
log B - log A. Both have the factor q^(gamma + 1) and logit(sigmoid(x)) = x, which leaves, exact at any logit,

    logit(eta) = (gamma + 1) x + log((1 - alpha) / alpha) + log(1 + gamma r(x)) - log(1 + gamma r(-x)),
    r(u) = p_t ce / q = e^-u log(1 + e^u).

Derived as in Charoenphakdee et al., On Focal Loss for Class-Posterior Probability Estimation, CVPR 2021,
which treats the case without alpha. A pos_weight of w is alpha = w / (1 + w).
"""

import math
from functools import lru_cache
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from focalbench.errors import InputError
from focalbench.losses.checks import widened
from focalbench.losses.reference import Array, check_hyperparameters, check_prevalence

__all__ = [
    "best_constant",
    "focal_to_probability",
    "recovered_logits",
]

LARGEST_CONSTANT = 30.0  # stands in for infinity where a loss ignores one class


@overload
def recovered_logits(logits: Tensor, alpha: float | None, gamma: float) -> Tensor: ...
@overload
def recovered_logits(logits: npt.ArrayLike, alpha: float | None, gamma: float) -> Array: ...
def recovered_logits(logits: npt.ArrayLike | Tensor, alpha: float | None, gamma: float) -> Array | Tensor:
    """Logit of the true class probability at which these logits minimise the focal loss; strictly increasing.

    The module's docstring has the formula. At alpha 0 or 1 the loss ignores one class and no finite logit is its
    minimiser: the result is +inf or -inf throughout.

    Args:
        logits: any shape. A tensor of half precision is computed in float32.
        alpha: weight of the positives in [0, 1], 1 - alpha that of the negatives; None: off.
        gamma: focusing exponent, >= 0.

    Returns:
        For a tensor, a differentiable tensor of its device and dtype (integers: torch's default one). For anything
        else, a float64 array.

    Raises:
        InputError: for alpha or gamma outside these ranges.

    References:
        Charoenphakdee et al., On Focal Loss for Class-Posterior Probability Estimation, CVPR 2021, for the case without
        alpha.
    """
    check_hyperparameters(alpha, gamma)
    if not isinstance(logits, Tensor):
        array: Array = _recovered(np.asarray(logits, dtype=np.float64), alpha, gamma)
        return array
    x = logits if logits.is_floating_point() else logits.to(torch.get_default_dtype())
    tensor: Tensor = _recovered(widened(x), alpha, gamma).to(x.dtype)
    return tensor


@overload
def focal_to_probability(logits: Tensor, alpha: float | None, gamma: float) -> Tensor: ...
@overload
def focal_to_probability(logits: npt.ArrayLike, alpha: float | None, gamma: float) -> Array: ...
def focal_to_probability(logits: npt.ArrayLike | Tensor, alpha: float | None, gamma: float) -> Array | Tensor:
    """Class probability sigmoid(recovered_logits), in [0, 1], behind a focal-loss model's logits.

    Args:
        logits: any shape. A tensor of half precision is computed in float32.
        alpha: weight of the positives in [0, 1], 1 - alpha that of the negatives; None: off.
        gamma: focusing exponent, >= 0.

    Returns:
        For a tensor, a differentiable tensor of its device and dtype (integers: torch's default one). For anything
        else, a float64 array.

    Raises:
        InputError: for alpha or gamma outside these ranges.

    References:
        Charoenphakdee et al., On Focal Loss for Class-Posterior Probability Estimation, CVPR 2021, for the case without
        alpha.
    """
    recovered = recovered_logits(logits, alpha, gamma)
    if isinstance(recovered, Tensor):
        return torch.sigmoid(recovered)
    probability: Array = np.exp(-np.logaddexp(0.0, -recovered))
    return probability


def _recovered(x: Any, alpha: float | None, gamma: float) -> Any:
    """The formula of the module's docstring for an array or a tensor, in the functions of its library."""
    library: Any = torch if isinstance(x, Tensor) else np
    focusing = library.log1p(gamma * _ratio(x)) - library.log1p(gamma * _ratio(-x))
    return (gamma + 1) * x + focusing - _alpha_log_odds(alpha)


@lru_cache(maxsize=1024)
def best_constant(prevalence: float, alpha: float | None, gamma: float) -> float:
    """Return the logit that, given to every row, minimises the expected focal loss.

    It is found by bisection on recovered_logits within +-30. The ends are the answer at alpha 0 (-30) and alpha 1
    (+30), where the loss ignores one class and has no minimiser.

    Args:
        prevalence: share of positives, in (0, 1).
        alpha: weight of the positives in [0, 1], 1 - alpha that of the negatives; None: off.
        gamma: focusing exponent, >= 0.

    Returns:
        The logit, in [-30, 30].

    Raises:
        InputError: for values outside these ranges.

    >>> round(best_constant(0.0015, None, 2.0), 3)
    -2.399
    """
    check_prevalence(prevalence)
    low, high = -LARGEST_CONSTANT, LARGEST_CONSTANT
    wanted = log_odds(prevalence)
    for _ in range(64):
        middle = (low + high) / 2
        if recovered_logits(middle, alpha, gamma) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def softmax_recovered_logits(logits: npt.ArrayLike, weights: npt.ArrayLike, gamma: float) -> Array:
    """Log odds of the true class probabilities at which logits (rows, classes) minimise the softmax focal loss.

    weights: (classes,) > 0. With loss w (1 - p)^gamma (-log p) of the true class, the minimiser has eta_c w_c times
    its slope at p_c equal for all classes: eta_c is proportional to 1 / (w_c (q^gamma / p + gamma q^(gamma - 1) ce)).
    Derived as in Charoenphakdee et al., CVPR 2021 (see above), with weights.
    """
    x = np.asarray(logits, dtype=np.float64)
    return _leads(-_log_slope(_leads(x), gamma) - np.log(np.asarray(weights, dtype=np.float64)))


def softmax_best_constants(shares: npt.ArrayLike, gamma: float) -> Array:
    """Return the logits (classes,), of mean 0, that, given to every row, minimise the expected softmax focal loss.

    shares: (classes,) > 0 of the rows, times their weights if any, else InputError. At the minimiser share x slope is
    one value for all classes; it is found by bisection, and each probability at it by another.

    >>> softmax_best_constants([0.5, 0.25, 0.25], 0.0).round(6).tolist()
    [0.462098, -0.231049, -0.231049]
    """
    wanted = np.asarray(shares, dtype=np.float64)
    if not (wanted > 0).all():
        raise InputError("every class needs rows to start from; take more rows or merge classes")
    return _softmax_constants(tuple(wanted.tolist()), gamma).copy()


@lru_cache(maxsize=1024)
def _softmax_constants(shares: tuple[float, ...], gamma: float) -> Array:
    target = np.log(np.array(shares))
    low, high = target.min() - 80.0, target.max() + 80.0
    for _ in range(200):
        middle = (low + high) / 2
        leads = _leads_of_slope(middle - target, gamma)
        low, high = (middle, high) if np.exp(-np.logaddexp(0.0, -leads)).sum() > 1 else (low, middle)
    log_p = -np.logaddexp(0.0, -leads)
    constants: Array = log_p - log_p.mean()
    return constants


def _leads_of_slope(log_slope: Array, gamma: float) -> Array:
    """The lead at which the loss's slope by p has this logarithm, by bisection."""
    low, high = np.full_like(log_slope, -200.0), np.full_like(log_slope, 200.0)
    for _ in range(100):
        middle = (low + high) / 2
        above = _log_slope(middle, gamma) > log_slope
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2


def _log_slope(lead: Array, gamma: float) -> Array:
    """Log of -d/dp (1 - p)^gamma (-log p) at p = sigmoid(lead): q^gamma / p + gamma q^(gamma - 1) ce."""
    slope: Array = -gamma * np.logaddexp(0.0, lead) + np.logaddexp(0.0, -lead) + np.log1p(gamma * _ratio(-lead))
    return slope


def _leads(x: Array) -> Array:
    """Each class's log weight less the logsumexp of the others', (rows, classes), as multiclass.leads."""
    best, rows = x.argmax(axis=1), np.arange(len(x))
    first = x[rows, best]
    odds = np.exp(x - first[:, None])
    rest = x.copy()
    rest[rows, best] = -np.inf
    second = rest.max(axis=1)
    with np.errstate(divide="ignore"):  # the largest itself, which is replaced
        others = first[:, None] + np.log(odds.sum(axis=1, keepdims=True) - odds)
    others[rows, best] = second + np.log(np.exp(rest - second[:, None]).sum(axis=1))
    lead: Array = x - others
    return lead


def _ratio(u: Any) -> Any:
    """The ratio r of an array or a tensor: 1 to float64 below -37, where e^-u would overflow, and 0 above 1e4."""
    if isinstance(u, Tensor):
        v = u.clamp(-37.0, 1e4)
        return torch.exp(-v) * -logsigmoid(-v)
    w = np.clip(u, -37.0, 1e4)
    return np.exp(-w) * np.logaddexp(0.0, w)


def _alpha_log_odds(alpha: float | None) -> float:
    if alpha in (0, 1):
        return math.inf if alpha else -math.inf
    return 0.0 if alpha is None else log_odds(alpha)


def log_odds(probability: float) -> float:
    """The logit of a probability in (0, 1)."""
    return math.log(probability) - math.log1p(-probability)
