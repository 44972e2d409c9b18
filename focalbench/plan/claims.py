"""What an experiment file claims: a sentence, and the contrasts that decide it, written before the runs are made.

A file with [[claims]] may have [[parts]]: the experiment with some of its keys changed. Each claim rests on one or
more conditions, which must all hold; each condition is a number computed seed by seed from the runs of some parts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any, TypeVar

from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment


class Measure(StrEnum):
    """What is measured of a run on the test. The calibration slopes are taken as logarithms, so that twice too sure
    and twice too unsure are as far from 0; raw is of the sigmoid of the scores.
    """

    METRIC = "metric"
    RAW_SLOPE = "log_raw_calibration_slope"
    RECOVERED_SLOPE = "log_recovered_calibration_slope"
    SKILL = "recovered_log_loss_skill"
    HARD_SHARE = "share_of_negative_loss_in_hardest_percent"


class Axis(StrEnum):
    """On what a slope is taken: gamma; the share of swapped labels; log2 of positives a batch; log10 of the rate of
    positives; log10 of the training positives.
    """

    GAMMA = "gamma"
    NOISE = "label_noise"
    PER_BATCH = "log2_positives_per_batch"
    RATE = "log10_positive_rate"
    POSITIVES = "log10_positives"


class Part(StrEnum):
    """Which part of the epochs: a run's choice is as if training had stopped there."""

    QUARTER = "quarter"
    HALF = "half"
    ALL = "all"


class Direction(StrEnum):
    """What a condition says of its number: above or below `than`, or nearer to it than the margin."""

    ABOVE = "above"
    BELOW = "below"
    WITHIN = "within"


@dataclass(frozen=True)
class Pair:
    """Arms among which validation chooses for each seed, and those that they are compared with; none: no comparison."""

    arms: tuple[str, ...]
    against: tuple[str, ...] = ()


@dataclass(frozen=True)
class Condition:
    """A number that is computed seed by seed, and what it must be.

    pairs: differences of a measure, with a slope one or more, else one. parts: names, () for all. weights: of the
    parts, whose differences are added so; slope_on: the axis on which differences have a slope; with neither, each
    part and data set is tested by itself. than: what the number is compared with. margin: the difference that matters,
    None for margins times the usual one of the data set. beyond_margin: whether a direction is shown only by an
    interval beyond the margin, not by one beyond `than`.
    """

    pairs: tuple[Pair, ...]
    direction: Direction
    measure: Measure = Measure.METRIC
    parts: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    slope_on: Axis | None = None
    epochs: Part = Part.ALL
    than: float = 0.0
    margin: float | None = None
    margins: float = 1.0
    beyond_margin: bool = False

    @property
    def joins_parts(self) -> bool:
        """Whether a number is made of several parts, seed by seed."""
        return bool(self.weights) or self.slope_on not in (None, Axis.GAMMA)

    def __post_init__(self) -> None:
        if not self.pairs or not all(pair.arms for pair in self.pairs):
            raise InputError("a condition needs arms")
        if self.slope_on is not None and self.weights:
            raise InputError("a condition has slope_on or weights, not both")
        if self.slope_on is None and len(self.pairs) > 1:
            raise InputError("several pairs need slope_on")
        if self.weights and len(self.weights) != len(self.parts):
            raise InputError("weights has a number for each of parts")
        if self.weights and abs(sum(self.weights)) > 1e-9:
            raise InputError("weights add up to 0, so that what all parts share drops out")
        if (self.margin is not None and not self.margin > 0) or not self.margins > 0:
            raise InputError("margin and margins are above 0")
        if self.margin is None and self.measure is not Measure.METRIC:
            raise InputError(f"margin: say what matters in {self.measure}, which has no usual margin")


@dataclass(frozen=True)
class Claim:
    """A sentence that people repeat, who says so, and the conditions that must all hold."""

    id: str
    sentence: str
    said_by: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Claims:
    """The parts of a file, each an experiment with its name, and its claims."""

    parts: tuple[tuple[str, Experiment], ...]
    claims: tuple[Claim, ...]

    def __post_init__(self) -> None:
        names = [name for name, _ in self.parts]
        for what, given in (("parts", names), ("claims", [claim.id for claim in self.claims])):
            if twice := [each for each in given if given.count(each) > 1]:
                raise InputError(f"two of the {what} are called {twice[0]!r}; name each otherwise")
        for claim in self.claims:
            for condition in claim.conditions:
                self._check(condition, claim.id)

    def of(self, condition: Condition) -> list[tuple[str, Experiment]]:
        """The parts that a condition rests on."""
        return [part for part in self.parts if not condition.parts or part[0] in condition.parts]

    def _check(self, condition: Condition, where: str) -> None:
        names = [name for name, _ in self.parts]
        if strangers := [name for name in condition.parts if name not in names]:
            raise InputError(f"claim {where}: there is no part {strangers[0]!r}; the parts are {', '.join(names)}")
        seeds = {(experiment.first_seed, experiment.seeds) for _, experiment in self.of(condition)}
        if len(seeds) > 1 and condition.joins_parts:
            raise InputError(f"claim {where}: its parts have different seeds, so their runs make no pairs")
        experiments = [experiment for _, experiment in self.of(condition)]
        if condition.slope_on is not None and len(_places(condition.slope_on, condition.pairs, experiments)) < 2:
            raise InputError(f"claim {where}: a slope needs two different places on {condition.slope_on}")
        cells = [set(experiment.cells) for experiment in experiments]
        if condition.weights and any(len(each) > 1 for each in cells) and any(each != cells[0] for each in cells):
            raise InputError(f"claim {where}: parts that are added have the same data sets and rates, or one each")
        for name, experiment in self.of(condition):
            arms = [arm.name for arm in experiment.arms]
            for wanted in (arm for pair in condition.pairs for arm in (*pair.arms, *pair.against)):
                if wanted not in arms:
                    raise InputError(f"claim {where}: part {name} has no arm {wanted!r}; it has {', '.join(arms)}")


