"""Focal losses as nn.Module: drop-in for BCEWithLogitsLoss and CrossEntropyLoss.

They take the arguments of the package imbalanced-losses with the same meaning, so that code moves over by changing
its import; where the two differ the docstrings say how.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from focalbench.errors import InputError
from focalbench.losses.binary import check_at_least_zero, focal_loss
from focalbench.losses.multiclass import softmax_focal_loss
from focalbench.losses.reduction import check_reduction, check_sample_weight, reduce_loss, spans_processes

OFF = -1  # others write alpha=-1 for "no alpha"


class SigmoidFocalLoss(nn.Module):
    """Binary and multi-label focal loss alpha_t (1 - p_t)^gamma (-log p_t) on logits (Lin et al. 2017, eq. 5).

    alpha: weight of the positives in [0, 1], 1 - alpha of the negatives; None or -1: off. gamma >= 0. reduction:
    none, mean (over all elements), sum, or mean_positive (the sum over all, divided by the positives, at least 1:
    RetinaNet's). pos_weight: multiplies the positive term, a scalar or a tensor that broadcasts with the logits,
    as BCEWithLogitsLoss's. label_smoothing e in [0, 1): targets t become t (1 - e) + e / 2. gather_distributed:
    None: under torch.distributed with several processes, means divide by the count of all of them; False: local.
    The logits stay where they are; each process returns its share times the number of processes, so that averaged
    gradients (DistributedDataParallel) are those of one process. Raises InputError for values outside these.

    >>> SigmoidFocalLoss(alpha=None, gamma=2.0)(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 1.0])).item()
    0.08754...
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        alpha: float | None = 0.25,
        gamma: float = 2.0,
        reduction: str = "mean",
        gather_distributed: bool | None = None,
        *,
        pos_weight: float | Tensor | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.alpha = None if alpha is None or alpha == OFF else float(alpha)
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise InputError(f"alpha must lie in [0, 1], or be None or -1 (off), got {alpha}")
        check_at_least_zero("gamma", gamma)
        self.gamma, self.reduction = float(gamma), check_reduction(reduction)
        self.gather_distributed = gather_distributed
        self.label_smoothing = _smoothing(label_smoothing)
        weight = None if pos_weight is None else torch.as_tensor(pos_weight, dtype=torch.get_default_dtype())
        check_at_least_zero("pos_weight", 1.0 if weight is None else weight)
        self.register_buffer("pos_weight", weight)

    def forward(self, inputs: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None) -> Tensor:
        """Loss of logits (any shape) at targets of the same shape, in [0, 1] and of any dtype.

        A soft target t means t FL(y=1) + (1 - t) FL(y=0), the expectation over the label. sample_weight:
        non-negative, finite, one entry a sample, broadcasting over trailing dimensions; the mean's denominator becomes
        the weight mass. Returns a scalar, or the inputs' shape for reduction none, in the inputs' dtype; NaN logits
        give NaN. Raises InputError for shapes that do not fit and targets outside [0, 1].
        """
        if inputs.shape != targets.shape:
            raise InputError(f"inputs and targets must have one shape, got {_both(inputs, targets)}")
        weight = None if sample_weight is None else check_sample_weight(sample_weight, inputs.shape)
        e = self.label_smoothing
        smoothed = targets * (1 - e) + e / 2 if e else targets
        wide = inputs.float() if inputs.dtype in (torch.float16, torch.bfloat16) else inputs
        pos_weight = 1.0 if self.pos_weight is None else self.pos_weight
        loss = focal_loss(wide, smoothed, alpha=self.alpha, gamma=self.gamma, pos_weight=pos_weight)
        counted = targets if self.reduction == "mean_positive" else None
        across = spans_processes(self.gather_distributed)
        reduced = reduce_loss(loss, self.reduction, counted=counted, weight=weight, across_processes=across)
        return reduced.to(inputs.dtype)

    def extra_repr(self) -> str:
        """What print shows."""
        return f"alpha={self.alpha}, gamma={self.gamma}, reduction={self.reduction!r}"


class SoftmaxFocalLoss(nn.Module):
    """Multiclass focal loss alpha[t] (1 - p_t)^gamma (-log p_t), p_t = softmax(logits)[t] (Lin et al. 2017).

    alpha: C class weights >= 0, or None. gamma >= 0. reduction: none, mean (over valid positions), sum, or
    mean_positive (the sum over all valid positions, divided by those of another class than background_class, at
    least 1). As in imbalanced-losses, and unlike CrossEntropyLoss, means divide by counts and not by alpha's mass.
    label_smoothing in [0, 1): as CrossEntropyLoss's; the focusing factor stays that of the true class.
    ignore_index: a target without loss and gradient. gather_distributed: as SigmoidFocalLoss's.
    Raises InputError for values outside these ranges, at construction.
    """

    alpha: Tensor | None

    def __init__(
        self,
        alpha: Sequence[float] | Tensor | None = None,
        gamma: float = 2.0,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        ignore_index: int = -100,
        background_class: int = 0,
        gather_distributed: bool | None = None,
    ) -> None:
        super().__init__()
        check_at_least_zero("gamma", gamma)
        self.gamma, self.reduction = float(gamma), check_reduction(reduction)
        self.label_smoothing = _smoothing(label_smoothing)
        self.ignore_index, self.background_class = ignore_index, background_class
        self.gather_distributed = gather_distributed
        weights = None if alpha is None else torch.as_tensor(alpha, dtype=torch.get_default_dtype())
        if weights is not None:
            check_at_least_zero("alpha", weights)
            if weights.ndim != 1 or len(weights) < 2:
                raise InputError(f"alpha must hold one weight for each of 2 or more classes, got {alpha}")
        self.register_buffer("alpha", weights)

    def forward(self, inputs: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None) -> Tensor:
        """Loss of logits (N, C) or (N, C, *) at class indices (N) or (N, *) in [0, C), or ignore_index.

        sample_weight: non-negative, finite, of the targets' shape or broadcasting over its trailing dimensions.
        Returns a scalar, or the targets' shape for reduction none, in the inputs' dtype.
        Raises InputError for shapes and classes that do not fit.
        """
        wide = inputs.float() if inputs.dtype in (torch.float16, torch.bfloat16) else inputs
        loss = softmax_focal_loss(
            wide,
            targets,
            alpha=self.alpha,
            gamma=self.gamma,
            label_smoothing=self.label_smoothing,
            ignore_index=self.ignore_index,
        )
        weight = None if sample_weight is None else check_sample_weight(sample_weight, targets.shape)
        counted = targets != self.ignore_index
        if self.reduction == "mean_positive":
            counted &= targets != self.background_class
        across = spans_processes(self.gather_distributed)
        reduced = reduce_loss(loss, self.reduction, counted=counted, weight=weight, across_processes=across)
        return reduced.to(inputs.dtype)

    def extra_repr(self) -> str:
        """What print shows."""
        return f"alpha={self.alpha}, gamma={self.gamma}, reduction={self.reduction!r}"


def _smoothing(value: float) -> float:
    if not 0 <= value < 1:
        raise InputError(f"label_smoothing must lie in [0, 1), got {value}")
    return float(value)


def _both(inputs: Tensor, targets: Tensor) -> str:
    return f"{tuple(inputs.shape)} and {tuple(targets.shape)}"
