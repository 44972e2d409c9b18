"""From the columns of a frame to features: the one place that decides how a column is read, and says what it decided.

How one column is read: column.py. What the file's other columns say of it: style.py. A column that pandas has read as
numbers stays so, unless the file's other columns show that its dots part thousands.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from focalbench.datasets.columns.column import (
    HALF,
    MANY_TEXTS,
    Column,
    Style,
    column_of_categories,
    holds_digits,
    read_column,
)
from focalbench.datasets.columns.style import has_fractions, with_thousands
from focalbench.datasets.columns.texts import Origin, as_written_in, is_text, texts_of
from focalbench.datasets.dataset import Floats
from focalbench.datasets.tables.table import ColumnReading, distinct_rows
from focalbench.datasets.tables.targets import bare, listed
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

AS_TOLD = ("as told",)  # a category that a person named
_FEW_ROWS = 1000  # among fewer, whole numbers may well differ by chance
_HEAD_CELLS = 50_000  # looked at for what only codes have
_MOST_LEVELS = 10_000  # of a column that are compared with each other
_LIKE_CODES = (
    (re.compile(r"0\d+(\.0*)?"), "leading zeros"),
    (re.compile(r"\d+[eE]\d+"), "an E among digits"),
)


@dataclass(frozen=True, eq=False)
class Features:
    """Features: numbers as float64, categories as such; the columns they come from, of the whole file; what to note
    and to warn of; what version 0.1.0 read otherwise; and the features that are parts of a column, with its name.
    """

    frame: "pd.DataFrame"
    columns: tuple[ColumnReading, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    changes: tuple[str, ...]
    derived: tuple[tuple[str, str], ...]


def read_features(frame: "pd.DataFrame", origin: Origin, style: Style, category: Sequence[str] = ()) -> Features:
    """Read the columns of a frame, in their order, as features; those of `category` as categories whatever they hold.

    Columns that do not vary, have no name, or are text that never repeats are dropped, infinite numbers count as
    missing; all that is done is told. Raises InputError where no column varies.
    """
    import pandas as pd

    special = _categories_named(frame, origin, category) | with_thousands(frame, origin, style, category)
    read = {
        str(name): special[name]
        if name in special
        else read_column(frame[name], style, origin.kinds.get(str(name), "text"))
        for name in frame.columns
    }
    read = _without_clashes(read | _useless(read, frame.index))
    used = [column.features for column in read.values() if column.kind != "dropped"]
    kept = {name: values for features in used for name, values in features.items()}
    if not kept:
        raise InputError("no feature column varies; name a file with at least one usable feature")
    told = [
        ColumnReading(name, column.kind, "; ".join(column.how), column.missing, column.distinct)
        for name, column in read.items()
    ]
    return Features(
        pd.DataFrame(kept, index=frame.index, copy=False),
        tuple(told),
        tuple(_notes(frame, origin, read)),
        (*(f"column {name}: {doubt}" for name, column in read.items() for doubt in column.doubts), *_alike(read)),
        tuple(f"{name}: {column.change}" for name, column in read.items() if column.change),
        tuple((part, name) for name, column in read.items() for part in column.features if part != name),
    )


def _categories_named(frame: "pd.DataFrame", origin: Origin, names: Sequence[str]) -> dict[str, Column]:
    """Columns that a person calls categories, from the cells as they were written."""
    written = as_written_in(frame, origin, [name for name in names if not is_text(frame[name])])
    columns = {name: column_of_categories(name, texts_of(written.get(name, frame[name]))) for name in names}
    return {name: column._replace(doubts=(), how=AS_TOLD, change="") for name, column in columns.items()}


def _without_clashes(read: dict[str, Column]) -> dict[str, Column]:
    """The parts of dates under names that no column of the file has."""
    return {
        name: column
        if column.kind != "date"
        else column._replace(
            features={f"{part} of the date" if part in read else part: v for part, v in column.features.items()},
            change=column.change or ("other names" if any(part in read for part in column.features) else ""),
        )
        for name, column in read.items()
    }


def _useless(read: dict[str, Column], index: "pd.Index[Any]") -> dict[str, Column]:
    """The columns that are no use, as dropped ones with the reason."""
    import pandas as pd

    found: dict[str, Column] = {}
    for name, column in read.items():
        if str(name).startswith("Unnamed: "):  # an exported row index
            found[name] = column._replace(kind="dropped", how=("no name",), doubts=())
    named = {name: column for name, column in read.items() if name not in found}
    texts = [name for name, column in named.items() if column.kind == "category" and column.distinct > 1]
    if texts:
        features = {key: values for column in named.values() for key, values in column.features.items()}
        frame = pd.DataFrame(features, index=index, copy=False)
        first = distinct_rows(frame, np.zeros(len(index), dtype=np.int8))[0]
        for name in [name for name in texts if frame.loc[first, name].is_unique]:
            if 2 * named[name].distinct <= len(index):  # it repeats, though only in rows that repeat
                found[name] = named[name]._replace(change="kept")
            else:
                kind = named[name].how[0] if named[name].how not in ((), AS_TOLD) else "text"
                found[name] = named[name]._replace(
                    kind="dropped", how=(f"{kind} that never repeats",), doubts=_lost_numbers(named[name])
                )
    for name, column in named.items():
        varies = bool(column.features) if column.kind == "date" else column.distinct + (column.missing > 0) > 1
        if not varies:
            found[name] = column._replace(kind="dropped", how=("does not vary",), doubts=())
    return found


def _lost_numbers(column: Column) -> tuple[str, ...]:
    """A warning where texts that are dropped because they never repeat begin as numbers do; K0017 does not."""
    (values,) = column.features.values()
    levels = [str(level) for level in values.categories]
    like_numbers = sum(not level[0].isalpha() and holds_digits(level) for level in levels)
    if len(levels) <= MANY_TEXTS or like_numbers < HALF * len(levels):
        return ()
    return (f"dropped as texts that never repeat, such as {levels[0]!r}; if these are numbers, write them plainly",)


def _notes(frame: "pd.DataFrame", origin: Origin, read: dict[str, Column]) -> list[str]:
    """What a person may want to know of columns that are read as they are."""
    numbers = [name for name, column in read.items() if column.kind == "number"]
    counting = [str(name) for name in numbers if _counts_rows(read[name].features[str(name)])]
    notes = []
    if counting:
        notes.append(f"whole numbers that never repeat, identifiers perhaps (then `drop` them): {listed(counting)}")
    whole = [name for name in numbers if not is_text(frame[name]) and not has_fractions(frame[name])]
    if origin.texts is not None and whole:
        head = origin.texts(whole, _HEAD_CELLS // len(whole) + 1)
        cells = {str(name): head[name].tolist() for name in whole}
        for pattern, what in _LIKE_CODES:
            if odd := [name for name, texts in cells.items() if any(map(pattern.fullmatch, texts))]:
                notes.append(f"numbers with {what}, codes perhaps (then `category`): {listed(odd)}")
    return notes


def _alike(read: dict[str, Column]) -> list[str]:
    """A warning of a table's categories that may be others, written otherwise."""
    columns = {name: column for name, column in read.items() if column.kind == "category"}
    pairs = {name: pair for name, column in columns.items() if (pair := _first_alike(column.features[name]))}
    if not pairs:
        return []
    name, (one, other) = next(iter(pairs.items()))
    where = f"column {name}" if len(pairs) == 1 else f"{len(pairs)} columns (first: {name})"
    return [
        f"categories of {where} differ only in case, blanks or punctuation, such as {one!r} and {other!r}; where they "
        "mean the same, write them alike in the file"
    ]


def _first_alike(values: Any) -> tuple[str, str] | None:
    """Two levels that differ in case, blanks or punctuation only, where there are any; of those with digits, which may
    be versions or ranges, in case and blanks only.
    """
    levels = [str(level) for level in values.categories[:_MOST_LEVELS]]
    first: dict[str, str] = {}
    for level in levels:
        plain = "".join(level.casefold().split()) if holds_digits(level) else bare(level)
        if (other := first.setdefault(plain, level)) != level:
            return other, level
    return None


def _counts_rows(values: Floats) -> bool:
    import pandas as pd

    return bool(len(values) > _FEW_ROWS and (values % 1 == 0).all() and pd.Series(values).is_unique)
