"""What each test row does to average precision, for intervals that know which rows re-splits of a table share."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BUCKETS = 256


def average_precision_influences(scores: Floats, positive: NDArray[np.bool_], weights: Floats | None = None) -> Floats:
    """Return AP minus AP without the row, times (n+ - 1) / n+ for a positive, centred within each class: (rows,).

    scores: (rows,), finite, higher is more positive. positive: (rows,). weights: (rows,) >= 0, or None for 1 each; they
    count in every sum of the average precision. Exact where the rows of a class weigh the same; else a row's own
    weight is taken for that of its neighbours in one place of second order. Zeros where a class has one row only.
    Efron & Stein's jackknife, row by row, in one pass over the sorted scores.
    """
    mass = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=np.float64)
    counted = mass > 0  # what weighs nothing moves nothing
    influences = np.zeros(len(scores))
    own, other = counted & positive, counted & ~positive
    of_positives, of_negatives = _influences(scores[own], scores[other], mass[own], mass[other])
    influences[own], influences[other] = of_positives - of_positives.mean(), of_negatives - of_negatives.mean()
    return influences


def _influences(positives: Floats, negatives: Floats, own: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Those of each class, not centred; own, other: the weights of the positives and of the negatives."""
    order = np.argsort(-positives, kind="stable")
    scores, mass = positives[order], own[order]
    last = np.searchsorted(-scores, -scores, side="right") - 1  # of those that tie
    first_below = np.searchsorted(-scores, -negatives, side="left")  # the first positive that a negative stands above
    above = np.cumsum(np.bincount(first_below, other, minlength=len(scores) + 1)[:-1])[last]
    true = np.cumsum(mass)[last]
    flagged = true + above
    total = mass.sum()
    precision = (mass * true / flagged).sum() / total

    # without a positive of weight w: those that it stands above or ties with lose w in both sums
    lost = mass * above / (flagged * np.maximum(flagged - mass, mass))
    below = _from(lost)[np.searchsorted(-scores, -scores, side="left")] - lost
    without = (precision * total - mass * true / flagged - mass * below) / np.maximum(
        total - mass, np.finfo(float).tiny
    )
    of_positives = np.empty(len(scores))
    of_positives[order] = (precision - without) * (len(scores) - 1) / len(scores)

    # without a negative of weight v: the precision at every positive that it stands above rises
    typical = other.mean() if len(other) else 0.0
    gained = mass * true / (flagged * np.maximum(flagged - typical, true)) / total
    return of_positives, -other * _from(gained)[first_below]


def _from(values: Floats) -> Floats:
    """The sum of the values from each place on, (n + 1,), the last 0."""
    return np.append(np.cumsum(values[::-1])[::-1], 0.0)


def bucket_sums(influences: Floats, units: Integers) -> tuple[float, ...]:
    """Sums of influences, (rows,), over BUCKETS to which units are dealt by a hash, to four digits.

    units: (rows,), which row or group of the whole table each is: the same unit has the same bucket in every split.
    """
    return rounded(np.bincount(bucket_of(units), influences, minlength=BUCKETS).astype(np.float64))


def rounded(sums: Floats) -> tuple[float, ...]:
    """Sums to four digits, as they are kept."""
    return tuple(float(f"{value:.3e}") for value in sums)


def bucket_of(units: Integers) -> Integers:
    """A bucket for each unit, by the finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    mixed = units.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(BUCKETS)).astype(np.int64)
