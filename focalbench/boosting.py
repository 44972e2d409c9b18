"""Focal loss for LightGBM and XGBoost: objective, metric, starting score, and probabilities from raw scores.

Both libraries lose three things once the objective is the user's own, and FocalObjective gives them back:
- the start: LightGBM then begins at 0 (LightGBM #2558, #7193) and XGBoost at 0.5, both raw. See start.
- the weights: neither library multiplies a custom gradient by the weights of the rows. Here they count.
- the probabilities: what comes out is a raw score, and its sigmoid is no probability. See probabilities.

This module imports neither library. The losses are those of losses/reference.py, in float64.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from focalbench.errors import InputError
from focalbench.losses.inverse import best_constant, focal_to_probability
from focalbench.losses.reference import (
    Array,
    check_hyperparameters,
    focal_gradient,
    focal_hessian,
    focal_loss,
)

LONGEST_STEP = 10.0  # logits that one row's Newton step, gradient over Hessian, may ask for at gamma >= 1
SMALLEST = 1e-16  # of any Hessian, as in XGBoost's own logistic loss


class Labelled(Protocol):
    """What is asked of a lightgbm.Dataset or an xgboost.DMatrix."""

    def get_label(self) -> Any:
        """Return the targets, (rows,)."""

    def get_weight(self) -> Any:
        """Return the weights, (rows,); None or empty where there are none."""


@dataclass(frozen=True)
class FocalObjective:
    """Focal loss alpha_t (1 - p_t)^gamma (-log p_t) to boost with; an instance is the objective itself.

        lightgbm.train({"objective": focal}, Dataset(..., init_score=...), feval=focal.lightgbm_metric)
        xgboost.train({"base_score": ...}, DMatrix(...), obj=focal, custom_metric=focal.xgboost_metric)

    Set class weights through alpha: scale_pos_weight and is_unbalance do nothing to a custom objective.

    Args:
        alpha: in [0, 1], weights positives, and 1 - alpha the negatives; None weights both by 1.
        gamma: >= 0.

    Raises:
        InputError: for an alpha or gamma outside these ranges.

    References:
        Lin et al., Focal Loss for Dense Object Detection, arXiv 1708.02002.
    """

    alpha: float | None = None
    gamma: float = 2.0

    def __post_init__(self) -> None:
        check_hyperparameters(self.alpha, self.gamma)

    def __call__(self, scores: npt.ArrayLike, data: Labelled) -> tuple[Array, Array]:
        """Gradient and Hessian for lightgbm.train (params["objective"]) and xgboost.train (obj).

        Args:
            scores: (rows,), raw (logits), finite.
            data: the lightgbm.Dataset or xgboost.DMatrix, with its targets (0 or 1) and, if any, its weights (finite,
                >= 0 and not all 0).

        Returns:
            Gradient and Hessian, each (rows,) float64, as derivatives gives them.

        Raises:
            InputError: for other scores, targets or weights, or for different numbers of them.
        """
        return self.derivatives(data.get_label(), scores, data.get_weight())

    def derivatives(
        self, targets: npt.ArrayLike, scores: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """Gradient and Hessian; also the objective of LGBMClassifier and XGBClassifier.

        For gamma > 0 the focal loss is not convex: on hard rows (p_t below .02 to .06) its Hessian falls through 0. Cut
        off at a tiny value, the Hessian lets a leaf jump by thousands, or forbids every split. So the Hessian is at
        least |gradient| min(gamma, 1) / LONGEST_STEP, and at least SMALLEST. The first bound applies to p_t below about
        .1; it keeps the direction and limits the step. At gamma 0, where the loss is convex, only the second bound is
        left. A row's weight multiplies both results.

        Args:
            targets: (rows,), 0 or 1.
            scores: (rows,), raw (logits), finite.
            sample_weight: (rows,), finite, >= 0 and not all 0; None: 1 each.

        Returns:
            Gradient and Hessian, each (rows,) float64.

        Raises:
            InputError: for other scores, targets or weights, or for different numbers of them.
        """
        x, y = _scores(scores, targets)
        gradient = focal_gradient(x, y, alpha=self.alpha, gamma=self.gamma)
        hessian = focal_hessian(x, y, alpha=self.alpha, gamma=self.gamma)
        floor = np.abs(gradient) * min(self.gamma, 1.0) / LONGEST_STEP
        hessian = np.maximum(hessian, np.maximum(floor, SMALLEST))
        weights = _weights(sample_weight, gradient)
        return weights * gradient, weights * hessian

    def loss(self, targets: npt.ArrayLike, scores: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Weighted mean focal loss; also an eval_metric of XGBClassifier, which hands its objective raw scores.

        Args:
            targets: (rows,), 0 or 1.
            scores: (rows,), raw (logits), finite.
            sample_weight: (rows,), finite, >= 0 and not all 0; None: 1 each.

        Returns:
            The weighted mean over the rows.

        Raises:
            InputError: for other scores, targets or weights, or for different numbers of them.
        """
        losses = focal_loss(*_scores(scores, targets), alpha=self.alpha, gamma=self.gamma)
        return float(np.average(losses, weights=_weights(sample_weight, losses)))

    def lightgbm_metric(self, scores: npt.ArrayLike, data: Labelled) -> tuple[str, float, bool]:
        """Weighted mean focal loss as a feval of lightgbm.train.

        Args:
            scores: (rows,), raw (logits), finite.
            data: the lightgbm.Dataset or xgboost.DMatrix, with its targets (0 or 1) and, if any, its weights (finite,
                >= 0 and not all 0).

        Returns:
            Name, value, and False for lower is better.

        Raises:
            InputError: for other scores, targets or weights, or for different numbers of them.
        """
        return "focal", self.loss(data.get_label(), scores, data.get_weight()), False

    def xgboost_metric(self, scores: npt.ArrayLike, data: Labelled) -> tuple[str, float]:
        """Weighted mean focal loss as a custom_metric of xgboost.train.

        Args:
            scores: (rows,), raw (logits), finite.
            data: the lightgbm.Dataset or xgboost.DMatrix, with its targets (0 or 1) and, if any, its weights (finite,
                >= 0 and not all 0).

        Returns:
            Name and value.

        Raises:
            InputError: for other scores, targets or weights, or for different numbers of them.
        """
        return "focal", self.loss(data.get_label(), scores, data.get_weight())

    def start(self, targets: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Raw score to start from: the constant with the least focal loss on the training targets.

        LightGBM: set init_score=np.full(rows, start) in the Dataset, training and validation alike. The model does not
        keep it, so add it to what predict returns. XGBoost: set the parameter base_score, which the model keeps and
        predict adds; XGBClassifier wants sigmoid(start) there.

        Args:
            targets: (rows,), 0 or 1, both present.
            sample_weight: (rows,), finite, >= 0 and not all 0; None: 1 each.

        Returns:
            The raw score (logit).

        Raises:
            InputError: for other targets or weights, or unless both classes are there.
        """
        y = _targets(targets)
        weights = _weights(sample_weight, y)
        return best_constant(float(np.average(y, weights=weights)), self.alpha, self.gamma)

    def probabilities(self, scores: npt.ArrayLike) -> Array:
        """Class probabilities behind raw scores, by the loss's closed-form inverse.

        They are right where the model minimises the focal loss. A model that fits its training rows too closely stays
        over-confident, as with any loss.

        Args:
            scores: any shape, raw (logits), finite, and whole: the start is included.

        Returns:
            float64 in [0, 1], of the shape of scores.

        Raises:
            InputError: for scores that are not finite numbers.
        """
        return focal_to_probability(_finite(scores), self.alpha, self.gamma)


def _scores(scores: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Array, Array]:
    """Return scores and targets, one of each a row; else InputError."""
    x, y = _finite(scores), _targets(targets)
    if x.shape != y.shape:
        raise InputError(f"scores have shape {x.shape} and targets {y.shape}; give one of each a row")
    return x, y


def _finite(scores: npt.ArrayLike) -> Array:
    x = _numbers("scores", scores)
    if not np.isfinite(x).all():
        raise InputError("scores must be finite; a score that is not comes from diverged training")
    return x


def _targets(targets: npt.ArrayLike) -> Array:
    y = _numbers("targets", targets)
    if y.ndim != 1:
        raise InputError(f"targets have shape {y.shape}; give one a row")
    if not np.isin(y, (0.0, 1.0)).all():
        raise InputError("targets must be 0 or 1; encode the two classes so")
    return y


def _numbers(name: str, values: npt.ArrayLike) -> Array:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be numbers") from None


def _weights(weights: npt.ArrayLike | None, like: Array) -> Array:
    """Return the weights as an array of that shape, ones where there are none (XGBoost's: an empty array)."""
    given = _numbers("weights", [] if weights is None else weights)
    if given.size == 0:
        given = np.ones(like.shape)
    if given.shape != like.shape:
        raise InputError(f"weights have shape {given.shape} and the rows {like.shape}; give one weight a row")
    if not (np.isfinite(given).all() and (given >= 0).all() and given.any()):
        raise InputError("weights must be finite, >= 0 and not all 0; remove the other rows")
    return given
