"""Intervals and paired tests over seeds; NumPy in, NumPy out, every draw from an explicit rng.

Differences are (seed, arm): each arm minus its comparator on the same seed. Seeds that drew their rows anew are
independent. Seeds that split one table anew share rows, which the seeds' own spread does not show: Sample adds what
they share.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXACT_SEEDS = 12  # up to here all 2^n sign flips are enumerated
INTERVAL_SEEDS = 4  # with fewer, Student's t makes an interval of four standard errors or more to each side
LEAST_SEEDS = 6  # with fewer, no p-value of a two-sided flip test reaches .05
SHARED_TRAINING = 0.1  # of the variance of the seeds, times the share of positives that train: found by simulation
ROUNDING = 1e-12  # cosines closer than this are tied


@dataclass(frozen=True)
class Interval:
    """An estimate between its confidence limits; the limits are NaN where one seed allows none."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Sample:
    """A quantity by seed, (seed,), such as a paired difference, and what re-splits of one table share.

    shared: the covariance of two seeds' values that test rows in common bring, >= 0 (shared_covariance). train_share:
    the share of the table's positives that train, in [0, 1]. Both are 0 for fresh draws.
    """

    values: Floats
    shared: float = 0.0
    train_share: float = 0.0

    def times(self, sign: int) -> "Sample":
        """The same, or with its sign turned."""
        return Sample(sign * self.values, self.shared, self.train_share)

    @property
    def seeds(self) -> int:
        """How many."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(self.values.mean())

    @property
    def variance(self) -> float:
        """Of the values, n - 1 in the denominator. Raises ValueError for fewer than 2 seeds or non-finite values."""
        return float(checked(self.values[:, None], least=2).var(axis=0, ddof=1)[0])

    @property
    def standard_error(self) -> float:
        """Of the mean as an estimate for another table of the same kind: sqrt(s2 / n + C + 0.1 f s2)."""
        return self.standard_error_of(self.seeds)

    def standard_error_of(self, seeds: int) -> float:
        """What it would be with so many seeds, the spread as it is: only s2 / n falls."""
        return float(np.sqrt(self.variance * (1 / seeds + SHARED_TRAINING * self.train_share) + self.shared))


def shared_covariance(sums: Floats) -> float:
    """Return the covariance of two seeds' values that the test rows they share bring, >= 0.

    sums: (seed, bucket), the influences of a seed's test rows on its value, summed over the buckets to which rows, or
    groups of rows, are dealt alike in every seed. Products of different seeds' influences on the same row estimate it
    without bias; what other rows of a bucket add has mean 0. Raises ValueError for fewer than 2 seeds.
    """
    seeds = len(sums)
    if seeds < 2:
        raise ValueError(f"{seeds} seeds are too few; at least 2 are needed")
    pairs = np.square(sums.sum(axis=0)) - np.square(sums).sum(axis=0)
    return max(0.0, float(pairs.sum()) / (seeds * (seeds - 1)))


def mean_interval(sample: Sample, level: float = 0.95) -> Interval:
    """Return the mean of a sample with its Student t interval, n - 1 degrees of freedom.

    Raises ValueError for an empty or non-finite sample.
    """
    checked(sample.values[:, None], least=1)
    if sample.seeds == 1:
        return Interval(sample.mean, np.nan, np.nan)
    half = t_quantile(sample.seeds, (1 + level) / 2) * sample.standard_error
    return Interval(sample.mean, sample.mean - half, sample.mean + half)


def max_t(differences: Floats, errors: Floats, rng: np.random.Generator, flips: int = 10_000) -> tuple[Floats, Floats]:
    """Return raw and step-down max-T adjusted p-values, each (arm,), of paired differences (seed, arm).

    errors: (arm,), the standard errors of the means, of which the observed t are made (Sample.standard_error). Each
    seed's whole vector flips its sign, under which a null distribution that is symmetric about 0 stays the same; |t| is
    compared over all 2^n flips up to 12 seeds, else over that many random ones as (b + 1) / (flips + 1). Adjusted
    after Westfall & Young 1993, algorithm 4.1. A column of zeros has p = 1. Raises ValueError below 6 seeds or for
    non-finite values.
    """
    values = checked(differences)
    null = _flipped_cosines(values, rng, flips)
    cosines = _cosine_of_t(values.mean(axis=0), errors, len(values))
    order = np.argsort(-cosines, kind="stable")
    observed, null = cosines[order], null[:, order]
    rivals = np.maximum.accumulate(null[:, ::-1], axis=1)[:, ::-1]  # the largest of this column and all weaker
    raw, adjusted = np.empty((2, len(order)))
    raw[order] = (null >= observed - ROUNDING).mean(axis=0)
    adjusted[order] = np.maximum.accumulate((rivals >= observed - ROUNDING).mean(axis=0))
    return raw, adjusted


def simultaneous_critical(differences: Floats, rng: np.random.Generator, level: float = 0.95) -> float:
    """Return the level quantile of max |t| over the columns of (seed, arm) under joint sign flips.

    mean +- critical x standard error covers the true differences of all columns at once. The residuals are
    flipped, not the values (Westfall & Young 1993, single-step; Wu 1986): flips of values that are far from 0
    give too small a quantile, hence intervals that cover less than they promise. Raises ValueError as max_t.
    """
    values = checked(differences)
    largest = _flipped_cosines(values - values.mean(axis=0), rng).max(axis=1)
    return float(_t_of_cosine(np.quantile(largest, level, method="inverted_cdf"), len(values)))


def checked(differences: Floats, least: int = LEAST_SEEDS) -> Floats:
    """The values as float64. Raises ValueError where there are too few seeds, or values that are not finite."""
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < least:
        raise ValueError(f"{len(values)} seeds are too few; at least {least} are needed")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite; give a diverged run its stand-in value first")
    return values


def t_quantile(seeds: int, probability: float) -> float:
    """Student's, with one degree of freedom less than there are seeds."""
    from scipy.special import stdtrit

    return float(stdtrit(seeds - 1, probability))


