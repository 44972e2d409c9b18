"""What a finished run leaves: its numbers, its curves, and what its test rows do to average precision."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import numpy as np

from focalbench.base.rows import As, flatten, rows_of

Influences = tuple[tuple[float, ...], ...]


class Status(StrEnum):
    """How a run ended. DIVERGED: its loss or its scores became infinite; the best finite epoch counts.

    FAILED: its workers died each time it was tried; it has no numbers.
    """

    OK = "ok"
    DIVERGED = "diverged"
    FAILED = "failed"


class SplitKind(StrEnum):
    """How the rows of a table were dealt to training, validation and test.

    ROWS: each by itself. GROUPS: in whole groups. EACH_GROUP: of few groups, one is tested on. TIME: the latest are
    tested on, the same for every seed. FOLDS: each row is tested once, in one of several folds.
    """

    ROWS = "rows"
    GROUPS = "groups"
    EACH_GROUP = "each group"
    TIME = "time"
    FOLDS = "folds"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows and positives of the three splits."""

    train_rows: int
    train_positives: int
    val_rows: int
    val_positives: int
    test_rows: int
    test_positives: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How good probabilities are; None where a number is not defined."""

    brier: float | None
    log_loss: float | None
    log_loss_skill: float | None
    expected_observed: float | None
    calibration_slope: float | None
    calibration_intercept: float | None
    ece: float | None


NO_CALIBRATION = Calibration(*[None] * len(fields(Calibration)))


@dataclass(frozen=True, slots=True)
class Scores:
    """What is measured of test rows beside average precision, by metrics/; None where a number is not defined.

    One run's, and the means over the seeds of a table's row. A metric is a field here and its line in
    training/evaluation.py; one that comes later is Annotated with As(added=True), for files and stores of before.
    recovered: of the probabilities that the inverse of the loss gives. noisy_test_average_precision: on the labels
    with their noise. positives_per_batch, batches_without_positives: the mean number, and the share, over all epochs.
    hardest_negatives_share: of the negatives' focal loss, what their hardest percent carries; None of other losses.
    """

    roc_auc: float | None
    r_precision: Annotated[float | None, As(former="precision_at_k")]
    recall_at_fpr: float | None
    mcc_at_prevalence: Annotated[float | None, As(added=True)]
    raw: Calibration
    recovered: Annotated[Calibration, As(prefix="recovered_")]
    noisy_test_average_precision: float | None = None
    positives_per_batch: float | None = None
    batches_without_positives: float | None = None
    hardest_negatives_share: Annotated[float | None, As(added=True)] = None


Numbers = TypeVar("Numbers", Scores, Calibration)


def mean_of(found: Sequence[Numbers]) -> Numbers:
    """The mean of each number; None where one of them has none, as the mean of a part would mislead."""
    values = {each.name: _mean([getattr(one, each.name) for one in found]) for each in fields(found[0])}
    return type(found[0])(**values)


def _mean(values: Sequence[Any]) -> Any:
    if any(value is None for value in values):
        return None
    return mean_of(values) if is_dataclass(values[0]) else float(np.mean(values))


@dataclass(frozen=True, slots=True)
class Early:
    """Average precision, had training and the choice stopped at a part of the epochs."""

    val_average_precision: float | None
    test_average_precision: float


@dataclass(frozen=True, slots=True)
class ByMetric:
    """The metric that a comparison rests on, where it is not average precision: its best on validation, the test's."""

    val: float | None
    test: float


@dataclass(frozen=True, slots=True)
class Operating:
    """What a threshold that was chosen on validation does on the test.

    threshold: of the score that the network gives, a logit; None where nothing is flagged. precision: None where no
    test row is flagged. alerts, cost: a 1,000 rows; cost: None where nobody said what an error costs.
    """

    threshold: float | None
    precision: float | None
    recall: float
    false_positive_rate: float
    alerts: float
    cost: float | None


