"""Equal rows: which repeat an earlier one in everything, which only in their features, and what is said of them.

Rows with equal features would leak from one split into another, so they stay together (splits.assign_equal_rows). Where
that is asked for, rows that are equal in every column of the source are removed, and no others.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from focalbench.datasets.dataset import Floats
from focalbench.datasets.tables.table import Codes, Groups, row_numbers

if TYPE_CHECKING:
    import pandas as pd

Mask = NDArray[np.bool_]
First = NDArray[np.intp]  # (rows,) the earliest row that is equal to each


@dataclass(frozen=True, eq=False)
class EqualRows:
    """The earliest row that is equal to each: in features, in features and target, in all columns of the source."""

    features: First
    target: First
    source: First

    @property
    def repeats(self) -> Mask:
        """Which rows repeat an earlier one in all columns, (rows,)."""
        return _later(self.source)

    def together(self, kept: Mask, groups: Groups | None) -> Groups | None:
        """Numbers of the sets of rows with equal features, of the rows kept, for Table.equal.

        None where no two of them are equal, and where rows are split by group or time: the two cannot both be kept
        together, and what a user names goes first.
        """
        sets = self.features[kept].astype(np.int64)
        return sets if groups is None and len(np.unique(sets)) < len(sets) else None

    def summed(self, weights: Floats) -> Floats:
        """Weights (rows,), that of a row which is no repeat with those of its repeats."""
        return np.bincount(self.source, weights, minlength=len(weights)).astype(np.float64)

    def changes(self, kept: Mask, together: Groups | None) -> tuple[str, ...]:
        """How the rows kept, and their splits, differ from those of version 0.1.0."""
        other = not np.array_equal(kept, ~_later(self.target))  # it removed repeats of features and target
        rows = (f"{np.count_nonzero(kept)} of {len(kept)} rows are kept",) if other else ()
        return rows if together is None else (*rows, "rows with equal features are in one split")

    def sentence(self, positive: Mask, negative: Mask, groups: Groups | None) -> str:
        """A sentence on the equal rows of a table that keeps them all. positive, negative: (rows,) what is known."""
        repeats = self.repeats
        before, after = (positive[kept].sum() / (positive | negative)[kept].sum() for kept in (slice(None), ~repeats))
        found = (
            f"{np.count_nonzero(_later(self.features)):,} rows of {len(positive):,} have the features of an earlier one"
        )
        also = f"{np.count_nonzero(repeats):,} of them are equal to it in all columns"
        mixed = f"{_spread(self.features, self.target):,} sets of such rows hold different targets"
        kept = "all are kept, and equal rows are never in two splits"
        if groups is not None:
            several = f"{_spread(self.features, groups):,} sets, which have rows of several"
            kept = f"all are kept, and split by group or time, so that {several}, may be in two splits"
        drop = f"`drop_duplicates` removes the {np.count_nonzero(repeats):,}: positive rate {before:.4%} to {after:.4%}"
        return "; ".join([found, also, mixed, kept, *([drop] if repeats.any() else [])])


def equal_rows(source: "pd.DataFrame", features: "pd.DataFrame", codes: Codes) -> EqualRows | None:
    """Find the equal rows of a table, or None where no two have equal features. codes: (rows,) of the targets.

    source: all columns as they were read; rows that are equal in them have equal features.
    """
    numbers = row_numbers(features, np.zeros_like(codes))
    several = np.flatnonzero(np.bincount(numbers)[numbers] > 1)  # most tables have few
    if not len(several):
        return None
    sets = numbers[several]
    with_target = sets * (int(codes.max()) + 1) + codes[several]
    whole = row_numbers(source.iloc[several], codes[several])
    return EqualRows(*(_first(several, found, len(codes)) for found in (sets, with_target, whole)))


def _first(rows: First, numbers: First, total: int) -> First:
    """The earliest row of each of the total's, where those of `rows` with equal numbers are equal to each other."""
    first = np.arange(total)
    _, earliest, which = np.unique(numbers, return_index=True, return_inverse=True)
    first[rows] = rows[earliest[which]]
    return first


def _later(first: First) -> Mask:
    """Which rows have an equal one before them."""
    return np.asarray(first != np.arange(len(first)))


def _spread(sets: First, values: NDArray[np.integer]) -> int:
    """How many sets hold more than one value."""
    pairs = np.unique(np.stack([sets, values], axis=1), axis=0)
    return int(np.count_nonzero(np.unique(pairs[:, 0], return_counts=True)[1] > 1))
