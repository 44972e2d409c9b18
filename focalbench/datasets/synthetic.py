"""Synthetic families with an exact positive count and a known Bayes score: mixtures of isotropic clusters.

The exact log odds of a row x are log f1(x) - log f0(x) + log(positives / negatives), where f1 and f0 are the
mixture densities of the two classes. The family "dense" is in dense.py.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from focalbench.arms import Parameter
from focalbench.datasets.dataset import Counts, Dataset, Features, Floats
from focalbench.errors import InputError
from focalbench.randomness import generator
from focalbench.ranges import within

DIMENSIONS = 10


@dataclass(frozen=True)
class Cluster:
    """One isotropic cluster: its weight within the class, its mean (trailing zeros left out), its scale."""

    weight: float
    mean: tuple[float, ...]
    scale: float


@dataclass(frozen=True)
class Mixture:
    """The class densities of a family; the weights of each class sum to one.

    dimension: of a row. tails: degrees of freedom of every cluster's Student t distribution, inf for a Gaussian.
    """

    positive: tuple[Cluster, ...]
    negative: tuple[Cluster, ...]
    dimension: int = DIMENSIONS
    tails: float = math.inf


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
_WHOLE = {"mixture": ("clusters", "dimension"), "dense": ("anchors", "hard", "dimension")}

ABOUT = {
    "mixture": "an easy bulk of negatives, a small hard fringe by three positive clusters (Bayes AUCPR .71 at 0.0015)",
    "gaussians": "two overlapping Gaussians, the best score is linear (Bayes AUCPR .44 at 0.0015)",
    "xor": "two positive clusters on one diagonal, hard negatives on the other (Bayes AUCPR .62 at 0.0015)",
    "dense": "images of 10,000 anchors, correlated with their neighbours, hard negatives around every object; whole "
    "images a batch: --sampler groups --batch-size 10000",
}
FAMILIES = tuple(ABOUT)
_OF_FAMILY = {"mixture": KNOBS, "dense": DENSE_KNOBS}


def is_synthetic(dataset: str) -> bool:
    """Whether a name is that of a family, with knobs (name:knob=value,...) or without."""
    return dataset.partition(":")[0] in FAMILIES


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
            raise InputError(f"--dataset {dataset} names {name} twice")
        said.add(name)
        if name not in known:
            raise InputError(f"{family} has no knob {name!r}; it has {', '.join(known) or 'none'}")
        try:
            found[name] = float(text)
        except ValueError:
            raise InputError(f"--dataset {dataset}: write knobs as name=number,... after the colon") from None
        must_be_whole = name in _WHOLE[family]
        if not within(found[name], known[name].interval) or (must_be_whole and not found[name].is_integer()):
            kind = "as a whole number in " if must_be_whole else "in "
            raise InputError(f"the knob {name} of {family} must lie {kind}{known[name].interval}, got {text}")
    if family == "mixture" and found["clusters"] > found["dimension"]:
        raise InputError("mixture needs a dimension for every cluster; raise dimension or lower clusters")
    return found


def canonical(dataset: str) -> str:
    """One name for one data set: the knobs that differ from their defaults, in the order of KNOBS.

    >>> canonical("mixture:tails=5,hard=0.10,scale=0.7")
    'mixture:hard=0.1,tails=5'
    """
    family = dataset.partition(":")[0]
    usual = {knob.name: knob.default for knob in _OF_FAMILY.get(family, ())}
    moved = [f"{name}={value!r}".removesuffix(".0") for name, value in knobs(dataset).items() if value != usual[name]]
    return f"{family}:{','.join(moved)}" if moved else family


def _around(count: int, weight: float, distance: float, scale: float) -> tuple[Cluster, ...]:
    return tuple(Cluster(weight / count, (0.0,) * axis + (distance,), scale) for axis in range(count))


@lru_cache(maxsize=8)
def mixture(dataset: str) -> Mixture:
    """The class densities of a family other than dense."""
    if dataset == "gaussians":
        return Mixture((Cluster(1.0, (0.96,) * DIMENSIONS, 1.0),), (Cluster(1.0, (), 1.0),))
    if dataset == "xor":
        return Mixture(
            positive=(Cluster(0.5, (2.3, 2.3), 0.7), Cluster(0.5, (-2.3, -2.3), 0.7)),
            negative=(Cluster(0.9, (), 1.0), Cluster(0.05, (2.3, -2.3), 0.7), Cluster(0.05, (-2.3, 2.3), 0.7)),
        )
    knob = knobs(dataset)
    count = int(knob["clusters"])
    fringe = _around(count, knob["hard"], knob["hard_distance"], knob["hard_scale"]) if knob["hard"] else ()
    return Mixture(
        positive=_around(count, 1.0, knob["distance"], knob["scale"]),
        negative=(Cluster(1 - knob["hard"], (), 1.0), *fringe),
        dimension=int(knob["dimension"]),
        tails=knob["tails"],
    )


def draw(family: str, counts: Counts, split: str, seed: int, key: str) -> Dataset:
    """Draw a split with exactly counts.positives positives, in mixed order, with clean labels.

    family: one of FAMILIES but dense, with knobs or without. split: names the draw ("train", ...). seed, key: see
    randomness.generator. For one seed the first k positives are the same whatever the counts, and so are the first
    negatives. Returns features (counts.rows, dimension) and the Bayes log odds at the prevalence drawn.
    """
    densities = mixture(family)
    drawn = (
        _rows(densities, densities.positive, counts.positives, seed, f"{split}-positive", key),
        _rows(densities, densities.negative, counts.negatives, seed, f"{split}-negative", key),
    )
    order = generator(seed, f"{split}-order", key).permutation(counts.rows)
    features = np.concatenate(drawn)[order]
    targets = (order < counts.positives).astype(np.int8)
    prior = np.log(counts.positives) - np.log(counts.negatives)
    return Dataset(features, targets, log_likelihood_ratio(densities, features) + prior)


def log_likelihood_ratio(densities: Mixture, features: Features) -> Floats:
    """Return log f1(x) - log f0(x), (rows,) float64, for features (rows, dimension)."""
    points = np.ascontiguousarray(features.T, dtype=np.float64)
    return _log_density(densities, densities.positive, points) - _log_density(densities, densities.negative, points)


def _rows(densities: Mixture, clusters: tuple[Cluster, ...], count: int, seed: int, purpose: str, key: str) -> Features:
    # a generator for each, so that the first k rows do not depend on how many follow
    shares = np.cumsum([cluster.weight for cluster in clusters])[:-1]
    which = np.searchsorted(shares, generator(seed, f"{purpose}-cluster", key).random(count), side="right")
    noise = generator(seed, f"{purpose}-noise", key)
    rows = noise.standard_normal((count, densities.dimension), dtype=np.float32)
    if math.isfinite(densities.tails):
        mixing = generator(seed, f"{purpose}-tails", key).chisquare(densities.tails, count) / densities.tails
        rows /= np.sqrt(mixing)[:, None].astype(np.float32)
    rows *= np.array([cluster.scale for cluster in clusters], dtype=np.float32)[which, None]
    rows += np.stack([_centre(cluster, densities.dimension) for cluster in clusters]).astype(np.float32)[which]
    return rows


def _log_density(densities: Mixture, clusters: tuple[Cluster, ...], points: Floats) -> Floats:
    """Log density of points (dimension, rows), less the constant of the unit cluster: it cancels in the ratio."""
    return np.asarray(np.logaddexp.reduce([_log_term(densities, cluster, points) for cluster in clusters]))


def _log_term(densities: Mixture, cluster: Cluster, points: Floats) -> Floats:
    centre = _centre(cluster, densities.dimension)
    distances = np.einsum("ij,ij->j", points, points) - 2 * centre @ points + centre @ centre
    constant = np.log(cluster.weight) - densities.dimension * np.log(cluster.scale)
    if not math.isfinite(densities.tails):
        return np.asarray(constant - distances / (2 * cluster.scale**2))
    freedom = densities.tails
    squared = np.maximum(distances, 0) / (freedom * cluster.scale**2)
    return np.asarray(constant - (freedom + densities.dimension) / 2 * np.log1p(squared))


def _centre(cluster: Cluster, dimension: int) -> Floats:
    return np.array([*cluster.mean, *[0.0] * (dimension - len(cluster.mean))])
