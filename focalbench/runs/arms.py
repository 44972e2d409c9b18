"""Arms, runs, and a run's identity: everything that changes its numbers, as canonical JSON, hashed."""

import hashlib
import json
import math
import struct
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from focalbench.base.intervals import within
from focalbench.errors import InputError
from focalbench.runs.columns import NO_COLUMNS, Columns

ENGINE_VERSION = 1  # raise it when a change moves the numbers of the same run

Init = Literal["own", "prior", "zero"]
Alpha = float | Literal["balanced"] | None
TestPrevalence = Literal["thin", "weight"]
Task = Literal["binary", "multiclass", "multilabel"]
TASKS: tuple[Task, ...] = ("binary", "multiclass", "multilabel")
INITS: tuple[Init, ...] = ("own", "prior", "zero")


class Parameter(NamedTuple):
    """A hyperparameter of a rival: its name, what it is unless said otherwise, and its range."""

    name: str
    default: float
    interval: str


LOSSES = ("bce", "pos_weight", "alpha", "focal")  # of a sigmoid for each output
SOFTMAX = ("ce", "weighted_ce", "softmax_focal")  # of one softmax over the classes
RIVALS: dict[str, tuple[Parameter, ...]] = {
    "class_balanced": (Parameter("beta", 0.9999, "[0, 1)"),),
    "focal_star": (Parameter("gamma", 2.0, "(0, inf)"), Parameter("beta", 1.0, "(-inf, inf)")),
    "hinge": (),
    "label_smoothed": (Parameter("smoothing", 0.1, "[0, 1]"),),
    "poly1": (Parameter("epsilon", 1.0, "[-1, inf)"),),
    "logit_adjusted": (Parameter("tau", 1.0, "[0, inf)"),),
    "asymmetric": (
        Parameter("gamma_positive", 0.0, "[0, inf)"),
        Parameter("gamma_negative", 4.0, "[0, inf)"),
        Parameter("margin", 0.05, "[0, 1)"),
    ),
    "ldam": (
        Parameter("max_margin", 0.5, "[0, inf)"),
        Parameter("scale", 1.0, "(0, inf)"),  # the authors' 30 is for cosines; these logits are free
        Parameter("start", 0.8, "[0, 1]"),  # of the reweighting, as a share of the epochs
        Parameter("beta", 0.9999, "[0, 1)"),
    ),
    "ohem": (Parameter("ratio", 3.0, "(0, inf)"),),
    "topk": (Parameter("share", 0.25, "(0, 1]"),),
    "dice": (Parameter("smooth", 1.0, "[0, inf)"),),
    "tversky": (
        Parameter("alpha", 0.3, "[0, inf)"),
        Parameter("beta", 0.7, "[0, inf)"),
        Parameter("smooth", 1.0, "[0, inf)"),
    ),
    "smooth_ap": (Parameter("tau", 0.01, "(0, inf)"),),
}
FOCAL = ("focal", "softmax_focal")
OF_A_BATCH = ("ohem", "topk", "dice", "tversky", "smooth_ap")  # all others are elementwise


