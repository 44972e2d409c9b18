"""A Parquet file as a frame: integers stay integers; what CSV cannot hold becomes text, and is named for what it is."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from focalbench.base.memory import free_bytes
from focalbench.datasets.columns.frame import DECLARED
from focalbench.datasets.columns.texts import is_text
from focalbench.datasets.files.text_table import check_names
from focalbench.errors import InputError, MachineError

if TYPE_CHECKING:
    import pandas as pd

_SCHEMA = b"ARROW:schema"
_INDEX = re.compile(r"__index_level_\d+__")


def read_parquet(
    source: str, file: IO[bytes], only: Sequence[str] | None = None
) -> "tuple[pd.DataFrame, dict[str, str]]":
    """The frame of a file, and what its columns of other things than numbers and texts hold, by name. only: some of the
    columns, None for all.

    Raises InputError where it cannot be read, MachineError where memory would not hold it.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        opened = parquet.ParquetFile(file)
        written = [name for name in opened.schema_arrow.names if only is None or " ".join(name.split()) in only]
        _check_size(source, opened.metadata.num_rows, len(written))
        declared = _categories(opened.metadata.metadata or {})
        table = opened.read(columns=written)
        types = table.schema.types
        table.validate(full=True)  # texts that are not UTF-8 would else be found out later
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, split_blocks=True, self_destruct=True)
    except (MemoryError, pyarrow.ArrowMemoryError):
        raise MachineError(f"no memory for {source}; close other programs, or take fewer columns or rows") from None
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        short = " ".join(str(error).split())[:120]
        raise InputError(f"{source} is no readable Parquet file ({short}); write it again") from None
    names = [" ".join(str(name).split()) for name in frame.columns]
    check_names(source, names)
    frame.columns = names
    kinds = {name: kind for name, each in zip(names, types, strict=True) if (kind := _kind(each))}
    frame = frame.drop(columns=[name for name in frame.columns if _INDEX.fullmatch(name)])  # an index without a name
    kinds |= {name: DECLARED for name in declared if name in frame and not is_text(frame[name])}
    if frame.empty:
        raise InputError(f"{source} has no rows or no columns; name a file with data")
    return _flat(frame.reset_index(drop=True)), kinds


def parquet_names(source: str, file: IO[bytes]) -> list[str]:
    """The names of a file's columns, but for an index without a name. Raises InputError where it cannot be read."""
    import pyarrow
    from pyarrow import parquet

    try:
        names = parquet.ParquetFile(file).schema_arrow.names
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        short = " ".join(str(error).split())[:120]
        raise InputError(f"{source} is no readable Parquet file ({short}); write it again") from None
    return [" ".join(name.split()) for name in names if not _INDEX.fullmatch(name)]


def _check_size(source: str, rows: int, columns: int) -> None:
    """A small file may unpack to a huge table."""
    needed, free = 8 * rows * columns, free_bytes()
    if free is not None and needed > free:
        raise MachineError(
            f"{source} unpacks to {rows:,} rows of {columns:,} columns, {needed / 1e9:.1f} GB of memory or more, and "
            f"{free / 1e9:.1f} GB are free; take fewer columns or rows"
        )


def _kind(kind: Any) -> str:
    """What a column holds, where a person would call it neither number nor text."""
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return "lists"
    if types.is_struct(kind) or types.is_map(kind) or types.is_union(kind):
        return "structures"
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return "bytes"
    return ""


def _categories(metadata: Mapping[bytes, bytes]) -> list[str]:
    """The columns that were written as categories: of those of numbers, only the schema kept beside the data tells."""
    from pyarrow import ipc, py_buffer, types

    if _SCHEMA not in metadata:
        return []
    schema = ipc.read_schema(py_buffer(base64.b64decode(metadata[_SCHEMA])))
    return [" ".join(field.name.split()) for field in schema if types.is_dictionary(field.type)]


def _flat(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Durations in seconds, decimals as numbers, other cells that are no numbers as their text."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_timedelta64_dtype(column):
            columns[name] = column.dt.total_seconds()
        elif pd.api.types.is_integer_dtype(column):
            columns[name] = column
        elif pd.api.types.is_numeric_dtype(column):
            columns[name] = column.astype("float64")
        elif (numbers := _of_decimals(column)) is not None:
            columns[name] = numbers
        else:
            cells = column.astype(object)
            texts = cells.map(str)
            columns[name] = texts.mask(cells.isna() | (texts.str.strip() == "?"))
    return pd.DataFrame(columns, index=frame.index)


def _of_decimals(column: "pd.Series[Any]") -> "pd.Series[Any] | None":
    """A column of decimals as integers or floats; None for others, and where different ones would become one."""
    import pandas as pd

    if column.dtype != object or pd.api.types.infer_dtype(column) != "decimal":
        return None
    numbers = column.astype("float64")
    if numbers.nunique() < column.nunique():
        return None
    whole = bool((numbers % 1 == 0).all() and (numbers.abs() < 2**53).all())
    return numbers.astype("int64") if whole else numbers
