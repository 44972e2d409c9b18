"""What a comparison rests on: the metric that chooses and decides, and where the threshold is put."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from focalbench.base.text import near_or
from focalbench.errors import InputError

PER = 1000  # rows that costs and alerts are counted in
MOST_COST = 1e9


class MetricName(StrEnum):
    """The metrics that runs may be chosen and compared by."""

    AVERAGE_PRECISION = "average_precision"
    RECALL_AT_FPR = "recall_at_fpr"
    PRECISION_AT = "precision_at"
    RECALL_AT_PRECISION = "recall_at_precision"
    NET_BENEFIT = "net_benefit"
    COST = "cost"
    LOG_LOSS = "log_loss"


SHAPES = {
    MetricName.AVERAGE_PRECISION: "",
    MetricName.RECALL_AT_FPR: "=F",
    MetricName.PRECISION_AT: "=K",
    MetricName.RECALL_AT_PRECISION: "=P",
    MetricName.NET_BENEFIT: "=T",
    MetricName.COST: "=FP:FN",
    MetricName.LOG_LOSS: "",
}


@dataclass(frozen=True, slots=True)
class Costs:
    """What a false alarm and a missed positive cost, in any one unit; both finite and above 0."""

    false_positive: float
    false_negative: float

    def __str__(self) -> str:
        return f"{self.false_positive:.15g}:{self.false_negative:.15g}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read FP:FN. Raises InputError for anything else."""
        parts = text.split(":")
        try:
            costs = cls(*map(float, parts))
        except (TypeError, ValueError):
            raise InputError(f"a cost is FP:FN, what a false alarm and a missed positive cost; got {text!r}") from None
        if not all(1 / MOST_COST <= part <= MOST_COST for part in (costs.false_positive, costs.false_negative)):
            raise InputError(
                f"both parts of a cost must be above 0, from {1 / MOST_COST:g} to {MOST_COST:g}, got {text!r}"
            )
        return costs


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric with its number. value: F, K, P or T; a K below 1 is a share of the rows. costs: of COST only."""

    name: MetricName = MetricName.AVERAGE_PRECISION
    value: float | None = None
    costs: Costs | None = None

    def __str__(self) -> str:
        if self.costs is not None:
            return f"{self.name}={self.costs}"
        return str(self.name) if self.value is None else f"{self.name}={self.value:.15g}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read NAME or NAME=NUMBER. Raises InputError for an unknown name or a number out of its range.

        >>> str(Metric.parse("precision_at=1%")), str(Metric.parse("cost=1:50")), str(Metric.parse("log_loss"))
        ('precision_at=0.01', 'cost=1:50', 'log_loss')
        """
        head, equals, tail = text.strip().partition("=")
        if head not in list(MetricName):
            raise InputError(f"unknown `metric` {text!r}; {near_or(head, MetricName, f'choose one of {KNOWN}')}")
        name = MetricName(head)
        if bool(equals) != bool(SHAPES[name]):
            raise InputError(f"the metric is written {name}{SHAPES[name]}, got {text!r}")
        if name is MetricName.COST:
            return cls(name, costs=Costs.parse(tail))
        return cls(name, _number(name, tail) if equals else None)

    @property
    def is_usual(self) -> bool:
        """Whether it is average precision, which is always measured."""
        return self.name is MetricName.AVERAGE_PRECISION

    @property
    def lower_is_better(self) -> bool:
        """Of a cost and a loss."""
        return self.name in (MetricName.COST, MetricName.LOG_LOSS)

    @property
    def is_of_probabilities(self) -> bool:
        """Whether it looks at probabilities, not at the order of scores alone."""
        return self.name in (MetricName.NET_BENEFIT, MetricName.LOG_LOSS)

    @property
    def is_share(self) -> bool:
        """Whether it lies between 0 and 1, 1 at best."""
        return not self.lower_is_better and self.name is not MetricName.NET_BENEFIT

    def rows(self, rows: int, test_rows: int) -> float:
        """How many of so many rows PRECISION_AT looks at: K of the test's, and the same share of others."""
        assert self.value is not None
        return self.value * rows if self.value < 1 else self.value * rows / test_rows

    def without_skill(self, prevalence: float) -> float:
        """What is reached without looking at a row: by scores at random, by one probability, or by flagging all or
        nothing, whichever is best.
        """
        pi, value = prevalence, self.value or 0.0
        if self.costs is not None:
            return PER * min(self.costs.false_positive * (1 - pi), self.costs.false_negative * pi)
        return {
            MetricName.RECALL_AT_FPR: value,
            MetricName.RECALL_AT_PRECISION: float(pi >= value),
            MetricName.NET_BENEFIT: max(0.0, pi - (1 - pi) * value / (1 - value) if value < 1 else 0.0),
            MetricName.LOG_LOSS: -pi * math.log(pi) - (1 - pi) * math.log1p(-pi),
        }.get(self.name, pi)


