"""The rows of table.csv and classes.csv."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from focalbench.base.rows import As
from focalbench.runs.arm import without_start
from focalbench.runs.metric import AVERAGE_PRECISION, Metric, ThresholdAt
from focalbench.runs.resampling import Resampling
from focalbench.runs.result import Scores, Sizes
from focalbench.runs.run import Cell


class Kind(StrEnum):
    """What a row of a table stands for. tuned: the best arm of a family, chosen on validation."""

    ARM = "arm"
    TUNED = "tuned"
    REFERENCE = "reference"


class Verdict(StrEnum):
    """What a comparison with the baseline supports."""

    BASELINE = "baseline"
    BETTER = "better"
    WORSE = "worse"
    WITHIN = "within margin"
    UNDECIDED = "undecided"
    TOO_FEW = "too few seeds"
    SMOKE_TEST = "smoke test"


class Scope(StrEnum):
    """What the intervals of a table speak of: what would be seen on ...

    DRAWS: another draw from the same generator. TABLE: another table of the same kind. FOLDS: the same, of a table with
    few positives. TRAINED: other rows of later times, for models trained on these rows. GROUPS: these groups, too few
    to speak of others. THIS_TABLE: other splits of these very rows.
    """

    DRAWS = "draws"
    TABLE = "table"
    FOLDS = "folds"
    TRAINED = "trained"
    GROUPS = "groups"
    THIS_TABLE = "this table"


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean over the seeds: between the limits of a 95% interval, if there are seeds enough for one, and between the
    lowest and the highest seed.
    """

    mean: float
    low: float | None
    high: float | None
    least: float
    most: float


def _of(name: str) -> As:
    """The columns of a spread by that name."""
    return As(columns=(name, *(f"{name}_{end}" for end in ("low", "high", "min", "max"))))


AveragePrecision = Annotated[Spread, As(columns=("average_precision", "ap_low", "ap_high", "ap_min", "ap_max"))]
Delta = Annotated[Spread, As(columns=("delta", "delta_low", "delta_high", "delta_min", "delta_max"))]
OwnStart = Annotated[
    Spread, As(columns=("delta_vs_own_start", "own_start_low", "own_start_high", "own_start_min", "own_start_max"))
]


@dataclass(frozen=True, slots=True)
class OperatingRow:
    """What an arm's threshold, chosen on validation, does on the test.

    at: what it is put for. precision: None where a seed flags nothing. alerts, cost: a 1,000 rows; cost: None where
    nobody said what an error costs. delta: the arm's minus the baseline's, with limits that hold for all rows of one
    start at once, in what the aim leaves open: cost where it is a cost, alerts where it is a recall, else recall.
    """

    at: Annotated[ThresholdAt, As(write=str, read=ThresholdAt.parse)]
    precision: Annotated[Spread | None, _of("precision")]
    recall: Annotated[Spread, _of("recall")]
    alerts: Annotated[Spread, _of("alerts")]
    cost: Annotated[Spread | None, _of("cost")]
    delta: Annotated[Spread | None, _of("delta")]


@dataclass(frozen=True, slots=True)
class Recalibration:
    """The skill of log loss of an arm's probabilities: of its scores as they are, by the loss's inverse (and the prior
    correction, where rows are resampled), by Platt's line and by isotonic regression on validation; None where there
    are none.
    """

    raw: Annotated[Spread | None, _of("raw")]
    inverse: Annotated[Spread | None, _of("inverse")]
    platt: Annotated[Spread | None, _of("platt")]
    isotonic: Annotated[Spread | None, _of("isotonic")]


@dataclass(frozen=True, slots=True)
class OverTables:
    """What an arm does over the data sets of a table: on how many it is better, worse, within the margin or undecided,
    and its mean difference to the baseline (pooled.py), in the metric and as a share of what the baseline gains on no
    skill; None of few data sets.
    """

    tables: int
    better: int
    worse: int
    within: int
    undecided: int
    delta: Annotated[Spread | None, _of("delta")]
    relative: Annotated[Spread | None, _of("relative")]


@dataclass(frozen=True, slots=True)
class ArmRow:
    """A row of table.csv. metric: what validation chose by, None for average precision; score: its value then.
    resampling: of the training rows, None for none; recalibration: where it was asked for. delta:
    the metric minus the baseline's, on the same seeds. operating: at a threshold, where one was asked for. over: what
    the arm does over all data sets of the table, None of one data set.

    Its low and high are simultaneous over all rows of one start, from 6 seeds on; the pointwise ones and the raw
    p-value stand beside them. seeds_to_decide: how many an undecided row needs if the estimate stays, 0 where no
    number would do. lr_edge: the end of the grid of learning rates (lrs) that more than half of the seeds chose.
    """

    dataset: str
    positive_rate: float | None
    label_noise: float
    scope: Scope
    kind: Kind
    arm: str
    family: str
    loss: str | None
    alpha: str | None
    gamma: float | None
    init: str | None
    n_seeds: int
    failed_seeds: int
    older_seeds: int
    candidates: int
    diverged: int
    prevalence: float
    test_prevalence: float | None
    bayes_average_precision: float | None
    n_classes: int | None
    unmeasured: str | None
    sizes: Sizes
    average_precision: AveragePrecision
    delta: Delta | None
    delta_low_pointwise: float | None
    delta_high_pointwise: float | None
    p_value: float | None
    p_adjusted: float | None
    margin: float
    verdict: Verdict | None
    seeds_to_decide: int | None
    budget_limited: bool | None
    lrs: str | None
    lr_edge: float | None
    own_start: OwnStart | None
    average_precision_quarter: float | None
    average_precision_half: float | None
    metric: Annotated[Metric | None, As(write=str, read=Metric.parse, added=True)]
    score: Annotated[
        Spread | None, As(columns=("score", "score_low", "score_high", "score_min", "score_max"), added=True)
    ]
    operating: Annotated[OperatingRow | None, As(prefix="operating_", added=True)]
    over: Annotated[OverTables | None, As(prefix="over_", added=True)]
    resampling: Annotated[Resampling | None, As(write=str, read=Resampling.parse, added=True)]
    recalibration: Annotated[Recalibration | None, As(prefix="skill_", added=True)]
    scores: Scores

    @property
    def value(self) -> Spread:
        """The metric that verdicts rest on."""
        return self.average_precision if self.score is None else self.score

    @property
    def by(self) -> Metric:
        """The metric that verdicts rest on."""
        return self.metric or AVERAGE_PRECISION

    @property
    def cell(self) -> Cell:
        """Which table it stands in."""
        return Cell(self.dataset, self.positive_rate, self.label_noise)

    @property
    def name(self) -> str:
        """The arm's name, its start apart."""
        return without_start(self.arm, self.init) if self.kind is Kind.ARM else self.arm


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A row of classes.csv: one arm on one class. average_precision: None where the class was not measured."""

    dataset: str
    positive_rate: float | None
    kind: Kind
    arm: str
    init: str | None
    name: Annotated[str, As(columns=("class",))]
    n_seeds: int
    train_positives: float
    val_positives: float
    test_positives: float
    prevalence: float
    bayes_average_precision: float | None
    average_precision: AveragePrecision | None
    delta: Delta | None
