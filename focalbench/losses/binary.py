"""The binary losses in torch: elementwise, unreduced, hyperparameters broadcasting over a leading run axis.

Notation as in reference.py: u = x (1 - 2y), q = sigmoid(u) = 1 - p_t, ce = -log p_t.
A run's numbers must not depend on its company, so the closed forms use only torch operations whose bits do
not depend on an element's position: exp, log1p, logsigmoid, arithmetic. torch.sigmoid and softplus are not
among them: the vector body and the scalar tail of their loops round differently.
Source: Lin et al., Focal Loss for Dense Object Detection, arXiv 1708.02002.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from focalbench.errors import InputError
from focalbench.losses.checks import (
    check_alpha,
    check_at_least_zero,
    check_expands,
    check_probabilities,
    check_shapes,
    holds,
    result_dtype,
    seen,
    widened,
)

__all__ = [
    "cross_entropy",
    "focal_gradient",
    "focal_hessian",
    "focal_loss",
    "focal_star_loss",
]

Hyperparameter = float | Tensor
_Sides = tuple[Tensor, Tensor, Tensor, Tensor]  # log p, log q, p and q = 1 - p
SCRATCH = 6
CHUNK = 65_536  # elements worked on at a time, so that what is in between stays in the processor's cache


class Weights(NamedTuple):
    """What a positive and a negative weigh in a loss, each broadcasting with the logits."""

    positive: Hyperparameter
    negative: Hyperparameter


class _Terms(NamedTuple):
    q: Tensor  # 1 - p_t
    p_t: Tensor
    ce: Tensor  # -log p_t
    log_q: Tensor


class _Room(NamedTuple):
    """Memory for one pass, so that none is asked for on the way: new pages cost more than arithmetic."""

    loss: Tensor
    slope: Tensor
    sign: Tensor
    u: Tensor
    q: Tensor
    p_t: Tensor
    log1p_e: Tensor
    free: Tensor


# ---- values


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy -log p_t, unreduced: focal_loss with gamma 0 and without alpha.

    Args:
        logits: any shape, floating; half precision is computed in float32.
        targets: in [0, 1], of any dtype, of the logits' shape or expanding to it; soft ones as in focal_loss.

    Returns:
        The logits' shape and dtype, as focal_loss.

    Raises:
        InputError: for targets outside [0, 1], and for shapes that do not fit.
    """
    return focal_loss(logits, targets, gamma=0.0)


def focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: Hyperparameter | None = None,
    gamma: Hyperparameter = 2.0,
    pos_weight: Hyperparameter = 1.0,
) -> Tensor:
    """Focal loss alpha_t (1 - p_t)^gamma (-log p_t), unreduced, exact at every logit and dtype.

    A soft target t means t FL(y=1) + (1 - t) FL(y=0), the expectation over the label. NaN logits give NaN, infinite
    ones the limits of value and derivative. It is differentiable any number of times, also under torch.func and
    torch.compile.

    The hyperparameters alpha, gamma and pos_weight are constants (no gradient) and expand to the logits' shape: with
    logits (row, label) one value a label has shape (label,).

    Args:
        logits: any shape, floating; half precision is computed in float32.
        targets: in [0, 1], of any dtype, of the logits' shape or expanding to it. They are not checked where no value
            can be looked at: by a compiler, by vmap, on meta and fake tensors.
        alpha: in [0, 1]; weights positives by alpha and negatives by 1 - alpha. None weights both by 1.
        gamma: focusing exponent, >= 0.
        pos_weight: multiplies the positive term, >= 0.

    Returns:
        The logits' shape and dtype (float32 for half precision under autocast).

    Raises:
        InputError: for values outside these ranges, and for shapes that do not fit.

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017 (arXiv 1708.02002), eq. 5.
    """
    check_shapes(logits, targets)
    x = widened(logits)
    weights = _weights(alpha, pos_weight, x)
    check_at_least_zero("gamma", gamma)
    return _apply(x, targets.expand(x.shape), *weights, _fitting("gamma", gamma, x))[0].to(result_dtype(logits))


