"""The names of the synthetic families, their knobs, and what kind of target each has."""

import math

from focalbench.base.intervals import within
from focalbench.errors import InputError
from focalbench.runs.catalogue import Parameter, Task

DIMENSIONS = 10

KNOBS = (
    Parameter("clusters", 3, "[1, 50]"),  # of positives, each on an axis of its own
    Parameter("distance", 5.0, "[0, 1e3]"),  # of the positives from the bulk of the negatives
    Parameter("scale", 0.7, "(0, 1e3]"),  # of a positive cluster: the overlap
    Parameter("hard", 0.03, "[0, 1)"),  # share of the negatives in the fringe; the rest is the easy bulk
    Parameter("hard_distance", 3.0, "[0, 1e3]"),  # of the fringe from the bulk, towards the positives
    Parameter("hard_scale", 1.0, "(0, 1e3]"),
    Parameter("dimension", DIMENSIONS, "[1, 1000]"),
    Parameter("tails", math.inf, "[1, inf]"),
)
DENSE_KNOBS = (
    Parameter("anchors", 10_000, "[2, 1e6]"),  # of an image
    Parameter("correlation", 0.9, "[0, 1)"),  # of neighbouring anchors' noise
    Parameter("distance", 4.0, "[0, 1e3]"),  # of an object's features from the background
    Parameter("hard", 6, "[0, 1000]"),  # anchors around each object that look somewhat like it
    Parameter("hard_distance", 2.0, "[0, 1e3]"),
    Parameter("dimension", DIMENSIONS, "[1, 1000]"),
)
CLASS_KNOBS = (
    Parameter("classes", 5, "[3, 50]"),  # the last one is the rare one
    Parameter("distance", 3.0, "[0, 1e3]"),  # of a class's two clusters from the origin, on an axis of its own
    Parameter("scale", 1.0, "(0, 1e3]"),
    Parameter("dimension", DIMENSIONS, "[1, 1000]"),
)
LABEL_KNOBS = (
    Parameter("labels", 5, "[2, 50]"),
    Parameter("most", 0.1, "(0, 0.5]"),  # the rate of the most frequent label; the rarest has the rate asked for
    Parameter("clusters", 3, "[1, 50]"),  # of each label's positives, in dimensions of their own
    Parameter("distance", 5.0, "[0, 1e3]"),
    Parameter("scale", 0.7, "(0, 1e3]"),
    Parameter("hard", 0.03, "[0, 1)"),  # as those of mixture
)
_WHOLE = ("clusters", "dimension", "anchors", "classes", "labels")  # numbers of things

ABOUT = {
    "mixture": "an easy bulk of negatives, a small hard fringe by three positive clusters (Bayes AUCPR .71 at 0.0015)",
    "gaussians": "two overlapping Gaussians, the best score is linear (Bayes AUCPR .44 at 0.0015)",
    "xor": "two positive clusters on one diagonal, hard negatives on the other (Bayes AUCPR .62 at 0.0015)",
    "dense": "images of 10,000 anchors, correlated with their neighbours, hard negatives around every object; whole "
    "images a batch: `sampler=groups` `batch_size=10000`",
    "rare-class": "classes of two clusters each, one of them rare, the others alike: `task=multiclass`",
    "long-tail": "the same classes, each rarer than the one before by the same factor: `task=multiclass`",
    "labels": "labels that are independent of one another, each rarer than the one before: `task=multilabel`",
}
FAMILIES = tuple(ABOUT)
_OF_FAMILY = {
    "mixture": KNOBS,
    "dense": DENSE_KNOBS,
    "rare-class": CLASS_KNOBS,
    "long-tail": CLASS_KNOBS,
    "labels": LABEL_KNOBS,
}


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


def task_of(family: str) -> Task:
    """The kind of target a family has.

    >>> task_of("labels:labels=3")
    'multilabel'
    """
    name = family.partition(":")[0]
    return "multilabel" if name == "labels" else "multiclass" if name in ("rare-class", "long-tail") else "binary"


def knobs(dataset: str) -> dict[str, float]:
    """All knobs of a family as its name sets them. Raises InputError for unknown ones and values out of range.

    >>> knobs("mixture:hard=0.1")["hard"]
    0.1
    """
    family, _, rest = dataset.partition(":")
    known = {knob.name: knob for knob in _OF_FAMILY.get(family, ())}
    found = {name: float(knob.default) for name, knob in known.items()}
    said = set()
    for part in rest.split(",") if rest else ():
        name, _, text = part.partition("=")
        if name in said:
            raise InputError(f"{dataset} names {name} twice")
        said.add(name)
        if name not in known:
            raise InputError(f"{family} has no knob {name!r}; it has {', '.join(known) or 'none'}")
        try:
            found[name] = float(text)
        except ValueError:
            raise InputError(f"{dataset}: write knobs as name=number,... after the colon") from None
        must_be_whole = name in _WHOLE or (family == "dense" and name == "hard")
        if not within(found[name], known[name].interval) or (must_be_whole and not found[name].is_integer()):
            kind = "as a whole number in " if must_be_whole else "in "
            raise InputError(f"the knob {name} of {family} must lie {kind}{known[name].interval}, got {text}")
    if family == "mixture" and found["clusters"] > found["dimension"]:
        raise InputError("mixture needs a dimension for every cluster; raise dimension or lower clusters")
    if "classes" in found and found["classes"] > found["dimension"]:
        raise InputError(f"{family} needs a dimension for every class; raise dimension or lower classes")
    return found


def numbers_of(dataset: str) -> int:
    """How many numbers a row of a family has."""
    knob = knobs(dataset)
    return int(knob["labels"] * knob["clusters"] if "labels" in knob else knob.get("dimension", DIMENSIONS))


def canonical(dataset: str) -> str:
    """One name for one data set: the knobs that differ from their defaults, in the order of KNOBS.

    >>> canonical("mixture:tails=5,hard=0.10,scale=0.7")
    'mixture:hard=0.1,tails=5'
    """
    family = dataset.partition(":")[0]
    usual = {knob.name: knob.default for knob in _OF_FAMILY.get(family, ())}
    moved = [f"{name}={value!r}".removesuffix(".0") for name, value in knobs(dataset).items() if value != usual[name]]
    return f"{family}:{','.join(moved)}" if moved else family
