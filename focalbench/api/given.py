"""From what a person has in memory to a Parquet file, which is read like any other: one path for all data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from focalbench.base.text import near_or
from focalbench.datasets.tables.targets import listed
from focalbench.errors import InputError
from focalbench.runs.columns import Columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FRAMES = "a pandas or polars DataFrame, or a NumPy array of numbers"


@dataclass(frozen=True)
class Roles:
    """What splits and weighs the rows: the name of a column of X, or (rows,) values beside it; None for nothing."""

    groups: object = None
    time: object = None
    sample_weight: object = None


@dataclass(frozen=True, eq=False)
class Given:
    """Rows as a table of Arrow, and which of its columns plays which part."""

    table: pa.Table
    columns: Columns

    @property
    def texts(self) -> list[str]:
        """The features that are text."""
        from pyarrow import types

        special = (self.columns.target, *self.columns.special.values())
        kinds = {field.name: field.type for field in self.table.schema if field.name not in special}
        return [name for name, kind in kinds.items() if types.is_string(kind) or types.is_large_string(kind)]

    def write(self, path: Path) -> None:
        """Write the rows as a Parquet file."""
        from pyarrow import parquet

        parquet.write_table(self.table, path)


def take_scores(scores: object, y: object, roles: Roles, positive: object = None) -> Given:
    """The scores of models, (rows,) by name, as take does features."""
    import pyarrow as pa

    if not isinstance(scores, Mapping):
        return take(scores, y, roles, positive)
    first = next(iter(scores.values()), ())
    columns = {str(name): _column(values, f"{name!r}", np.size(first)) for name, values in scores.items()}
    return take(pa.table(columns), y, roles, positive)


def take(X: object, y: object, roles: Roles, positive: object = None) -> Given:
    """X with its target and what splits and weighs its rows, as columns of one table.

    X: (rows, features), FRAMES. y: (rows,). Raises InputError for anything else, for lengths that differ, for rows of X
    and y in another order, and where X still holds y.
    """
    rows = _Beside(_features(X))
    _check_order(X, y)
    named = _own_name(getattr(y, "name", None), "y")
    _check_left_out(X, y, named)
    columns = Columns(
        target=rows.add("y", y, named),
        positive=None if positive is None else str(positive),
        group=rows.place("groups", roles.groups),
        time=rows.place("time", roles.time),
        weight=rows.place("sample_weight", roles.sample_weight),
    )
    parts = (columns.target, *columns.special.values())
    categories = [name for name in _categories(rows.table) if name not in parts]
    return Given(rows.table, replace(columns, category=tuple(categories)))


class _Beside:
    """A table of features that takes more columns."""

    def __init__(self, features: pa.Table) -> None:
        self.table, self.features = features, list(features.column_names)

    def place(self, parameter: str, values: object) -> str | None:
        """The column that holds the values of a parameter: one of the features, or a new one; None for no values."""
        if values is None:
            return None
        if not isinstance(values, str):
            return self.add(parameter, values, parameter)
        if values not in self.features:
            hint = near_or(values, self.features, f"it has {listed(self.features)}")
            raise InputError(f"{parameter}: X has no column {values!r}; {hint}")
        return values

    def add(self, parameter: str, values: object, name: str) -> str:
        """The name of a new column of values (rows,): this one, with an underscore for each time that it is taken."""
        while name in self.table.column_names:
            name += "_"
        self.table = self.table.append_column(name, _column(values, parameter, self.table.num_rows))
        return name


# ---- X


def _features(X: Any) -> pa.Table:
    """X as a table with plain names."""
    import pyarrow as pa

    if hasattr(X, "toarray") or hasattr(X, "sparse"):
        raise InputError("X is sparse, which is not read; give X.toarray(), or fewer columns that fit into memory")
    if hasattr(X, "__arrow_c_stream__") and hasattr(X, "columns") and not _is_pandas(X):  # polars, and others
        X = pa.table(X).to_pandas(integer_object_nulls=True)
    table = _of_frame(X) if _is_pandas(X) else _of_numbers(_numbers(X))
    if table.num_rows == 0 or table.num_columns == 0:
        raise InputError("X has no rows or no columns; give data")
    return table


def _of_frame(X: pd.DataFrame) -> pa.Table:
    """The columns of a frame, under names in one line, as they are read back."""
    import pyarrow as pa

    from focalbench.datasets.files.text_table import check_names

    names = [" ".join(str(name).split()) for name in X.columns]
    check_names("X", names)
    columns = (X.iloc[:, place] for place in range(len(names)))
    return pa.table({n: _column(c, f"the column {n!r}", len(X)) for n, c in zip(names, columns, strict=True)})


def _of_numbers(values: np.ndarray[Any, Any]) -> pa.Table:
    import pyarrow as pa

    return pa.table({f"x{place}": column for place, column in enumerate(values.T)})


def _is_pandas(values: object) -> TypeGuard[pd.DataFrame | pd.Series[Any]]:
    import pandas as pd

    return isinstance(values, pd.DataFrame | pd.Series)


def _numbers(X: Any) -> np.ndarray[Any, Any]:
    """X as an array of numbers, (rows, features)."""
    values = np.asarray(X)
    if values.ndim != 2:
        shape = f"a {type(X).__name__}" if values.ndim == 0 else f"of {values.ndim} dimension(s)"
        raise InputError(f"X is {shape} and needs rows and columns; give {FRAMES}")
    if values.dtype == object:
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError):
            raise InputError(_of_texts(values)) from None
    if values.dtype.kind not in "biuf":
        raise InputError(_of_texts(values))
    return values.astype(np.float64) if values.dtype.kind == "f" else values


def _of_texts(values: np.ndarray[Any, Any]) -> str:
    return f"X is an array of {values.dtype}, whose columns have no types of their own; give {FRAMES}"


def _categories(table: pa.Table) -> list[str]:
    from pyarrow import types

    return [field.name for field in table.schema if types.is_dictionary(field.type)]


# ---- what stands beside X


def _column(values: Any, name: str, rows: int) -> pa.ChunkedArray:
    """Values (rows,) as a column of a table."""
    import pyarrow as pa

    try:
        if hasattr(values, "__arrow_c_stream__") and not _is_pandas(values):
            column = pa.chunked_array(values)
        else:
            array = values if _is_pandas(values) else np.asarray(values)
            column = pa.chunked_array([pa.array(_flat(array, name), from_pandas=True)])
    except (pa.ArrowException, TypeError, OverflowError):
        raise InputError(f"{name} holds values of several types; give it one, such as with astype(str)") from None
    if len(column) != rows:
        raise InputError(f"{name} has {len(column):,} rows where there are {rows:,}; they must be of one length")
    return column


def _flat(values: Any, name: str) -> Any:
    """One value a row; a single column is one."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values.iloc[:, 0] if _is_pandas(values) else values[:, 0]
    if values.ndim != 1:
        raise InputError(f"{name} has {values.ndim} dimension(s) and needs one value a row")
    return values


def _own_name(name: object, usual: str) -> str:
    return " ".join(name.split()) if isinstance(name, str) and name.strip() else usual


def _check_order(X: Any, y: Any) -> None:
    """Rows are matched by their place; labels that say another order would be ignored in silence."""
    if not (_is_pandas(X) and _is_pandas(y)) or X.index.equals(y.index) or len(X) != len(y):
        return
    if X.index.is_unique and y.index.is_unique and len(X.index.difference(y.index)) == 0:
        raise InputError("the rows of X and y have the same labels in another order; give y.loc[X.index]")


def _check_left_out(X: Any, y: Any, target: str) -> None:
    """Raise InputError where X still holds the target under its own name."""
    if not (_is_pandas(X) and _is_pandas(y)) or target not in map(str, X.columns) or y.ndim != 1:
        return
    if (
        X.columns.is_unique
        and target in X.columns
        and X[target].reset_index(drop=True).equals(y.reset_index(drop=True))
    ):
        raise InputError(f"X still holds the target {target!r}; leave it out: X.drop(columns={target!r})")
