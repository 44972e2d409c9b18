"""Arms: a loss with its hyperparameters and its start, a row of a table."""

import math
import struct
from dataclasses import dataclass
from typing import Literal

from focalbench.base.intervals import within
from focalbench.base.text import near_or
from focalbench.errors import InputError
from focalbench.runs.catalogue import CATALOGUE, FOCAL, RIVALS, SIGMOID, defaults
from focalbench.runs.resampling import Resampling

Init = Literal["own", "prior", "zero", "learned"]
Alpha = float | Literal["balanced"] | None
INITS: tuple[Init, ...] = ("own", "prior", "zero", "learned")


@dataclass(frozen=True)
class Arm:
    """A loss with its hyperparameters and its start: a row of a table.

    loss: a name of the catalogue, or your own as "module:NAME".
    alpha: weight of the positives in [0, 1] (the negatives get 1 - alpha), "balanced" (alpha = share of negatives; with
    a softmax, classes weighted against their rows) or None (off). gamma: focusing exponent >= 0. init: where the last
    bias starts: own (the arm's own best constant), prior (log odds), zero, or learned (the constant that is best
    on top of the untrained network). params: a rival's hyperparameters by name;
    those left out take their defaults. source: hash of your own loss's source. resampling: what is done to the training
    rows first, or None. Raises InputError for an unknown loss and for values outside their ranges.
    """

    loss: str
    alpha: Alpha = None
    gamma: float = 0.0
    init: Init = "own"
    params: tuple[tuple[str, float], ...] = ()
    source: str = ""
    resampling: Resampling | None = None

    def __post_init__(self) -> None:
        if self.loss not in CATALOGUE and not (is_custom(self.loss) and self.source):
            hint = near_or(self.loss, CATALOGUE, f"choose one of {', '.join(CATALOGUE)}")
            raise InputError(f"unknown loss {self.loss!r}; {hint}")
        read_init(self.init)
        if not (0 <= self.gamma < float("inf")):
            raise InputError(f"gamma must be a finite number >= 0, got {self.gamma}")
        if self.alpha not in (None, "balanced") and not (0 <= float(self.alpha) <= 1):
            raise InputError(f"alpha must lie in [0, 1], or be 'balanced' or 'none', got {self.alpha}")
        if self.loss not in ("alpha", *FOCAL) and (self.alpha is not None or self.gamma != 0):
            raise InputError(f"{self.loss} takes neither alpha nor gamma; use the loss focal")
        if self.loss == "softmax_focal" and self.alpha not in (None, "balanced"):
            raise InputError(f"softmax_focal weights classes, alpha none or balanced; got {self.alpha}")
        if self.loss == "alpha" and (self.alpha is None or self.gamma != 0):
            raise InputError("the loss alpha needs an alpha and has gamma 0; use the loss focal for a gamma")
        if self.init not in (starts := starts_of(self.loss)):
            raise InputError(f"{self.loss} takes no start {self.init}; choose one of {', '.join(starts)}")
        object.__setattr__(self, "params", _completed(self.loss, self.params))
        # equal arms have equal identities: 2 is 2.0, and there is one zero
        object.__setattr__(self, "gamma", float(self.gamma) + 0.0)
        if self.alpha not in (None, "balanced"):
            object.__setattr__(self, "alpha", float(self.alpha) + 0.0)

    @property
    def family(self) -> str:
        """Arms that are tuned together: focal without and with alpha are two families, and so is each resampling."""
        loss = f"alpha-{self.loss}" if self.loss in FOCAL and self.alpha is not None else self.loss
        return _resampled(loss, self.resampling)

    @property
    def balanced(self) -> bool:
        """Whether all classes carry the same total weight, so that its own start is zero."""
        return self.loss in ("pos_weight", "weighted_ce") or self.alpha == "balanced"

    @property
    def name(self) -> str:
        """The row's label, unique within a plan; a rival's hyperparameters are named where they differ from default.

        >>> Arm("focal", alpha=0.25, gamma=2.0, init="zero").name
        'alpha=0.25 gamma=2 (zero start)'
        >>> Arm("ohem").name, Arm("ohem", params=(("ratio", 1.0),)).name
        ('ohem', 'ohem ratio=1')
        >>> Arm("bce", resampling=Resampling.parse("smote")).name
        'bce + smote'
        """
        parts = [] if self.loss in ("alpha", "focal") else [self.loss.removesuffix("_focal")]
        parts += [] if self.alpha is None else [f"alpha={_short(self.alpha)}"]
        parts += [f"gamma={_short(self.gamma)}"] if self.loss in FOCAL else []
        usual = defaults(self.loss)
        parts += [f"{name}={_short(value)}" for name, value in self.params if (name, value) not in usual]
        return with_start(_resampled(" ".join(parts), self.resampling), self.init)


def _resampled(name: str, resampling: Resampling | None) -> str:
    return name if resampling is None else f"{name} + {resampling}"


def starts_of(loss: str) -> tuple[Init, ...]:
    """The starts that a loss may have: one is learned for those of single rows and outputs only."""
    return INITS if loss in (*SIGMOID, "class_balanced") else tuple(init for init in INITS if init != "learned")


def with_start(name: str, init: str | None) -> str:
    """The label of a row: its arm's name, and where it starts unless at its own constant."""
    return name if init in (None, "own") else f"{name} ({init} start)"


def without_start(label: str, init: str | None) -> str:
    """The name that with_start put into a label.

    >>> without_start(with_start("gamma=2", "zero"), "zero")
    'gamma=2'
    """
    return label.removesuffix(with_start("", init))


def read_init(text: object) -> Init:
    """A start by its name. Raises InputError."""
    for init in INITS:
        if init == text:
            return init
    raise InputError(f"unknown `init` {text!r}; choose one of {', '.join(INITS)}")


def is_custom(loss: str) -> bool:
    """Whether a loss is somebody's own, named as module:NAME, and not one of this package with hyperparameters."""
    module, colon, _ = loss.partition(":")
    return bool(colon) and module not in (*CATALOGUE, "rivals")


def _completed(loss: str, params: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    """All hyperparameters of a loss in the catalogue's order. Raises InputError for unknown ones and wrong values."""
    known = RIVALS[loss].hyperparameters if loss in RIVALS else ()
    given = dict(params)
    if unknown := given.keys() - {parameter.name for parameter in known}:
        names = ", ".join(parameter.name for parameter in known) or "none"
        raise InputError(f"{loss} has no hyperparameter {min(unknown)!r}; it has {names}")
    for name, default, interval in known:
        value = given.setdefault(name, default)
        if not (within(value, interval) and within(_float32(value), interval)):
            raise InputError(f"{name} of {loss} must lie in {interval}, in float32 too; got {value}")
    return tuple((parameter.name, given[parameter.name] + 0.0) for parameter in known)  # + 0.0: no second zero


def _float32(value: float) -> float:
    try:
        rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.inf
    return rounded


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else repr(value).removesuffix(".0")
