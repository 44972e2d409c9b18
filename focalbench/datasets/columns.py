"""From a frame as it was read to a table: which column has which part to play, and what of it cannot be used."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from focalbench.arms import Task
from focalbench.datasets.dataset import Floats
from focalbench.datasets.dates import (
    are_months,
    are_written_both_ways,
    end_with_the_year,
    may_be_periods,
    read_clock,
    read_dates,
    read_periods,
)
from focalbench.datasets.duplicates import equal_rows
from focalbench.datasets.features import Origin, Style, is_text, read_features, read_style, texts_of
from focalbench.datasets.table import Groups, Table, are_few
from focalbench.datasets.targets import listed, rare_last, read_outputs
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_LARGEST = float(np.finfo(np.float32).max)
_NO_TEXT = Origin()
_HUGE = 1e290  # of a weight


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


class Times(NamedTuple):
    """What a row's time is, in any type that can be sorted; doubts: what a person should look at; changes: what version
    0.1.0 read otherwise.
    """

    values: Any
    doubts: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


class Grouping(NamedTuple):
    """Numbers of the groups, or of the times in their order, if there are any; doubts and changes as of Times."""

    groups: Groups | None
    doubts: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


def make_table(source: str, frame: "pd.DataFrame", columns: Columns, sha256: str, origin: Origin = _NO_TEXT) -> Table:
    """Return the table of a frame. source: the file's name for messages. sha256: of its bytes. origin: of the frame.

    How each column is read is told in the table's columns, notes and warnings; rows that are equal in all columns are
    removed where that is asked for. Raises InputError for what cannot be a table.
    """
    _check_columns(source, frame, columns)
    outputs = read_outputs(frame, columns.task, columns.predicted, columns.positive)
    style = read_style(frame.drop(columns=[*columns.predicted, *columns.drop, *columns.category]), origin)
    grouping, weights = _grouping(frame, columns, style, origin), _weights(frame, columns, style)
    groups = grouping.groups
    if weights is not None and min((weights @ outputs.held(label)).min() for label in (0, 1)) <= 0:
        raise InputError(
            f"--weight {columns.weight} leaves one class of {listed(columns.predicted)} without any weight"
        )
    no_features = [*columns.predicted, *columns.drop, *columns.special.values()]
    read = read_features(frame.drop(columns=no_features), origin, style, columns.category)
    features, notes = read.frame, read.notes
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
    changes = outputs.changes + grouping.changes + (() if equal is None else equal.changes(kept, together))
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
        read.changes + changes,
        together,
        outputs.known,
        outputs.readings,
        read.columns,
        outputs.warnings + grouping.doubts + read.warnings,
        read.derived,
    )


def _check_columns(source: str, frame: "pd.DataFrame", columns: Columns) -> None:
    names = [str(name) for name in frame.columns]
    if not columns.predicted:
        option = "--label for each column to predict" if columns.task == "multilabel" else "--target"
        raise InputError(f"{source} needs a target column: {option} with one of {listed(names)}")
    for name in (*columns.predicted, *columns.drop, *columns.special.values(), *columns.category):
        if name not in names:
            hint = did_you_mean(name, names) or f"; it has {listed(names)}"
            raise InputError(f"{source} has no column {name!r}{hint}")
    if both := set(columns.category) & {*columns.predicted, *columns.drop, *columns.special.values()}:
        raise InputError(f"--category {min(both)} has another part to play already; give each column one")
    if both := set(columns.predicted) & set(columns.drop):
        raise InputError(f"the target {min(both)!r} is among the columns to drop; leave it out of --drop")
    for option, name in columns.special.items():
        if name in columns.predicted or name in columns.drop:
            raise InputError(f"{option} {name} is the target or dropped as well; give each column one part to play")


def _grouping(frame: "pd.DataFrame", columns: Columns, style: Style, origin: Origin) -> Grouping:
    """Numbers of the groups, or of the times in their order. Raises InputError for missing or unreadable values."""
    import pandas as pd

    option, name = ("--time", columns.time) if columns.time else ("--group", columns.group)
    if name is None:
        return Grouping(None)
    values: Any = frame[name]
    times = _times(name, values, style, origin) if columns.time else Times(None)
    if columns.time:
        values = times.values
    elif is_text(values):
        values = pd.Series(_texts_or_missing(values))
    missing = np.asarray(pd.isna(values))
    if missing.any():
        what = "no date, time or number" if columns.time else "missing"
        first = f"{missing.sum()} rows, first in data row {missing.argmax() + 1}"
        remedy = "write dates as 2023-01-31" if columns.time and missing.all() else "fill them in or remove these rows"
        raise InputError(f"{option} {name} is {what} in {first}; {remedy}")
    groups = np.asarray(pd.factorize(values, sort=columns.time is not None)[0], dtype=np.int64)
    return Grouping(groups, tuple(f"--time {name}: {doubt}" for doubt in times.doubts), times.changes)


def _texts_or_missing(column: "pd.Series[Any]") -> Floats:
    """A number for each text, NaN where it is missing."""
    codes = texts_of(column).codes
    return np.where(codes < 0, np.nan, codes).astype(np.float64)


def _times(name: str, column: "pd.Series[Any]", style: Style, origin: Origin) -> Times:
    """A column's numbers, times of day or dates. Raises InputError where they could be other dates as well."""
    if not is_text(column):
        return _of_numbers(name, column, origin)
    texts = texts_of(column)
    if (days := read_periods(texts.values)) is not None:
        return Times(texts.spread(days))
    if (found := style.numbers.get(name)) is not None:
        return Times(_no_dates(name, texts.spread(found.values)))
    if (clock := read_clock(texts.values, texts.counts)) is not None:
        return Times(texts.spread(clock.hours), clock.doubts)
    dates = read_dates(column, day_first=style.day_first)
    if dates is None and not are_written_both_ways(texts.values):
        return Times(np.full(len(column), np.nan))
    if dates is None or dates.open:
        raise _open_dates(name)
    return Times(dates.values, dates.doubts)