def focal_star_loss(
    logits: Tensor, targets: Tensor, *, gamma: Hyperparameter = 2.0, beta: Hyperparameter = 1.0
) -> Tensor:
    """FL* = -log(sigmoid(gamma x_t + beta)) / gamma, unreduced, x_t = x (2y - 1).

    Args:
        logits: any shape, floating.
        targets: 0 or 1, of a shape that expands to the logits' (in between: the expectation over the label).
        gamma: > 0; broadcasts with the logits.
        beta: finite; broadcasts with the logits.

    Returns:
        The broadcast shape, in the logits' dtype (float32 for half precision under autocast).

    Raises:
        InputError: for values outside these ranges, and for targets of a shape that does not fit.

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017 (arXiv 1708.02002), eq. 11.
    """
    check_shapes(logits, targets)
    check_probabilities(targets)
    if not holds(torch.as_tensor(gamma) > 0) or not holds(torch.as_tensor(beta).isfinite()):
        raise InputError(f"FL* needs a gamma > 0 and a finite beta, got {gamma} and {beta}")
    x = widened(logits)
    y = targets.to(x.dtype)
    loss = y * -logsigmoid(gamma * x + beta) + (1 - y) * -logsigmoid(beta - gamma * x)
    return (loss / gamma).to(result_dtype(logits))


# ---- closed-form derivatives


def focal_gradient(logits: Tensor, targets: Tensor, gamma: Hyperparameter, weights: Hyperparameter) -> Tensor:
    """Derivative of weights x focal loss by the logit, in closed form; unchecked.

    d/dx = weights q^gamma (q + gamma p_t ce) (1 - 2y).

    Args:
        logits: (run, output, sample), finite.
        targets: 0 or 1, of the logits' dtype.
        gamma: focusing exponent, >= 0, a float or (run, 1, 1). A gamma of 0.0 skips what it does not need and gives the
            same bits as a tensor of zeros.
        weights: the class weight of each sample.

    Returns:
        The shape to which all arguments broadcast.

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017 (arXiv 1708.02002), eq. 10.
    """
    sign = 1 - 2 * targets
    u = logits * sign
    if isinstance(gamma, float) and gamma == 0:
        return weights * _probability(u) * sign
    return weights * _slope(_terms(u), gamma)[1] * sign


def focal_hessian(logits: Tensor, targets: Tensor, gamma: Hyperparameter, weights: Hyperparameter) -> Tensor:
    """Second derivative of weights x focal loss by the logit, in closed form; unchecked, as focal_gradient.

    d2/dx2 = weights q^gamma p_t (q (1 + 2 gamma - gamma ce) + gamma^2 p_t ce). It is negative on hard samples, where
    the focal loss is not convex.

    Args:
        logits: (run, output, sample), finite.
        targets: 0 or 1, of the logits' dtype.
        gamma: focusing exponent, >= 0, a float or (run, 1, 1).
        weights: the class weight of each sample.

    Returns:
        The shape to which all arguments broadcast.
    """
    t = _terms(logits * (1 - 2 * targets))
    focus = _focus(t, gamma)
    return weights * (focus * t.p_t * (t.q * (1 + 2 * gamma - gamma * t.ce) + gamma * gamma * t.p_t * t.ce))


def _terms(u: Tensor) -> _Terms:
    above, below = u.clamp(min=0), u.clamp(max=0)
    e_below, e_above = torch.exp(below), torch.exp(-above)  # one of them is 1, so that neither overflows
    e = e_below * e_above
    log1p_e = torch.log1p(e)
    larger = (e + 1).reciprocal()  # of the two probabilities q and p_t
    return _Terms(q=e_below * larger, p_t=e_above * larger, ce=above + log1p_e, log_q=below - log1p_e)


def _probability(u: Tensor) -> Tensor:
    """Sigmoid, of bits that do not depend on a position."""
    e = torch.exp(-u.abs())
    return torch.exp(u.clamp(max=0)) * (e + 1).reciprocal()


def _focus(t: _Terms, gamma: Hyperparameter) -> Tensor:
    return torch.exp(gamma * t.log_q)


def _slope(t: _Terms, gamma: Hyperparameter) -> tuple[Tensor, Tensor]:
    """q^gamma, and d focal loss / du."""
    focus = _focus(t, gamma)
    return focus, focus * (t.q + gamma * t.p_t * t.ce)


# ---- autograd


