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

import numpy as np
import numpy.typing as npt

from focalbench.losses.reference import Array, check_hyperparameters, check_prevalence

LARGEST_CONSTANT = 30.0  # stands in for infinity where a loss ignores one class


def recovered_logits(logits: npt.ArrayLike, alpha: float | None, gamma: float) -> Array:
    """Logit of the true class probability at which these logits minimise the focal loss; strictly increasing.

    logits: any shape, finite. alpha in [0, 1] or None (off), gamma >= 0, else InputError. At alpha 0 or 1 the
    loss ignores one class, no finite logit is its minimiser, and the result is +inf or -inf throughout.
    """
    check_hyperparameters(alpha, gamma)
    x = np.asarray(logits, dtype=np.float64)
    focusing = np.log1p(gamma * _ratio(x)) - np.log1p(gamma * _ratio(-x))
    recovered: Array = (gamma + 1) * x + focusing - _alpha_log_odds(alpha)
    return recovered


def focal_to_probability(logits: npt.ArrayLike, alpha: float | None, gamma: float) -> Array:
    """Class probability in [0, 1] behind a focal-loss model's logits; arguments as recovered_logits."""
    probability: Array = np.exp(-np.logaddexp(0.0, -recovered_logits(logits, alpha, gamma)))
    return probability


def best_constant(prevalence: float, alpha: float | None, gamma: float) -> float:
    """Return the logit that, given to every row, minimises the expected focal loss.

    prevalence in (0, 1), else InputError. Found by bisection on recovered_logits within +-30; the ends are
    the answer at alpha 0 (-30) and alpha 1 (+30), where the loss ignores one class and has no minimiser.

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


def _ratio(u: Array) -> Array:
    v = np.maximum(u, -37.0)  # r is 1 to float64 below, where e^-u would overflow
    ratio: Array = np.exp(-v) * np.logaddexp(0.0, v)
    return ratio


def _alpha_log_odds(alpha: float | None) -> float:
    if alpha in (0, 1):
        return math.inf if alpha else -math.inf
    return 0.0 if alpha is None else log_odds(alpha)


def log_odds(probability: float) -> float:
    """The logit of a probability in (0, 1)."""
    return math.log(probability) - math.log1p(-probability)
