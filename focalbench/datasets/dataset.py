"""What a run sees: features, targets, and (for synthetic data) the best possible score."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from focalbench.runs.result import SplitKind

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Features = NDArray[np.float32]
Targets = NDArray[np.int8]
Known = NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """How many rows, and how many of them are positives."""

    rows: int
    positives: int

    @property
    def negatives(self) -> int:
        """Rows that are not positive."""
        return self.rows - self.positives


@dataclass(frozen=True)
class SplitCounts:
    """The counts of the three splits. weighted: whether the positives of the test are weighted to the rate."""

    train: Counts
    validation: Counts
    test: Counts
    weighted: bool = False

    @property
    def each(self) -> tuple[Counts, Counts, Counts]:
        """Train, validation and test, in this order."""
        return self.train, self.validation, self.test


@dataclass(frozen=True, eq=False)
class AsRead:
    """Which rows of a table's frame, (rows,): they are copied when they are asked for only."""

    frame: "pd.DataFrame"
    rows: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows of one split.

    features: (rows, d) float32. targets: (rows,) int8 of 0 and 1, those of the last label, the rare one, where there
    are several. bayes_logits: (rows,) float64 log odds of the target given the row, or (rows, outputs) of each label,
    or None where nobody knows them (real tables). labels: (rows, outputs) int8 of 0 and 1, one-hot for classes, None
    for a binary target. weights: (rows,) float64 >= 0, what each row counts for, None for 1 each. groups: (rows,) which
    rows belong together, such as an image's anchors, or None. known: (rows, outputs) which labels are known, None where
    all are; an unknown one is 0 in labels, and counts in no loss and no metric. as_read: the rows of a table, None of
    synthetic data. levels: the features that are the levels of one category, 0 or 1, as (first, after the last).
    """

    features: Features
    targets: Targets
    bayes_logits: Floats | None = None
    weights: Floats | None = None
    groups: NDArray[np.int64] | None = None
    labels: Targets | None = None
    known: Known | None = None
    as_read: AsRead | None = None
    levels: tuple[tuple[int, int], ...] = ()

    def frame(self) -> "pd.DataFrame":
        """The columns as they were read: numbers, NaN where missing, and categories; of synthetic data x0, x1, ..."""
        import pandas as pd

        if self.as_read is None:
            names = [f"x{place}" for place in range(self.features.shape[1])]
            return pd.DataFrame(self.features, columns=names)
        return self.as_read.frame.iloc[self.as_read.rows].reset_index(drop=True)

    def where_known(self, output: int) -> Known:
        """The rows of which an output is known, (rows,)."""
        return np.ones(self.rows, dtype=np.bool_) if self.known is None else self.known[:, output]

    def of_output(self, output: int) -> "Dataset":
        """The rows of which an output is known, with it as their target."""
        one = replace(self, targets=self.outputs[:, output], labels=None, known=None)
        if self.known is None:
            return one
        rows = self.known[:, output]
        weights = None if self.weights is None else self.weights[rows]
        groups = None if self.groups is None else self.groups[rows]
        as_read = None if self.as_read is None else replace(self.as_read, rows=self.as_read.rows[rows])
        kept = replace(one, weights=weights, groups=groups, as_read=as_read)
        return replace(kept, features=one.features[rows], targets=one.targets[rows])

    def shares(self) -> Floats:
        """Share of the rows, by weight, that are 1 in each output, of those where it is known: (outputs,)."""
        if self.known is None:
            return np.asarray(np.average(self.outputs, axis=0, weights=self.weights))
        mass = self.known * (1.0 if self.weights is None else self.weights[:, None])
        return np.asarray((mass * self.outputs).sum(axis=0) / mass.sum(axis=0))

    @property
    def outputs(self) -> Targets:
        """The labels, or the targets as their only column: (rows, outputs)."""
        return self.targets[:, None] if self.labels is None else self.labels

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.targets)

    @property
    def positives(self) -> int:
        """Number of rows whose target is 1."""
        return int(np.count_nonzero(self.targets))

    @property
    def prevalence(self) -> float:
        """Share of the rows, by weight, whose target is 1, in [0, 1]."""
        if self.weights is None:
            return self.positives / self.rows
        return float(self.weights @ self.targets / self.weights.sum())


@dataclass(frozen=True, eq=False)
class Resampling:
    """How the rows of a table come to the splits of a seed, which other seeds split otherwise.

    kind: how rows were dealt. units: (test rows,) which row or group of the table each test row is, the same for every
    seed. train_share: (outputs,) of the table's positives, or of its groups, that train, in [0, 1]; 0 for time, where
    all seeds train on the same rows.
    """

    kind: SplitKind
    units: NDArray[np.int64]
    train_share: Floats


@dataclass(frozen=True, eq=False)
class Splits:
    """The three splits of one seed.

    noisy_test_targets: (test rows,) int8, the test targets under the same label noise as the other splits;
    None without noise. The targets of `test` itself are always clean. names: of the outputs, where there are several.
    measured: the outputs with enough rows to be validated and tested. resampling: None for fresh draws. test_numbers:
    (test rows,) of a table's rows from 0, None for fresh draws.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    noisy_test_targets: Targets | None = None
    names: tuple[str, ...] = ()
    measured: tuple[int, ...] = (0,)
    resampling: Resampling | None = None
    test_numbers: NDArray[np.int64] | None = None

    @cached_property
    def sha256(self) -> str:
        """Hash of every array's type, shape and bytes (64 hex digits), so that a result can name its data."""
        parts = (self.train, self.validation, self.test)
        arrays = [a for part in parts for a in (part.features, part.targets, part.bayes_logits)]
        weights = [part.weights for part in parts if part.weights is not None]
        labels = [part.labels for part in parts if part.labels is not None]
        known = [part.known for part in parts if part.known is not None]
        return _sha256([*arrays, self.noisy_test_targets, *weights, *labels, *known])


def _sha256(arrays: Iterable[NDArray[np.generic] | None]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(b"none" if array is None else f"{array.dtype.str}{array.shape}".encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
