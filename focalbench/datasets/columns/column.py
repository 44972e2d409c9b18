"""How one column is read: as numbers, times of day, dates, or categories, in this order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from focalbench.datasets.columns.dates import parts_of, read_clock, read_dates, were_dates
from focalbench.datasets.columns.earlier import read_as_before
from focalbench.datasets.columns.numbers import Decimal, Numbers
from focalbench.datasets.columns.periods import are_months
from focalbench.datasets.columns.texts import Texts, is_text, texts_of
from focalbench.datasets.dataset import Floats
from focalbench.datasets.tables.table import Kind

if TYPE_CHECKING:
    import pandas as pd

HALF = 0.5  # of the cells
MANY_TEXTS = 50  # different texts that hold digits: beyond it a category may well be a number in disguise
_LARGEST = float(np.finfo(np.float32).max)
EXACT = 2.0**53  # from here on, floats are not all whole numbers


@dataclass(frozen=True)
class Style:
    """How a file writes: its decimal mark, whether some column shows it, and whether the day comes before the month
    where a column of dates leaves that open; points: whether
    it is a point that they show; numbers: the columns of text that are numbers in it.
    """

    decimal: Decimal
    shown: bool
    points: bool
    day_first: bool
    numbers: Mapping[str, Numbers]


class Column(NamedTuple):
    """A column as read: its features by name, and the rest as of ColumnReading."""

    features: "dict[str, Any]"
    kind: Kind
    how: tuple[str, ...] = ()
    missing: int = 0
    distinct: int = 0
    doubts: tuple[str, ...] = ()
    change: str = ""


def read_column(column: "pd.Series[Any]", style: Style, kind: str) -> Column:
    """A column as its cells and the file's style say. kind: what it holds, if it is no text of a person's."""
    return _text(column, style, kind) if is_text(column) else read_typed(column)


def read_typed(column: "pd.Series[Any]") -> Column:
    """A column that pandas has read as numbers or booleans."""
    values = column.to_numpy(np.float64, na_value=np.nan)
    if column.dtype.kind in "iu" and values.size and np.abs(values).max() >= EXACT:
        texts = texts_of(column.astype("str"))
        if len(texts.values) > len(np.unique(values)):
            return _identifiers(str(column.name), texts)
    return column_of_numbers(str(column.name), values, ())


def column_of_numbers(name: str, values: Floats, how: tuple[str, ...], doubts: tuple[str, ...] = ()) -> Column:
    """A column of numbers (rows,). how, doubts: as of Column."""
    import pandas as pd

    if (too_large := np.abs(values) > _LARGEST).any():
        values = np.where(too_large, np.nan, values)
        how = (*how, f"{too_large.sum():,} infinite, or beyond 3e38, as missing")
    if are_months(values):
        doubts = (*doubts, "all cells look like months, such as 1.2021, and are read as numbers; write 2021-01")
    missing = int(np.isnan(values).sum())
    return Column({name: values}, "number", how, missing, int(pd.Series(values).nunique()), doubts)


def _text(column: "pd.Series[Any]", style: Style, kind: str) -> Column:
    name, texts = str(column.name), texts_of(column)
    numbers = style.numbers.get(name)
    if numbers is not None and _are_too_long(numbers.values):
        return _identifiers(name, texts)
    if numbers is not None:
        read = column_of_numbers(
            name, texts.spread(numbers.values), (*numbers.how, *marks(numbers.missing)), numbers.doubts
        )
        doubts = read.doubts
        if numbers.open and numbers.decimal is None and not style.shown:
            mark = {".": "point", ",": "comma"}[style.decimal]
            doubts = (*doubts, f"{numbers.open} is read with a decimal {mark}; no cell of the file shows which it has")
        return read._replace(doubts=doubts, change=_number_change(texts, numbers.values))
    clock = read_clock(texts.values, texts.counts) if texts.values else None
    if clock is not None:
        lost = [text for text, hour in zip(texts.values, clock.hours, strict=True) if np.isnan(hour) and text]
        read = column_of_numbers(name, texts.spread(clock.hours), (clock.how, *marks(lost)), clock.doubts)
        return read._replace(kind="time of day", change="time of day")
    dates = read_dates(column if texts.bare else column.where(texts.codes >= 0), day_first=style.day_first)
    if dates is not None:
        parts = parts_of(dates.values.rename(name))
        first = dates.values.dropna().iloc[0]
        how = (f"the first {first:%d %B %Y}", *dates.how, *marks(dates.missing))
        change = "" if dates.usual and texts.bare else "date"
        features = {
            str(part): parts[part].to_numpy(np.float64, na_value=np.nan) for part in parts if _varies(parts[part])
        }
        return Column(features, "date", how, int(dates.values.isna().sum()), len(texts.values), dates.doubts, change)
    read = column_of_categories(name, texts, kind)
    return read._replace(change="no date") if were_dates(column) else read


def _are_too_long(values: Floats) -> bool:
    """Whether different texts become one number, because no float has so many digits."""
    known = values[np.isfinite(values)]
    return bool((np.abs(known) >= EXACT).any()) and len(np.unique(known)) < len(known)


def _identifiers(name: str, texts: Texts) -> Column:
    return column_of_categories(name, texts, "identifiers too long for numbers")._replace(change="identifiers")


def _varies(values: "pd.Series[Any]") -> bool:
    return int(values.nunique(dropna=False)) > 1


def marks(missing: Sequence[str]) -> list[str]:
    """What was read as missing, blanks apart, in words."""
    texts = [repr(text) for text in dict.fromkeys(missing) if text]
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return [f"{', '.join(texts[:3])}{more} as missing"] if texts else []


def column_of_categories(name: str, texts: Texts, kind: str = "text") -> Column:
    """A column of categories, one for each text. kind: as of read_column."""
    import pandas as pd

    levels = sorted(texts.values)
    place = {value: k for k, value in enumerate(levels)}
    codes = np.append([place.get(value, -1) for value in texts.values], -1).astype(np.intp)[texts.codes]
    values = pd.Categorical.from_codes(codes, categories=pd.Index(levels, dtype="str"))
    doubts: tuple[str, ...] = ()
    if kind == "text" and len(levels) > MANY_TEXTS and share(texts, holds_digits) > HALF:
        what = f"{len(levels):,} different texts that hold digits, such as {texts.values[0]!r}, are read as categories"
        doubts = (f"{what}; write them as plain numbers, or name the column with `category` or `drop`",)
    change = "" if texts.bare else "blanks around are none"
    how = () if kind == "text" else (kind,)
    return Column({name: values}, "category", how, int((codes < 0).sum()), len(levels), doubts, change)


def share(texts: Texts, condition: Callable[[str], bool]) -> float:
    """Of the cells that hold something, those that meet a condition."""
    return sum(n for text, n in zip(texts.values, texts.counts, strict=True) if condition(text)) / sum(texts.counts)


def holds_digits(text: str) -> bool:
    """Whether a text has digits."""
    return any(map(str.isdigit, text))


def _number_change(texts: Texts, values: Floats) -> str:
    """What differs from version 0.1.0, which read fewer texts as numbers, and some as others."""
    before = read_as_before(texts.values, texts.counts)
    return "" if before is not None and np.array_equal(before, values, equal_nan=True) else "number"
