"""Runs and what they are made of: recipe, training, and the identity: all that changes a run's numbers, hashed."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from focalbench.runs.arm import Arm
from focalbench.runs.catalogue import Task
from focalbench.runs.columns import NO_COLUMNS, Columns
from focalbench.runs.metric import AVERAGE_PRECISION, Metric, ThresholdAt

ENGINE_VERSION = 1  # raise it when a change moves the numbers of the same run

TestPrevalence = Literal["thin", "weight"]
OPTIMIZERS = ("adam", "sgd")
LrSchedule = Literal["constant", "cosine"]


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

    model: logistic, mlp or resnet; hidden: units per hidden layer; optimizer: adam, or sgd with momentum .9;
    weight_decay: how much of themselves weights lose at an update, times the learning rate; dropout: share of hidden
    units that a step leaves out; preprocessing: how columns become features (preprocessing.py); lr_schedule: constant,
    or cosine down to 0; epochs and batch_size in passes and rows; evaluations: how often validation is scored, 0 after
    every epoch; sampler: one of samplers.SAMPLERS; device: cpu or cuda; metric: what validation chooses by;
    threshold_at: where a threshold is put on validation, to be measured on the test; recalibrate: whether probabilities
    by Platt and by isotonic regression on validation are measured too. Of a reference, model is its name; source: hash
    of your own one.
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
    metric: Metric = AVERAGE_PRECISION
    threshold_at: ThresholdAt | None = None
    lr_schedule: LrSchedule = "constant"
    source: str = ""
    recalibrate: bool = False
    weight_decay: float = 0.0
    dropout: float = 0.0


RESNET, PIECEWISE = "resnet", "piecewise-onehot"
# the whole recipe of the stronger network, of which an experiment changes nothing
STRONG = Training(
    model=RESNET,
    hidden=(128, 128),
    preprocessing=PIECEWISE,
    lr_schedule="cosine",
    weight_decay=0.1,
    dropout=0.1,
)


def scored_epochs(epochs: int, evaluations: int) -> list[int]:
    """The epochs after which validation is scored: all, or so many of them, evenly spread, the last among them.

    >>> scored_epochs(4, 0), scored_epochs(10, 4)
    ([1, 2, 3, 4], [3, 5, 8, 10])
    """
    count = min(evaluations or epochs, epochs)
    return [-(-epochs * i // count) for i in range(1, count + 1)]


FIRST_COLUMNS = ("target", "positive", "drop")  # always part of it; later ones where they are used
# fields added after release: left out of the identity at their default, so that old run_ids stay valid
_ADDED: tuple[tuple[str, str, object], ...] = (
    ("arm", "params", ()),
    ("arm", "source", ""),
    ("arm", "resampling", ""),
    ("recipe", "test_prevalence", "thin"),
    ("recipe", "reading", ""),
    ("recipe", "folds", 0),
    ("training", "evaluations", 0),
    ("training", "metric", "average_precision"),
    ("training", "threshold_at", ""),
    ("training", "lr_schedule", "constant"),
    ("training", "source", ""),
    ("training", "recalibrate", False),
    ("training", "weight_decay", 0.0),
    ("training", "dropout", 0.0),
)


@lru_cache(maxsize=1024)
def _arm_json(arm: Arm) -> str:
    return _json("arm", asdict(arm) | {"resampling": str(arm.resampling or "")})


@lru_cache(maxsize=1024)
def _recipe_json(recipe: Recipe) -> str:
    content = asdict(recipe)
    # one level, as it was before they were put together
    content |= {name: value for name, value in content.pop("columns").items() if _is_identity(name, value)}
    for name in ("path", "task"):  # the task is said among the training's settings
        del content[name]
    content["keep_duplicates"] = False  # as it once was called; what is done with them now is part of the reading
    if recipe.sha256:  # a renamed file is the same data
        del content["dataset"]
    return _json("recipe", content)


def _is_identity(key: str, value: object) -> bool:
    """Whether what is said of columns is part of the identity; what is done with duplicates is part of the reading."""
    return key in FIRST_COLUMNS or (key != "drop_duplicates" and value != getattr(NO_COLUMNS, key))


@lru_cache(maxsize=1024)
def _training_json(training: Training, task: Task) -> str:
    said = {"metric": str(training.metric), "threshold_at": str(training.threshold_at or "")}
    return _json("training", asdict(training) | said | {"task": task})


def _json(part: str, content: dict[str, object]) -> str:
    for where, name, usual in _ADDED:
        if where == part and content[name] == usual:
            del content[name]
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Run:
    """One arm trained once: data, arm, learning rate, seed, and which draw of initial weights (restart).

    rounding: those weights moved in their last digit, another way for each number, to see how far rounding takes a run;
    0: as they were drawn.
    """

    recipe: Recipe
    training: Training
    arm: Arm
    lr: float
    seed: int
    restart: int = 0
    rounding: int = 0

    @property
    def identity(self) -> str:
        """Canonical JSON of everything that changes this run's numbers."""
        # spelled out, key by key in order, because a large plan holds a million of these
        arm, recipe = _arm_json(self.arm), _recipe_json(self.recipe)
        training = _training_json(self.training, self.recipe.task)
        moved = f'"rounding":{self.rounding},' if self.rounding else ""
        return (
            f'{{"arm":{arm},"engine":{ENGINE_VERSION},"lr":{json.dumps(self.lr)},"recipe":{recipe},'
            f'"restart":{self.restart},{moved}"seed":{self.seed},"training":{training}}}'
        )

    @property
    def run_id(self) -> str:
        """The identity's hash, 16 hex digits."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:16]
