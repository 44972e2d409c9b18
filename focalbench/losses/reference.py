"""The binary losses and their gradients in float64 NumPy, exact at every finite logit.

With target y in {0, 1} and logit x: u = x (1 - 2y), p_t = sigmoid(-u), q = 1 - p_t = sigmoid(u). Everything
stays in log space, ce = -log p_t = log(1 + e^u) and log q = -log(1 + e^-u), because 1 - p_t cancels.
Source: Lin et al., Focal Loss for Dense Object Detection, arXiv 1708.02002.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from focalbench.errors import InputError
from focalbench.runs.arm import Arm

Array = npt.NDArray[np.float64]


class _Terms(NamedTuple):
    sign: Array  # 1 - 2y = du/dx
    ce: Array  # -log p_t
    log_q: Array  # log(1 - p_t)


def cross_entropy(logits: npt.ArrayLike, targets: npt.ArrayLike) -> Array:
    """Cross entropy -log p_t, unreduced. Logits: any finite; targets: 0 or 1; they broadcast.

    >>> float(cross_entropy(0.0, 1))
    0.6931471805599453
    """
    return _terms(logits, targets).ce


def focal_loss(
    logits: npt.ArrayLike, targets: npt.ArrayLike, *, alpha: float | None = None, gamma: float = 2.0
) -> Array:
    """Focal loss alpha_t (1 - p_t)^gamma (-log p_t), unreduced (the paper's eq. 5).

    logits: any finite; targets: 0 or 1; they broadcast. alpha in [0, 1] weights positives, 1 - alpha the
    negatives; None weights both by 1. gamma >= 0. Raises InputError outside these ranges.
    """
    check_hyperparameters(alpha, gamma)
    t = _terms(logits, targets)
    return _class_weight(t, alpha) * np.exp(gamma * t.log_q) * t.ce


def focal_gradient(
    logits: npt.ArrayLike, targets: npt.ArrayLike, *, alpha: float | None = None, gamma: float = 2.0
) -> Array:
    """Derivative of focal_loss by the logit, same arguments and errors (the paper's eq. 10).

    d/dx = (1 - 2y) alpha_t q^gamma (q + gamma p_t ce).
    """
    check_hyperparameters(alpha, gamma)
    t = _terms(logits, targets)
    focus = np.exp(gamma * t.log_q)
    return t.sign * _class_weight(t, alpha) * focus * (np.exp(t.log_q) + gamma * np.exp(-t.ce) * t.ce)


def focal_hessian(
    logits: npt.ArrayLike, targets: npt.ArrayLike, *, alpha: float | None = None, gamma: float = 2.0
) -> Array:
    """Second derivative of focal_loss by the logit, same arguments and errors.

    d2/dx2 = alpha_t q^gamma p_t (q (1 + 2 gamma - gamma ce) + gamma^2 p_t ce), which is negative on hard samples:
    for gamma > 0 the focal loss is not convex. Follows from focal_gradient with q' = q p_t, p_t' = -q p_t and
    ce' = q, where ' is d/du.
    """
    check_hyperparameters(alpha, gamma)
    t = _terms(logits, targets)
    p_t, q = np.exp(-t.ce), np.exp(t.log_q)
    bend = q * (1 + 2 * gamma - gamma * t.ce) + gamma**2 * p_t * t.ce
    return _class_weight(t, alpha) * np.exp(gamma * t.log_q) * p_t * bend


def focal_star(logits: npt.ArrayLike, targets: npt.ArrayLike, *, gamma: float, beta: float) -> Array:
    """Focal loss's alternate form FL* = -log(sigmoid(gamma x_t + beta)) / gamma, x_t = -u (eq. 11).

    logits: any finite; targets: 0 or 1; they broadcast. gamma > 0, beta finite; else InputError.
    """
    return np.logaddexp(0.0, -_star_logit(logits, targets, gamma, beta)) / gamma


def focal_star_gradient(logits: npt.ArrayLike, targets: npt.ArrayLike, *, gamma: float, beta: float) -> Array:
    """Derivative of focal_star by the logit, (1 - 2y)(1 - p*_t) (eq. 12); same arguments and errors."""
    sign = _terms(logits, targets).sign
    return sign * np.exp(-np.logaddexp(0.0, _star_logit(logits, targets, gamma, beta)))


def class_alpha(arm: Arm, prevalence: float) -> float | None:
    """Alpha in [0, 1] of an arm trained at a prevalence in (0, 1), up to the loss's scale; None is off.

    Balanced alpha is the share of negatives 1 - prevalence. pos_weight w = n_neg / n_pos is 1 + w times
    alpha = w / (1 + w), which is the share of negatives too. Raises InputError for another prevalence.
    """
    check_prevalence(prevalence)
    if arm.balanced:
        return 1 - prevalence
    return None if arm.alpha is None else float(arm.alpha)


def check_hyperparameters(alpha: float | None, gamma: float) -> None:
    """Raise InputError unless alpha is None or lies in [0, 1], and gamma is finite and >= 0."""
    if alpha is not None and not 0 <= alpha <= 1:
        raise InputError(f"alpha must lie in [0, 1] or be None (off), got {alpha}")
    if not 0 <= gamma < float("inf"):
        raise InputError(f"gamma must be a finite number >= 0, got {gamma}")


def check_prevalence(prevalence: float) -> None:
    """Raise InputError unless the prevalence lies strictly between 0 and 1."""
    if not 0 < prevalence < 1:
        raise InputError(f"prevalence must lie strictly between 0 and 1, got {prevalence}; keep both classes")


def _terms(logits: npt.ArrayLike, targets: npt.ArrayLike) -> _Terms:
    x, y = np.asarray(logits, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    if not np.isin(y, (0.0, 1.0)).all():
        raise InputError("targets must be 0 or 1; soft targets have no agreed focal loss, so round them first")
    sign = 1 - 2 * y
    u = x * sign
    return _Terms(sign, np.logaddexp(0.0, u), -np.logaddexp(0.0, -u))


def _class_weight(t: _Terms, alpha: float | None) -> Array | float:
    return 1.0 if alpha is None else np.where(t.sign < 0, alpha, 1 - alpha)


def _star_logit(logits: npt.ArrayLike, targets: npt.ArrayLike, gamma: float, beta: float) -> Array:
    if not (0 < gamma < float("inf") and np.isfinite(beta)):
        raise InputError(f"FL* needs a finite gamma > 0 and a finite beta, got {gamma} and {beta}")
    x_t = -np.asarray(logits, dtype=np.float64) * _terms(logits, targets).sign
    return gamma * x_t + beta