class _FocalLoss(torch.autograd.Function):
    """Value and derivative in one pass; the derivative is the one thing kept for backward."""

    @staticmethod
    def forward(
        x: Tensor, y: Tensor, positive: Hyperparameter, negative: Hyperparameter, gamma: Hyperparameter
    ) -> tuple[Tensor, Tensor]:
        weights = Weights(positive, negative)
        if torch.compiler.is_compiling():  # it fuses by itself; under torch.func, with grad on, it differentiates this
            return _plain(x, y.to(x.dtype), weights, gamma, _smooth if torch.is_grad_enabled() else _shared)
        loss, derivative = x.new_empty(x.shape), x.new_empty(x.shape)
        whole = any(isinstance(value, Tensor) for value in (positive, negative, gamma))
        tensors = [tensor if whole else tensor.reshape(-1) for tensor in (x, y, loss, derivative)]
        parts = [[tensor] if whole else torch.split(tensor, CHUNK) for tensor in tensors]
        scratch = x.new_empty(SCRATCH, *parts[0][0].shape)
        for part, target, value, slope in zip(*parts, strict=True):
            room = _Room(value, slope, *scratch[:, : len(part)] if part.ndim else scratch)
            _value_and_derivative(part, target, weights, gamma, room)
        return loss, derivative

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, y, *ctx.hyperparameters = inputs
        ctx.save_for_backward(x, y, output[1])
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None, None, None]:
        x, y, derivative = ctx.saved_tensors
        if torch.is_grad_enabled():  # someone will differentiate again
            positive, negative, gamma = ctx.hyperparameters
            derivative = _plain(x, y.to(x.dtype), Weights(positive, negative), gamma)[1]
        return grad * derivative, None, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        # logits and targets have one shape; a hyperparameter's own dimensions stay its last ones
        x, dim = inputs[0], in_dims[0]
        shape = (info.batch_size, *(x.shape if dim is None else x.movedim(dim, 0).shape[1:]))
        moved = [
            value if dim is None else _batch_first(value, dim, len(shape) - 1)
            for value, dim in zip(inputs, in_dims, strict=True)
        ]
        x, y, positive, negative, gamma = moved
        return _apply(x.expand(shape), y.expand(shape), positive, negative, gamma), (0, 0)


def _apply(
    x: Tensor, y: Tensor, positive: Hyperparameter, negative: Hyperparameter, gamma: Hyperparameter
) -> tuple[Tensor, Tensor]:
    if torch.compiler.is_compiling() and not torch.is_grad_enabled():  # forward mode may be around it
        return _plain(x, y.to(x.dtype), Weights(positive, negative), gamma)
    try:
        both: tuple[Tensor, Tensor] = _FocalLoss.apply(x, y, positive, negative, gamma)  # type: ignore[no-untyped-call]
    except NotImplementedError:  # forward mode: torch compiles no Function that has a rule for it
        return _plain(x, y.to(x.dtype), Weights(positive, negative), gamma)
    return both


def _batch_first(value: Tensor, dim: int, dims: int) -> Tensor:
    """Move a batch dimension to the front of a value that broadcasts against `dims` others."""
    moved = value.movedim(dim, 0)
    return moved.reshape(moved.shape[0], *[1] * (dims - moved.ndim + 1), *moved.shape[1:])


def _value_and_derivative(x: Tensor, y: Tensor, weights: Weights, gamma: Hyperparameter, room: _Room) -> None:
    """Put the loss and its derivative by the logit into the room, in the operations that take least time."""
    y = y.to(x.dtype)
    hard = _are_hard(y, room.free)
    if not math.isfinite(seen(x.sum())):  # an infinite or NaN logit among them, perhaps
        for into, values in zip(room[:2], _plain(x, y, weights, gamma), strict=True):
            into.copy_(values)
    elif hard:
        _of_hard_targets(x, y, weights, gamma, room)
    else:
        _of_soft_targets(x, y, weights, gamma, room)


def _of_hard_targets(x: Tensor, y: Tensor, weights: Weights, gamma: Hyperparameter, room: _Room) -> None:
    sign = torch.sub(y.new_ones(()), y, alpha=2, out=room.sign)
    torch.mul(x, sign, out=room.u)
    loss, slope = _one_class(gamma, room)
    signed = _signed(sign, weights)
    torch.mul(slope, signed, out=room.slope)
    torch.mul(loss, signed.abs_(), out=room.loss)


def _of_soft_targets(x: Tensor, y: Tensor, weights: Weights, gamma: Hyperparameter, room: _Room) -> None:
    torch.neg(x, out=room.u)
    loss, slope = _one_class(gamma, room)
    positive, negative = y * weights.positive, (1 - y) * weights.negative
    torch.mul(positive, loss, out=room.loss)
    torch.mul(positive.neg_(), slope, out=room.slope)
    room.u.copy_(x)
    loss, slope = _one_class(gamma, room)
    room.loss.addcmul_(negative, loss)
    room.slope.addcmul_(negative, slope)


