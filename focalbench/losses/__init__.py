"""The losses: reference (NumPy), binary, multiclass, comparators (torch), modules, and back to probabilities."""

from focalbench.losses.binary import (
    cross_entropy,
    focal_gradient,
    focal_hessian,
    focal_loss,
    focal_star_loss,
)
from focalbench.losses.comparators import (
    asymmetric_loss,
    class_balanced_weights,
    deferred_weights,
    dice_loss,
    hinge_loss,
    label_smoothed_cross_entropy,
    ldam_loss,
    logit_adjusted_loss,
    ohem_loss,
    poly1_loss,
    smooth_ap_loss,
    topk_loss,
    tversky_loss,
)
from focalbench.losses.inverse import best_constant, focal_to_probability, recovered_logits
from focalbench.losses.modules import SigmoidFocalLoss, SoftmaxFocalLoss
from focalbench.losses.multiclass import softmax_focal_loss

__all__ = [
    "SigmoidFocalLoss",
    "SoftmaxFocalLoss",
    "asymmetric_loss",
    "best_constant",
    "class_balanced_weights",
    "cross_entropy",
    "deferred_weights",
    "dice_loss",
    "focal_gradient",
    "focal_hessian",
    "focal_loss",
    "focal_star_loss",
    "focal_to_probability",
    "hinge_loss",
    "label_smoothed_cross_entropy",
    "ldam_loss",
    "logit_adjusted_loss",
    "ohem_loss",
    "poly1_loss",
    "recovered_logits",
    "smooth_ap_loss",
    "softmax_focal_loss",
    "topk_loss",
    "tversky_loss",
]
