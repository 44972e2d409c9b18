"""Real tables that go by a name: read once, coded, and kept in the cache."""

from dataclasses import replace
from functools import partial

import numpy as np

from focalbench.datasets.tables.adbench import ADBENCH
from focalbench.datasets.tables.cache import cached
from focalbench.datasets.tables.duplicates import equal_rows
from focalbench.datasets.tables.installed import INSTALLED
from focalbench.datasets.tables.known import Card, Unhashed
from focalbench.datasets.tables.table import Table, distinct_rows
from focalbench.errors import InputError

REAL_TABLES: dict[str, Card] = INSTALLED | ADBENCH


def real_table(name: str, *, drop_duplicates: bool = False) -> Table:
    """Read one of REAL_TABLES, from the cache if it is there.

    Args:
        name: one of REAL_TABLES.
        drop_duplicates: leave out the rows that repeat an earlier one in features and target.

    Returns:
        The table, before it is split.

    Raises:
        AbsentDataError: where its files are not available: the package is not installed, or the file not fetched.
        InputError: where a file is another one.
    """
    card = REAL_TABLES[name]
    try:
        digest = card.origin.sha256()
        make, kind = (_distinct, f"{name}-distinct") if drop_duplicates else (partial(_whole, card), name)
        return cached(kind.replace(":", "-"), digest, lambda: make(card.read(card.origin.contents()), digest))
    except InputError as error:
        raise type(error)(f"{name}: {error}") from None


def _whole(card: Card, found: Unhashed, sha256: str) -> Table:
    """The table with all its rows; equal ones, where they may be copies, are to be dealt to one split."""
    table = _table(found, sha256)
    equal = equal_rows(table.frame.assign(target=table.targets), table.frame, table.targets) if card.copies else None
    if equal is None:
        return table
    every = np.ones(table.rows, dtype=np.bool_)
    together = equal.together(every, found.groups)
    notes = (equal.sentence(table.targets == 1, table.targets == 0, found.groups),)
    return replace(table, notes=notes, changes=equal.changes(every, together), equal=together)


def _distinct(found: Unhashed, sha256: str) -> Table:
    """The table without rows that repeat an earlier one in features and target; those that are left stand alone."""
    kept, notes = distinct_rows(found.frame, found.positive.astype(np.int8))
    groups = None if found.groups is None else found.groups[kept]
    left = Unhashed(found.frame[kept].reset_index(drop=True), found.positive[kept], groups)
    return replace(_table(left, sha256), notes=notes)


def _table(found: Unhashed, sha256: str) -> Table:
    categorical = tuple(name for name in found.frame.columns if found.frame[name].dtype == "category")
    numbers = {name: "float64" for name in found.frame.columns if name not in categorical}
    frame = found.frame.astype(numbers)
    return Table(frame, found.positive.astype(np.int8), categorical, sha256, groups=found.groups)
