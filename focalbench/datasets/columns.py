"""From a frame as it was read to a table: which column is what, and every surprise handled with a note or refused."""

import contextlib
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from focalbench.arms import Task
from focalbench.datasets.dataset import Floats
from focalbench.datasets.duplicates import equal_rows
from focalbench.datasets.table import Groups, Table, are_few, distinct_rows
from focalbench.datasets.targets import listed, rare_last, read_outputs
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_LARGEST = float(np.finfo(np.float32).max)
_DECIMAL_COMMA = r"^(-?\d*),(\d+)$"
_THOUSANDS = r"-?\d{1,3}(,\d{3})+(\.\d+)?"
_WRITTEN_DATE = r"^\s*(\d{1,2})[/.-](\d{1,2})[/.-](\d{2,4})"
_MONTHS, _FULL_YEAR = 12, 1000
_HUGE = 1e290  # of a weight
_LOST_NUMBERS = 0.05  # a column of text with at most this share of cells that are no numbers is one of numbers
_FEW_ROWS = 1000  # among fewer, whole numbers may well differ by chance


@dataclass(frozen=True)
class Columns:
    """What a user says of a file's columns.

    target: the column to predict; positive: the value that counts as 1, compared as text ("1" matches 1.0), not needed
    for 0/1 or true/false; of a multiclass target the rare class, not needed where it is the rarest. task: binary,
    multiclass or multilabel; labels: of a multilabel one the columns of 0/1 to predict, without target. drop: columns
    to leave out. group: rows with the same value are never in two splits. time: the latest rows are the test. weight:
    what a row counts for, >= 0.
    """

    target: str | None
    positive: str | None = None
    drop: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    drop_duplicates: bool = False
    task: Task = "binary"
    labels: tuple[str, ...] = ()
    category: tuple[str, ...] = ()

    @property
    def predicted(self) -> tuple[str, ...]:
        """The columns to predict."""
        if self.task == "multilabel":
            return self.labels
        return () if self.target is None else (self.target,)

    @property
    def special(self) -> dict[str, str]:
        """The columns that are no features, by the option that names them."""
        named = {"--group": self.group, "--time": self.time, "--weight": self.weight}
        return {option: name for option, name in named.items() if name is not None}


def make_table(source: str, frame: "pd.DataFrame", columns: Columns, sha256: str) -> Table:
    """Return the table of a frame. source: the file's name for messages. sha256: of its bytes.

    Columns that do not vary, have no name, or are text that never repeats are dropped, infinite numbers count as
    missing, and rows that are equal in all columns are removed where that is asked for; each with a note. Raises
    InputError for anything else.
    """
    _check_columns(source, frame, columns)
    outputs = read_outputs(frame, columns.task, columns.predicted, columns.positive)
    groups, weights = _groups(frame, columns), _weights(frame, columns)
    if weights is not None and min((weights @ outputs.held(label)).min() for label in (0, 1)) <= 0:
        raise InputError(
            f"--weight {columns.weight} leaves one class of {listed(columns.predicted)} without any weight"
        )
    features, notes = _features(frame.drop(columns=[*columns.predicted, *columns.drop, *columns.special.values()]))
    derived = _parts([str(name) for name in frame.columns], [str(name) for name in features.columns])
    equal = equal_rows(frame, features, outputs.codes)
    del frame  # its numbers are twice the size of the table's
    kept = np.ones(len(features), dtype=np.bool_)
    if columns.drop_duplicates and equal is not None and equal.repeats.any():
        kept = ~equal.repeats
        notes += (f"removed {np.count_nonzero(~kept):,} duplicate rows of {len(kept):,}",)
        features = features[kept].reset_index(drop=True)
        outputs = outputs.rows(kept)
        weights = None if weights is None else equal.summed(weights)[kept]
        groups = None if groups is None else groups[kept]
    outputs = rare_last(outputs, columns.task, str(columns.target), columns.positive)
    together = None if equal is None else equal.together(kept, groups)
    changes = outputs.changes + (() if equal is None else equal.changes(kept, together))
    if groups is not None and not columns.time and are_few(groups):
        changes += ("a seed tests on one group",)
    if equal is not None and not columns.drop_duplicates:
        notes += (equal.told(outputs.held(1)[:, -1], outputs.held(0)[:, -1], groups),)
    categorical = tuple(name for name in features.columns if features[name].dtype == "category")
    by_name = dict(features.items())
    del features
    return Table(
        _halved(by_name),
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
        changes,
        together,
        outputs.known,
        outputs.readings,
        outputs.warnings,
        derived,
    )


