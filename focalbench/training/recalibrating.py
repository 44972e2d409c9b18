"""Probabilities by a regression of the validation targets on the scores, beside those of a loss's inverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from focalbench.metrics.calibration import platt_line

if TYPE_CHECKING:
    from torch import Tensor

    from focalbench.losses.reference import Array

LEAST = float(np.finfo(np.float64).eps)  # what a probability of 0 is taken for, as by scikit-learn's log_loss


@dataclass(frozen=True, eq=False)
class Recalibrated:
    """Logits of probabilities, (sample,) float64 each. platt: None where validation gives no line."""

    platt: Array | None
    isotonic: Array


def recalibrated(validation: Tensor, targets: Tensor, weights: Tensor | None, test: Tensor) -> Recalibrated:
    """Of test scores (sample,), by a line and by steps fitted on validation scores (row,), targets and weights.

    platt: a logistic regression of the targets on the score (Platt 1999). isotonic: the best that rises with the score
    (Zadrozny & Elkan 2002); many of its probabilities are 0.
    """
    from sklearn.isotonic import IsotonicRegression

    slope, intercept = (float(each) for each in platt_line(validation[None], targets, weights))
    scores: Array = test.double().cpu().numpy()
    line = slope * scores + intercept
    steps = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    mass = None if weights is None else weights.double().cpu().numpy()
    steps.fit(validation.double().cpu().numpy(), targets.double().cpu().numpy(), sample_weight=mass)
    probabilities = torch.from_numpy(steps.predict(scores).astype(np.float64)).clamp(LEAST, 1 - LEAST)
    return Recalibrated(line if np.isfinite(line).all() else None, probabilities.logit().numpy())
