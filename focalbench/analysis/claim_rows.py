"""The rows of claims.csv and claim_points.csv."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from focalbench.analysis.rows import Scope, Spread
from focalbench.base.rows import As


class ClaimVerdict(StrEnum):
    """What the runs say of a condition, or of a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    DEPENDS = "depends on the data"
    TOO_FEW = "too few seeds"


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """What is found of one condition on one data set; of all conditions of a claim on one data set (condition None);
    or of a claim over all its data sets (data None, too).

    number: the mean over the seeds of the number that the condition computes, between the limits of an interval that
    holds for all conditions and data sets of the claim at once. seeds_to_decide: of an inconclusive one, 0 where no
    number would do. budget_limited: whether the number still moved by more than the margin in the second half of the
    epochs; None where nothing is known of that. at_edge: whether more than half of the seeds chose one end of the grid
    of learning rates, for one of the arms.
    """

    claim: str
    condition: int | None
    data: str | None
    scope: Scope | None
    seeds: int | None
    number: Annotated[Spread | None, As(columns=("number", "number_low", "number_high", "number_min", "number_max"))]
    margin: float | None
    verdict: ClaimVerdict
    seeds_to_decide: int | None
    budget_limited: bool | None
    at_edge: bool | None


@dataclass(frozen=True, slots=True)
class LossRow:
    """A point of loss_curves.csv: at a gamma, the share of the loss of a class (1 or 0) that the easiest share of its
    test rows carries; of one run, that of the first seed.
    """

    claim: str
    data: str
    gamma: float
    target: int
    rows: float
    loss: float


@dataclass(frozen=True, slots=True)
class PointRow:
    """One of the differences that a condition's number is made of, with its pointwise interval.

    epochs: after which it is taken. x: where it stands on the slope's axis, None without a slope. weight: what it
    counts for in the number.
    """

    claim: str
    condition: int
    data: str
    part: str
    arms: str
    epochs: int | None
    x: float | None
    weight: float
    value: Annotated[Spread, As(columns=("value", "value_low", "value_high", "value_min", "value_max"))]