def _parts(columns: list[str], features: list[str]) -> tuple[tuple[str, str], ...]:
    """Each feature that is no column of the file, with the column whose name it begins with: x_year with x."""
    owners = {
        feature: max((name for name in columns if feature.startswith(f"{name}_")), key=len, default=feature)
        for feature in features
        if feature not in columns
    }
    return tuple(owners.items())


def _check_columns(source: str, frame: "pd.DataFrame", columns: Columns) -> None:
    names = [str(name) for name in frame.columns]
    if not columns.predicted:
        option = "--label for each column to predict" if columns.task == "multilabel" else "--target"
        raise InputError(f"{source} needs a target column: {option} with one of {listed(names)}")
    for name in (*columns.predicted, *columns.drop, *columns.special.values()):
        if name not in names:
            hint = did_you_mean(name, names) or f"; it has {listed(names)}"
            raise InputError(f"{source} has no column {name!r}{hint}")
    if both := set(columns.predicted) & set(columns.drop):
        raise InputError(f"the target {min(both)!r} is among the columns to drop; leave it out of --drop")
    for option, name in columns.special.items():
        if name in columns.predicted or name in columns.drop:
            raise InputError(f"{option} {name} is the target or dropped as well; give each column one part to play")


def _groups(frame: "pd.DataFrame", columns: Columns) -> Groups | None:
    """Numbers of the groups, or of the times in their order. Raises InputError for missing or unreadable values."""
    import pandas as pd

    option, name = ("--time", columns.time) if columns.time else ("--group", columns.group)
    if name is None:
        return None
    values = frame[name]
    if columns.time and not pd.api.types.is_numeric_dtype(values):
        day_first = _day_first(name, values)
        values = pd.to_datetime(values, errors="coerce", format="mixed", dayfirst=day_first, utc=True)
    missing = np.asarray(values.isna())
    if missing.any():
        what = "no date, time or number" if columns.time else "missing"
        first = f"{missing.sum()} rows, first in data row {missing.argmax() + 1}"
        raise InputError(f"{option} {name} is {what} in {first}; fill them in or remove these rows")
    return np.asarray(pd.factorize(values, sort=columns.time is not None)[0], dtype=np.int64)


def _day_first(name: str, values: "pd.Series[object]") -> bool:
    """Whether dates such as 13/02/2023 begin with the day. Raises InputError where that cannot be told."""
    parts = values.dropna().astype(str).str.extract(_WRITTEN_DATE).dropna().astype(int)
    if parts.empty:
        return False
    first, second = parts.iloc[:, 0].max() > _MONTHS, parts.iloc[:, 1].max() > _MONTHS
    if first == second or parts.iloc[:, 2].max() < _FULL_YEAR:
        raise InputError(f"--time {name} may begin with the day or the month; write dates as 2023-01-31")
    return bool(first)


def _weights(frame: "pd.DataFrame", columns: Columns) -> Floats | None:
    import pandas as pd

    if columns.weight is None:
        return None
    weights = np.asarray(pd.to_numeric(frame[columns.weight], errors="coerce"), dtype=np.float64)
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        first = f"{bad.sum()} rows, first in data row {bad.argmax() + 1}"
        raise InputError(f"--weight {columns.weight} is no number of at least 0 in {first}; mend or remove these rows")
    return _in_range(weights)


def _in_range(weights: Floats) -> Floats:
    """The weights; of those that floats can hardly hold, or sum up, only the proportions."""
    largest = float(weights.max(initial=0.0))
    return weights if largest == 0 or 1 / _HUGE < largest < _HUGE else weights / largest


