"""From the columns of a frame to features: the one place that decides how a column is read, and says what it decided.

In this order a column of text is numbers, times of day, dates, or categories. A column that pandas has read as numbers
stays so, unless the file's other columns show that its dots part thousands.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalbench.datasets.columns.dates import parts_of, read_clock, read_dates, were_dates
from focalbench.datasets.columns.earlier import read_as_before
from focalbench.datasets.columns.numbers import Decimal, Numbers, read_numbers
from focalbench.datasets.columns.periods import are_months
from focalbench.datasets.dataset import Floats
from focalbench.datasets.tables.table import ColumnReading, Kind, distinct_rows
from focalbench.datasets.tables.targets import listed
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

AS_TOLD = ("as told",)  # a category that a person named
HALF = 0.5  # of the cells
MANY_TEXTS = 50  # different texts that hold digits: beyond it a category may well be a number in disguise
_LARGEST = float(np.finfo(np.float32).max)
LEAST_THOUSAND = 1000.0
_EXACT = 2.0**53  # from here on, floats are not all whole numbers
_FEW_ROWS = 1000  # among fewer, whole numbers may well differ by chance
_HEAD_CELLS = 50_000  # looked at for what only codes have
_LIKE_CODES = (
    (re.compile(r"0\d+(\.0*)?"), "leading zeros"),
    (re.compile(r"\d+[eE]\d+"), "an E among digits"),
)


@dataclass(frozen=True)
class Origin:
    """What a frame's types no longer tell. separator: of the text file. kinds: of columns that CSV cannot hold, such as
    lists. texts: gives columns as they were written (all rows, or the first so many); None where there is no text.
    """

    separator: str = ","
    kinds: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    texts: "Callable[[Sequence[str], int | None], pd.DataFrame] | None" = None


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


class Texts(NamedTuple):
    """A column of text by its distinct values: each stripped, how often it is there, and the number of each row's (-1
    where it is missing). bare: whether they were without blanks around them from the start.
    """

    values: list[str]
    counts: list[int]
    codes: NDArray[np.intp]
    bare: bool

    def spread(self, values: Floats) -> Floats:
        """A value a row, from one for each distinct text."""
        found: Floats = np.append(values, np.nan)[self.codes]
        return found


class Column(NamedTuple):
    """A column as read: its features by name, and the rest as of ColumnReading."""

    features: "dict[str, Any]"
    kind: Kind
    how: tuple[str, ...] = ()
    missing: int = 0
    distinct: int = 0
    doubts: tuple[str, ...] = ()
    change: str = ""


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


def texts_of(column: "pd.Series[Any]") -> Texts:
    """The distinct texts of a column; cells of nothing but blanks are missing."""
    import pandas as pd

    raw_codes, raw = pd.factorize(column)
    written = [str(value) for value in raw]
    codes, found = pd.factorize(pd.Series([" ".join(value.split()) or None for value in written], dtype="str"))
    codes = np.append(codes, -1)[raw_codes]
    counts = np.bincount(codes[codes >= 0], minlength=len(found))
    values = [str(value) for value in found]
    return Texts(values, counts.tolist(), codes, bare=values == written)


def is_text(column: "pd.Series[Any]") -> bool:
    """Whether pandas has read neither numbers nor booleans."""
    import pandas as pd

    return not bool(pd.api.types.is_numeric_dtype(column))


def read_style(frame: "pd.DataFrame", origin: Origin) -> Style:
    """A file's style, from all the cells of all of its columns."""
    texts = {str(name): texts_of(frame[name]) for name in frame.columns if is_text(frame[name])}
    found = {name: _numbers(each, ".") for name, each in texts.items()}
    marks = [numbers.decimal for numbers in found.values() if numbers is not None]
    commas, points = marks.count(","), marks.count(".")
    typed = (_shows_point(frame[name]) for name in frame.columns if name not in texts)
    points += sum(typed) if commas else any(typed)
    usual: Decimal = "," if origin.separator == ";" else "."
    decimal: Decimal = usual if commas == points else "," if commas > points else "."
    if decimal == ",":
        again = [name for name, each in found.items() if each is not None and each.open and each.decimal is None]
        found |= {name: _numbers(texts[name], decimal) for name in again}
    return Style(
        decimal,
        commas + points > 0 or usual == ".",
        points > commas,
        decimal == "," or usual == ",",
        {name: numbers for name, numbers in found.items() if numbers is not None},
    )


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
        else _column(frame[name], style, origin.kinds.get(str(name), "text"))
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
        tuple(f"column {name}: {doubt}" for name, column in read.items() for doubt in column.doubts),
        tuple(f"{name}: {column.change}" for name, column in read.items() if column.change),
        tuple((part, name) for name, column in read.items() for part in column.features if part != name),
    )


# ---- one column


