"""What an experiment file claims: a sentence, and the contrasts that decide it, written before the runs are made.

A file with [[claims]] may have [[parts]]: the experiment with some of its keys changed. Each claim rests on one or
more conditions, which must all hold; each condition is a number computed seed by seed from the runs of some parts.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any, TypeVar

from focalbench.base.text import near_or
from focalbench.datasets.synthetic.families import is_synthetic
from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment
from focalbench.runs.catalogue import SIGMOID
from focalbench.runs.run import Cell

ROUNDING = 1e-9  # of a sum of weights
ID = re.compile(r"[A-Za-z0-9._-]{1,40}")  # a file is named after it


class Measure(StrEnum):
    """What is measured of a run on the test; of a metric that is better where it is lower, its negative.

    The calibration slopes are taken as logarithms, so that twice too sure and twice too unsure are as far from 0; raw
    is of the sigmoid of the scores.
    """

    METRIC = "metric"
    RAW_SLOPE = "log_raw_calibration_slope"
    RECOVERED_SLOPE = "log_recovered_calibration_slope"
    SKILL = "recovered_log_loss_skill"
    OF_BAYES = "share_of_bayes_average_precision"
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


class Epochs(StrEnum):
    """How many of the epochs: a run's choice is as if training had stopped there."""

    QUARTER = "quarter"
    HALF = "half"
    ALL = "all"


class Direction(StrEnum):
    """What a condition says of its number: above or below `than` by more than the margin, not below it by more, or
    nearer to it than that.
    """

    ABOVE = "above"
    BELOW = "below"
    NOT_BELOW = "not_below"
    WITHIN = "within"


@dataclass(frozen=True)
class Pair:
    """Arms among which validation chooses for each seed, and those that they are compared with; none: no comparison."""

    arms: tuple[str, ...]
    against: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """A data set at a rate, in a part."""

    part: str
    experiment: Experiment
    cell: Cell


@dataclass(frozen=True)
class Condition:
    """A number that is computed seed by seed, and what it must be.

    pairs: differences of a measure, with a slope one or more, else one. parts: names, () for all. weights: of the
    parts, whose differences are added so; slope_on: the axis on which differences have a slope; with neither, each
    part and data set is tested by itself. than: what the number is compared with. margin: the difference that matters,
    None for margins times the usual one of the data set.
    """

    pairs: tuple[Pair, ...]
    direction: Direction
    measure: Measure = Measure.METRIC
    parts: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    slope_on: Axis | None = None
    epochs: Epochs = Epochs.ALL
    than: float = 0.0
    margin: float | None = None
    margins: float = 1.0

    def __post_init__(self) -> None:
        if wrong := next((text for is_wrong, text in self._mistakes() if is_wrong), None):
            raise InputError(wrong)

    def _mistakes(self) -> Iterator[tuple[bool, str]]:
        """What may be wrong with a condition by itself, and what is said of it."""
        yield not self.pairs or not all(pair.arms for pair in self.pairs), "a condition needs arms"
        yield any(pair.arms == pair.against for pair in self.pairs), "arms and against are the same"
        yield self.slope_on is not None and bool(self.weights), "a condition has slope_on or weights, not both"
        yield self.slope_on is None and len(self.pairs) > 1, "several pairs need slope_on"
        yield len(set(self.parts)) < len(self.parts), "parts names a part twice"
        yield bool(self.weights) and len(self.weights) != len(self.parts), "weights has a number for each of parts"
        off = bool(self.weights) and (abs(sum(self.weights)) > ROUNDING or 0 in self.weights)
        yield off, "weights are not 0 and add up to 0, so that what all parts share drops out"
        yield self.margin is not None and self.margin < 0, "margin is at least 0"
        yield not self.margins > 0, "margins is above 0"
        yield self.margin is not None and self.margins != 1, "margin and margins say the same; give one"
        unusual = self.margin is None and self.measure is not Measure.METRIC
        yield unusual, f"margin: say what matters in {self.measure}, which has no usual margin"
        early = self.epochs is not Epochs.ALL and self.measure is not Measure.METRIC
        yield early, f"{self.measure} is known at the end of the epochs only"

    def data(self, parts: Sequence[tuple[str, Experiment]]) -> dict[str, list[Place]]:
        """The places, of these parts, whose differences make one number each, by what their data are called."""
        places = [
            Place(name, experiment, Cell(dataset, rate, experiment.label_noise))
            for name, experiment in parts
            for dataset, rate in experiment.cells
        ]
        cells = {(place.part, place.cell): place.cell for place in places}
        named = names_of_data(self, list(cells))
        found: dict[str, list[Place]] = {}
        for place in places:
            found.setdefault(named[place.part, place.cell], []).append(place)
        return found