def _cosine_of_t(means: Floats, errors: Floats, seeds: int) -> Floats:
    """|t| = |mean / error| as the cosine that the flips are compared with; 0 where both are 0, 1 at infinity."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(means == 0, 0.0, np.abs(means) / errors)
        return np.where(np.isinf(t), 1.0, t / np.sqrt(seeds - 1 + t**2))


def _t_of_cosine(cosine: Floats, seeds: int) -> Floats:
    """Return t = sqrt(n-1) c / sqrt(1-c^2), held below a million sqrt(n-1), which stands for infinity."""
    return np.asarray(np.sqrt(seeds - 1) * cosine / np.sqrt(np.maximum(1 - cosine**2, ROUNDING)))


def _flipped_cosines(values: Floats, rng: np.random.Generator, flips: int = 10_000) -> Floats:
    """Return |cosine| of each flip and column, (flip, arm), the identity first: a monotone function of |t|.

    Flips leave a column's sum of squares alone, so the cosine needs no variance and no division by it.
    """
    return np.abs(_cosines(_signs(len(values), rng, flips), values))


def _cosines(signs: Floats, values: Floats) -> Floats:
    """Return the cosine of each sign vector (flip, seed) with each column (seed, arm); 0 for zero columns."""
    scaled = values / np.maximum(np.abs(values).max(axis=0), np.finfo(np.float64).tiny)
    norms = np.sqrt(len(values) * np.square(scaled).sum(axis=0))
    return np.asarray(signs @ (scaled / np.where(norms > 0, norms, 1)))


def _signs(seeds: int, rng: np.random.Generator, flips: int) -> Floats:
    """Return sign vectors (flip, seed), the identity first: all of them up to 12 seeds, else drawn."""
    if seeds <= EXACT_SEEDS:
        flipped = np.arange(2**seeds)[:, None] >> np.arange(seeds) & 1
    else:
        flipped = rng.integers(2, size=(flips + 1, seeds))
        flipped[0] = 0
    return 1 - 2 * flipped.astype(np.float64)
