"""What a caller asks of an estimator, checked: the arm that its loss is, and the terms that it is trained on."""

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any, get_args

from focalbench.base.text import near_or
from focalbench.errors import InputError
from focalbench.runs.arm import Alpha, Arm, Init
from focalbench.runs.catalogue import CATALOGUE, FOCAL, RIVALS, SIGMOID, SOFTMAX, sees_batches
from focalbench.runs.run import OPTIMIZERS, LrSchedule

SOFTMAX_OF = {"bce": "ce", "pos_weight": "weighted_ce", "focal": "softmax_focal"}  # what they are with several classes
USUAL_BATCH = 512  # rows, as in a sweep


def arm_of(
    loss: str, alpha: Alpha, gamma: float, loss_params: Mapping[str, float] | None, init: Init, classes: int
) -> Arm:
    """The loss as an arm of the catalogue; gamma is left out where the loss has none. Raises InputError."""
    name = _loss_of(loss, classes)
    if alpha not in (None, "balanced"):
        alpha = _number("alpha", alpha)
    params = tuple((key, _number(f"loss_params[{key!r}]", value)) for key, value in (loss_params or {}).items())
    return Arm(name, alpha, _number("gamma", gamma) if name in FOCAL else 0.0, init, params)


def _loss_of(loss: str, classes: int) -> str:
    if loss not in CATALOGUE:
        known = (*SIGMOID, *RIVALS)
        hint = near_or(loss, known, f"choose one of {', '.join(known)}")
        raise InputError(f"unknown loss {loss!r}; {hint}")
    if classes == 2 and loss in SOFTMAX:
        raise InputError(f"{loss} is a loss of three classes and more; with two choose bce, pos_weight or focal")
    if classes > 2 and loss not in (*SOFTMAX_OF, *SOFTMAX):
        raise InputError(f"{loss} is a loss of two classes; with {classes} choose bce, pos_weight or focal")
    return SOFTMAX_OF.get(loss, loss) if classes > 2 else loss


def refuse_weights(loss: str, sample_weight: object, class_weight: object) -> None:
    """Raise InputError where rows have weights and the loss has one value for a whole batch."""
    if sees_batches(loss) and (sample_weight is not None or class_weight is not None):
        raise InputError(f"{loss} has one value for a whole batch and takes no row weights; leave weights out")


def refuse_passes(loss: str, lr_schedule: LrSchedule, class_weight: object) -> None:
    """Raise InputError for what one pass at a time cannot do, since nobody knows the last one or all the rows."""
    if loss in RIVALS and RIVALS[loss].schedule:
        raise InputError(f"{loss} changes with the share of the passes that are over; use fit instead of partial_fit")
    if lr_schedule != "constant":
        raise InputError(f"the lr_schedule {lr_schedule} needs to know the last pass; use fit instead of partial_fit")
    if class_weight == "balanced":
        raise InputError("class_weight 'balanced' needs all rows; give partial_fit a dict, or use fit")


def check_terms(
    learning_rate_init: float, max_iter: int, n_iter_no_change: int, validation_fraction: float, optimizer: str
) -> None:
    """Raise InputError for values outside their ranges."""
    if not 0 < _number("learning_rate_init", learning_rate_init) < math.inf:
        raise InputError(f"learning_rate_init must be a finite number > 0, got {learning_rate_init}")
    count("max_iter", max_iter)
    count("n_iter_no_change", n_iter_no_change)
    if not 0 < _number("validation_fraction", validation_fraction) < 1:
        raise InputError(f"validation_fraction must lie in (0, 1), got {validation_fraction}")
    if optimizer not in OPTIMIZERS:
        raise InputError(f"unknown optimizer {optimizer!r}; choose one of {', '.join(OPTIMIZERS)}")


def check_schedule(lr_schedule: LrSchedule) -> None:
    """Raise InputError for one that is not known."""
    if lr_schedule not in get_args(LrSchedule):
        raise InputError(f"unknown lr_schedule {lr_schedule!r}; choose one of {', '.join(get_args(LrSchedule))}")


def hidden_units(sizes: int | Iterable[int]) -> tuple[int, ...]:
    """Units of each hidden layer; one number is one layer. Raises InputError for less than 1."""
    each = sizes if isinstance(sizes, Iterable) else (sizes,)
    return tuple(count("hidden_layer_sizes", units) for units in each)


def batch_rows(batch_size: object, rows: int) -> int:
    """Rows of a batch: as many as asked, or with "auto" USUAL_BATCH; no more than there are. Raises InputError."""
    wanted = USUAL_BATCH if batch_size == "auto" else count("batch_size", batch_size)
    return min(wanted, rows)


def count(name: str, value: object) -> int:
    """A whole number of at least 1. Raises InputError."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
    return int(value)


def _number(name: str, value: Any) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise InputError(f"{name} must be a number, got {value!r}")
    return float(value)
