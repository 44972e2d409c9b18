"""The binary losses in torch: elementwise, unreduced, hyperparameters broadcasting over a leading run axis.

Notation as in reference.py: u = x (1 - 2y), q = sigmoid(u) = 1 - p_t, ce = -log p_t.
A run's numbers must not depend on its company, so the closed forms use only torch operations whose bits do
not depend on an element's position: exp, log1p, logsigmoid, arithmetic. torch.sigmoid and softplus are not
among them: the vector body and the scalar tail of their loops round differently.
Source: Lin et al., Focal Loss for Dense Object Detection, arXiv 1708.02002.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from focalbench.errors import InputError

Hyperparameter = float | Tensor
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


# ---- values


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy -log p_t, unreduced: focal_loss with gamma 0 and without alpha."""
    return focal_loss(logits, targets, gamma=0.0)


def focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: Hyperparameter | None = None,
    gamma: Hyperparameter = 2.0,
    pos_weight: Hyperparameter = 1.0,
) -> Tensor:
    """Focal loss alpha_t (1 - p_t)^gamma (-log p_t), unreduced (the paper's eq. 5), exact at every logit and dtype.

    logits: any shape, floating; half precision is computed in float32. targets: in [0, 1], of any dtype, of the
    logits' shape or expanding to it; a soft target t means t FL(y=1) + (1 - t) FL(y=0), the expectation over the
    label. alpha in [0, 1] weights positives, 1 - alpha negatives; None weights both by 1. gamma >= 0.
    pos_weight >= 0 multiplies the positive term. The hyperparameters are constants (no gradient) and broadcast:
    with logits (run, output, sample) a value per run has shape (run, 1, 1).
    Returns the logits' shape and dtype; NaN logits give NaN. Differentiable any number of times, and under
    torch.compile (where targets are not checked) and torch.func.
    Raises InputError for values outside these ranges and shapes that differ.
    """
    check_shapes(logits, targets)
    weights = _weights(alpha, pos_weight)
    check_at_least_zero("gamma", gamma)
    x = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    return _apply(x, targets.expand(x.shape), *weights, gamma)[0].to(logits.dtype)


def focal_star_loss(
    logits: Tensor, targets: Tensor, *, gamma: Hyperparameter = 2.0, beta: Hyperparameter = 1.0
) -> Tensor:
    """FL* = -log(sigmoid(gamma x_t + beta)) / gamma, unreduced (the paper's eq. 11), x_t = x (2y - 1).

    logits: any shape, floating. targets: expanding to it, 0 or 1 (in between: the expectation over the label).
    gamma > 0, beta finite; they broadcast. Raises InputError outside these ranges.
    """
    check_shapes(logits, targets)
    _are_hard(2 * targets - 1)
    if not holds(torch.as_tensor(gamma) > 0) or not holds(torch.as_tensor(beta).isfinite()):
        raise InputError(f"FL* needs a gamma > 0 and a finite beta, got {gamma} and {beta}")
    x = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    y = targets.to(x.dtype)
    loss = y * -logsigmoid(gamma * x + beta) + (1 - y) * -logsigmoid(beta - gamma * x)
    return (loss / gamma).to(logits.dtype)


# ---- closed-form derivatives


def focal_gradient(logits: Tensor, targets: Tensor, gamma: Hyperparameter, weights: Hyperparameter) -> Tensor:
    """Derivative of weights x focal loss by the logit, in closed form (the paper's eq. 10); unchecked.

    d/dx = weights q^gamma (q + gamma p_t ce) (1 - 2y). logits: (run, output, sample), finite. targets: 0 or
    1, of the logits' dtype. gamma: >= 0, a float or (run, 1, 1). weights: the class weight of each sample.
    All broadcast. A gamma of 0.0 skips what it does not need and gives the same bits as a tensor of zeros.
    """
    sign = 1 - 2 * targets
    u = logits * sign
    if isinstance(gamma, float) and gamma == 0:
        return weights * _probability(u) * sign
    return weights * _slope(_terms(u), gamma)[1] * sign


