"""A whole table before it is split: a frame of features, its targets, and which rows belong together."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from focalbench.datasets.dataset import Floats, Known, Targets

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["number", "time of day", "date", "category", "dropped"]
Part = Literal["group", "time", "weight", "score"]
Groups = NDArray[np.int64]
FEW_GROUPS = 5  # at most so many: a seed tests on one of them
UNKNOWN = 2  # beside a target of 0 and 1
Codes = Targets | NDArray[np.int64]  # a number for each value of the target


@dataclass(frozen=True)
class ColumnReading:
    """How one column of a file is read. how: what was stripped, assumed or added; for a dropped one, why. missing:
    cells without a value, and distinct: different values among the others.
    """

    name: str
    read_as: Kind
    how: str
    missing: int
    distinct: int


@dataclass(frozen=True)
class TargetReading:
    """How a column to predict was read. values: the most frequent first, and counts, the rows of each; positive: the
    value that counts as 1, "" for classes of which none was named; unknown: rows without a value. others: spellings in
    the file that were taken for one of the values, but for case.
    """

    column: str
    values: tuple[str, ...]
    counts: tuple[int, ...]
    positive: str
    unknown: int = 0
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows, most = sum(self.counts), 8
        shown = [
            f"{value} in {count:,} rows ({count / rows:.2%}{', positive' if value == self.positive else ''})"
            for place, (value, count) in enumerate(zip(self.values, self.counts, strict=True))
            if place < most or value == self.positive
        ]
        more = [f"{len(self.values) - len(shown):,} more values"] if len(self.values) > len(shown) else []
        unknown = [f"unknown in {self.unknown:,}"] if self.unknown else []
        alike = f"; also spelled {', '.join(self.others)}" if self.others else ""
        return f"target {self.column}: {', '.join([*shown, *more, *unknown])}{alike}"


@dataclass(frozen=True)
class SpecialReading:
    """How a column that groups, orders or weighs the rows was read. how: as what, and what was stripped or assumed."""

    part: Part
    column: str
    how: str

    def __str__(self) -> str:
        return f"{self.part} {self.column}: {self.how}"


def are_few(groups: Groups) -> bool:
    """Whether each seed tests on one group, validates on another, and trains on the rest.

    >>> are_few(np.array([3, 1, 1, 2])), are_few(np.array([1, 2, 2])), are_few(np.arange(6))
    (True, False, False)
    """
    return 3 <= len(np.unique(groups)) <= FEW_GROUPS


@dataclass(frozen=True, eq=False)
class Table:
    """A table and how it may be split.

    frame: the feature columns, float64 or float32 where numeric (then perhaps less a constant), pandas categories where
    categorical (a missing value is NaN in both). targets: (rows,) int8 of 0 and 1. categorical: names of the
    categorical columns. sha256: of the source's bytes and of what makes this table of them; it stands for the table in
    a run's identity. notes: what was done to the source, a sentence each. groups: (rows,) numbers of the groups that
    rows belong to, of which none may be in two splits; None where every row stands for itself. ordered: whether the
    groups are times, the latest of which are the test. weights: (rows,) float64 >= 0, what each row counts for, None
    for 1 each. target: the column's name, where a file or library has one. labels: (rows, outputs) int8 of 0 and 1,
    one-hot for classes, None for a binary target; names: of these outputs. targets are then those of the last one, the
    rare one. changes: what makes this another table than version 0.1.0 made of the same source, for a run's identity.
    equal: (rows,) numbers of the sets of rows with equal features, of which none may be in two splits; None where no
    two are equal, or groups come first. known: (rows, outputs) which labels are known, None where all are; an unknown
    one is 0 in labels. hours: that the times span, None where they are no dates. outputs, special and columns: how each
    column to predict, each that groups, orders or weighs the rows, and each other one of a file, was read.
    warnings: what a reader should look at before training. derived: names of features with that of the source's column
    each is a part of, such as a date's year.
    """

    frame: "pd.DataFrame"
    targets: Targets
    categorical: tuple[str, ...]
    sha256: str
    notes: tuple[str, ...] = ()
    groups: Groups | None = None
    ordered: bool = False
    weights: Floats | None = None
    target: str = ""
    labels: Targets | None = None
    names: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    equal: Groups | None = None
    known: Known | None = None
    outputs: tuple[TargetReading, ...] = ()
    columns: tuple[ColumnReading, ...] = ()
    warnings: tuple[str, ...] = ()
    derived: tuple[tuple[str, str], ...] = ()
    special: tuple[SpecialReading, ...] = ()
    hours: float | None = None

    @property
    def reading(self) -> str:
        """Hash of the changes (16 hex digits), empty without any."""
        return hashlib.sha256("\n".join(self.changes).encode()).hexdigest()[:16] if self.changes else ""

    @property
    def split_by_group(self) -> bool:
        """Whether rows go to the splits in groups or sets, so that what a split holds may depend on the seed."""
        return self.groups is not None or self.equal is not None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.targets)

    @property
    def positives(self) -> int:
        """Number of rows whose target is 1."""
        return int(np.count_nonzero(self.targets))

    @property
    def classes(self) -> Targets:
        """The target of each row, UNKNOWN where it is not known: (rows,)."""
        if self.known is None:
            return self.targets
        return np.where(self.known[:, -1], self.targets, UNKNOWN).astype(np.int8)

    @property
    def counted(self) -> int:
        """Number of rows whose target is known, of which the positives are a rate."""
        return self.rows if self.known is None else int(np.count_nonzero(self.known[:, -1]))


def distinct_rows(frame: "pd.DataFrame", targets: Codes) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Which rows do not repeat an earlier one, target included, (rows,); and a note when some do."""
    import pandas as pd

    repeated = np.asarray(pd.Series(row_numbers(frame, targets)).duplicated())
    count = int(repeated.sum())
    return ~repeated, (f"removed {count:,} duplicate rows of {len(targets):,}",) if count else ()


