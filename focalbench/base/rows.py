"""Frozen dataclasses as the rows of a CSV file, and back, without losing a bit.

The columns are the fields, those of a nested dataclass in its place; As says where that is not enough.
"""

import csv
import io
import json
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from focalbench.base.files import regular
from focalbench.errors import InputError

Value = float | int | str | None
Record = Mapping[str, Value]  # values by column
Row = TypeVar("Row")

LONGEST_CELL = 2**31 - 1  # characters; hundreds of classes stand in one
FORMULA = tuple("=+-@\t\r\n")  # a text that begins so is run by spreadsheets; csv_text puts a ' before it


@dataclass(frozen=True)
class As:
    """How a field is written where its name and value do not say it.

    columns: those of a nested dataclass, or of a tuple of numbers; prefix: what these begin with; former: what older
    files call a column; added: older files lack the column; whole: a number without a fraction is written without its
    point. write, read: to one text and back. absent: what the columns of a nested dataclass hold where there is none,
    None for those that are not named.
    """

    columns: tuple[str, ...] = ()
    prefix: str = ""
    former: str = ""
    added: bool = False
    whole: bool = False
    write: Callable[[Any], str] | None = None
    read: Callable[[str], Any] | None = None
    absent: tuple[tuple[str, str], ...] = ()


_PLAIN = As()


@dataclass(frozen=True)
class _Column:
    """One column of a row. kind: of its values; written: how."""

    name: str
    kind: type
    optional: bool
    written: As

    @property
    def is_text(self) -> bool:
        return self.written.read is not None or issubclass(self.kind, (str, bool))


@dataclass(frozen=True)
class _Field:
    """A field of a row: its type, None apart, how it is written, and its columns."""

    name: str
    kind: type
    optional: bool
    written: As
    columns: tuple[_Column, ...]

    @property
    def is_many(self) -> bool:
        """Whether it is a tuple of numbers with a column each."""
        return self.kind is tuple and self.written.read is None

    @property
    def is_nested(self) -> bool:
        """Whether it is a row by itself."""
        return is_dataclass(self.kind) and self.written.read is None


def _fields_of(row: type) -> tuple[_Field, ...]:
    hints = get_type_hints(row, include_extras=True)
    return tuple(_field(each.name, hints[each.name]) for each in fields(row))


def _field(name: str, hint: Any) -> _Field:
    hint, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    kinds = [each for each in options if each is not type(None)]
    if get_origin(kinds[0]) is Annotated:
        kinds[0], *extras = get_args(kinds[0])
    kind, optional = get_origin(kinds[0]) or kinds[0], len(kinds) < len(options)
    written = next((extra for extra in extras if isinstance(extra, As)), _PLAIN)
    return _Field(name, kind, optional, written, _columns_of_field(name, kind, optional, written))


def _columns_of_field(name: str, kind: type, optional: bool, written: As) -> tuple[_Column, ...]:
    if is_dataclass(kind) and written.read is None:
        inner = _columns(kind)
        names = written.columns or [written.prefix + column.name for column in inner]
        named = (replace(column, name=own) for own, column in zip(names, inner, strict=True))
        if not written.added:
            return tuple(named)
        return tuple(replace(column, written=replace(column.written, added=True)) for column in named)
    if kind is tuple and written.read is None:
        return tuple(_Column(own, float, False, _PLAIN) for own in written.columns)
    return (_Column((written.columns or (name,))[0], kind, optional, written),)


def _columns_of(row: type) -> tuple[_Column, ...]:
    return tuple(column for each in _fields(row) for column in each.columns)


# once a kind of row
_fields: Callable[[type], tuple[_Field, ...]] = lru_cache(_fields_of)
_columns: Callable[[type], tuple[_Column, ...]] = lru_cache(_columns_of)


def columns(row: type) -> tuple[str, ...]:
    """The columns of a kind of row."""
    return tuple(column.name for column in _columns(row))


def texts(row: type) -> tuple[str, ...]:
    """Those that are no numbers."""
    return tuple(column.name for column in _columns(row) if column.is_text)


def lacking(row: type, names: Iterable[str]) -> tuple[str, ...]:
    """The columns of a kind of row that were added later and are not among these names."""
    there = set(names)
    return tuple(column.name for column in _columns(row) if column.written.added and column.name not in there)


def renamed(row: type) -> dict[str, str]:
    """What older files call columns, and what these are called now."""
    return {column.written.former: column.name for column in _columns(row) if column.written.former}


# ---- to cells, and back


def flatten(row: object) -> dict[str, Value]:
    """A row by column; a bool as true or false."""
    return dict(zip(columns(type(row)), _cells(row), strict=True))


