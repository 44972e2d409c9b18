"""Synthetic families with an exact positive count and a known Bayes score: mixtures of isotropic Gaussians.

The exact log odds of a row x are log f1(x) - log f0(x) + log(positives / negatives), where f1 and f0 are the
mixture densities of the two classes.
"""

from dataclasses import dataclass

import numpy as np

from focalbench.datasets.dataset import Counts, Dataset, Features, Floats
from focalbench.errors import InputError
from focalbench.randomness import generator

DIMENSIONS = 10


@dataclass(frozen=True)
class Cluster:
    """One isotropic Gaussian: its weight within the class, its mean (trailing zeros left out), its scale."""

    weight: float
    mean: tuple[float, ...]
    scale: float


@dataclass(frozen=True)
class Mixture:
    """The class densities of a family; the weights of each class sum to one."""

    about: str
    positive: tuple[Cluster, ...]
    negative: tuple[Cluster, ...]


_AXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def _around(weight: float, distance: float, scale: float) -> tuple[Cluster, ...]:
    return tuple(Cluster(weight, tuple(distance * part for part in axis), scale) for axis in _AXES)


_MIXTURES = {
    "mixture": Mixture(
        "an easy bulk of negatives, a small hard fringe near three positive clusters (Bayes AUCPR .71)",
        positive=_around(1 / 3, 5.0, 0.7),
        negative=(Cluster(0.97, (), 1.0), *_around(0.01, 3.0, 1.0)),
    ),
    "gaussians": Mixture(
        "two overlapping Gaussians, the best score is linear (Bayes AUCPR .44)",
        positive=(Cluster(1.0, (0.96,) * DIMENSIONS, 1.0),),
        negative=(Cluster(1.0, (), 1.0),),
    ),
    "xor": Mixture(
        "two positive clusters on one diagonal, hard negatives on the other (Bayes AUCPR .62)",
        positive=(Cluster(0.5, (2.3, 2.3), 0.7), Cluster(0.5, (-2.3, -2.3), 0.7)),
        negative=(Cluster(0.9, (), 1.0), Cluster(0.05, (2.3, -2.3), 0.7), Cluster(0.05, (-2.3, 2.3), 0.7)),
    ),
}

FAMILIES: tuple[str, ...] = tuple(_MIXTURES)
ABOUT: dict[str, str] = {name: mixture.about for name, mixture in _MIXTURES.items()}


def draw(family: str, counts: Counts, split: str, seed: int, key: str) -> Dataset:
    """Draw a split with exactly counts.positives positives, in mixed order, with clean labels.

    family: one of FAMILIES. split: names the draw ("train", ...). seed, key: see randomness.generator.
    For one seed the first k positives are the same whatever the counts, and so are the first negatives.
    Returns features (counts.rows, 10) and the Bayes log odds at the prevalence drawn. Raises InputError for
    an unknown family.
    """
    if family not in _MIXTURES:
        raise InputError(f"unknown synthetic family {family!r}; choose one of {', '.join(FAMILIES)}")
    mixture = _MIXTURES[family]
    drawn = (
        _rows(mixture.positive, counts.positives, seed, f"{split}-positive", key),
        _rows(mixture.negative, counts.negatives, seed, f"{split}-negative", key),
    )
    order = generator(seed, f"{split}-order", key).permutation(counts.rows)
    features = np.concatenate(drawn)[order]
    targets = (order < counts.positives).astype(np.int8)
    prior = np.log(counts.positives) - np.log(counts.negatives)
    return Dataset(features, targets, log_likelihood_ratio(family, features) + prior)


def log_likelihood_ratio(family: str, features: Features) -> Floats:
    """Return log f1(x) - log f0(x), (rows,) float64, for features (rows, 10)."""
    mixture, points = _MIXTURES[family], np.ascontiguousarray(features.T, dtype=np.float64)
    return _log_density(mixture.positive, points) - _log_density(mixture.negative, points)


def _rows(clusters: tuple[Cluster, ...], count: int, seed: int, purpose: str, key: str) -> Features:
    # two generators, so that the first k rows do not depend on how many follow
    shares = np.cumsum([cluster.weight for cluster in clusters])[:-1]
    which = np.searchsorted(shares, generator(seed, f"{purpose}-cluster", key).random(count), side="right")
    noise = generator(seed, f"{purpose}-noise", key)
    rows = noise.standard_normal((count, DIMENSIONS), dtype=np.float32)
    rows *= np.array([cluster.scale for cluster in clusters], dtype=np.float32)[which, None]
    rows += np.stack([_centre(cluster) for cluster in clusters]).astype(np.float32)[which]
    return rows


def _log_density(clusters: tuple[Cluster, ...], points: Floats) -> Floats:
    """Log density of points (10, rows), less the constant of the standard normal: it cancels in the ratio."""
    return np.asarray(np.logaddexp.reduce([_log_term(cluster, points) for cluster in clusters]))


def _log_term(cluster: Cluster, points: Floats) -> Floats:
    centre = _centre(cluster)
    distances = np.einsum("ij,ij->j", points, points) - 2 * centre @ points + centre @ centre
    constant = np.log(cluster.weight) - DIMENSIONS * np.log(cluster.scale)
    return np.asarray(constant - distances / (2 * cluster.scale**2))


def _centre(cluster: Cluster) -> Floats:
    return np.array([*cluster.mean, *[0.0] * (DIMENSIONS - len(cluster.mean))])