def _one_class(gamma: Hyperparameter, room: _Room) -> tuple[Tensor, Tensor]:
    """Focal loss and d/du, as from _terms; their bits may hang on a position. Works in the last five of the room."""
    u, q, p_t, log1p_e, free = room[3:]
    torch.sigmoid(u, out=q)
    torch.neg(u, out=p_t).sigmoid_()
    torch.minimum(p_t, q, out=log1p_e).div_(torch.maximum(p_t, q, out=free)).log1p_()  # of e = exp(-|u|)
    if isinstance(gamma, float) and gamma in (1, 2):  # below, a q that underflows would not have q^gamma do so
        focus = q if gamma == 1 else torch.mul(q, q, out=free)
    else:
        focus = torch.clamp(u, max=0, out=free).sub_(log1p_e).mul_(gamma).exp_()
    ce = log1p_e.add_(u.clamp_(min=0))
    if isinstance(gamma, Tensor):
        slope = p_t.mul_(ce).mul_(gamma).add_(q)
    else:
        slope = torch.addcmul(q, p_t, ce, value=gamma, out=p_t)
    return ce.mul_(focus), slope.mul_(focus)


def _signed(sign: Tensor, weights: Weights) -> Tensor:
    """Minus the weight of a positive where the sign is -1, a negative's where it is 1; in place."""
    if isinstance(weights.positive, float) and isinstance(weights.negative, float):
        return sign.mul_(max(weights)).clamp_(-weights.positive, weights.negative)
    positive, negative = (torch.as_tensor(weight, dtype=sign.dtype, device=sign.device) for weight in weights)
    return sign.mul_(torch.maximum(positive, negative)).clamp_(-positive, negative)


def _power(q: Tensor, log_q: Tensor, gamma: Hyperparameter) -> Tensor:
    """q^gamma."""
    if isinstance(gamma, float) and gamma in (1, 2):  # below, a q that underflows would not have q^gamma do so
        return q if gamma == 1 else q * q
    return torch.exp(gamma * log_q)


def _smooth(x: Tensor) -> _Sides:
    """log p, log q, p and q = 1 - p, for autograd to differentiate."""
    log_p, log_q = logsigmoid(x), logsigmoid(-x)
    return log_p, log_q, torch.exp(log_p), torch.exp(log_q)


def _shared(x: Tensor) -> _Sides:
    """As _smooth, at half the price where nothing is differentiated: the two sides share one exponential."""
    e = torch.exp(-x.abs())
    log1p_e, larger = torch.log1p(e), (e + 1).reciprocal()
    smaller, right = e * larger, x > 0
    p, q = torch.where(right, larger, smaller), torch.where(right, smaller, larger)
    return x.clamp(max=0) - log1p_e, (-x).clamp(max=0) - log1p_e, p, q


def _plain(
    x: Tensor, y: Tensor, weights: Weights, gamma: Hyperparameter, sides: Callable[[Tensor], _Sides] = _smooth
) -> tuple[Tensor, Tensor]:
    """The loss and its derivative in operations that autograd can differentiate, right at 0 too, where |x| has none.

    At an infinite logit they are the limits: a weight of 0 has none of an infinite loss.
    """
    far = x.isinf()
    near = torch.where(far, 0, x)
    log_p, log_q, p, q = sides(near)
    positive, negative = y * weights.positive, (1 - y) * weights.negative
    focus1, focus0 = positive * _power(q, log_q, gamma), negative * _power(p, log_p, gamma)
    loss = -focus1 * log_p - focus0 * log_q
    slope = focus0 * (p - gamma * q * log_q) - focus1 * (q - gamma * p * log_p)
    steepest = torch.where(x > 0, negative, -positive)
    return torch.where(far, torch.where(steepest == 0, 0, steepest * x), loss), torch.where(far, steepest, slope)


# ---- weights and targets


def _weights(alpha: Hyperparameter | None, pos_weight: Hyperparameter, x: Tensor) -> Weights:
    check_at_least_zero("pos_weight", pos_weight)
    positive = _fitting("pos_weight", pos_weight, x)
    if alpha is None:
        return Weights(positive, 1.0)
    check_alpha(alpha)
    share = _fitting("alpha", alpha, x)
    return Weights(share * positive, 1.0 - share)


def _fitting(name: str, value: Hyperparameter, x: Tensor) -> Hyperparameter:
    """A hyperparameter in the logits' precision. Raises InputError unless it expands to their shape."""
    if not isinstance(value, Tensor):
        return float(value)
    check_expands(name, value, x)
    number = math.nan if value.numel() != 1 or torch.compiler.is_compiling() else seen(value)
    return value.to(x.dtype) if math.isnan(number) else number  # numbers take less time


def _are_hard(y: Tensor, scratch: Tensor) -> bool:
    """Whether all targets are known to be 0 or 1; InputError if one lies outside [0, 1]."""
    if seen(torch.addcmul(y, y, y, value=-1, out=scratch).abs_().sum()) == 0:
        return True
    check_probabilities(y)
    return False
