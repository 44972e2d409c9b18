"""The user's own CSV file, read so that every surprise is either handled with a note or refused."""

import csv
import gzip
import hashlib
import io
import warnings
import zlib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from focalbench.datasets.dataset import Targets
from focalbench.datasets.table import Table, distinct_rows
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = ",;\t"
_LARGEST = float(np.finfo(np.float32).max)
_DECIMAL_COMMA = r"^(-?\d*),(\d+)$"
_LOST_NUMBERS = 0.05  # a column of text with at most this share of cells that are no numbers is one of numbers
_FEW_ROWS = 1000  # among fewer, whole numbers may well differ by chance
_SHOWN = 8  # names or values listed in a message


def file_sha256(path: str) -> str:
    """Return the hash (64 hex digits) of a file's bytes. Raises InputError where it cannot be read."""
    return hashlib.sha256(_read_bytes(path)).hexdigest()


def read_csv_table(
    path: str,
    target: str | None,
    positive: str | None = None,
    drop: tuple[str, ...] = (),
    keep_duplicates: bool = False,
) -> Table:
    """Read a CSV file (comma, semicolon or tab; UTF-8; gzipped or not) with a binary target.

    target: the column to predict; positive: the value that counts as 1, compared as text ("1" matches 1.0),
    not needed for 0/1 or true/false. drop: columns to leave out. Empty cells, NA and '?' are missing. Columns
    that do not vary, have no name, or are text that never repeats are dropped, infinite numbers count as
    missing, and exact duplicates are removed unless keep_duplicates; each with a note. Raises InputError for
    anything else.
    """
    content = _read_bytes(path)
    frame = _parse(path, content)
    _check_columns(path, frame, target, drop)
    targets = _binary(frame[target], str(target), positive)
    features, notes = _features(frame.drop(columns=[target, *drop]))
    if not keep_duplicates:
        kept, note = distinct_rows(features, targets)
        features, targets, notes = features[kept].reset_index(drop=True), targets[kept], notes + note
    categorical = tuple(name for name in features.columns if features[name].dtype == "category")
    return Table(features, targets, categorical, hashlib.sha256(content).hexdigest(), notes)


def _read_bytes(path: str) -> bytes:
    file = Path(path)
    try:
        return file.read_bytes()
    except FileNotFoundError:
        near = file.parent.iterdir() if file.parent.is_dir() else ()
        raise InputError(f"no file {path}{_did_you_mean(file.name, [other.name for other in near])}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; name a readable CSV file") from None


