"""From a frame as it was read to a table: which column has which part to play, and what of it cannot be used."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from focalbench.base.text import near_or
from focalbench.datasets.columns.column import Style
from focalbench.datasets.columns.features import read_features
from focalbench.datasets.columns.identifiers import may_be_groups
from focalbench.datasets.columns.roles import Special, read_group, read_time, read_weight, with_exact_numbers
from focalbench.datasets.columns.style import read_style
from focalbench.datasets.columns.texts import Origin
from focalbench.datasets.tables.duplicates import equal_rows
from focalbench.datasets.tables.table import Table, are_few
from focalbench.datasets.tables.targets import listed, rare_last, read_outputs
from focalbench.errors import InputError
from focalbench.runs.catalogue import Task
from focalbench.runs.columns import Columns

if TYPE_CHECKING:
    import pandas as pd

_LARGEST = float(np.finfo(np.float32).max)
DECLARED = "category"  # of a column's kinds: numbers that are names, as the file itself says
_HEAD = 20  # rows in which a header is looked for
_NO_TEXT = Origin()


def make_table(
    source: str,
    frame: "pd.DataFrame",
    columns: Columns,
    sha256: str,
    origin: Origin = _NO_TEXT,
    task: Task = "binary",
    *,
    style: Style | None = None,
    exact: bool = False,
) -> Table:
    """Return the table of a frame. source: the file's name for messages. sha256: of its bytes. origin: of the frame.
    style: what style_of says, where that is known. exact: whether numbers are float64 as they are, rather than of half
    the size and perhaps less a constant.

    How each column is read is told in the table's columns, notes and warnings; rows that are equal in all columns are
    removed where that is asked for. Raises InputError for what cannot be a table.
    """
    _check_columns(source, frame, columns, task)
    outputs = read_outputs(frame, task, columns.predicted, columns.positive)
    style = style or style_of(frame, columns, origin)
    special = _special(frame, columns, style, origin)
    groups = None if special.units is None else special.units.values
    weights = None if special.weight is None else special.weight.values
    if weights is not None and min((weights @ outputs.held(label)).min() for label in (0, 1)) <= 0:
        raise InputError(
            f"the weight column {columns.weight!r} leaves one class of {listed(columns.predicted)} without any weight"
        )
    no_features = [*columns.predicted, *columns.drop, *columns.special.values()]
    declared = [name for name, kind in origin.kinds.items() if kind == DECLARED and name not in no_features]
    declared = [name for name in declared if name not in columns.category]
    read = read_features(frame.drop(columns=no_features), origin, style, (*columns.category, *declared))
    features, notes = read.frame, read.notes
    equal = equal_rows(with_exact_numbers(frame, origin), features, outputs.codes)
    del frame  # its numbers are twice the size of the table's
    kept = np.ones(len(features), dtype=np.bool_)
    if columns.drop_duplicates and equal is not None and equal.repeats.any():
        kept = ~equal.repeats
        notes += (f"removed {np.count_nonzero(~kept):,} duplicate rows of {len(kept):,}",)
        features = features[kept].reset_index(drop=True)
        outputs = outputs.rows(kept)
        weights = None if weights is None else equal.summed(weights)[kept]
        groups = None if groups is None else groups[kept]
    outputs = rare_last(outputs, task, str(columns.target), columns.positive)
    together = None if equal is None else equal.together(kept, groups)
    changes = tuple(change for each in special.each for change in each.changes)
    changes += tuple(f"{name}: category" for name in declared)
    changes += outputs.changes + (() if equal is None else equal.changes(kept, together))
    if groups is not None and not columns.time and are_few(groups):
        changes += ("a seed tests on one group",)
    if units_named := may_be_groups(read.columns, len(outputs.labels)) if special.units is None else []:
        notes += (f"identifiers perhaps (then `group`, so that none is in two splits): {listed(units_named)}",)
    if equal is not None and not columns.drop_duplicates:
        notes += (equal.sentence(outputs.held(1)[:, -1], outputs.held(0)[:, -1], groups),)
    categorical = tuple(name for name in features.columns if features[name].dtype == "category")
    by_name = dict(features.items())
    del features
    return Table(
        _exact(by_name) if exact else _halved(by_name),
        outputs.labels[:, -1].copy(),
        categorical,
        sha256,
        notes,
        groups,
        columns.time is not None,
        weights,
        columns.target or "",
        outputs.labels if outputs.names else None,
        outputs.names,
        read.changes + changes,
        together,
        outputs.known,
        outputs.readings,
        read.columns,
        outputs.warnings + tuple(text for each in special.each for text in each.warnings) + read.warnings,
        read.derived,
        tuple(each.reading for each in special.each),
        None if special.units is None else special.units.hours,
    )


def style_of(frame: "pd.DataFrame", columns: Columns, origin: Origin) -> Style:
    """How a file writes, from its columns that may be features."""
    return read_style(frame.drop(columns=[*columns.predicted, *columns.drop, *columns.category]), origin)


def _check_columns(source: str, frame: "pd.DataFrame", columns: Columns, task: Task) -> None:
    names = [str(name) for name in frame.columns]
    if not (columns.labels if task == "multilabel" else columns.target):
        option = "`labels` for each column to predict" if task == "multilabel" else "`target`"
        raise InputError(f"{source} needs a target column: {option} with one of {listed(names)}")
    for name in (*columns.predicted, *columns.drop, *columns.special.values(), *columns.category):
        if name not in names:
            hint = did_you_mean(name, names) or f"; it has {listed(names)}{_header_below(frame, name)}"
            raise InputError(f"{source} has no column {name!r}{hint}")
    if both := set(columns.category) & {*columns.predicted, *columns.drop, *columns.special.values()}:
        raise InputError(f"the category column {min(both)!r} has another part to play already; give each column one")
    if both := set(columns.predicted) & set(columns.drop):
        raise InputError(f"the target {min(both)!r} is among the columns to drop; leave it out of `drop`")
    for part, name in columns.special.items():
        if name in columns.predicted or name in columns.drop:
            raise InputError(f"the {part} column {name!r} is the target or dropped as well; give each column one part")


def _header_below(frame: "pd.DataFrame", name: str) -> str:
    """A hint where one of the first rows holds the name of a column."""
    rows = (frame.head(_HEAD).astype(str) == name).any(axis=1).to_numpy()
    if rows.sum() != 1:
        return ""
    return f"; data row {rows.argmax() + 1} holds {name!r}: where that is the header, remove the lines above it"


class _Specials(NamedTuple):
    """The columns that split and weigh the rows, as they were read. units: of a time or a group."""

    units: Special | None
    weight: Special | None

    @property
    def each(self) -> tuple[Special, ...]:
        """Those that there are."""
        return tuple(special for special in self if special is not None)


def _special(frame: "pd.DataFrame", columns: Columns, style: Style, origin: Origin) -> _Specials:
    """The columns that are no features; a time goes before a group."""
    units = None
    if columns.time is not None:
        units = read_time(frame[columns.time], origin, style)
    elif columns.group is not None:
        units = read_group(frame[columns.group], origin)
    return _Specials(units, None if columns.weight is None else read_weight(frame[columns.weight], origin, style))


def _exact(features: "dict[str, pd.Series[Any]]") -> "pd.DataFrame":
    """Numbers as they are, float64."""
    import pandas as pd

    return pd.DataFrame(features, copy=False)


def _halved(features: "dict[str, pd.Series[Any]]") -> "pd.DataFrame":
    """Numbers as float32: where some are none, less their column's median, which standardising takes away anyway."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name in list(features):
        column = features.pop(name)  # one at a time, so that the table is not there twice
        if column.dtype == "float64":
            values = column.to_numpy()
            short = values.astype(np.float32)
            if not np.array_equal(short, values, equal_nan=True):
                short = np.clip(values - np.nanmedian(values), -_LARGEST, _LARGEST).astype(np.float32)
            columns[name] = short
        else:
            columns[name] = column
    return pd.DataFrame(columns, copy=False)


def did_you_mean(name: str, names: list[str]) -> str:
    """A hint at the names that are nearly this one, or nothing."""
    close = near_or(name, names, "")
    return close and f"; {close}"