def names_of_data(condition: Condition, places: Sequence[tuple[str, Cell]]) -> dict[tuple[str, Cell], str]:
    """What the data are called that a condition's number is made of, for each part and cell: the same for those whose
    differences are taken together; with the part where several parts have these data and each stands by itself.
    """
    several = len({part for part, _ in places}) > 1
    apart = several and not condition.weights and condition.slope_on in (None, Axis.GAMMA)
    names = {(part, cell): name_of_data(cell, condition.slope_on) for part, cell in places}
    if apart:
        often = Counter(names.values())
        return {(part, cell): f"{name} ({part})" if often[name] > 1 else name for (part, cell), name in names.items()}
    if condition.weights and len(places) == len(condition.parts):  # a cell each: they are added whatever they are
        first, *others = dict.fromkeys(names.values())
        together = f"{first} and {len(others)} others" if len(others) > 1 else ", ".join([first, *others])
        return dict.fromkeys(names, together)
    return names


def name_of_data(cell: Cell, axis: Axis | None = None) -> str:
    """What a data set is called, without what changes along an axis."""
    rate = "" if cell.positive_rate is None else f" at {cell.positive_rate:g}"
    noise = f" with label noise {cell.label_noise:g}" if cell.label_noise else ""
    return f"{cell.dataset}{'' if axis is Axis.RATE else rate}{'' if axis is Axis.NOISE else noise}"


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
                if wrong := next((text for is_wrong, text in self._mistakes(condition) if is_wrong), None):
                    raise InputError(f"claim {claim.id}: {wrong}")
            data = [frozenset(condition.data(self.of(condition))) for condition in claim.conditions]
            if any(each != data[0] for each in data):
                names = sorted({name for each in data for name in each if not all(name in other for other in data)})
                raise InputError(f"claim {claim.id}: its conditions rest on different data ({', '.join(names)})")

    def of(self, condition: Condition) -> list[tuple[str, Experiment]]:
        """The parts that a condition rests on."""
        return [part for part in self.parts if not condition.parts or part[0] in condition.parts]

    def _mistakes(self, condition: Condition) -> Iterator[tuple[bool, str]]:
        """What may be wrong with a condition on its parts, and what is said of it."""
        names = [name for name, _ in self.parts]
        strangers = [name for name in condition.parts if name not in names]
        yield bool(strangers), f"there is no part {''.join(strangers[:1])!r}; the parts are {', '.join(names)}"
        for name, experiment in self.of(condition):
            arms = {arm.name: arm for arm in experiment.arms}
            for wanted in (arm for pair in condition.pairs for arm in (*pair.arms, *pair.against)):
                yield wanted not in arms, f"part {name} has no arm {wanted!r}; it has {', '.join(arms)}"
            yield from _of_part(condition, name, experiment)
        for data, places in condition.data(self.of(condition)).items():
            yield from _of_data(condition, data, places)


def _of_part(condition: Condition, name: str, experiment: Experiment) -> Iterator[tuple[bool, str]]:
    arms = {arm.name: arm for arm in experiment.arms}
    annealed = condition.epochs is not Epochs.ALL and experiment.lr_schedule != "constant"
    yield (
        annealed,
        f"part {name}: with a schedule of learning rates an early end is not what training stopped there has",
    )
    for pair in condition.pairs:
        gammas = {arms[arm].gamma for arm in pair.arms}
        mixed = condition.slope_on is Axis.GAMMA and len(gammas) > 1
        yield mixed, "each of the pairs has arms of one gamma, where the slope is on it"
        if condition.measure is Measure.HARD_SHARE:
            other = [arm for arm in (*pair.arms, *pair.against) if arms[arm].loss not in SIGMOID]
            yield bool(other), f"{condition.measure} is of focal losses and cross entropy, not of {', '.join(other)}"
        unequal = pair.against and len(pair.arms) != len(pair.against) and not experiment.tuned
        yield bool(unequal), f"part {name}: one side has more candidates; set tuned = true, or name as many"