def row_numbers(frame: "pd.DataFrame", targets: Codes) -> NDArray[np.intp]:
    """A number for each row, (rows,), the same for rows that are the same, target included.

    Rows of one hash are compared cell by cell: two that differ may share a hash.
    """
    import pandas as pd

    numbers = np.asarray(pd.factorize(_hashes(frame, targets))[0], dtype=np.intp)
    alike = np.flatnonzero(np.bincount(numbers)[numbers] > 1)  # most tables have few
    if not len(alike):
        return numbers
    compared = _refined(numbers[alike], targets[alike].astype(np.int64))
    for name in frame.columns:
        compared = _refined(compared, _comparable(frame[name].iloc[alike]))
    numbers[alike] = len(numbers) + compared
    return np.asarray(pd.factorize(numbers)[0], dtype=np.intp)


def _refined(numbers: NDArray[np.intp], values: Any) -> NDArray[np.intp]:
    """Numbers of rows, the same where both the numbers and the values are; missing values are equal."""
    import pandas as pd

    codes = pd.factorize(values)[0].astype(np.intp)
    return np.asarray(pd.factorize(numbers * (codes.max() + 2) + codes + 1)[0], dtype=np.intp)


def _comparable(column: "pd.Series[Any]") -> Any:
    """What rows are compared by: of a category its code."""
    return column.cat.codes.to_numpy() if column.dtype == "category" else column


def _hashes(frame: "pd.DataFrame", targets: Codes) -> NDArray[np.uint64]:
    """A hash of each row, a column at a time; the two zeros are one number."""
    import pandas as pd

    total = targets.astype(np.uint64)
    for name in frame.columns:
        column = frame[name]
        if column.dtype == "category":
            part = pd.util.hash_array(np.asarray(column.cat.codes, dtype=np.int64))
        elif column.dtype.kind == "f":
            part = pd.util.hash_array(column.to_numpy(np.float64) + 0.0)
        else:  # integers as such: of 2**60 and more, floats would make many the same
            part = pd.util.hash_pandas_object(column, index=False).to_numpy()
        total = total * np.uint64(1_099_511_628_211) + part
    return total