def _places(axis: Axis, pairs: Sequence[Pair], experiments: Sequence[Experiment]) -> set[object]:
    """What tells places on an axis apart."""
    if axis is Axis.GAMMA:
        named = {pair.arms[0] for pair in pairs}
        return {arm.gamma for experiment in experiments for arm in experiment.arms if arm.name in named}
    if axis is Axis.NOISE:
        return {experiment.label_noise for experiment in experiments}
    rates = [(experiment, rate) for experiment in experiments for _, rate in experiment.cells]
    if axis is Axis.RATE:
        return {rate for _, rate in rates}
    sizes = {Axis.PER_BATCH: lambda each: each.batch_size, Axis.POSITIVES: lambda each: each.rows}
    return {(sizes[axis](experiment), rate) for experiment, rate in rates}


# ---- from a TOML file

Kind = TypeVar("Kind", bound=StrEnum)


@dataclass(frozen=True)
class _Table:
    """A table of a file, with where it stands for what is said of mistakes."""

    content: Mapping[str, Any]
    where: str
    keys: tuple[str, ...] = field(default=())

    def check(self) -> None:
        if unknown := [key for key in self.content if key not in self.keys]:
            raise InputError(f"{self.where}: unknown key {unknown[0]!r}; the keys are {', '.join(self.keys)}")

    def text(self, key: str) -> str:
        value = self.content.get(key)
        if not isinstance(value, str) or not value:
            raise InputError(f"{self.where}: {key} is a text, got {value!r}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.content.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise InputError(f"{self.where}: {key} is a list of names, got {value!r}")
        return tuple(value)

    def number(self, key: str, default: float) -> float:
        return self.numbers(key, [self.content.get(key, default)])[0]

    def numbers(self, key: str, values: object) -> tuple[float, ...]:
        if not isinstance(values, list) or not all(type(each) in (int, float) and isfinite(each) for each in values):
            raise InputError(f"{self.where}: {key} takes finite numbers, got {self.content.get(key)!r}")
        return tuple(map(float, values))

    def yes(self, key: str) -> bool:
        value = self.content.get(key, False)
        if not isinstance(value, bool):
            raise InputError(f"{self.where}: {key} is true or false, got {value!r}")
        return value

    def one_of(self, key: str, kind: type[Kind]) -> Kind | None:
        value = self.content.get(key)
        if value is None:
            return None
        for each in kind:
            if each == value:
                return each
        raise InputError(f"{self.where}: {key} is one of {', '.join(kind)}, got {value!r}")


CLAIM_KEYS = ("id", "sentence", "said_by", "conditions")
CONDITION_KEYS = (
    *("arms", "against", "pairs", "direction", "measure", "parts", "weights", "slope_on", "epochs", "than"),
    *("margin", "margins", "beyond_margin"),
)


def read_claims(content: object, where: str) -> tuple[Claim, ...]:
    """The claims of a parsed file. Raises InputError for an unknown key or a value of the wrong kind."""
    return tuple(_claim(each, where) for each in _tables(content, f"{where}: write each claim as its own [[claims]]"))


def _tables(content: object, otherwise: str) -> Sequence[Mapping[str, Any]]:
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content) or not content:
        raise InputError(otherwise)
    return content


def _claim(content: Mapping[str, Any], where: str) -> Claim:
    table = _Table(content, f"{where}, [[claims]]", CLAIM_KEYS)
    table.check()
    name = table.text("id")
    otherwise = f"{where}, claim {name}: write what it rests on as [[claims.conditions]]"
    conditions = _tables(content.get("conditions"), otherwise)
    read = _told(lambda: tuple(_condition(each, f"{where}, claim {name}") for each in conditions), where, name)
    return Claim(name, table.text("sentence"), table.text("said_by"), read)


def _told(read: Callable[[], tuple[Condition, ...]], where: str, name: str) -> tuple[Condition, ...]:
    """With where a mistake stands that a condition finds in itself."""
    try:
        return read()
    except InputError as error:
        told = str(error)
        raise InputError(told if told.startswith(where) else f"{where}, claim {name}: {told}") from None


def _condition(content: Mapping[str, Any], where: str) -> Condition:
    table = _Table(content, where, CONDITION_KEYS)
    table.check()
    if ("pairs" in content) == ("arms" in content):
        raise InputError(f"{where}: give arms (and against), or several pairs of them")
    pairs = _tables(content.get("pairs", [content]), f"{where}: pairs is a list of tables with arms and against")
    direction = table.one_of("direction", Direction)
    if direction is None:
        raise InputError(f"{where}: say the direction: {', '.join(Direction)}")
    return Condition(
        pairs=tuple(_pair(each, where) for each in pairs),
        direction=direction,
        measure=table.one_of("measure", Measure) or Measure.METRIC,
        parts=table.texts("parts"),
        weights=table.numbers("weights", content.get("weights", [])),
        slope_on=table.one_of("slope_on", Axis),
        epochs=table.one_of("epochs", Part) or Part.ALL,
        than=table.number("than", 0.0),
        margin=table.number("margin", 0.0) if "margin" in content else None,
        margins=table.number("margins", 1.0),
        beyond_margin=table.yes("beyond_margin"),
    )


def _pair(content: Mapping[str, Any], where: str) -> Pair:
    table = _Table(content, where)
    return Pair(table.texts("arms"), table.texts("against"))
