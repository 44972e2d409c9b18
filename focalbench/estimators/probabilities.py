"""From logits to probabilities: through the inverse of the loss where it has one, else by the sigmoid."""

import numpy as np
import torch
from numpy.typing import NDArray

from focalbench.estimators.rows import Weights, counts_of
from focalbench.losses.reference import Array
from focalbench.runs.arm import Arm
from focalbench.runs.catalogue import CATALOGUE
from focalbench.training.arm_loss import recovered_outputs

Logits = NDArray[np.float32]


def has_inverse(arm: Arm) -> bool:
    """Whether the logits of a loss lead back to the class probability."""
    return CATALOGUE[arm.loss].invertible


def log_odds_of(arm: Arm, class_count: Weights, logits: Logits) -> Array:
    """Log odds (output, row) of the class probabilities behind logits (output, row); the logits without an inverse."""
    found = recovered_outputs(arm, counts_of(class_count), torch.from_numpy(logits))
    known = np.stack([logits[i] if each is None else each for i, each in enumerate(found)]).astype(np.float64)
    return np.where(np.isnan(known), logits, known)  # NaN: a loss that is flat there, for both classes


def probabilities_of(log_odds: Array) -> Array:
    """Probabilities (row, class) from log odds (output, row): of the second class of two, or of each of several."""
    return np.asarray(np.exp(log_probabilities_of(log_odds)))


def log_probabilities_of(log_odds: Array) -> Array:
    """Their logarithms, (row, class)."""
    each = np.concatenate([-log_odds, log_odds]) if len(log_odds) == 1 else log_odds
    return np.ascontiguousarray(-np.logaddexp(0.0, -each).T)
