"""From an arm to its loss: what training needs, where its last bias starts, and how probabilities are recovered."""

from collections.abc import Sequence

from torch import Tensor

from focalbench.errors import InputError
from focalbench.losses.inverse import (
    best_constant,
    log_odds,
    recovered_logits,
    softmax_best_constants,
    softmax_recovered_logits,
)
from focalbench.losses.reference import Array, class_alpha
from focalbench.losses.rivals import class_balanced_weights
from focalbench.runs.arm import Arm, is_custom
from focalbench.runs.catalogue import SIGMOID, SOFTMAX
from focalbench.training.own.custom import Custom, custom_constant, make_custom, source_hash
from focalbench.training.rivals import ClassCounts, Rival, rival_constant, rival_recovered
from focalbench.training.stack_loss import RunLoss, SoftmaxFocal, WeightedFocal


def run_loss(arm: Arm, counts: Sequence[ClassCounts]) -> RunLoss:
    """What one run is trained with. counts: of each output. Raises InputError where your own loss is not the one that
    was planned.
    """
    if is_custom(arm.loss):
        return _custom(arm)
    if arm.loss in SOFTMAX:
        return SoftmaxFocal(arm.gamma, softmax_weights(arm, counts))
    weights = [pair for each in counts if (pair := class_weights(arm, each)) is not None]
    if weights:
        return WeightedFocal(arm.gamma, tuple(pair[0] for pair in weights), tuple(pair[1] for pair in weights))
    return Rival(arm.loss, arm.params, counts[0])


def _custom(arm: Arm) -> Custom:
    if source_hash(arm.loss) != arm.source:
        raise InputError(f"the source of the loss {arm.loss} has changed since the sweep began; start again")
    return make_custom(arm.loss)


def class_weights(arm: Arm, counts: ClassCounts) -> tuple[float, float] | None:
    """Weights of a positive and of a negative, divided by their mean over the training rows; None for a rival.

    After the division pos_weight and balanced alpha, which differ by a factor, are one loss. counts: both at least 1,
    else InputError.

    >>> class_weights(Arm("pos_weight"), ClassCounts(1, 3))
    (2.0, 0.6666666666666666)
    """
    if arm.loss == "class_balanced":
        weights = class_balanced_weights(*counts, dict(arm.params)["beta"])
        return float(weights.positive), float(weights.negative)
    if arm.loss not in SIGMOID:
        return None
    alpha = class_alpha(arm, counts.prevalence)
    positive, negative = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    mean = counts.prevalence * positive + (1 - counts.prevalence) * negative
    return positive / mean, negative / mean


def softmax_weights(arm: Arm, counts: Sequence[ClassCounts]) -> tuple[float, ...]:
    """Weight of each class, of mean 1 over the training rows: all alike, or against the classes' rows.

    >>> softmax_weights(Arm("weighted_ce"), [ClassCounts(2, 2), ClassCounts(1, 3), ClassCounts(1, 3)])
    (0.6666666666666666, 1.3333333333333333, 1.3333333333333333)
    """
    if arm.loss == "weighted_ce" or arm.alpha == "balanced":
        return tuple(1 / each.prevalence / len(counts) for each in counts)
    return (1.0,) * len(counts)


def start_biases(arm: Arm, counts: Sequence[ClassCounts]) -> tuple[float, ...]:
    """Return where the last bias of each output starts: start_bias for each, or the constants of a softmax.

    Those minimise its own loss together; at the prior they are log shares. Their mean, which moves nothing, is 0.
    """
    if arm.loss not in SOFTMAX:
        return tuple(start_bias(arm, each) for each in counts)
    weights = softmax_weights(arm, counts)
    if arm.init == "zero" or (arm.init == "own" and len(set(weights)) > 1):  # balanced: equal by symmetry
        return (0.0,) * len(counts)
    gamma = 0.0 if arm.init == "prior" else arm.gamma
    return tuple(softmax_best_constants([each.prevalence for each in counts], gamma).tolist())


def start_bias(arm: Arm, counts: ClassCounts) -> float:
    """Return the logit at which an arm's last bias starts.

    init zero: 0. prior: the log odds of the training prevalence (RetinaNet's rule, the paper's section 4.1). own: the
    constant that minimises the arm's own loss, which is 0 by symmetry at any gamma when the classes are balanced, and
    0 where there is none (rivals.constant_of). Raises InputError unless both classes have rows.
    """
    if arm.init == "zero" or (arm.init == "own" and arm.balanced):
        return 0.0
    if arm.init == "prior":
        return log_odds(counts.prevalence)
    if is_custom(arm.loss):
        return custom_constant(arm.loss, counts)
    if (weights := class_weights(arm, counts)) is not None:
        return best_constant(counts.prevalence, _alpha(arm, counts, weights), arm.gamma)
    return rival_constant(Rival(arm.loss, arm.params, counts))


def recovered_outputs(arm: Arm, counts: Sequence[ClassCounts], logits: Tensor) -> Sequence[Array | None]:
    """Recovered logits (sample,) of each output, from logits (output, sample)."""
    if arm.loss not in SOFTMAX:
        return [recovered(arm, each, row) for each, row in zip(counts, logits, strict=True)]
    columns = logits.double().cpu().numpy().T
    return list(softmax_recovered_logits(columns, softmax_weights(arm, counts), arm.gamma).T)


def recovered(arm: Arm, counts: ClassCounts, logits: Tensor) -> Array | None:
    """Logits (sample,) of the class probability at which these logits minimise the arm's loss; None if unknown."""
    if is_custom(arm.loss):
        return None
    if (weights := class_weights(arm, counts)) is not None:
        return recovered_logits(logits.double().cpu().numpy(), _alpha(arm, counts, weights), arm.gamma)
    return rival_recovered(Rival(arm.loss, arm.params, counts), logits.cpu())


def _alpha(arm: Arm, counts: ClassCounts, weights: tuple[float, float]) -> float | None:
    if arm.loss == "class_balanced":
        return weights[0] / sum(weights)
    return class_alpha(arm, counts.prevalence)
