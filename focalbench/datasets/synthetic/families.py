"""The synthetic families: their names, what kind of target each has, and their knobs."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Annotated, TypeVar, get_args, get_type_hints

from focalbench.base.intervals import within
from focalbench.errors import InputError
from focalbench.runs.catalogue import Task

DIMENSIONS = 10


@dataclass(frozen=True)
class Knobs:
    """What can be set of a family, as NAME:KNOB=VALUE,...; none of gaussians and xor. An interval stands with each
    knob; what is typed int is a number of things.
    """

    @property
    def numbers(self) -> int:
        """How many numbers a row has."""
        return DIMENSIONS

    @property
    def outputs(self) -> int:
        """How many classes or labels there are, of a family with several."""
        return 1

    @property
    def highest_rate(self) -> float:
        """The highest rate there can be."""
        return 1.0

    @property
    def problem(self) -> str:
        """What is wrong with knobs that do not go together, "" if nothing."""
        return ""


Dimension = Annotated[int, "[1, 1000]"]
Distance = Annotated[float, "[0, 1e3]"]
Scale = Annotated[float, "(0, 1e3]"]


@dataclass(frozen=True)
class MixtureKnobs(Knobs):
    """An easy bulk of negatives with a hard fringe, and clusters of positives."""

    clusters: Annotated[int, "[1, 50]"] = 3  # of positives, each on an axis of its own
    distance: Distance = 5.0  # of the positives from the bulk of the negatives
    scale: Scale = 0.7  # of a positive cluster: the overlap
    hard: Annotated[float, "[0, 1)"] = 0.03  # share of the negatives in the fringe; the rest is the easy bulk
    hard_distance: Distance = 3.0  # of the fringe from the bulk, towards the positives
    hard_scale: Scale = 1.0
    dimension: Dimension = DIMENSIONS
    tails: Annotated[float, "[1, inf]"] = math.inf

    @property
    def numbers(self) -> int:
        """As of Knobs."""
        return self.dimension

    @property
    def problem(self) -> str:
        """As of Knobs."""
        enough = self.clusters <= self.dimension
        return "" if enough else "needs a dimension for every cluster; raise dimension or lower clusters"


@dataclass(frozen=True)
class DenseKnobs(Knobs):
    """Images of anchors."""

    anchors: Annotated[int, "[2, 1e6]"] = 10_000  # of an image
    correlation: Annotated[float, "[0, 1)"] = 0.9  # of neighbouring anchors' noise
    distance: Distance = 4.0  # of an object's features from the background
    hard: Annotated[int, "[0, 1000]"] = 6  # anchors around each object that look somewhat like it
    hard_distance: Distance = 2.0
    dimension: Dimension = DIMENSIONS

    @property
    def numbers(self) -> int:
        """As of Knobs."""
        return self.dimension

    @property
    def highest_rate(self) -> float:
        """An object brings its hard negatives along."""
        return 0.999 / (self.hard + 1) if self.hard else 1.0


@dataclass(frozen=True)
class ClassKnobs(Knobs):
    """Classes of two clusters each."""

    classes: Annotated[int, "[3, 50]"] = 5  # the last one is the rare one
    distance: Distance = 3.0  # of a class's two clusters from the origin, on an axis of its own
    scale: Scale = 1.0
    dimension: Dimension = DIMENSIONS

    @property
    def numbers(self) -> int:
        """As of Knobs."""
        return self.dimension

    @property
    def outputs(self) -> int:
        """As of Knobs."""
        return self.classes

    @property
    def highest_rate(self) -> float:
        """The rare class stays the rarest."""
        return 1 / self.classes

    @property
    def problem(self) -> str:
        """As of Knobs."""
        enough = self.classes <= self.dimension
        return "" if enough else "needs a dimension for every class; raise dimension or lower classes"


@dataclass(frozen=True)
class LabelKnobs(Knobs):
    """Independent labels, each like a mixture."""

    labels: Annotated[int, "[2, 50]"] = 5
    most: Annotated[float, "(0, 0.5]"] = 0.1  # the rate of the most frequent label; the rarest has the rate asked for
    clusters: Annotated[int, "[1, 50]"] = 3  # of each label's positives, in dimensions of their own
    distance: Distance = 5.0
    scale: Scale = 0.7
    hard: Annotated[float, "[0, 1)"] = 0.03  # as those of mixture

    @property
    def numbers(self) -> int:
        """As of Knobs."""
        return self.labels * self.clusters

    @property
    def outputs(self) -> int:
        """As of Knobs."""
        return self.labels

    @property
    def highest_rate(self) -> float:
        """The rarest label stays the rarest."""
        return self.most


@dataclass(frozen=True)
class Family:
    """A family: a line for the list of data sets, the kind of its target, and its knobs at their defaults."""

    about: str
    task: Task = "binary"
    knobs: Knobs = Knobs()


FAMILIES = {
    "mixture": Family(
        "an easy bulk of negatives, a small hard fringe by three positive clusters (Bayes AUCPR .71 at 0.0015)",
        knobs=MixtureKnobs(),
    ),
    "gaussians": Family("two overlapping Gaussians, the best score is linear (Bayes AUCPR .44 at 0.0015)"),
    "xor": Family("two positive clusters on one diagonal, hard negatives on the other (Bayes AUCPR .62 at 0.0015)"),
    "dense": Family(
        "images of 10,000 anchors, correlated with their neighbours, hard negatives around every object; whole images "
        "a batch: `sampler=groups` `batch_size=10000`",
        knobs=DenseKnobs(),
    ),
    "rare-class": Family(
        "classes of two clusters each, one of them rare, the others alike: `task=multiclass`",
        "multiclass",
        ClassKnobs(),
    ),
    "long-tail": Family(
        "the same classes, each rarer than the one before by the same factor: `task=multiclass`",
        "multiclass",
        ClassKnobs(),
    ),
    "labels": Family(
        "labels that are independent of one another, each rarer than the one before: `task=multilabel`",
        "multilabel",
        LabelKnobs(),
    ),
}
ABOUT = {name: family.about for name, family in FAMILIES.items()}
Kind = TypeVar("Kind", bound=Knobs)


def is_synthetic(dataset: str) -> bool:
    """Whether a name is that of a family, with knobs (name:knob=value,...) or without."""
    return bool(family_of(dataset))


def family_of(dataset: str) -> str:
    """The family that a name is of, with knobs or without; "" for every other name.

    >>> family_of("dense:hard=3"), family_of("dense_claims.csv")
    ('dense', '')
    """
    name = dataset.partition(":")[0]
    return name if name in FAMILIES else ""


def task_of(dataset: str) -> Task:
    """The kind of target a family has; binary for other names.

    >>> task_of("labels:labels=3")
    'multilabel'
    """
    family = family_of(dataset)
    return FAMILIES[family].task if family else "binary"


def knobs(dataset: str) -> Knobs:
    """All knobs of a family as its name sets them. Raises InputError for unknown ones and values out of range.

    >>> knobs("dense:hard=3").highest_rate
    0.24975
    """
    family, _, rest = dataset.partition(":")
    usual = FAMILIES[family].knobs if family in FAMILIES else Knobs()
    hints = get_type_hints(type(usual), include_extras=True)
    said: dict[str, float] = {}
    for part in rest.split(",") if rest else ():
        name, _, text = part.partition("=")
        if name in said:
            raise InputError(f"{dataset} names {name} twice")
        if name not in hints:
            raise InputError(f"{family} has no knob {name!r}; it has {', '.join(hints) or 'none'}")
        said[name] = _value(dataset, name, text, hints[name])
    found = replace(usual, **said)
    if found.problem:
        raise InputError(f"{family} {found.problem}")
    return found


def _value(dataset: str, name: str, text: str, hint: object) -> float:
    """The value of a knob. hint: its type, annotated with its interval."""
    kind, interval = get_args(hint)
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{dataset}: write knobs as name=number,... after the colon") from None
    if not within(value, interval) or (kind is int and not value.is_integer()):
        whole = "as a whole number in " if kind is int else "in "
        family = dataset.partition(":")[0]
        raise InputError(f"the knob {name} of {family} must lie {whole}{interval}, got {text}")
    return int(value) if kind is int else value


def knobs_as(dataset: str, kind: type[Kind]) -> Kind:
    """The knobs of a family that has those of a kind."""
    found = knobs(dataset)
    assert isinstance(found, kind), dataset
    return found


def canonical(dataset: str) -> str:
    """One name for one data set: the knobs that differ from their defaults, in their order.

    >>> canonical("mixture:tails=5,hard=0.10,scale=0.7")
    'mixture:hard=0.1,tails=5'
    """
    family = dataset.partition(":")[0]
    usual = asdict(FAMILIES[family].knobs) if family in FAMILIES else {}
    found = asdict(knobs(dataset))
    moved = [f"{name}={value!r}".removesuffix(".0") for name, value in found.items() if value != usual[name]]
    return f"{family}:{','.join(moved)}" if moved else family
