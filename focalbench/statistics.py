"""Intervals, paired tests and corrections over seeds; NumPy in, NumPy out, every draw from an explicit rng.

Differences are (seed, arm): each arm minus its comparator on the same seed. A ratio, n_test / n_train, stands
for re-splits of one table (Nadeau & Bengio 2003); None means fresh draws.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXACT_SEEDS = 12  # up to here all 2^n sign flips are enumerated
INTERVAL_SEEDS = 4  # with fewer, Student's t makes an interval of four standard errors or more to each side
LEAST_SEEDS = 6  # with fewer, no p-value of a two-sided flip test reaches .05
ROUNDING = 1e-12  # cosines closer than this are tied


@dataclass(frozen=True)
class Interval:
    """An estimate between its confidence limits; the limits are NaN where one seed allows none."""

    estimate: float
    low: float
    high: float


def mean_interval(values: Floats, ratio: float | None = None, level: float = 0.95) -> Interval:
    """Return the mean of a (seed,) sample with its Student t interval, n - 1 degrees of freedom.

    With a ratio the variance is (1/n + ratio) s^2 (Nadeau & Bengio 2003, corrected resampled t).
    Raises ValueError for an empty or non-finite sample.
    """
    column = _checked(values[:, None], least=1)
    mean = float(column.mean())
    if len(column) == 1:
        return Interval(mean, np.nan, np.nan)
    margin = _t_quantile(len(column), (1 + level) / 2) * float(standard_error(column, ratio)[0])
    return Interval(mean, mean - margin, mean + margin)


def standard_error(differences: Floats, ratio: float | None = None) -> Floats:
    """Return the (arm,) standard error of the mean of each column: s sqrt(1/n + ratio).

    Raises ValueError for fewer than 2 seeds or non-finite values.
    """
    values = _checked(differences, least=2)
    return np.asarray(values.std(axis=0, ddof=1) * np.sqrt(1 / len(values) + (ratio or 0.0)))


def max_t(differences: Floats, rng: np.random.Generator, flips: int = 10_000) -> tuple[Floats, Floats]:
    """Return raw and step-down max-T adjusted p-values, each (arm,), of paired differences (seed, arm).

    Each seed's whole vector flips its sign, under which a null distribution that is symmetric about 0 stays
    the same; |t| is compared over all 2^n flips up to 12 seeds, else over that many random ones as
    (b + 1) / (flips + 1). Adjusted after Westfall & Young 1993, algorithm 4.1. A column of zeros has p = 1; a
    constant one counts as an infinite |t|. Raises ValueError below 6 seeds or for non-finite values.
    """
    values = _checked(differences)
    null = _flipped_cosines(values, rng, flips)
    order = np.argsort(-null[0], kind="stable")
    observed, null = null[0, order], null[:, order]
    rivals = np.maximum.accumulate(null[:, ::-1], axis=1)[:, ::-1]  # the largest of this column and all weaker
    raw, adjusted = np.empty((2, len(order)))
    raw[order] = (null >= observed - ROUNDING).mean(axis=0)
    adjusted[order] = np.maximum.accumulate((rivals >= observed - ROUNDING).mean(axis=0))
    return raw, adjusted


def simultaneous_critical(differences: Floats, rng: np.random.Generator, level: float = 0.95) -> float:
    """Return the level quantile of max |t| over the columns of (seed, arm) under joint sign flips.

    mean +- critical x standard_error covers the true differences of all columns at once. The residuals are
    flipped, not the values (Westfall & Young 1993, single-step; Wu 1986): flips of values that are far from 0
    give too small a quantile, hence intervals that cover less than they promise. Raises ValueError as max_t.
    """
    values = _checked(differences)
    largest = _flipped_cosines(values - values.mean(axis=0), rng).max(axis=1)
    return float(_t_of_cosine(np.quantile(largest, level, method="inverted_cdf"), len(values)))


def corrected_t_p(differences: Floats, ratio: float) -> Floats:
    """Return the two-sided p-value of each column of (seed, arm), (arm,), by the corrected resampled t-test.

    The variance is (1/n + ratio) s^2 with n - 1 degrees of freedom (Nadeau & Bengio 2003). A column of zeros
    has p = 1. Raises ValueError for fewer than 2 seeds or non-finite values.
    """
    from scipy.special import stdtr

    values = _checked(differences, least=2)
    tails = 2 * stdtr(len(values) - 1, -np.abs(_t_statistic(values, ratio)))
    return np.asarray(tails, dtype=np.float64)


def holm(p_values: Floats) -> Floats:
    """Return the step-down adjusted p-values, (arm,), in the order given (Holm 1979).

    Raises ValueError for a p-value outside [0, 1].
    """
    if not np.all((p_values >= 0) & (p_values <= 1)):
        raise ValueError("p-values must lie in [0, 1]")
    order = np.argsort(p_values, kind="stable")
    steps = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps * p_values[order]), 1)
    return adjusted


def indistinguishable_from_best(
    values: Floats, rng: np.random.Generator, ratio: float | None = None, level: float = 0.95
) -> NDArray[np.bool_]:
    """Return the (arm,) mask of the arms that cannot be told from the best; higher values are better.

    values: (seed, arm). An arm leaves the set when some other arm is better by a simultaneous interval, over
    all pairs of arms, that excludes 0: max-T sign flips on fresh draws, Bonferroni on the corrected resampled
    t with a ratio. The arm with the highest mean always stays. Raises ValueError for non-finite values, below
    6 seeds on fresh draws, below 2 with a ratio.
    """
    best = np.ones(values.shape[1], dtype=np.bool_)
    if len(best) == 1:
        return best
    first, second = np.array(list(combinations(range(len(best)), 2))).T
    t = _t_statistic(_checked(values[:, first] - values[:, second], least=2), ratio)
    if ratio is None:
        critical = simultaneous_critical(values[:, first] - values[:, second], rng, level)
    else:
        critical = _t_quantile(len(values), 1 - (1 - level) / 2 / len(first))
    best[second[t > critical]] = False
    best[first[t < -critical]] = False
    return best


def smallest_detectable(differences: Floats, critical: float, ratio: float | None = None, power: float = 0.8) -> float:
    """Return the smallest true difference that these seeds find with that power, the median over the arms.

    SE x (critical + t_{power, n-1}), in the unit of the (seed, arm) differences; critical: the |t| beyond
    which a difference is called real. Raises ValueError for fewer than 2 seeds or non-finite values.
    """
    reach = critical + _t_quantile(len(differences), power)
    return float(np.median(standard_error(differences, ratio)) * reach)


def _checked(differences: Floats, least: int = LEAST_SEEDS) -> Floats:
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < least:
        raise ValueError(f"{len(values)} seeds are too few; at least {least} are needed")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite; give a diverged run its stand-in value first")
    return values


def _t_quantile(seeds: int, probability: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(seeds - 1, probability))


def _t_statistic(values: Floats, ratio: float | None) -> Floats:
    """Return the signed t of each column, its variance inflated by a ratio."""
    t = _t_of_cosine(_cosines(np.ones((1, len(values))), values)[0], len(values))
    return np.asarray(t / np.sqrt(1 + len(values) * (ratio or 0.0)))


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
