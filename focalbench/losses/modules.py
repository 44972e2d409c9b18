"""Focal losses as nn.Module: drop-in for BCEWithLogitsLoss and CrossEntropyLoss, which they are at gamma 0.

They take the arguments of the package imbalanced-losses with the same meaning, so that code moves over by changing
its import; where they differ from it or from torch's losses the docstrings say how and why.
"""

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from focalbench.errors import InputError
from focalbench.losses.binary import focal_loss
from focalbench.losses.checks import check_alpha, check_at_least_zero, check_tensors, result_dtype, widened
from focalbench.losses.multiclass import check_classes, positions, softmax_focal_loss
from focalbench.losses.reduction import check_reduction, check_sample_weight, reduce_loss, spans_processes

__all__ = [
    "SigmoidFocalLoss",
    "SoftmaxFocalLoss",
]

OFF = -1  # others write alpha=-1 for "no alpha"
Several = Sequence[float] | npt.NDArray[np.floating] | Tensor


class SigmoidFocalLoss(nn.Module):
    """Binary and multi-label focal loss alpha_t (1 - p_t)^gamma (-log p_t) on logits.

    With alpha None and gamma 0 it is BCEWithLogitsLoss, except that
    - float16 and bfloat16 are computed and reduced in float32, and a reduction of them is float32: theirs is inf from
      65,504 on. Logits of higher precision than the targets keep it; theirs come back in the targets' dtype.
    - an infinite logit has the limit of its loss; theirs is nan. The gradient is the same.
    - a mean over nothing is 0; theirs is nan, which one empty batch or process would spread to all weights.
    - targets may be integer or boolean, and must lie in [0, 1]; theirs go on with any number. They take no gradient:
      the one derivative that is kept is that by the logits.
    - their constructor's weight is sample_weight here, given with each batch; a mean divides by the sum of its
      elements' weights.

    Args:
        alpha: weight of the positives in [0, 1], 1 - alpha that of the negatives; None or -1: off. A number, or one
            value a label: a tensor, array or list that broadcasts with the logits. A tensor keeps its precision, a list
            has torch's default one.
        gamma: focusing exponent, >= 0.
        reduction: none, mean (over all elements), sum, or mean_positive (the sum over all, divided by the positives, at
            least 1: RetinaNet's).
        gather_distributed: None: under torch.distributed with several processes, means divide by the count of all of
            them where a gradient is wanted. False: never. True: as None, but forward raises InputError without an
            initialised process group. The logits stay where they are; each process returns its share times the number
            of processes, so that averaged gradients (DistributedDataParallel) are those of one process.
        pos_weight: multiplies the positive term, >= 0, as BCEWithLogitsLoss's; None: off. A number or one value a
            label, as alpha.
        label_smoothing: e in [0, 1): targets t become t (1 - e) + e / 2.
        ignore_index: a target without loss and gradient, that no mean counts; None: off.

    Raises:
        InputError: for values outside these ranges.

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017 (arXiv 1708.02002), eq. 5.

    >>> SigmoidFocalLoss(alpha=None, gamma=2.0)(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 1.0])).item()
    0.08754...
    """

    alpha: Tensor | float | None
    pos_weight: Tensor | float | None

    def __init__(
        self,
        alpha: float | Several | None = 0.25,
        gamma: float = 2.0,
        reduction: str = "mean",
        gather_distributed: bool | None = None,
        *,
        pos_weight: float | Several | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        off = alpha is None or (isinstance(alpha, Real) and alpha == OFF)
        share = None if off or alpha is None else _constant("alpha", alpha)
        weight = None if pos_weight is None else _constant("pos_weight", pos_weight)
        if share is not None:
            check_alpha(share)
        check_at_least_zero("pos_weight", 1.0 if weight is None else weight)
        for name, value in (("alpha", share), ("pos_weight", weight)):
            if isinstance(value, Tensor):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)
        self.gamma, self.reduction = _gamma(gamma), check_reduction(reduction)
        self.gather_distributed = gather_distributed
        self.label_smoothing = _smoothing(label_smoothing)
        self.ignore_index = None if ignore_index is None else _index("ignore_index", ignore_index)

    def forward(self, inputs: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None) -> Tensor:
        """Loss of logits at targets of the same shape.

        A soft target t means t FL(y=1) + (1 - t) FL(y=0), the expectation over the label. NaN logits give NaN.

        Args:
            inputs: logits, any shape, floating.
            targets: of the inputs' shape and any dtype, in [0, 1] or ignore_index.
            sample_weight: non-negative, finite; None: all 1. Its dimensions are the inputs' first ones, (N) is one
                weight a sample. The denominator of a mean becomes the sum of the weights of the elements that it
                counts, with no minimum of 1. A weight of 0 excludes: whatever stands there, NaN included, there is no
                loss and no gradient.

        Returns:
            A scalar, or the inputs' shape for reduction none. Its dtype is the one that inputs and floating targets
            have together; half-precision inputs count as float32 under autocast. A reduction of half precision is
            float32.

        Raises:
            InputError: for values outside these ranges, and for shapes that do not fit.
        """
        check_tensors(inputs=inputs, targets=targets)
        if inputs.shape != targets.shape:
            raise InputError(f"inputs and targets must have one shape, got {_both(inputs, targets)}")
        weight = None if sample_weight is None else check_sample_weight(sample_weight, inputs.shape)
        x, y, excluded = widened(inputs), targets, self._excluded(targets, weight)
        if excluded is not None:
            x, y = torch.where(excluded, 0, x), torch.where(excluded, 0, y)
        loss = focal_loss(
            x,
            self._smoothed(y, x.dtype),
            alpha=self.alpha,
            gamma=self.gamma,
            pos_weight=1.0 if self.pos_weight is None else self.pos_weight,
        )
        counted = y if self.reduction == "mean_positive" else None
        if excluded is not None:
            loss, counted = torch.where(excluded, 0, loss), ~excluded if counted is None else counted
        across = spans_processes(self.gather_distributed, inputs)
        reduced = reduce_loss(loss, self.reduction, counted=counted, weight=weight, across_processes=across)
        return reduced.to(_returned(self.reduction, inputs, targets))

    def _smoothed(self, targets: Tensor, dtype: torch.dtype) -> Tensor:
        e = self.label_smoothing
        return targets.to(dtype) * (1 - e) + e / 2 if e else targets

    def _excluded(self, targets: Tensor, weight: Tensor | None) -> Tensor | None:
        if self.ignore_index is None:
            return None if weight is None else weight == 0
        labels = targets if targets.is_floating_point() else targets.long()  # uint8 would take -100 for 156
        marked = labels == self.ignore_index
        return marked if weight is None else marked | (weight == 0)

    def extra_repr(self) -> str:
        """What print shows.

        Returns:
            alpha, gamma and reduction as text.
        """
        return f"alpha={self.alpha}, gamma={self.gamma}, reduction={self.reduction!r}"


