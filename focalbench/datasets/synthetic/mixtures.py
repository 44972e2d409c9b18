"""Synthetic families with an exact positive count and a known Bayes score: mixtures of isotropic clusters.

The exact log odds of a row x are log f1(x) - log f0(x) + log(positives / negatives), where f1 and f0 are the
mixture densities of the two classes. The family dense is in dense.py, those of several classes in classes.py.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from focalbench.base.randomness import generator
from focalbench.datasets.dataset import Counts, Dataset, Features, Floats
from focalbench.datasets.synthetic.families import DIMENSIONS, MixtureKnobs, knobs


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


def _around(count: int, weight: float, distance: float, scale: float) -> tuple[Cluster, ...]:
    return tuple(Cluster(weight / count, (0.0,) * axis + (distance,), scale) for axis in range(count))


_WITHOUT_KNOBS = {
    "gaussians": Mixture((Cluster(1.0, (0.96,) * DIMENSIONS, 1.0),), (Cluster(1.0, (), 1.0),)),
    "xor": Mixture(
        positive=(Cluster(0.5, (2.3, 2.3), 0.7), Cluster(0.5, (-2.3, -2.3), 0.7)),
        negative=(Cluster(0.9, (), 1.0), Cluster(0.05, (2.3, -2.3), 0.7), Cluster(0.05, (-2.3, 2.3), 0.7)),
    ),
}


@lru_cache(maxsize=8)
def mixture(dataset: str) -> Mixture:
    """The two class densities of a family of mixtures, with knobs or without."""
    match knobs(dataset):
        case MixtureKnobs() as knob:
            return of_knobs(knob)
        case _:
            return _WITHOUT_KNOBS[dataset]


def of_knobs(knob: MixtureKnobs) -> Mixture:
    """The two class densities of a mixture."""
    fringe = _around(knob.clusters, knob.hard, knob.hard_distance, knob.hard_scale) if knob.hard else ()
    return Mixture(
        positive=_around(knob.clusters, 1.0, knob.distance, knob.scale),
        negative=(Cluster(1 - knob.hard, (), 1.0), *fringe),
        dimension=knob.dimension,
        tails=knob.tails,
    )


def draw(family: str, counts: Counts, split: str, seed: int, key: str) -> Dataset:
    """Draw a split of gaussians, xor or mixture, with knobs or without: see draw_from."""
    return draw_from(mixture(family), counts, split, seed, key)


def draw_from(densities: Mixture, counts: Counts, split: str, seed: int, key: str) -> Dataset:
    """Draw a split with exactly counts.positives positives, in mixed order, with clean labels.

    densities: of the two classes. split: names the draw ("train", ...). seed, key: see
    randomness.generator. For one seed the first k positives are the same whatever the counts, and so are the first
    negatives. Returns features (counts.rows, dimension) and the Bayes log odds at the prevalence drawn.
    """
    drawn = (
        draw_rows(densities, densities.positive, counts.positives, seed, f"{split}-positive", key),
        draw_rows(densities, densities.negative, counts.negatives, seed, f"{split}-negative", key),
    )
    order = generator(seed, f"{split}-order", key).permutation(counts.rows)
    features = np.concatenate(drawn)[order]
    targets = (order < counts.positives).astype(np.int8)
    prior = np.log(counts.positives) - np.log(counts.negatives)
    return Dataset(features, targets, log_likelihood_ratio(densities, features) + prior)


def log_likelihood_ratio(densities: Mixture, features: Features) -> Floats:
    """Return log f1(x) - log f0(x), (rows,) float64, for features (rows, dimension)."""
    points = np.ascontiguousarray(features.T, dtype=np.float64)
    return log_density(densities, densities.positive, points) - log_density(densities, densities.negative, points)


def draw_rows(
    densities: Mixture, clusters: tuple[Cluster, ...], count: int, seed: int, purpose: str, key: str
) -> Features:
    """Draw rows (count, dimension) of some clusters; the first k do not depend on how many follow."""
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


def log_density(densities: Mixture, clusters: tuple[Cluster, ...], points: Floats) -> Floats:
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