def focal_hessian(logits: Tensor, targets: Tensor, gamma: Hyperparameter, weights: Hyperparameter) -> Tensor:
    """Second derivative of weights x focal loss by the logit, in closed form; arguments as focal_gradient.

    d2/dx2 = weights q^gamma p_t (q (1 + 2 gamma - gamma ce) + gamma^2 p_t ce); negative on hard samples, where
    the focal loss is not convex.
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
        whole = torch.compiler.is_compiling()  # a compiler fuses it all by itself
        if whole or any(isinstance(value, Tensor) for value in (positive, negative, gamma)):
            return _value_and_derivative(x, y, weights, gamma)
        loss, derivative = x.new_empty(x.shape), x.new_empty(x.shape)
        flat = [torch.split(tensor.reshape(-1), CHUNK) for tensor in (x, y)]
        into = [torch.split(tensor.view(-1), CHUNK) for tensor in (loss, derivative)]
        for part, target, value, slope in zip(*flat, *into, strict=True):
            value[:], slope[:] = _value_and_derivative(part, target, weights, gamma)
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
            derivative = _plain_derivative(x, y.to(x.dtype), Weights(positive, negative), gamma)
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
        return _apply(moved[0].expand(shape), moved[1].expand(shape), *moved[2:]), (0, 0)


def _apply(x: Tensor, y: Tensor, *hyperparameters: Hyperparameter) -> tuple[Tensor, Tensor]:
    both: tuple[Tensor, Tensor] = _FocalLoss.apply(x, y, *hyperparameters)  # type: ignore[no-untyped-call]
    return both


def _batch_first(value: Tensor, dim: int, dims: int) -> Tensor:
    """Move a batch dimension to the front of a value that broadcasts against `dims` others."""
    moved = value.movedim(dim, 0)
    return moved.reshape(moved.shape[0], *[1] * (dims - moved.ndim + 1), *moved.shape[1:])


def _value_and_derivative(x: Tensor, y: Tensor, weights: Weights, gamma: Hyperparameter) -> tuple[Tensor, Tensor]:
    """The loss and its derivative by the logit; targets that are all 0 or 1 need half the work."""
    y = y.to(x.dtype)
    sign = (y * -2).add_(1)
    if not _are_hard(sign):
        loss1, slope1 = _one_class(-x, gamma)
        loss0, slope0 = _one_class(x, gamma)
        positive, negative = y * weights.positive, (1 - y) * weights.negative
        return positive * loss1 + negative * loss0, negative * slope0 - positive * slope1
    loss, slope = _one_class(x * sign, gamma)
    slope.mul_(sign)
    if all(isinstance(weight, float) and weight == 1 for weight in weights):
        return loss, slope
    weight = (y * weights.positive).add_((1 - y).mul_(weights.negative))
    return loss.mul_(weight), slope.mul_(weight)


def _one_class(u: Tensor, gamma: Hyperparameter) -> tuple[Tensor, Tensor]:
    """Focal loss and d/du. As _terms, in the operations that take least time; their bits may hang on a position."""
    q, p_t = torch.sigmoid(u), torch.sigmoid(-u)
    log1p_e = torch.minimum(p_t, q).div_(torch.maximum(p_t, q)).log1p_()  # e = exp(-|u|)
    if isinstance(gamma, float) and gamma in (1, 2):  # below, a q that underflows would not have q^gamma do so
        focus = q if gamma == 1 else q * q
    else:
        focus = torch.exp(gamma * (u.clamp(max=0) - log1p_e))
    ce = log1p_e.add_(u.clamp(min=0))
    slope = p_t.mul_(ce).mul_(gamma).add_(q).mul_(focus)
    return focus * ce, slope


def _plain_derivative(x: Tensor, y: Tensor, weights: Weights, gamma: Hyperparameter) -> Tensor:
    """The derivative in operations that autograd can differentiate, right at 0 too, where |x| has none."""
    log_p, log_q = logsigmoid(x), logsigmoid(-x)
    p, q = torch.exp(log_p), torch.exp(log_q)
    positive, negative = y * weights.positive, (1 - y) * weights.negative
    slope1 = torch.exp(gamma * log_q) * (q - gamma * p * log_p)
    slope0 = torch.exp(gamma * log_p) * (p - gamma * q * log_q)
    return negative * slope0 - positive * slope1


# ---- weights and checks


def _weights(alpha: Hyperparameter | None, pos_weight: Hyperparameter) -> Weights:
    check_at_least_zero("pos_weight", pos_weight)
    if alpha is None:
        return Weights(pos_weight, 1.0)
    within = 0 <= alpha <= 1 if isinstance(alpha, (int, float)) else holds((alpha >= 0) & (alpha <= 1))
    if not within:
        raise InputError(f"alpha must lie in [0, 1] or be None (off), got {alpha}")
    return Weights(alpha * pos_weight, 1.0 - alpha)


def check_shapes(logits: Tensor, targets: Tensor) -> None:
    """Raise InputError unless logits are floating and targets expand to their shape and want no gradient."""
    if not logits.is_floating_point():
        raise InputError(f"logits must be floating point, got {logits.dtype}")
    try:
        targets.expand(logits.shape)
    except RuntimeError:
        shapes = f"{tuple(targets.shape)}, the logits {tuple(logits.shape)}"
        raise InputError(f"targets must have the logits' shape or expand to it; they have {shapes}") from None
    if targets.requires_grad:
        raise InputError("targets take no gradient here; detach them")


def _are_hard(sign: Tensor) -> bool:
    """Whether all targets, given as 1 - 2y or its negative, are 0 or 1; InputError if one lies outside [0, 1]."""
    if torch.compiler.is_compiling() or sign.numel() == 0:
        return False
    low, high = (float(value) for value in torch.aminmax(sign.detach().abs()))
    if not high <= 1:
        raise InputError("targets must lie in [0, 1]")
    return low == 1


def check_at_least_zero(name: str, value: Hyperparameter) -> None:
    """Raise InputError unless a hyperparameter is finite and >= 0 everywhere."""
    good = 0 <= value < math.inf if isinstance(value, (int, float)) else holds((value >= 0) & value.isfinite())
    if not good:
        raise InputError(f"{name} must be a finite number >= 0, got {value}")


def holds(condition: Tensor) -> bool:
    """Whether a condition is true everywhere, as far as can be known: under a compiler or vmap it is taken to be."""
    if torch.compiler.is_compiling():
        return True
    try:
        return bool(condition.all())
    except RuntimeError:  # inside torch.func.vmap no value can be asked for
        return True