@dataclass(frozen=True)
class Arm:
    """A loss with its hyperparameters and its start: a row of a table.

    loss: bce, pos_weight, alpha (focal with gamma 0), focal, one of SOFTMAX or RIVALS, or your own as "module:NAME".
    alpha: weight of the positives in [0, 1] (the negatives get 1 - alpha), "balanced" (alpha = share of negatives; with
    a softmax, classes weighted against their rows) or None (off). gamma: focusing exponent >= 0. init: where the last
    bias starts: own (the arm's own best constant), prior (log odds) or zero. params: a rival's hyperparameters by name;
    those left out take their defaults. source: hash of your own loss's source. Raises InputError for an unknown loss
    and for values outside their ranges.
    """

    loss: str
    alpha: Alpha = None
    gamma: float = 0.0
    init: Init = "own"
    params: tuple[tuple[str, float], ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        if self.loss not in (*LOSSES, *SOFTMAX, *RIVALS) and not (is_custom(self.loss) and self.source):
            raise InputError(f"unknown loss {self.loss!r}; choose one of {', '.join((*LOSSES, *SOFTMAX, *RIVALS))}")
        if self.init not in INITS:
            raise InputError(f"unknown start {self.init!r}; choose one of {', '.join(INITS)}")
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
        object.__setattr__(self, "params", _completed(self.loss, self.params))
        # equal arms have equal identities: 2 is 2.0, and there is one zero
        object.__setattr__(self, "gamma", float(self.gamma) + 0.0)
        if self.alpha not in (None, "balanced"):
            object.__setattr__(self, "alpha", float(self.alpha) + 0.0)

    @property
    def family(self) -> str:
        """Arms that are tuned together: focal without and with alpha are two families."""
        return f"alpha-{self.loss}" if self.loss in FOCAL and self.alpha is not None else self.loss

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
        """
        parts = [] if self.loss in ("alpha", "focal") else [self.loss.removesuffix("_focal")]
        parts += [] if self.alpha is None else [f"alpha={_short(self.alpha)}"]
        parts += [f"gamma={_short(self.gamma)}"] if self.loss in FOCAL else []
        usual = {(parameter.name, parameter.default) for parameter in RIVALS.get(self.loss, ())}
        parts += [f"{name}={_short(value)}" for name, value in self.params if (name, value) not in usual]
        return with_start(" ".join(parts), self.init)


def with_start(name: str, init: str | None) -> str:
    """The label of a row: its arm's name, and where it starts unless at its own constant."""
    return name if init in (None, "own") else f"{name} ({init} start)"


def without_start(label: str, init: str | None) -> str:
    """The name that with_start put into a label.

    >>> without_start(with_start("gamma=2", "zero"), "zero")
    'gamma=2'
    """
    return label.removesuffix(with_start("", init))


def is_custom(loss: str) -> bool:
    """Whether a loss is somebody's own, named as module:NAME, and not one of this package with hyperparameters."""
    module, colon, _ = loss.partition(":")
    return bool(colon) and module not in (*RIVALS, *LOSSES, *SOFTMAX, "rivals")


def _completed(loss: str, params: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    """All hyperparameters of a loss in the order of RIVALS. Raises InputError for unknown ones and wrong values."""
    known, given = RIVALS.get(loss, ()), dict(params)
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


class Cell(NamedTuple):
    """What the rows of one table share: a data set at one rate, with its label noise."""

    dataset: str
    positive_rate: float | None
    label_noise: float


@dataclass(frozen=True)
class Recipe:
    """Which rows a run sees, seed apart.

    task: binary, multiclass or multilabel. dataset: a synthetic family, a real table's name, or a file's name. sha256:
    of the file's bytes, or "" where the generator is code. columns: what is said of those of a file; reading: a hash of
    how its table differs from what version 0.1.0 made of the same bytes, "" where it does not. positive_rate: None is
    the table's natural rate. label_noise: share of the positives whose label is swapped with a negative's. rows:
    training rows asked for. folds: of a table with few positives, in the place of three splits; 0 for none. path: where
    a file lies; moves nothing, so it is no part of the identity.
    """

    dataset: str
    rows: int
    positive_rate: float | None = None
    label_noise: float = 0.0
    sha256: str = ""
    columns: Columns = NO_COLUMNS
    test_prevalence: TestPrevalence = "thin"
    task: Task = "binary"
    reading: str = ""
    folds: int = 0
    path: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "label_noise", float(self.label_noise) + 0.0)  # as of an arm's numbers
        if self.positive_rate is not None:
            object.__setattr__(self, "positive_rate", float(self.positive_rate))

    @property
    def cell(self) -> Cell:
        """Which table its runs stand in."""
        return Cell(self.dataset, self.positive_rate, self.label_noise)

    @property
    def key(self) -> str:
        """What the random draws depend on: the data and its target.

        Without rate, noise and rows, so that they nest; without the columns left out, so that leaving one out can be
        compared with keeping it, on the same split.
        """
        # the constants once said which columns; stored and reported runs were drawn with them
        return json.dumps([self.sha256 or self.dataset, self.columns.target, None, [], False])


@dataclass(frozen=True)
class Training:
    """How every arm of a plan is trained: equal terms.

    model: logistic or mlp; hidden: units per hidden layer; optimizer: adam (no weight decay); epochs and
    batch_size in passes and rows; evaluations: how often validation is scored, 0 after every epoch; sampler: one of
    samplers.SAMPLERS; device: cpu or cuda.
    """

    model: str = "mlp"
    hidden: tuple[int, ...] = (64, 64)
    optimizer: str = "adam"
    epochs: int = 20
    batch_size: int = 512
    sampler: str = "random"
    weights: str = "uniform-fan-in"
    preprocessing: str = "standard-onehot"
    device: str = "cpu"
    evaluations: int = 0


def scored_epochs(epochs: int, evaluations: int) -> list[int]:
    """The epochs after which validation is scored: all, or so many of them, evenly spread, the last among them.

    >>> scored_epochs(4, 0), scored_epochs(10, 4)
    ([1, 2, 3, 4], [3, 5, 8, 10])
    """
    count = min(evaluations or epochs, epochs)
    return [-(-epochs * i // count) for i in range(1, count + 1)]


FIRST_COLUMNS = ("target", "positive", "drop")  # always part of it; later ones where they are used
# what came later is left out of the identity where it is not used, so that stored runs keep their names
_LATER: tuple[tuple[str, str, object], ...] = (
    ("arm", "params", ()),
    ("arm", "source", ""),
    ("recipe", "test_prevalence", "thin"),
    ("recipe", "reading", ""),
    ("recipe", "folds", 0),
    ("training", "evaluations", 0),
)


@lru_cache(maxsize=1024)
def _arm_json(arm: Arm) -> str:
    return _json("arm", asdict(arm))


@lru_cache(maxsize=1024)
def _recipe_json(recipe: Recipe) -> str:
    content = asdict(recipe)
    # one level, as it was before they were put together
    content |= {name: value for name, value in content.pop("columns").items() if _is_told(name, value)}
    for name in ("path", "task"):  # the task is said among the training's settings
        del content[name]
    content["keep_duplicates"] = False  # as it once was called; what is done with them now is part of the reading
    if recipe.sha256:  # a renamed file is the same data
        del content["dataset"]
    return _json("recipe", content)


def _is_told(key: str, value: object) -> bool:
    """Whether what is said of columns is part of the identity; what is done with duplicates is part of the reading."""
    return key in FIRST_COLUMNS or (key != "drop_duplicates" and value != getattr(NO_COLUMNS, key))


@lru_cache(maxsize=1024)
def _training_json(training: Training, task: Task) -> str:
    return _json("training", asdict(training) | {"task": task})


def _json(part: str, content: dict[str, object]) -> str:
    for where, name, usual in _LATER:
        if where == part and content[name] == usual:
            del content[name]
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
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
        # spelled out, key by key in order, because a large plan holds a million of these
        arm, recipe = _arm_json(self.arm), _recipe_json(self.recipe)
        training = _training_json(self.training, self.recipe.task)
        return (
            f'{{"arm":{arm},"engine":{ENGINE_VERSION},"lr":{json.dumps(self.lr)},"recipe":{recipe},'
            f'"restart":{self.restart},"seed":{self.seed},"training":{training}}}'
        )

    @property
    def run_id(self) -> str:
        """The identity's hash, 16 hex digits."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:16]