def _of_numbers(name: str, column: "pd.Series[Any]", origin: Origin) -> Times:
    """A column that pandas has read as numbers; as months where that is how it was written, such as 01.2021."""
    values = column.to_numpy(np.float64, na_value=np.nan)
    if origin.texts is not None and may_be_periods(values):
        texts = texts_of(origin.texts([name], None)[name])
        if (days := read_periods(texts.values)) is not None:
            months = texts.spread(days)
            same = np.array_equal(_ranks(months), _ranks(values))
            return Times(months, changes=() if same else ("months for --time",))
    _no_dates(name, values)
    return Times(column)


def _ranks(values: Any) -> Groups:
    """The place of each value among the different ones."""
    import pandas as pd

    return np.asarray(pd.factorize(values, sort=True)[0], dtype=np.int64)


def _no_dates(name: str, values: Floats) -> Floats:
    if are_months(values) or end_with_the_year(values):
        raise _open_dates(name)
    return values


def _open_dates(name: str) -> InputError:
    return InputError(f"--time {name} may begin with the day, the month or the year; write dates as 2023-01-31")


def _weights(frame: "pd.DataFrame", columns: Columns, style: Style) -> Floats | None:
    import pandas as pd

    if columns.weight is None:
        return None
    column, found = frame[columns.weight], style.numbers.get(columns.weight)
    if found is not None:
        weights = texts_of(column).spread(found.values)
    elif is_text(column):
        weights = np.asarray(pd.to_numeric(column, errors="coerce"), dtype=np.float64)
    else:
        weights = column.to_numpy(np.float64, na_value=np.nan)
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        first = f"{bad.sum()} rows, first in data row {bad.argmax() + 1}"
        raise InputError(
            f"--weight {columns.weight} is no number of at least 0 in {first}; correct or remove these rows"
        )
    return _in_range(weights)


def _in_range(weights: Floats) -> Floats:
    """The weights; of those that floats can hardly hold, or sum up, only the proportions."""
    largest = float(weights.max(initial=0.0))
    return weights if largest == 0 or 1 / _HUGE < largest < _HUGE else weights / largest


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
    close = get_close_matches(name, names, n=3)
    return f"; did you mean {listed(close)}?" if close else ""
