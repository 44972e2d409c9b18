"""The columns that are no features: what groups, orders or weighs the rows, and how each was read.

Numbers are read as features are; groups are compared as they are written, because 0012 and 12 may be two patients.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from focalbench.datasets.columns.column import Style
from focalbench.datasets.columns.dates import are_written_both_ways, read_clock, read_dates
from focalbench.datasets.columns.periods import are_months, end_with_the_year, may_be_periods, read_periods
from focalbench.datasets.columns.style import with_thousands
from focalbench.datasets.columns.texts import Origin, is_text, texts_of
from focalbench.datasets.dataset import Floats
from focalbench.datasets.tables.table import Groups, SpecialReading
from focalbench.datasets.tables.targets import rows_of
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_HUGE = 1e290  # of a weight
_EXACT = 2.0**53  # the first float beside which not every whole number is one
_MARKS = {".": "point", ",": "comma"}


class Special(NamedTuple):
    """A column that is no feature. values: one a row. doubts: what a person should look at. change: what version 0.1.0
    read otherwise, if anything. hours: that times span, None where they are no dates.
    """

    values: Any
    reading: SpecialReading
    doubts: tuple[str, ...] = ()
    change: str = ""
    hours: float | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The doubts, each with the column."""
        return tuple(f"{self.reading.part} {self.reading.column}: {doubt}" for doubt in self.doubts)

    @property
    def changes(self) -> tuple[str, ...]:
        """As of Table."""
        return (f"{self.reading.part} {self.reading.column}: {self.change}",) if self.change else ()


class _Read(NamedTuple):
    """Values of a column, and in words what was done to have them. hours: as of Special."""

    values: Any
    how: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    change: str = ""
    hours: float | None = None


def as_written(column: "pd.Series[Any]", origin: Origin) -> "pd.Series[Any]":
    """A column that pandas took for numbers as its texts, where there are any: 1.10 is not 1.1, but 12.0 is 12."""
    if origin.texts is None or column.dtype.kind not in "iuf":
        return column
    texts = origin.texts([str(column.name)], None)[str(column.name)].set_axis(column.index)
    return texts.str.strip().str.replace(r"^([+-]?\d+)\.0$", r"\1", regex=True).where(column.notna())


def with_exact_numbers(frame: "pd.DataFrame", origin: Origin) -> "pd.DataFrame":
    """The same, with the texts of columns of floats so large that several whole numbers may have become one."""
    large = [name for name in frame.columns if frame[name].dtype == "float64" and (frame[name].abs() >= _EXACT).any()]
    return frame.assign(**{name: as_written(frame[name], origin) for name in large})


def read_group(column: "pd.Series[Any]", origin: Origin) -> Special:
    """Numbers of the groups, (rows,) int64. Raises InputError for missing values."""
    name, written = str(column.name), as_written(column, origin)
    codes = _codes(written)
    _check_complete(codes < 0, f"the group column {name!r} must have a value in every row")
    groups, before = int(codes.max()) + 1, int(column.nunique())
    reading = SpecialReading("group", name, f"{groups:,} different value{'s' * (groups != 1)}")
    if is_text(column) or groups == before:
        return Special(codes, reading)
    one, other = _two_spellings(column, written)
    doubt = (
        f"{groups:,} values as they are written are {before:,} numbers: {one!r} and {other!r} are two groups; where "
        "they are one, write them alike in the file"
    )
    return Special(codes, reading, (doubt,), "as it is written")


def read_time(column: "pd.Series[Any]", origin: Origin, style: Style) -> Special:
    """Numbers of the times in their order, (rows,) int64. Raises InputError for what is missing or cannot be read."""
    import pandas as pd

    name = str(column.name)
    read = _periods(column, origin) or _numbers_of_no_dates(column, origin, style) or _moments(column, style)
    missing = np.asarray(pd.isna(read.values))
    if missing.all():
        raise InputError(f"the time column {name!r} holds no date, time or number; write dates as 2023-01-31")
    _check_complete(missing, f"the time column {name!r} must hold a date, time or number in every row")
    reading = SpecialReading("time", name, "; ".join(read.how))
    codes = np.asarray(pd.factorize(read.values, sort=True)[0], np.int64)
    return Special(codes, reading, read.doubts, read.change, read.hours)


def read_weight(column: "pd.Series[Any]", origin: Origin, style: Style) -> Special:
    """Weights, (rows,) float64. Raises InputError where one is no number of at least 0."""
    import pandas as pd

    name = str(column.name)
    read = _numbers(column, origin, style) or _Read(pd.to_numeric(column, errors="coerce"))
    weights = pd.Series(read.values).to_numpy(np.float64, na_value=np.nan)
    good = np.isfinite(weights) & (weights >= 0)
    _check_complete(~good, f"the weight column {name!r} must hold a number >= 0 in every row", "correct them")
    return Special(
        _in_range(weights).copy(), SpecialReading("weight", name, "; ".join(read.how)), read.doubts, read.change
    )


def read_score(column: "pd.Series[Any]", origin: Origin, style: Style) -> Special:
    """Scores of a model, (rows,) float64. Raises InputError where one is missing, infinite, or no number."""
    import pandas as pd

    name = str(column.name)
    read = _numbers(column, origin, style) or _Read(pd.to_numeric(column, errors="coerce"))
    scores = pd.Series(read.values).to_numpy(np.float64, na_value=np.nan, copy=True)
    _check_complete(~np.isfinite(scores), f"the score column {name!r} must hold a finite number in every row")
    how = read.how
    if any("% stripped" in text for text in how):  # as a probability it is a hundredth
        scores, how = scores / 100, (*how, "percent as hundredths")
    return Special(scores, SpecialReading("score", name, "; ".join(how)), read.doubts)