def _parse(path: str, content: bytes) -> "pd.DataFrame":
    import pandas as pd

    try:
        text = (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start}); save it as CSV in UTF-8") from None
    except (OSError, EOFError, zlib.error):
        raise InputError(f"{path} is a damaged gzip file; compress it again") from None
    separator = _separator(path, text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            options = {"sep": separator, "index_col": False, "low_memory": False, "skipinitialspace": True}
            frame = pd.read_csv(io.StringIO(text), na_values=["?"], **options)
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        message = f"{path} is not a regular table: {str(error).strip()}"
        raise InputError(f"{message}; give every row as many cells as the header") from None
    if frame.empty:
        raise InputError(f"{path} has a header and no rows; name a file with data")
    return frame


def _separator(path: str, text: str) -> str:
    """Return the separator that gives the header most columns. Raises InputError for an unusable header."""
    head = text[:100_000].lstrip("\r\n")

    def names(separator: str) -> list[str]:
        return next(csv.reader(io.StringIO(head), delimiter=separator, skipinitialspace=True), [])

    try:
        separator = max(_SEPARATORS, key=lambda each: len(names(each)))
        header = names(separator)
    except csv.Error as error:
        raise InputError(f"{path} has no readable header ({error}); save it as CSV") from None
    if not any(header):
        raise InputError(f"{path} is empty; name a CSV file with a header and rows")
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise InputError(f"{path} has more than one column named {_listed(repeated)}; rename all but one")
    return separator


def _check_columns(path: str, frame: "pd.DataFrame", target: str | None, drop: tuple[str, ...]) -> None:
    names = [str(name) for name in frame.columns]
    if target is None:
        raise InputError(f"{path} needs a target column: --target with one of {_listed(names)}")
    for name in (target, *drop):
        if name not in names:
            hint = _did_you_mean(name, names) or f"; it has {_listed(names)}"
            raise InputError(f"{path} has no column {name!r}{hint}")
    if target in drop:
        raise InputError(f"the target {target!r} is among the columns to drop; leave it out of --drop")


def _binary(column: "pd.Series[object]", name: str, positive: str | None) -> Targets:
    missing = np.asarray(column.isna() | column.isin([np.inf, -np.inf]))
    if missing.any():
        raise InputError(
            f"the target {name!r} is missing or infinite in {missing.sum()} rows, first in data row "
            f"{missing.argmax() + 1}; fill them in or remove these rows"
        )
    labels = column.map({value: _text(value) for value in column.unique()})
    values = sorted(set(labels))
    wanted = _positive_value(name, values, positive)
    if len(values) < 2:
        raise InputError(f"the target {name!r} holds only the value {values[0]}; both classes are needed")
    return np.asarray(labels == wanted).astype(np.int8)


def _positive_value(name: str, values: list[str], positive: str | None) -> str:
    if positive is None:
        if not set(values) <= {"0", "1"} and not set(values) <= {"false", "true"}:
            raise InputError(f"the target {name!r} holds {_listed(values)}; say which is positive: --positive VALUE")
        return values[-1]
    if _text(positive) not in values:
        raise InputError(f"the target {name!r} has no value {positive!r}; --positive takes one of {_listed(values)}")
    return _text(positive)


def _text(value: object) -> str:
    """Return one spelling for 1, 1.0 and "1", and one for True and "true"."""
    text = str(value).strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    try:
        return repr(float(text)).removesuffix(".0")
    except ValueError:
        return text


def _features(frame: "pd.DataFrame") -> tuple["pd.DataFrame", tuple[str, ...]]:
    """Return numeric columns as float64 and the others as categories, without the useless ones; and notes."""
    frame, mended = _with_numbers(frame)
    numeric = frame.select_dtypes(["number", "bool"]).astype("float64")
    infinite = numeric.columns[(numeric.abs() > _LARGEST).any()]
    numeric = numeric.mask(numeric.abs() > _LARGEST)
    typed = frame.assign(**numeric)
    unnamed = [name for name in typed.columns if name.startswith("Unnamed: ")]  # an exported row index
    constant = [name for name in typed.columns if typed[name].nunique(dropna=False) < 2]
    texts = [name for name in typed.columns if name not in numeric.columns]
    distinct = typed.drop(columns=unnamed).drop_duplicates()
    identifiers = [name for name in texts if name in distinct and distinct[name].is_unique]
    numbered = [name for name in numeric if _counts_rows(numeric[name])]
    kept = typed.drop(columns={*unnamed, *constant, *identifiers})
    if kept.columns.empty:
        raise InputError("no feature column varies; name a file with at least one usable feature")
    notes = mended + [
        f"{what}: {_listed(names)}"
        for what, names in (
            ("infinite values, or beyond 3e38, treated as missing", list(infinite)),
            ("dropped columns without a name", unnamed),
            ("dropped columns that do not vary", constant),
            ("dropped text columns that never repeat", identifiers),
            ("whole numbers that never repeat, identifiers perhaps (then --drop them, or copies stay)", numbered),
        )
        if names
    ]
    return kept.astype({name: "category" for name in kept.columns if name in texts}), tuple(notes)


def _counts_rows(column: "pd.Series[float]") -> bool:
    return bool(len(column) > _FEW_ROWS and column.is_unique and (column % 1 == 0).all())


def _with_numbers(frame: "pd.DataFrame") -> tuple["pd.DataFrame", list[str]]:
    """Turn text columns that are nearly all numbers, decimal commas included, into numbers; and say so."""
    import pandas as pd

    read: dict[str, pd.Series[float]] = {}
    notes = []
    for name in frame.columns.difference(frame.select_dtypes(["number", "bool"]).columns, sort=False):
        text = frame[name].dropna().astype(str).str.strip()
        numbers = pd.to_numeric(text.str.replace(_DECIMAL_COMMA, r"\1.\2", regex=True), errors="coerce")
        lost = int(numbers.isna().sum())
        if len(numbers) and lost <= _LOST_NUMBERS * len(numbers):
            read[name] = numbers.reindex(frame.index)
            notes.append(
                f"column {name} read as numbers" + (f", {lost} cells that are none as missing" if lost else "")
            )
    return frame.assign(**read), notes


def _did_you_mean(name: str, names: list[str]) -> str:
    close = get_close_matches(name, names, n=3)
    return f"; did you mean {_listed(close)}?" if close else ""


def _listed(names: list[str]) -> str:
    rest = f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(map(str, names[:_SHOWN])) + rest