def _features(frame: "pd.DataFrame") -> tuple["pd.DataFrame", tuple[str, ...]]:
    """Return numeric columns as float64 and the others as categories, without the useless ones; and notes."""
    import pandas as pd

    frame, mended = _with_dates(*_with_numbers(frame))
    numeric: dict[str, Floats] = {}
    infinite = []
    for name in frame.select_dtypes(["number", "bool"]).columns:  # one by one: a large table is not copied whole
        values = frame[name].to_numpy(np.float64)
        if (too_large := np.abs(values) > _LARGEST).any():
            infinite.append(name)
            values = np.where(too_large, np.nan, values)
        numeric[name] = values
    typed = pd.DataFrame(
        {name: numeric.get(name, frame[name]) for name in frame.columns}, index=frame.index, copy=False
    )
    unnamed = [name for name in typed.columns if name.startswith("Unnamed: ")]  # an exported row index
    constant = [name for name in typed.columns if typed[name].nunique(dropna=False) < 2]
    texts = [name for name in typed.columns if name not in numeric]
    named = typed.drop(columns=unnamed)
    first = distinct_rows(named, np.zeros(len(named), dtype=np.int8))[0] if texts else np.ones(len(named), np.bool_)
    identifiers = [name for name in texts if name in named and named.loc[first, name].is_unique]
    numbered = [name for name in numeric if _counts_rows(typed[name])]
    kept = typed.drop(columns={*unnamed, *constant, *identifiers})
    if kept.columns.empty:
        raise InputError("no feature column varies; name a file with at least one usable feature")
    notes = mended + [
        f"{what}: {listed(names)}"
        for what, names in (
            ("infinite values, or beyond 3e38, treated as missing", infinite),
            ("dropped columns without a name", unnamed),
            ("dropped columns that do not vary", constant),
            ("dropped text columns that never repeat", identifiers),
            ("whole numbers that never repeat, identifiers perhaps (then --drop them, or copies stay)", numbered),
        )
        if names
    ]
    return kept.astype({name: "category" for name in kept.columns if name in texts}), tuple(notes)


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


def _counts_rows(column: "pd.Series[float]") -> bool:
    return bool(len(column) > _FEW_ROWS and column.is_unique and (column % 1 == 0).all())


def _with_numbers(frame: "pd.DataFrame") -> tuple["pd.DataFrame", list[str]]:
    """Turn text columns that are nearly all numbers, decimal commas included, into numbers; and say so."""
    import pandas as pd

    read: dict[str, pd.Series[float]] = {}
    notes = []
    for name in frame.columns.difference(frame.select_dtypes(["number", "bool"]).columns, sort=False):
        text = frame[name].dropna().astype(str).str.strip()
        plain, commas = _without_commas(text)
        numbers = pd.to_numeric(plain, errors="coerce")
        lost = int(numbers.isna().sum())
        if len(numbers) and lost <= _LOST_NUMBERS * len(numbers):
            read[name] = numbers.reindex(frame.index)
            notes.append(
                f"column {name} read as numbers{commas}" + (f", {lost} cells that are none as missing" if lost else "")
            )
    columns = {name: read.get(name, frame[name]) for name in frame.columns}
    return pd.DataFrame(columns, index=frame.index, copy=False), notes


def _with_dates(frame: "pd.DataFrame", notes: list[str]) -> tuple["pd.DataFrame", list[str]]:
    """Put year, month, day, hour, weekday and seconds in place of every text column that holds dates; and say so."""
    import pandas as pd

    texts = frame.columns.difference(frame.select_dtypes(["number", "bool"]).columns, sort=False)
    if texts.empty:
        return frame, notes
    from skrub import DatetimeEncoder, ToDatetime  # loads for a second

    parts: dict[str, pd.DataFrame] = {}
    for name in texts:
        with warnings.catch_warnings(action="ignore"), contextlib.suppress(ValueError, TypeError, OverflowError):
            dates = ToDatetime().fit_transform(frame[name].rename(str(name)))
            parts[name] = DatetimeEncoder(resolution="hour", add_weekday=True).fit_transform(dates)
            first = dates.dropna().iloc[0]
            notes = [*notes, f"column {name} read as dates, the first of them {first:%d %B %Y}"]
    columns: dict[str, Any] = {}
    for name in frame.columns:
        columns |= dict(parts[name].items()) if name in parts else {name: frame[name]}
    return pd.DataFrame(columns, index=frame.index, copy=False), notes


def _without_commas(text: "pd.Series[str]") -> tuple["pd.Series[str]", str]:
    """Numbers as Python writes them: commas part thousands where all could, else they are decimal ones; and a note."""
    has_comma = text.str.contains(",", regex=False)
    if not has_comma.any():
        return text, ""
    if text[has_comma].str.fullmatch(_THOUSANDS).all():
        return text.str.replace(",", "", regex=False), " (commas part thousands)"
    return text.str.replace(_DECIMAL_COMMA, r"\1.\2", regex=True), " (commas are decimal)"


def did_you_mean(name: str, names: list[str]) -> str:
    """A hint at the names that are nearly this one, or nothing."""
    close = get_close_matches(name, names, n=3)
    return f"; did you mean {listed(close)}?" if close else ""