KNOWN = ", ".join(f"{name}{shape}" for name, shape in SHAPES.items())
AVERAGE_PRECISION = Metric()
LOG_LOSS = Metric(MetricName.LOG_LOSS)


def read_number(text: str) -> float:
    """A number, or a share in percent. Raises ValueError for anything else.

    >>> read_number("0.5%"), read_number("100")
    (0.005, 100.0)
    """
    plain = text.strip()
    value = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _number(name: MetricName, text: str) -> float:
    try:
        value = read_number(text)
    except ValueError:
        raise InputError(f"{name} takes a number, as {name}{SHAPES[name]}; got {text!r}") from None
    if name is MetricName.PRECISION_AT:
        if value <= 0 or (value >= 1 and value != int(value)) or (value == 1 and "%" in text):
            raise InputError(f"K of precision_at is a number of rows, or a share of them below 1; got {text!r}")
    elif not 0 < value < 1:
        raise InputError(f"{SHAPES[name][1:]} of {name} must lie between 0 and 1, got {text!r}")
    return value


class Aim(StrEnum):
    """What a threshold is put for."""

    COST = "cost"
    CAPACITY = "capacity"
    PRECISION = "precision"
    RECALL = "recall"


AIMS = "cost=FP:FN, capacity=N/day (or a share of the rows, capacity=1%), precision=P or recall=R"
HOURS = {"hour": 1.0, "day": 24.0, "week": 168.0, "month": 730.5, "year": 8766.0}


@dataclass(frozen=True, slots=True)
class ThresholdAt:
    """Where the threshold is put, on validation: at the least cost, at the most alerts within a capacity, at the most
    recall of a precision, or at a recall.

    value: the precision, the recall, or the capacity: a share of the rows below 1 where there is no unit, else alerts a
    unit of time.
    """

    aim: Aim
    value: float | None = None
    unit: str = ""
    costs: Costs | None = None

    def __str__(self) -> str:
        if self.costs is not None:
            return f"{self.aim}={self.costs}"
        return f"{self.aim}={self.value:.15g}" + (f"/{self.unit}" if self.unit else "")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read AIM=VALUE. Raises InputError for anything else.

        >>> str(ThresholdAt.parse("capacity=50/day")), str(ThresholdAt.parse("precision=80%"))
        ('capacity=50/day', 'precision=0.8')
        """
        head, _, tail = text.strip().partition("=")
        if head not in list(Aim):
            raise InputError(f"unknown `threshold_at` {text!r}; write {AIMS}")
        aim = Aim(head)
        if aim is Aim.COST:
            return cls(aim, costs=Costs.parse(tail))
        amount, slash, unit = tail.partition("/")
        try:
            value = read_number(amount)
        except ValueError:
            raise InputError(f"`threshold_at` takes a number for {aim}, as in {AIMS}; got {text!r}") from None
        if slash and (aim is not Aim.CAPACITY or unit not in HOURS or value <= 0):
            raise InputError(f"a capacity is a number above 0 for each {', '.join(HOURS)}; got {text!r}")
        if not slash and aim is Aim.CAPACITY and value >= 1:
            raise InputError(
                f"a capacity is a share of the rows below 1, such as 1%, or alerts a unit of time, such as 50/day; got "
                f"{text!r}"
            )
        if not slash and not (0 < value < 1 or (aim is Aim.RECALL and value == 1)):
            raise InputError(f"the {aim} of a threshold must lie between 0 and 1, got {text!r}")
        return cls(aim, value, unit)