class SoftmaxFocalLoss(nn.Module):
    """Multiclass focal loss alpha[t] (1 - p_t)^gamma (-log p_t), p_t = softmax(logits)[t].

    With gamma 0 it is CrossEntropyLoss, except that
    - means divide by counts and not by the sum of alpha, and smoothing has the true class's alpha, as in
      imbalanced-losses.
    - a reduction of float16 or bfloat16 is float32: theirs is inf or nan from 65,504 on.
    - a class of logit -inf is not there: smoothing passes it over (theirs is inf), and a probability of 0 for it adds 0
      (theirs is nan).
    - a mean over nothing is 0; theirs is nan, which one empty batch or process would spread to all weights.
    - class indices may be of any integer type; theirs are int64 or uint8.
    - probabilities must lie in [0, 1], and a single class is refused, where the loss is always 0.

    Args:
        alpha: C class weights >= 0, or None. A tensor keeps its precision, a list has torch's default one.
        gamma: focusing exponent, >= 0.
        reduction: none, mean (over valid positions), sum, or mean_positive (the sum over all valid positions, divided
            by those of another class than background_class, at least 1).
        label_smoothing: in [0, 1), as CrossEntropyLoss's; the focusing factor and alpha stay those of the true class.
        ignore_index: a target without loss and gradient.
        background_class: the class whose positions mean_positive does not count.
        gather_distributed: as SigmoidFocalLoss's.

    Raises:
        InputError: for values outside these ranges, at construction.

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017 (arXiv 1708.02002).
    """

    alpha: Tensor | None

    def __init__(
        self,
        alpha: Several | None = None,
        gamma: float = 2.0,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        ignore_index: int = -100,
        background_class: int = 0,
        gather_distributed: bool | None = None,
    ) -> None:
        super().__init__()
        self.gamma, self.reduction = _gamma(gamma), check_reduction(reduction)
        self.label_smoothing = _smoothing(label_smoothing)
        self.ignore_index = _index("ignore_index", ignore_index)
        self.background_class = _index("background_class", background_class)
        self.gather_distributed = gather_distributed
        weights = None if alpha is None else torch.as_tensor(_constant("alpha", alpha))
        if weights is not None:
            check_at_least_zero("alpha", weights)
            if weights.ndim != 1 or len(weights) < 2:
                raise InputError(f"alpha must hold one weight for each of 2 or more classes, got {alpha}")
        self.register_buffer("alpha", weights)

    def forward(self, inputs: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None) -> Tensor:
        """Loss of logits at class indices or at class probabilities.

        Args:
            inputs: logits (N, C), (N, C, *) or (C), floating.
            targets: class indices (N), (N, *) or (), of any integer type, in [0, C) or ignore_index. Or class
                probabilities, floating, of the inputs' shape, in [0, 1]: the loss is the expectation over the class,
                and mean_positive counts what the other classes than the background have.
            sample_weight: non-negative, finite; None: all 1. Its dimensions are the first ones of the class indices,
                (N) is one weight a sample. A weight of 0 excludes, as SigmoidFocalLoss's.

        Returns:
            A scalar, or the shape of the class indices for reduction none, in the dtype that SigmoidFocalLoss would
            give.

        Raises:
            InputError: for values outside these ranges, and for shapes and classes that do not fit.
        """
        check_classes(inputs, targets)
        weight = None if sample_weight is None else check_sample_weight(sample_weight, positions(inputs))
        x, y = widened(inputs), targets if targets.is_floating_point() else targets.long()
        if weight is not None:
            x, y = self._without(weight == 0, x, y)
        loss = softmax_focal_loss(
            x,
            y,
            alpha=self.alpha,
            gamma=self.gamma,
            label_smoothing=self.label_smoothing,
            ignore_index=self.ignore_index,
        )
        across = spans_processes(self.gather_distributed, inputs)
        reduced = reduce_loss(loss, self.reduction, counted=self._counted(y), weight=weight, across_processes=across)
        return reduced.to(_returned(self.reduction, inputs, targets))

    def _without(self, excluded: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        every = excluded.unsqueeze(min(1, excluded.ndim))  # class
        if y.is_floating_point():
            return torch.where(every, 0, x), torch.where(every, 0, y)
        return torch.where(every, 0, x), torch.where(excluded, self.ignore_index, y)

    def _counted(self, targets: Tensor) -> Tensor | None:
        positive = self.reduction == "mean_positive"
        if targets.is_floating_point():
            return 1 - targets.select(min(1, targets.ndim - 1), self.background_class) if positive else None
        counted = targets != self.ignore_index
        return counted & (targets != self.background_class) if positive else counted

    def extra_repr(self) -> str:
        """What print shows.

        Returns:
            alpha, gamma and reduction as text.
        """
        return f"alpha={self.alpha}, gamma={self.gamma}, reduction={self.reduction!r}"


def _constant(name: str, value: object) -> Tensor | float:
    """A number as it is, several as a tensor, which follows the module to its device."""
    if isinstance(value, Real):
        return float(value)
    try:
        values = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{name} must be a number or hold one for each label or class, got {value!r}") from None
    return values if values.is_floating_point() else values.to(torch.get_default_dtype())


def _gamma(value: float) -> float:
    check_at_least_zero("gamma", value)
    if isinstance(value, Tensor) and value.numel() != 1:
        raise InputError(f"gamma must be one number, got {value}")
    return float(value)


def _smoothing(value: float) -> float:
    if not isinstance(value, Real) or not 0 <= value < 1:
        raise InputError(f"label_smoothing must lie in [0, 1), got {value}")
    return float(value)


def _index(name: str, value: int) -> int:
    if not isinstance(value, Integral):
        raise InputError(f"{name} must be an integer, got {value!r}")
    return int(value)


def _returned(reduction: str, inputs: Tensor, targets: Tensor) -> torch.dtype:
    """The dtype of the result: a sum of halves would soon be infinite, and its gradient scaled by 65,536 always is."""
    dtype = result_dtype(inputs)
    if targets.is_floating_point():
        dtype = torch.promote_types(dtype, targets.dtype)
    return dtype if reduction == "none" else torch.promote_types(dtype, torch.float32)


def _both(inputs: Tensor, targets: Tensor) -> str:
    return f"{tuple(inputs.shape)} and {tuple(targets.shape)}"
