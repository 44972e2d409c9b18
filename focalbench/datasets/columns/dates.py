"""Texts that a person would call dates or times of day.

skrub reads a column of one format; this adds what it refuses: years of two digits, months without a day, names of
months, several formats in one column, one mark of the missing among dates, and which of 01/02/2023 is the day.
"""

import contextlib
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from focalbench.datasets.columns.cells import LONGEST
from focalbench.datasets.columns.numbers import LOST, MISSING, plain
from focalbench.datasets.columns.periods import LAST_DAY, LAST_MONTH, YEARS
from focalbench.datasets.dataset import Floats

if TYPE_CHECKING:
    import pandas as pd

_NAMES = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTHS = {short: k for k, name in enumerate(_NAMES, 1) for short in (name, name[:3])} | {"sept": 9}
_LAST_HOUR = 24
_PIVOT = 30  # years of two digits beyond it are of the last century, so that no date of birth lies ahead
_AMBIGUOUS = range(_PIVOT + 1, 69)  # POSIX would read these as 20xx
_ENOUGH = 15  # different numbers, of which the days of a month have more than a column has years
_TIME = (
    r"(?P<hour>\d{1,3}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d(?:[.,]\d+)?))?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_CLOCK = re.compile(_TIME)
_ZONE = r"(?:\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
_AFTER = rf"(?:(?:[T ]|, ){_TIME}{_ZONE})?"
_AFTER_COLON = rf":{_TIME}{_ZONE}"  # as SAS and web servers write
_NAME = r"(?P<name>[A-Za-z]{3,9})\.?"
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?"
_SHAPES = tuple(
    re.compile(shape)
    for shape in (
        rf"(?P<year>\d{{4}})[/.-](?P<month>\d{{1,2}})[/.-](?P<day>\d{{1,2}}){_AFTER}",
        rf"(?P<one>\d{{1,2}})(?P<mark>[/.-])(?P<two>\d{{1,2}})[/.-](?P<three>\d{{4}}|\d{{2}}){_AFTER}",
        rf"(?P<month>\d{{1,2}})[/.-](?P<near_year>\d{{4}}){_AFTER}",
        rf"(?P<near_year>\d{{4}})[/.-](?P<month>\d{{1,2}}){_AFTER}",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?[ /-]?{_NAME}[ ,/-]*(?P<year>\d{{4}}|\d{{2}}){_AFTER}",
        rf"(?P<day>\d{{1,2}})[/-]?{_NAME}[/-]?(?P<year>\d{{4}}|\d{{2}}){_AFTER_COLON}",
        rf"{_WEEKDAY}{_NAME}[ -](?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}}){_AFTER}",
        rf"{_WEEKDAY}{_NAME} +(?P<day>\d{{1,2}}) {_TIME}{_ZONE} (?P<year>\d{{4}})",
        rf"{_NAME}[ -]?(?P<near_year>\d{{4}}){_AFTER}",
        rf"{_NAME}(?P<mark>-| ?')(?P<year>\d{{2}})",
        rf"(?P<near_year>\d{{4}})[ -]{_NAME}(?:[ -](?P<day>\d{{1,2}}))?{_AFTER}",
    )
)


class _Found(NamedTuple):
    """The groups of the shapes, None where a shape has no such group."""

    year: str | None = None
    near_year: str | None = None
    month: str | None = None
    day: str | None = None
    name: str | None = None
    one: str | None = None
    two: str | None = None
    three: str | None = None
    mark: str | None = None
    hour: str | None = None
    minute: str | None = None
    second: str | None = None
    half: str | None = None
    zone: str | None = None


_CODE = re.compile(r"(\d{4})[/.-]\d{1,2}")
_NO_DATE = re.compile(  # what databases and spreadsheets write for a date that there is not
    r"(?:0?0[/.-]0?0[/.-]0000|0000[/.-]0?0[/.-]0?0"
    r"|9999[/.-]\d\d?[/.-]\d\d?|\d\d?[/.-]\d\d?[/.-]9999"
    r"|000[01][/.-]0?1[/.-]0?1|0?1[/.-]0?1[/.-]000[01]"
    r"|1900[/.-]0?1[/.-]0?0|0?1[/.-]0?0[/.-]1900|0?0[/.-]0?1[/.-]1900)"
    r"(?:[T ][\d:.]+(?:Z|[+-][\d:]+)?)?"
)
_BEGINS = {"dmy": "day", "mdy": "month", "ymd": "year"}


class Moment(NamedTuple):
    """A date as written. parts: its three numbers in their order; orders: what they may be, such as "dmy". short:
    whether the year has two digits. mark: between the numbers. vague: whether the year may be a day. clock: seconds
    since midnight.
    """

    parts: tuple[int, int, int]
    orders: tuple[str, ...]
    short: bool
    mark: str
    vague: bool
    clock: float
    zone: str

    def part(self, letter: str, order: str) -> int:
        """The year, month or day in an order; in its own where there is only one."""
        return self.parts[(order if len(self.orders) > 1 else self.orders[0]).index(letter)]

    def fits(self, order: str) -> bool:
        """Whether an order makes a month of the month and a day of the day."""
        month, day = self.part("m", order), self.part("d", order)
        return order in self.orders and 1 <= month <= LAST_MONTH and 1 <= day <= LAST_DAY


@dataclass(frozen=True)
class Dates:
    """What a column of dates says. values: a datetime a row. how: what was done, in words; missing: texts read as
    missing; doubts: what a person should look at. usual: whether skrub reads the column like this, too. open:
    whether the cells could be other dates as well, as no cell shows what comes first.
    """

    values: "pd.Series[pd.Timestamp]"
    how: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    usual: bool = True
    open: bool = False


@dataclass(frozen=True, eq=False)
class Clock:
    """Hours of a column of times, or of durations, by its distinct texts; how and doubts as of Dates."""

    hours: Floats
    how: str
    doubts: tuple[str, ...]


def read_dates(column: "pd.Series[str]", *, day_first: bool) -> Dates | None:
    """Read a column of text as dates; None where it holds none.

    day_first: how 01/02/2023 begins where no cell of the column shows it.
    """
    texts = [str(text) for text in column.dropna().unique()]
    marks = [text for text in texts if _NO_DATE.fullmatch(text.strip())]
    if not marks or len(marks) == len(texts):
        return _read_dates(column, texts, day_first)
    others = column.where(~column.map(str).isin(marks))
    found = _read_dates(others, [text for text in texts if text not in marks], day_first)
    return None if found is None else replace(found, missing=(*marks, *found.missing), usual=False)


def _read_dates(column: "pd.Series[str]", texts: list[str], day_first: bool) -> Dates | None:
    moments = [_moment(text) for text in texts]
    good = [moment for moment in moments if moment is not None]
    written = [moment for moment in good if len(moment.orders) > 1]
    fitting = _possible(written)
    possible = _by_mark(fitting, written)
    order = _chosen(possible, written, day_first)
    aged = next((text for text, each in zip(texts, moments, strict=True) if each and _is_aged(each, order)), "")
    if len(fitting) <= 1 and not aged and not any(map(_is_code, texts)):
        usual = _by_skrub(column)
        if usual is not None:
            return Dates(usual, ("in UTC",) if str(getattr(usual.dtype, "tz", None)) == "UTC" else ())
    if not good:
        return None
    found = _by_shape(column, texts, moments, order)
    if found is None:
        return None
    if aged:
        doubt = f"years of two digits from 31 to 99, as in {aged!r}, are read as 1931 to 1999"
        found = replace(found, doubts=(doubt, *found.doubts))
    if all(moment.vague and 1 <= moment.parts[0] <= LAST_DAY for moment in good):
        doubt = f"no cell shows whether {texts[0]!r} is a month of a year or a day of a month; read as a year"
        return replace(found, open=True, doubts=(doubt, *found.doubts))
    return found if len(possible) <= 1 else _with_doubt(found, column, possible, order)


def _with_doubt(found: Dates, column: "pd.Series[str]", possible: Sequence[str], order: str) -> Dates:
    usual = _by_skrub(column)
    as_usual = usual is not None and found.values.equals(usual.astype("datetime64[us]"))
    either = " or ".join(f"the {_BEGINS[each]}" for each in possible)
    doubt = f"no cell shows whether {either} comes first; read {_BEGINS[order]} first"
    return replace(found, usual=as_usual, open=True, doubts=(doubt, *found.doubts))


def _possible(written: Sequence[Moment]) -> tuple[str, ...]:
    """The orders that all dates allow; where there is none, a day or a month first."""
    fitting = [order for order in _BEGINS if written and all(each.fits(order) for each in written)]
    if "ymd" in fitting and len(fitting) > 1:
        first, third = (len({each.parts[place] for each in written}) for place in (0, 2))
        if third >= _ENOUGH and 2 * first <= third and {each.parts[0] for each in written} != {1}:
            return ("ymd",)  # a month has more days than the column has years
        if first >= _ENOUGH and 2 * third <= first and {each.parts[2] for each in written} != {1}:
            fitting.remove("ymd")
    return tuple(fitting) if fitting or not written else ("dmy", "mdy")


def _by_mark(possible: Sequence[str], written: Sequence[Moment]) -> tuple[str, ...]:
    """The orders less the month first where the day could be, too, and all marks are dots."""
    dotted = "dmy" in possible and all(each.mark == "." for each in written)
    return tuple(order for order in possible if order != "mdy" or not dotted)


def _chosen(possible: Sequence[str], written: Sequence[Moment], day_first: bool) -> str:
    if len(possible) <= 1:
        return possible[0] if possible else "ymd"
    first, third = (len({each.parts[place] for each in written}) for place in (0, 2))
    if "ymd" in possible and first < third:
        return "ymd"
    usual = "dmy" if day_first or "mdy" not in possible else "mdy"
    return usual if usual in possible else possible[0]


def _is_aged(moment: Moment, order: str) -> bool:
    """Whether a year of two digits is read as one of the last century that others would read as one of this."""
    return moment.short and moment.part("y", order) in _AMBIGUOUS


def parts_of(dates: "pd.Series[pd.Timestamp]") -> "pd.DataFrame":
    """Year, month, day, hour, weekday and seconds of a column of dates, as NAME_year and so on; without those that the
    column's resolution does not have.
    """
    from skrub import DatetimeEncoder

    with warnings.catch_warnings(action="ignore"):
        encoded: pd.DataFrame = DatetimeEncoder(resolution="hour", add_weekday=True).fit_transform(dates)
    return encoded


def read_clock(texts: Sequence[str], counts: Sequence[int]) -> Clock | None:
    """Times such as 13:45, 1:45:30 or 1:45 pm, each there so many times, as hours; None where they are no times.

    A text that stands for a missing value is NaN. Hours of 24 and more are those of durations, and then of all cells.
    """
    found = [_CLOCK.fullmatch(text.strip()) if len(text) <= LONGEST else None for text in texts]
    if not _nearly_all(texts, [match is not None for match in found], counts):
        return None
    hours = np.array([np.nan if match is None else _clock_seconds(_groups(match)) / 3600 for match in found])
    lost = [text for text, match in zip(texts, found, strict=True) if match is None and _holds_digits(text)]
    long = next((match[0] for match, hour in zip(found, hours, strict=True) if match and hour > _LAST_HOUR), "")
    if _are_titres(found) or (long and lost):
        return None
    if long:
        return Clock(hours, "hours", (f"cells such as {long!r} are read as hours and minutes of a duration",))
    doubts = (f"cells such as {lost[0]!r} are no times and read as missing",) if lost else ()
    return Clock(hours, "hours since midnight", doubts)


def are_written_both_ways(texts: Sequence[str]) -> bool:
    """Whether some dates must begin with the day and others with the month."""
    written = [moment for moment in map(_moment, texts) if moment is not None and len(moment.orders) > 1]
    return bool(written) and not any(all(each.fits(order) for each in written) for order in _BEGINS)


def were_dates(column: "pd.Series[str]") -> bool:
    """Whether version 0.1.0 read codes such as 4711-01 as dates."""
    return any(_is_code(str(text)) for text in column.dropna().unique()) and _by_skrub(column) is not None


def _by_skrub(column: "pd.Series[str]") -> "pd.Series[pd.Timestamp] | None":
    from skrub import ToDatetime  # loads for a second

    with warnings.catch_warnings(action="ignore"), contextlib.suppress(ValueError, TypeError, OverflowError):
        dates: pd.Series[pd.Timestamp] = ToDatetime().fit_transform(column.rename(str(column.name)))
        return dates
    return None


def _by_shape(column: "pd.Series[str]", texts: list[str], moments: "list[Moment | None]", order: str) -> Dates | None:
    by_text = column.value_counts()
    counts = [int(by_text[text]) for text in texts]
    stamps = [None if moment is None else _stamp(moment, order) for moment in moments]
    if not _nearly_all(texts, [stamp is not None for stamp in stamps], counts):
        return None
    naive = [None if stamp is None else stamp.replace(tzinfo=None) for stamp in stamps]
    values = column.map(dict(zip(texts, naive, strict=True))).astype("datetime64[us]")
    lost = [text.strip() for text, stamp in zip(texts, stamps, strict=True) if stamp is None]
    odd = [text for text in lost if _holds_digits(text)]
    doubts = (f"cells such as {odd[0]!r} are no dates and read as missing",) if odd else ()
    return Dates(values.rename(column.name), tuple(_how(moments, order)), tuple(lost), doubts, usual=False)


def _how(moments: "Sequence[Moment | None]", order: str) -> Iterator[str]:
    if order != "mdy" and any(moment is not None and len(moment.orders) > 1 for moment in moments):
        yield f"{_BEGINS[order]} first"
    if any(moment is not None and moment.zone for moment in moments):
        yield "in UTC"


def _holds_digits(text: str) -> bool:
    return any(sign.isdigit() for sign in text)


def _is_code(text: str) -> bool:
    """Whether a text such as 4711-01 only looks like a year and a month."""
    found = _CODE.fullmatch(text.strip())
    return found is not None and int(found[1]) not in YEARS


def _are_titres(found: "Sequence[re.Match[str] | None]") -> bool:
    """Whether all are 1 to something, as dilutions are written."""
    clocks = [(match[0], _groups(match)) for match in found if match]
    return all(text.startswith("1:") and not clock.second and not clock.half for text, clock in clocks)


def _nearly_all(texts: Sequence[str], good: Sequence[bool], counts: Sequence[int]) -> bool:
    """Whether what is no date is missing: marks that everybody knows, one other text without digits, or few."""
    total, others = 0, Counter[str]()
    for text, is_good, count in zip(texts, good, counts, strict=True):
        total += count if is_good else 0
        if not is_good and plain(text) not in MISSING:
            others[plain(text)] += count
    if not total:
        return False
    one_mark = len(others) == 1 and not _holds_digits(next(iter(others)))
    return one_mark or others.total() <= LOST * (total + others.total())


def _moment(text: str) -> Moment | None:
    text = text.strip()
    if len(text) > LONGEST:
        return None
    for shape in _SHAPES:
        if match := shape.fullmatch(text):
            return _read(_groups(match))
    return None


def _groups(match: re.Match[str]) -> _Found:
    return _Found(**match.groupdict())


def _read(found: _Found) -> Moment | None:
    clock, mark, zone = _clock_seconds(found), found.mark or "", found.zone or ""
    if clock > 3600 * _LAST_HOUR:  # no day has such a time
        return None
    if found.three:
        one, two, three = found.one or "", found.two or "", found.three
        orders = ("dmy", "mdy", "ymd") if len(one + two + three) == len("yymmdd") else ("dmy", "mdy")
        short = len(three) == len("yy")
        return Moment((int(one), int(two), int(three)), orders, short, mark, False, clock, zone)
    month = _MONTHS.get((found.name or "").casefold(), 0) or int(found.month or 0)
    year = found.year or found.near_year or ""
    if not month or (found.near_year and int(year) not in YEARS):
        return None
    parts, named = (int(year), month, int(found.day or 1)), mark == "-" and found.name is not None
    return Moment(parts, ("ymd",), len(year) == len("yy"), mark, named, clock, zone)


def _clock_seconds(found: _Found) -> float:
    """Seconds since midnight, 0 where there is no time."""
    hour, minute = int(found.hour or 0), int(found.minute or 0)
    if found.half:
        hour = hour % 12 + (12 if found.half.casefold() == "p" else 0)
    return 3600 * hour + 60 * minute + float((found.second or "0").replace(",", "."))


def _stamp(moment: Moment, order: str) -> datetime | None:
    year, month, day = (moment.part(letter, order) for letter in "ymd")
    if moment.short:
        year += 1900 if year > _PIVOT else 2000
    with contextlib.suppress(ValueError, OverflowError):
        start = datetime(year, month, day, tzinfo=UTC)
        return start + timedelta(seconds=moment.clock) - _offset(moment.zone)
    return None


def _offset(zone: str) -> timedelta:
    """What is to be taken from a local time: +02:00 is two hours ahead."""
    if zone in ("", "Z", "UTC", "GMT"):
        return timedelta()
    digits = zone[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return size if zone[0] == "+" else -size