def _check_complete(bad: "np.ndarray[Any, np.dtype[np.bool_]]", what: str, remedy: str = "fill them in") -> None:
    if bad.any():
        where = f"{rows_of(int(bad.sum()))} (first: data row {bad.argmax() + 1})"
        raise InputError(f"{what}; it does not in {where}; {remedy} or remove these rows")


def _codes(column: "pd.Series[Any]") -> Groups:
    """A number for each value, -1 where it is missing."""
    import pandas as pd

    codes = texts_of(column).codes if is_text(column) else pd.factorize(column)[0]
    return np.asarray(codes, dtype=np.int64)


def _two_spellings(column: "pd.Series[Any]", written: "pd.Series[Any]") -> Sequence[str]:
    """Two texts of a column that are one number."""
    texts = written.drop_duplicates()
    shared = column[texts.index]
    return [str(text) for text in texts[shared == shared[shared.duplicated()].iloc[0]][:2]]


def _numbers(column: "pd.Series[Any]", origin: Origin, style: Style) -> _Read | None:
    """A column of numbers, read as a feature is; None for others."""
    name = str(column.name)
    if thousands := with_thousands(column.to_frame(), origin, style, ()):
        read = thousands[name]
        return _Read(read.features[name], (_ranged(read.features[name], read.how),), read.doubts, read.change)
    if not is_text(column):
        return _Read(column, (_ranged(column, ()),))
    if (found := style.numbers.get(name)) is None:
        return None
    values = texts_of(column).spread(found.values)
    doubts = found.doubts
    if found.open and found.decimal is None and not style.shown:
        doubts += (f"{found.open} is read with a decimal {_MARKS[style.decimal]}; no cell shows which it has",)
    return _Read(values, (_ranged(values, found.how),), doubts)


def _periods(column: "pd.Series[Any]", origin: Origin) -> _Read | None:
    """Months, quarters or weeks, also where pandas took them for numbers, as 01.2021; None for others."""
    values = None if is_text(column) else column.to_numpy(np.float64, na_value=np.nan)
    if values is not None and (origin.texts is None or not may_be_periods(values)):
        return None
    name = str(column.name)
    texts = texts_of(column if values is None or origin.texts is None else origin.texts([name], None)[name])
    if (days := read_periods(texts.values)) is None:
        return None
    periods = texts.spread(days)
    same = values is None or np.array_equal(_ranks(periods), _ranks(values))
    said = ("months, quarters or weeks",)
    return _Read(periods, said, change="" if same else "months", hours=_span(24 * periods))


def _ranks(values: Any) -> Groups:
    """The place of each value among the different ones."""
    import pandas as pd

    return np.asarray(pd.factorize(values, sort=True)[0], dtype=np.int64)


def _numbers_of_no_dates(column: "pd.Series[Any]", origin: Origin, style: Style) -> _Read | None:
    """Numbers, unless they look like dates that begin with the day or the month: these have another order."""
    read = _numbers(column, origin, style)
    if read is not None:
        values = np.asarray(read.values, dtype=np.float64)
        if are_months(values) or end_with_the_year(values):
            raise _open_dates(column)
    return read


def _open_dates(column: "pd.Series[Any]") -> InputError:
    what = f"the time column {str(column.name)!r} may begin with the day, the month or the year"
    return InputError(f"{what}; write dates as 2023-01-31")


def _ranged(values: Any, how: Sequence[str]) -> str:
    """The smallest and the largest number, and how they were read."""
    low, high = (_shown(end) for end in (np.min(values), np.max(values)))
    return f"numbers {low} to {high}" + (f" ({'; '.join(how)})" if how else "")


def _shown(number: Any) -> str:
    return str(number) if isinstance(number, int | np.integer) else f"{float(number):.15g}"


def _moments(column: "pd.Series[Any]", style: Style) -> _Read:
    """Times of day or dates. Raises InputError where days and months cannot be told."""
    texts = texts_of(column)
    if (clock := read_clock(texts.values, texts.counts)) is not None:
        span = f"times of day, {_clock(np.nanmin(clock.hours))} to {_clock(np.nanmax(clock.hours))}"
        return _Read(texts.spread(clock.hours), (span,), clock.doubts)
    dates = read_dates(column, day_first=style.day_first)
    if dates is None and not are_written_both_ways(texts.values):
        return _Read(np.full(len(column), np.nan))
    if dates is None or dates.open:
        raise _open_dates(column)
    span = f"dates, {dates.values.min():%d %B %Y} to {dates.values.max():%d %B %Y}"
    hours = (dates.values - dates.values.min()) / np.timedelta64(1, "h")
    return _Read(dates.values, (", ".join([span, *dates.how]),), dates.doubts, hours=_span(hours))


def _span(hours: Any) -> float:
    """From the first time to the end of the last, which lasts as long as the others do on average."""
    times = np.unique(np.asarray(hours, dtype=np.float64))
    return float((times[-1] - times[0]) * len(times) / max(len(times) - 1, 1))


def _clock(hours: float) -> str:
    minutes = round(hours * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _in_range(weights: Floats) -> Floats:
    """The weights; of those that floats can hardly hold, or sum up, only the proportions."""
    largest = float(weights.max(initial=0.0))
    return weights if largest == 0 or 1 / _HUGE < largest < _HUGE else weights / largest