def _of_data(condition: Condition, data: str, places: Sequence[Place]) -> Iterator[tuple[bool, str]]:
    experiments = [place.experiment for place in places]
    joined = len({place.part for place in places}) > 1
    seeds = {(each.first_seed, each.seeds) for each in experiments}
    yield joined and len(seeds) > 1, f"{data}: its parts have different seeds, so their runs make no pairs"
    yield len({each.metric for each in experiments}) > 1, f"{data}: its parts are compared by different metrics"
    kinds = {is_synthetic(place.cell.dataset) for place in places}
    yield len(kinds) > 1, f"{data}: synthetic data and tables make no number together"
    if condition.weights:
        parts = sorted(place.part for place in places)
        yield (
            parts != sorted(condition.parts),
            f"{data}: parts that are added have the same data and rates, or one each",
        )
    if condition.slope_on is not None:
        where = _places(condition.slope_on, condition.pairs, places)
        yield len(where) < 2, f"{data}: a slope needs two different places on {condition.slope_on}"


def _places(axis: Axis, pairs: Sequence[Pair], places: Sequence[Place]) -> set[object]:
    """What tells places on an axis apart."""
    if axis is Axis.GAMMA:
        named = {pair.arms[0] for pair in pairs}
        return {arm.gamma for place in places for arm in place.experiment.arms if arm.name in named}
    of_place: dict[Axis, Callable[[Place], object]] = {
        Axis.NOISE: lambda place: place.cell.label_noise,
        Axis.RATE: lambda place: place.cell.positive_rate,
        Axis.PER_BATCH: lambda place: (place.experiment.batch_size, place.cell.positive_rate),
        Axis.POSITIVES: lambda place: (place.experiment.rows, place.cell.positive_rate),
    }
    return set(map(of_place[axis], places))


# ---- from a TOML file

Kind = TypeVar("Kind", bound=StrEnum)


def _is_number(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


@dataclass(frozen=True)
class _Table:
    """A table of a file, with where it stands for what is said of mistakes."""

    content: Mapping[str, Any]
    where: str
    keys: tuple[str, ...] = field(default=())

    def check(self) -> None:
        if unknown := [key for key in self.content if key not in self.keys]:
            hint = near_or(unknown[0], self.keys, f"the keys are {', '.join(self.keys)}")
            raise InputError(f"{self.where}: unknown key {unknown[0]!r}; {hint}")

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
        if not isinstance(values, list) or not all(map(_is_number, values)):
            raise InputError(f"{self.where}: {key} takes finite numbers, got {self.content.get(key)!r}")
        return tuple(map(float, values))

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
    *("margin", "margins"),
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
    if not ID.fullmatch(name):
        raise InputError(f"{where}: the id of a claim is of letters, digits, dots, dashes and underlines, got {name!r}")
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
    if ("pairs" in content) == ("arms" in content) or {"pairs", "against"} <= content.keys():
        raise InputError(f"{where}: give arms (and against), or several pairs of them")
    pairs = _tables(content.get("pairs", [content]), f"{where}: pairs is a list of tables with arms and against")
    direction = table.one_of("direction", Direction)
    if direction is None:
        raise InputError(f"{where}: say the direction: {', '.join(Direction)}")
    return Condition(
        pairs=tuple(_pair(each, where, checked=each is not content) for each in pairs),
        direction=direction,
        measure=table.one_of("measure", Measure) or Measure.METRIC,
        parts=table.texts("parts"),
        weights=table.numbers("weights", content.get("weights", [])),
        slope_on=table.one_of("slope_on", Axis),
        epochs=table.one_of("epochs", Epochs) or Epochs.ALL,
        than=table.number("than", 0.0),
        margin=table.number("margin", 0.0) if "margin" in content else None,
        margins=table.number("margins", 1.0),
    )


def _pair(content: Mapping[str, Any], where: str, *, checked: bool) -> Pair:
    table = _Table(content, where, ("arms", "against"))
    if checked:
        table.check()
    return Pair(table.texts("arms"), table.texts("against"))