def _numbers(texts: Texts, decimal: Decimal) -> Numbers | None:
    return read_numbers(texts.values, texts.counts, decimal) if texts.values else None


def _column(column: "pd.Series[Any]", style: Style, kind: str) -> Column:
    """A column as its cells and the file's style say. kind: what it holds, if it is no text of a person's."""
    return _text(column, style, kind) if is_text(column) else _typed(column)


def _typed(column: "pd.Series[Any]") -> Column:
    """A column that pandas has read as numbers or booleans."""
    values = column.to_numpy(np.float64, na_value=np.nan)
    if column.dtype.kind in "iu" and values.size and np.abs(values).max() >= _EXACT:
        texts = texts_of(column.astype("str"))
        if len(texts.values) > len(np.unique(values)):
            return _identifiers(str(column.name), texts)
    return _of_numbers(str(column.name), values, ())


def _of_numbers(name: str, values: Floats, how: tuple[str, ...], doubts: tuple[str, ...] = ()) -> Column:
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
        read = _of_numbers(name, texts.spread(numbers.values), (*numbers.how, *_marks(numbers.missing)), numbers.doubts)
        doubts = read.doubts
        if numbers.open and numbers.decimal is None and not style.shown:
            mark = {".": "point", ",": "comma"}[style.decimal]
            doubts = (*doubts, f"{numbers.open} is read with a decimal {mark}; no cell of the file shows which it has")
        return read._replace(doubts=doubts, change=_number_change(texts, numbers.values))
    clock = read_clock(texts.values, texts.counts) if texts.values else None
    if clock is not None:
        lost = [text for text, hour in zip(texts.values, clock.hours, strict=True) if np.isnan(hour) and text]
        read = _of_numbers(name, texts.spread(clock.hours), (clock.how, *_marks(lost)), clock.doubts)
        return read._replace(kind="time of day", change="time of day")
    dates = read_dates(column if texts.bare else column.where(texts.codes >= 0), day_first=style.day_first)
    if dates is not None:
        parts = parts_of(dates.values.rename(name))
        first = dates.values.dropna().iloc[0]
        how = (f"the first {first:%d %B %Y}", *dates.how, *_marks(dates.missing))
        change = "" if dates.usual and texts.bare else "date"
        features = {
            str(part): parts[part].to_numpy(np.float64, na_value=np.nan) for part in parts if _varies(parts[part])
        }
        return Column(features, "date", how, int(dates.values.isna().sum()), len(texts.values), dates.doubts, change)
    read = _categories(name, texts, kind)
    return read._replace(change="no date") if were_dates(column) else read


def _are_too_long(values: Floats) -> bool:
    """Whether different texts become one number, because no float has so many digits."""
    known = values[np.isfinite(values)]
    return bool((np.abs(known) >= _EXACT).any()) and len(np.unique(known)) < len(known)


def _identifiers(name: str, texts: Texts) -> Column:
    return _categories(name, texts, "identifiers too long for numbers")._replace(change="identifiers")


def _varies(values: "pd.Series[Any]") -> bool:
    return int(values.nunique(dropna=False)) > 1


def _marks(missing: Sequence[str]) -> list[str]:
    """What was read as missing, blanks apart, in words."""
    texts = [repr(text) for text in dict.fromkeys(missing) if text]
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return [f"{', '.join(texts[:3])}{more} as missing"] if texts else []


def _categories(name: str, texts: Texts, kind: str = "text") -> Column:
    import pandas as pd

    levels = sorted(texts.values)
    place = {value: k for k, value in enumerate(levels)}
    codes = np.append([place.get(value, -1) for value in texts.values], -1).astype(np.intp)[texts.codes]
    values = pd.Categorical.from_codes(codes, categories=pd.Index(levels, dtype="str"))
    doubts: tuple[str, ...] = ()
    if kind == "text" and len(levels) > MANY_TEXTS and _share(texts, _holds_digits) > HALF:
        what = f"{len(levels):,} different texts that hold digits, such as {texts.values[0]!r}, are read as categories"
        doubts = (f"{what}; write them as plain numbers, or name the column with `category` or `drop`",)
    change = "" if texts.bare else "blanks around are none"
    how = () if kind == "text" else (kind,)
    return Column({name: values}, "category", how, int((codes < 0).sum()), len(levels), doubts, change)


def _share(texts: Texts, condition: Callable[[str], bool]) -> float:
    """Of the cells that hold something, those that meet a condition."""
    return sum(n for text, n in zip(texts.values, texts.counts, strict=True) if condition(text)) / sum(texts.counts)


def _holds_digits(text: str) -> bool:
    return any(map(str.isdigit, text))


def _number_change(texts: Texts, values: Floats) -> str:
    """What differs from version 0.1.0, which read fewer texts as numbers, and some as others."""
    before = read_as_before(texts.values, texts.counts)
    return "" if before is not None and np.array_equal(before, values, equal_nan=True) else "number"


