"""Arms, runs, and a run's identity: everything that changes its numbers, as canonical JSON, hashed."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Literal

from focalbench.errors import InputError

ENGINE_VERSION = 1  # raise it when a change moves the numbers of the same run

LossName = Literal["bce", "pos_weight", "alpha", "focal"]
Init = Literal["own", "prior", "zero"]
Alpha = float | Literal["balanced"] | None
LOSSES: tuple[LossName, ...] = ("bce", "pos_weight", "alpha", "focal")
INITS: tuple[Init, ...] = ("own", "prior", "zero")


@dataclass(frozen=True)
class Arm:
    """A loss with its hyperparameters and its start: a row of a table.

    loss: bce, pos_weight, alpha (focal with gamma 0) or focal. alpha: weight of the positives in [0, 1] (the
    negatives get 1 - alpha), "balanced" (alpha = share of negatives) or None (off). gamma: focusing exponent
    >= 0. init: where the last bias starts: own (the arm's own best constant), prior (log odds) or zero.
    """

    loss: LossName
    alpha: Alpha = None
    gamma: float = 0.0
    init: Init = "own"

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise InputError(f"unknown loss {self.loss!r}; choose one of {', '.join(LOSSES)}")
        if self.init not in INITS:
            raise InputError(f"unknown start {self.init!r}; choose one of {', '.join(INITS)}")
        if not (0 <= self.gamma < float("inf")):
            raise InputError(f"gamma must be a finite number >= 0, got {self.gamma}")
        if self.alpha not in (None, "balanced") and not (0 <= float(self.alpha) <= 1):
            raise InputError(f"alpha must lie in [0, 1], or be 'balanced' or 'none', got {self.alpha}")
        if self.loss in ("bce", "pos_weight") and (self.alpha is not None or self.gamma != 0):
            raise InputError(f"{self.loss} takes neither alpha nor gamma; use the loss focal")
        if self.loss == "alpha" and (self.alpha is None or self.gamma != 0):
            raise InputError("the loss alpha needs an alpha and has gamma 0; use the loss focal for a gamma")

    @property
    def family(self) -> str:
        """Arms that are tuned together: focal without and with alpha are two families."""
        return "alpha-focal" if self.loss == "focal" and self.alpha is not None else self.loss

    @property
    def name(self) -> str:
        """The row's label, unique within a plan.

        >>> Arm("focal", alpha=0.25, gamma=2.0, init="zero").name
        'alpha=0.25 gamma=2 (zero start)'
        """
        parts = [] if self.alpha is None else [f"alpha={_short(self.alpha)}"]
        parts += [f"gamma={_short(self.gamma)}"] if self.loss == "focal" else []
        return (" ".join(parts) or self.loss) + ("" if self.init == "own" else f" ({self.init} start)")


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else repr(value).removesuffix(".0")


@dataclass(frozen=True)
class Recipe:
    """Which rows a run sees, seed apart.

    dataset: a synthetic family, a real table's name, or a file's name. sha256: of the file's bytes, or "" where
    the generator is code. target, positive, drop, keep_duplicates: the column options of a file.
    positive_rate: None is the table's natural rate. label_noise: share of the positives whose label is swapped
    with a negative's. rows: training rows asked for. path: where a file lies; moves nothing, so it is no part of
    the identity.
    """

    dataset: str
    rows: int
    positive_rate: float | None = None
    label_noise: float = 0.0
    sha256: str = ""
    target: str | None = None
    positive: str | None = None
    drop: tuple[str, ...] = ()
    keep_duplicates: bool = False
    path: str | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """What the random draws depend on: the data and its target.

        Without rate, noise and rows, so that they nest; without the columns left out, so that leaving one out can be
        compared with keeping it, on the same split.
        """
        # the constants once said which columns; stored and reported runs were drawn with them
        return json.dumps([self.sha256 or self.dataset, self.target, None, [], False])


@dataclass(frozen=True)
class Training:
    """How every arm of a plan is trained: equal terms.

    model: logistic or mlp; hidden: units per hidden layer; optimizer: adam (no weight decay); epochs and
    batch_size in passes and rows; sampler: random; device: cpu or cuda.
    """

    model: str = "mlp"
    hidden: tuple[int, ...] = (64, 64)
    optimizer: str = "adam"
    epochs: int = 20
    batch_size: int = 512
    sampler: str = "random"
    weights: str = "uniform-fan-in"
    preprocessing: str = "standard-onehot"
    task: str = "binary"
    device: str = "cpu"


@dataclass(frozen=True)
class Run:
    """One arm trained once: data, arm, learning rate, seed, and which draw of initial weights (restart)."""

    recipe: Recipe
    training: Training
    arm: Arm
    lr: float
    seed: int
    restart: int = 0

    @property
    def identity(self) -> str:
        """Canonical JSON of everything that changes this run's numbers."""
        content = asdict(self) | {"engine": ENGINE_VERSION}
        del content["recipe"]["path"]
        if self.recipe.sha256:  # a renamed file is the same data
            del content["recipe"]["dataset"]
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @property
    def run_id(self) -> str:
        """The identity's hash, 16 hex digits."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:16]
