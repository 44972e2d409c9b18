"""What each bucket of test rows does to a metric at a threshold, for the same intervals as average precision's.

Where the threshold comes from other rows, such a metric is linear in the test rows and the sums are exact. Where the
test rows decide it themselves, a bucket's part is the metric minus the metric without the bucket's rows of one class,
for which the other rows of that class stand in (a jackknife that deletes groups: Shao & Wu 1989; that of single rows
fails for what rests on a quantile). Either way the sums of each class are centred.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from focalbench.metrics.influence import BUCKETS, Floats, Integers, bucket_of
from focalbench.metrics.threshold import ROUNDING

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rows:
    """Test rows. positive: (rows,), both classes there; mass: (rows,) >= 0 of mean 1; bucket: (rows,) of each."""

    positive: Mask
    mass: Floats
    bucket: Integers

    @classmethod
    def of(cls, positive: Mask, weights: Floats | None, units: Integers) -> "Rows":
        """weights: (rows,), None for 1 each. units: which row or group of the whole table each is."""
        mass = np.ones(len(positive)) if weights is None else weights / weights.mean()
        return cls(positive, mass, bucket_of(units))

    def mean_sums(self, values: Floats, members: Mask) -> Floats:
        """What each bucket does to the mean of values (rows,) over the rows of one class, (bucket,)."""
        share = self.mass[members] / self.mass[members].sum()
        own = values[members]
        return np.bincount(self.bucket[members], share * (own - share @ own), minlength=BUCKETS).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Reached:
    """The mass of positives and of negatives at or above the score of each positive, the highest first, and of all."""

    true: Floats
    false: Floats
    positives: float
    negatives: float


At = Callable[[Reached], float]  # a metric at a threshold that the rows themselves decide


def recall_at_fpr(fpr: float) -> At:
    """The largest recall at a false positive rate of at most fpr."""
    return lambda found: _most(found, found.false <= fpr * found.negatives * (1 + ROUNDING))


def recall_at_precision(precision: float) -> At:
    """The largest recall at a precision of at least so much."""
    return lambda found: _most(found, found.true >= precision * (found.true + found.false) * (1 - ROUNDING))


def precision_at(k: float) -> At:
    """Precision among the highest mass of k; a positive that is reached in part counts in part."""

    def precision(found: Reached) -> float:
        own = np.diff(found.true, prepend=0.0)
        return float(np.clip(k - (found.true - own + found.false), 0.0, own).sum() / k)

    return precision


def _most(found: Reached, good: Mask) -> float:
    return float((found.true * good).max() / found.positives)


def left_out_sums(at: At, scores: Floats, rows: Rows) -> Floats:
    """The sums of a metric whose threshold these rows decide, (bucket,). scores: (rows,), finite."""
    curve = _Curve.of(scores, rows)
    whole, sums = at(curve.whole), np.zeros(BUCKETS)
    for members in (rows.positive, ~rows.positive):
        share = np.bincount(rows.bucket[members], rows.mass[members], minlength=BUCKETS) / rows.mass[members].sum()
        parts = np.zeros(BUCKETS)
        for bucket, without in curve.without(members, share):
            parts[bucket] = (1 - share[bucket]) * (whole - at(without))
        sums += parts - share * parts.sum()
    return sums


@dataclass(frozen=True, eq=False)
class _Curve:
    """Rows by the place of their score among the positives'. column: (rows,) the first positive that each does not
    reach; last: (positives,) the last that ties.
    """

    rows: Rows
    column: Integers
    last: Integers
    whole: Reached

    @classmethod
    def of(cls, scores: Floats, rows: Rows) -> "_Curve":
        ranked = -np.sort(-scores[rows.positive])
        column = np.searchsorted(-ranked, -scores, side="left").astype(np.int64)
        last = (np.searchsorted(-ranked, -ranked, side="right") - 1).astype(np.int64)
        true, false = (_reached(column[m], rows.mass[m], last) for m in (rows.positive, ~rows.positive))
        total = rows.mass[rows.positive].sum(), rows.mass[~rows.positive].sum()
        return cls(rows, column, last, Reached(true, false, *map(float, total)))

    def without(self, members: Mask, share: Floats) -> Iterator[tuple[int, Reached]]:
        """Each bucket that has rows of a class, and what is reached without these, the others standing in for them."""
        rows, whole = self.rows, self.whole
        places = np.flatnonzero(members)
        places = places[np.argsort(rows.bucket[places], kind="stable")]
        ends = np.searchsorted(rows.bucket[places], np.arange(BUCKETS + 1))
        positives = bool(rows.positive[places[0]])
        for bucket in np.flatnonzero((share > 0) & (share < 1)):
            own = places[ends[bucket] : ends[bucket + 1]]
            lost = _reached(self.column[own], rows.mass[own], self.last)
            left = ((whole.true if positives else whole.false) - lost) / (1 - share[bucket])
            true, false = (left, whole.false) if positives else (whole.true, left)
            yield int(bucket), Reached(true, false, whole.positives, whole.negatives)


def _reached(column: Integers, mass: Floats, last: Integers) -> Floats:
    """The mass of rows at or above the score of each positive, (positives,)."""
    return np.bincount(column, mass, minlength=len(last) + 1)[:-1].cumsum()[last]