# ---- what only the other columns tell


def _written(frame: "pd.DataFrame", origin: Origin, names: list[str]) -> "dict[str, pd.Series[Any]]":
    """Columns as they were written, where there is a text: 007 is not 7."""
    if origin.texts is None or not names:
        return {}
    found = origin.texts(names, None)
    return {name: found[name].set_axis(frame.index) for name in names}


def _categories_named(frame: "pd.DataFrame", origin: Origin, names: Sequence[str]) -> dict[str, Column]:
    """Columns that a person calls categories, from the cells as they were written."""
    written = _written(frame, origin, [name for name in names if not is_text(frame[name])])
    columns = {name: _categories(name, texts_of(written.get(name, frame[name]))) for name in names}
    return {name: column._replace(doubts=(), how=AS_TOLD, change="") for name, column in columns.items()}


def with_thousands(frame: "pd.DataFrame", origin: Origin, style: Style, others: Sequence[str]) -> dict[str, Column]:
    """The columns that pandas took for numbers with decimals, but whose dots may separate thousands, as written."""
    if origin.texts is None:
        return {}
    names = [name for name in frame.columns if name not in others and _may_be_thousands(frame[name])]
    found: dict[str, Column] = {}
    for name, column in _written(frame, origin, names).items():
        texts = texts_of(column)
        numbers = _numbers(texts, style.decimal if style.shown else ".")
        if numbers is not None and numbers.open:
            found[str(name)] = (
                _against_points(frame[name], numbers)
                if style.points and numbers.decimal == ","
                else _of_dots(str(name), texts, numbers, style, origin.separator)
            )
    return found


def _against_points(column: "pd.Series[Any]", numbers: Numbers) -> Column:
    """A column whose dots seem to separate thousands, in a file whose other columns have decimal points."""
    doubt = (
        f"{numbers.open} is read with a decimal point, as the file's other columns show; whole numbers stand beside it"
    )
    read = _typed(column)
    return read._replace(doubts=(*read.doubts, doubt))


def _of_dots(name: str, texts: Texts, numbers: Numbers, style: Style, separator: str) -> Column:
    """A column of texts such as 1.234, read as its cells, or else the file's other columns, show."""
    read = _of_numbers(name, texts.spread(numbers.values), (*numbers.how, *_marks(numbers.missing)), numbers.doubts)
    if numbers.decimal == ",":
        doubt = f"{numbers.open} is read as thousands, because whole numbers stand beside groups of three"
    elif style.decimal == "," and style.shown:
        doubt = f"{numbers.open} is read as thousands, because the file's other columns have decimal commas"
    else:
        open_to_both = f"{numbers.open} is read with a decimal point; no cell of the file shows which it has"
        return read._replace(doubts=(*read.doubts, *([open_to_both] if separator != "," and not style.shown else [])))
    return read._replace(doubts=(*read.doubts, doubt), change="number")


def _may_be_thousands(column: "pd.Series[Any]") -> bool:
    return column.dtype == "float64" and not _shows_point(column) and _has_thirds(column)


def _shows_point(column: "pd.Series[Any]") -> bool:
    """Whether numbers hold digits behind the point that cannot be thousands: 0.5, or another number than three."""
    if column.dtype != "float64":
        return False
    values = np.abs(column.to_numpy())
    values = values[np.isfinite(values) & (values > 0)]
    small = values[values < LEAST_THOUSAND]
    rough = np.abs(small * 1000 - np.round(small * 1000)) > 1e-6 * np.maximum(small, 1)
    whole = np.all(values[values >= LEAST_THOUSAND] % 1 == 0)  # 1234.567 has dots for decimals
    return bool(np.any(rough | (small < 1))) or not whole


def _has_thirds(column: "pd.Series[Any]") -> bool:
    values = column.to_numpy()
    return column.dtype.kind == "f" and bool((values[np.isfinite(values)] % 1 != 0).any())


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
    like_numbers = sum(not level[0].isalpha() and _holds_digits(level) for level in levels)
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
    whole = [name for name in numbers if not is_text(frame[name]) and not _has_thirds(frame[name])]
    if origin.texts is not None and whole:
        head = origin.texts(whole, _HEAD_CELLS // len(whole) + 1)
        cells = {str(name): head[name].tolist() for name in whole}
        for pattern, what in _LIKE_CODES:
            if odd := [name for name, texts in cells.items() if any(map(pattern.fullmatch, texts))]:
                notes.append(f"numbers with {what}, codes perhaps (then `category`): {listed(odd)}")
    return notes


def _counts_rows(values: Floats) -> bool:
    import pandas as pd

    return bool(len(values) > _FEW_ROWS and (values % 1 == 0).all() and pd.Series(values).is_unique)
