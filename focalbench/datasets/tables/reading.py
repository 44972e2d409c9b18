"""How a table was read, in the few lines that a person looks at before training, and as a file of all its columns."""

from collections.abc import Iterator, Sequence

import numpy as np

from focalbench.datasets.tables.table import ColumnReading, Kind, Table, are_few

_SHOWN = 12  # columns of one kind that are named; columns.csv names all
_HEADINGS: tuple[tuple[Kind, str], ...] = (
    ("number", "numbers"),
    ("time of day", "times of day"),
    ("date", "dates"),
    ("category", "categories"),
    ("dropped", "dropped"),
)


def table_sentences(table: Table) -> tuple[str, ...]:
    """How targets and special columns were read, a line for each kind of column, notes, and how rows are split."""
    outputs, special = map(str, table.outputs), map(str, table.special)
    return (*outputs, *special, *column_sentences(table), *table.notes, *_split_sentences(table))


def column_sentences(table: Table) -> tuple[str, ...]:
    """One line for each kind of column: how many there are, which, and what was done to them."""
    return kind_sentences(_columns(table))


def kind_sentences(columns: Sequence[ColumnReading]) -> tuple[str, ...]:
    """The same of columns that make no table, such as those of new rows."""
    return tuple(
        f"{heading} ({len(those)}): {_listed(those)}"
        for kind, heading in _HEADINGS
        if (those := [column for column in columns if column.read_as == kind])
    )


def _columns(table: Table) -> Sequence[ColumnReading]:
    """The columns as they were read; of a table that was read by a program of its own, as they are used."""
    return table.columns or tuple(_used(table))


def _used(table: Table) -> Iterator[ColumnReading]:
    for name in table.frame.columns:
        kind: Kind = "category" if name in table.categorical else "number"
        yield ColumnReading(str(name), kind, "", 0, 0)


def _listed(columns: Sequence[ColumnReading]) -> str:
    """What was done to some comes first, so that it is not lost in a long list."""
    told_of = sorted(columns, key=lambda column: not (column.how or column.missing))
    rest = f", and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return ", ".join(map(_said, told_of[:_SHOWN])) + rest


def _said(column: ColumnReading) -> str:
    missing = f"{column.missing:,} missing" if column.missing and column.read_as != "dropped" else ""
    notes = "; ".join(filter(None, (column.how, missing)))
    return f"{column.name} ({notes})" if notes else column.name


def _split_sentences(table: Table) -> Iterator[str]:
    """What the seeds redraw."""
    if table.ordered:
        yield "split by time, the same for every seed: intervals show what the draws of training move, not of rows"
    elif table.groups is not None and are_few(table.groups):
        groups = len(np.unique(table.groups))
        yield f"{groups} groups: a seed tests on one, validates on another and trains on the rest, in turn"
    elif table.groups is not None:
        yield f"{len(np.unique(table.groups)):,} groups, none in two splits"