def _cells(row: object) -> Iterator[Value]:
    """In the order of the columns."""
    for each in _fields(type(row)):
        value = getattr(row, each.name)
        if each.is_many:
            yield from value
        elif not each.is_nested:
            yield _cell_of(value, each.written)
        elif value is None:
            absent = dict(each.written.absent)
            yield from (absent.get(name) for name in columns(each.kind))
        else:
            yield from _cells(value)


def _cell_of(value: Any, written: As) -> Value:
    if value is None:
        return None
    if written.write is not None:
        return written.write(value)
    if isinstance(value, bool):
        return str(value).lower()
    cell: Value = str(value) if isinstance(value, StrEnum) else value
    return cell


def rows_of(row: type[Row], records: Iterable[Record]) -> list[Row]:
    """Rows from what they were flattened to. Raises InputError for a value of another kind."""
    return [_built(row, _columns(row), record) for record in records]


def _built(row: type[Row], found: Sequence[_Column], record: Record) -> Row:
    """A row, or what nests in one, from its columns."""
    values: dict[str, object] = {}
    for each in _fields(row):
        own, found = found[: len(each.columns)], found[len(each.columns) :]
        if each.is_many:
            values[each.name] = tuple(_value(column, record[column.name]) for column in own)
        elif each.is_nested:
            values[each.name] = None if _is_absent(each, own, record) else _built(each.kind, own, record)
        else:
            value = record[own[0].name]
            values[each.name] = None if value is None and each.optional else _value(own[0], value)
    return row(**values)


def _is_absent(nested: _Field, own: Sequence[_Column], record: Record) -> bool:
    absent: Record = dict(nested.written.absent)
    pairs = zip(own, columns(nested.kind), strict=True)
    values = ((record[column.name], absent.get(name)) for column, name in pairs)
    return nested.optional and all(value == there or (value == "" and there is None) for value, there in values)


def _value(column: _Column, value: Value) -> object:
    if column.written.read is not None and isinstance(value, str):
        try:
            return column.written.read(value)
        except (InputError, ValueError, TypeError, KeyError, RecursionError):
            pass
    elif column.kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        return value if column.written.whole else float(value)
    elif column.kind is bool and value in ("true", "false"):
        return value == "true"
    elif issubclass(column.kind, StrEnum) and value in list(column.kind):
        return column.kind(str(value))
    elif type(value) is column.kind:
        return value
    raise InputError(f"{value!r:.200} is no {column.name} of this version")


# ---- to text, and back


def rows_text(row: type, rows: Iterable[object]) -> str:
    """Rows as CSV text; the columns alone where there are none."""
    return csv_text(columns(row), map(_cells, rows))


def csv_text(names: Sequence[str], rows: Iterable[Iterable[Value]]) -> str:
    """CSV text: floats by repr, empty for None; no text that a spreadsheet would take for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(map(_written, row) for row in rows)
    return out.getvalue()


def _written(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if _is_formula(value) else value
    return repr(float(value)) if isinstance(value, float) else str(value)


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet would run a text, or would once it has been quoted so: then it is quoted once more."""
    return text.lstrip("'")[:1] in FORMULA


def read_rows(path: Path, row: type[Row]) -> list[Row]:
    """The rows of a file that rows_text wrote, now or before columns were added; these are None in it.

    Raises InputError for any other file.
    """
    records = _read(path, row)
    try:
        return rows_of(row, records)
    except InputError as error:
        raise InputError(f"{path}: {error}; run the experiment again") from None


def _read(path: Path, row: type) -> list[Record]:
    limit = csv.field_size_limit(LONGEST_CELL)
    try:
        with regular(path).open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            names = _names(next(lines, []), row)
            blank: dict[str, Value] = dict.fromkeys(columns(row))
            here = [column for column in _columns(row) if column.name in names]
            return [blank | {c.name: _from_text(c, text) for c, text in zip(here, line, strict=True)} for line in lines]
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise InputError(f"cannot read {path} as a table of this version ({error}); run the experiment again") from None
    finally:
        csv.field_size_limit(limit)


def _names(head: Sequence[str], row: type) -> list[str]:
    """The columns of a file by their names of now. Raises ValueError where they are others."""
    now = renamed(row)
    names = [now.get(name, name) for name in head]
    absent = lacking(row, names)
    if names != [name for name in columns(row) if name not in absent]:
        raise ValueError("its columns are others")
    return names


def _from_text(column: _Column, text: str) -> Value:
    if text == "":
        return "" if column.kind is str and not column.optional else None
    if column.is_text:
        return text[1:] if text.startswith("'") and _is_formula(text) else text
    number: object = json.loads(text)
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) <= sys.float_info.max:
        raise ValueError(f"{text!r} is no number of {column.name}")
    return number
