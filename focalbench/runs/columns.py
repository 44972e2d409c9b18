"""What a person says of the columns of a file."""

from dataclasses import dataclass, fields, replace
from typing import Self


@dataclass(frozen=True)
class Columns:
    """Which column of a file plays which part. Each is an option of the command line and a key of experiment files.

    target: the column to predict; labels: the columns of 0/1 to predict, of a multilabel task, without target.
    positive: the value that counts as 1, compared as text ("1" matches 1.0), not needed for 0/1 or true/false; of a
    multiclass target the rare class, not needed where it is the rarest. drop: columns to leave out. drop_duplicates:
    whether rows that repeat an earlier one are removed. category: columns of codes that are no numbers. group: rows
    with the same value are never in two splits. time: the latest rows are the test. weight: what a row counts for,
    >= 0.
    """

    target: str | None = None
    labels: tuple[str, ...] = ()
    positive: str | None = None
    drop: tuple[str, ...] = ()
    drop_duplicates: bool = False
    category: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    weight: str | None = None

    @property
    def predicted(self) -> tuple[str, ...]:
        """The columns to predict."""
        return self.labels or (() if self.target is None else (self.target,))

    @property
    def special(self) -> dict[str, str]:
        """The columns that are no features, by their part."""
        named = {"group": self.group, "time": self.time, "weight": self.weight}
        return {part: name for part, name in named.items() if name is not None}

    def in_order(self) -> Self:
        """The same, however its lists were typed."""
        return replace(self, drop=tuple(sorted(set(self.drop))), category=tuple(sorted(set(self.category))))


NO_COLUMNS = Columns()  # nothing is said, as of synthetic data
COLUMN_KEYS = tuple(each.name for each in fields(Columns))