@dataclass(frozen=True, slots=True)
class ClassOutcome:
    """One class or label. test_prevalence: its share of the test rows, None where the counts tell it;
    test_average_precision: None where it was not measured.
    """

    name: str
    train_positives: int
    val_positives: int
    test_positives: int
    test_prevalence: float | None
    bayes_average_precision: float | None
    test_average_precision: float | None


def _classes_text(classes: Sequence[ClassOutcome]) -> str:
    every = (flatten(each) for each in classes)
    return json.dumps([{k: v for k, v in each.items() if k != "test_prevalence" or v is not None} for each in every])


def _classes_of(text: str) -> tuple[ClassOutcome, ...]:
    found = json.loads(text)
    if not isinstance(found, list):
        raise TypeError("no list of classes")
    return tuple(rows_of(ClassOutcome, ({"test_prevalence": None} | each for each in found)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The numbers of a finished run: the second half of a row of runs.csv.

    epoch: the chosen one, None of a reference. test_prevalence: share of the positives, None where the counts tell it.
    split, train_share: how a table was dealt, and the mean share of the positives that train; None of fresh draws.
    bayes_average_precision: of the best possible score, None where nobody knows it. quarter, half: of the epochs; None
    of a reference. by_metric: of the metric that chose, quarter and half of the epochs beside it; None of average
    precision. operating: at the threshold asked for. platt, isotonic: of the probabilities that these make of the
    scores by validation, where that was asked for. k: rows that R-precision looks at. classes: None for a binary
    target.
    """

    epoch: int | None
    sizes: Sizes
    test_prevalence: float | None
    split: SplitKind | None
    train_share: float | None
    val_average_precision: float | None
    test_average_precision: float
    bayes_average_precision: float | None
    status: Status
    quarter: Annotated[Early | None, As(columns=("val_average_precision_quarter", "test_average_precision_quarter"))]
    half: Annotated[Early | None, As(columns=("val_average_precision_half", "test_average_precision_half"))]
    by_metric: Annotated[ByMetric | None, As(columns=("val_metric", "test_metric"), added=True)]
    by_metric_quarter: Annotated[ByMetric | None, As(columns=("val_metric_quarter", "test_metric_quarter"), added=True)]
    by_metric_half: Annotated[ByMetric | None, As(columns=("val_metric_half", "test_metric_half"), added=True)]
    operating: Annotated[Operating | None, As(prefix="operating_", added=True)]
    platt: Annotated[Calibration | None, As(prefix="platt_", added=True)]
    isotonic: Annotated[Calibration | None, As(prefix="isotonic_", added=True)]
    scores: Scores
    k: int | None
    classes: Annotated[tuple[ClassOutcome, ...] | None, As(write=_classes_text, read=_classes_of)]
    data_sha256: str


@dataclass(frozen=True, slots=True)
class Curves:
    """Curves of a run, () where there is none, None at a point that is not defined.

    validation: average precision after each scored epoch; precision: at even steps of recall; reliability_expected and
    reliability_observed: mean probability and share of positives, bin by bin; net_benefit: at the probabilities
    metrics.threshold.DECISIONS.
    """

    validation: tuple[float | None, ...] = ()
    precision: tuple[float | None, ...] = ()
    reliability_expected: tuple[float | None, ...] = ()
    reliability_observed: tuple[float | None, ...] = ()
    net_benefit: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """All that is kept of a finished run.

    influences: the sums of what a table's test rows do (metrics/influence.py and left_out.py) to average precision, for
    each output that is measured; then to the metric where it is another; then to the log loss of the probabilities that
    Recalibration names; then to recall and false positive rate at the threshold asked for; () for fresh draws, and for
    runs of before they were kept. lacks: numbers that were added after the run was trained.
    """

    run_id: str
    outcome: Outcome
    curves: Curves
    seconds: float
    influences: Influences = ()
    lacks: tuple[str, ...] = ()
