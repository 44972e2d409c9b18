"""Texts that a person would call dates or times of day.

skrub reads a column of one format; this adds what it refuses: years of two digits, months without a day, names of
months, several formats in one column, one mark of the missing among dates, and which of 01/02/2023 is the day.
"""

import contextlib
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from focalbench.datasets.cells import LONGEST
from focalbench.datasets.dataset import Floats
from focalbench.datasets.numbers import LOST, MISSING, plain

if TYPE_CHECKING:
    import pandas as pd

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LAST_MONTH, _PIVOT = 12, 69  # a year of two digits from 69 on is of the last century, as for POSIX
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:[.,]\d+)?))?(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
_CLOCK = re.compile(_TIME)
_AFTER = rf"(?:(?:[T ]|, )\s*{_TIME}\s*(?P<zone>Z|UTC|[+-]\d{{2}}:?\d{{2}})?)?"
_NAME = r"(?P<name>[A-Za-z]{3,9})\.?"
_SHAPES = tuple(
    re.compile(shape + _AFTER)
    for shape in (
        r"(?P<year>\d{4})(?P<mark>[/.-])(?P<month>\d{1,2})[/.-](?P<day>\d{1,2})",
        r"(?P<first>\d{1,2})(?P<mark>[/.-])(?P<second_part>\d{1,2})[/.-](?P<year>\d{4}|\d{2})",
        r"(?P<month>\d{1,2})[/.-](?P<year>\d{4})",
        r"(?P<year>\d{4})[/.-](?P<month>\d{1,2})",
        rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?[ -]?{_NAME}[ ,-]*(?P<year>\d{{4}}|\d{{2}})",
        rf"{_NAME}[ -](?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}})",
        rf"{_NAME}[ -]?(?P<year>\d{{4}}|\d{{2}})",
        rf"(?P<year>\d{{4}})[ -]{_NAME}(?:[ -](?P<day>\d{{1,2}}))?",
    )
)


class Moment(NamedTuple):
    """A date as written. first and second: the two numbers before a year, of which one is the day; both 0 where year,
    month and day are known. clock: seconds since midnight.
    """

    year: int
    month: int
    day: int
    first: int
    second: int
    mark: str
    clock: float
    zone: str


@dataclass(frozen=True)
class Dates:
    """What a column of dates says. values: a datetime a row. how: what was done, in words; missing: texts read as
    missing; doubts: what a person should look at. usual: whether skrub reads the column like this, too. open:
    whether no cell shows what comes first, the day or the month.
    """

    values: "pd.Series[pd.Timestamp]"
    how: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    usual: bool = True
    open: bool = False


def read_dates(column: "pd.Series[str]", *, day_first: bool) -> Dates | None:
    """Read a column of text as dates; None where it holds none.

    day_first: how 01/02/2023 begins where no cell of the column shows it.
    """
    texts = [str(text) for text in column.dropna().unique()]
    moments = [_moment(text) for text in texts]
    written = [moment for moment in moments if moment is not None and moment.first]
    shown = _shown(written)
    if shown is not None or not written:
        usual = _by_skrub(column)
        if usual is not None:
            return Dates(usual)
    if not any(moment is not None for moment in moments):
        return None
    dotted = bool(written) and all(moment.mark == "." for moment in written)  # only the day comes before a dot
    first = shown if shown is not None else dotted or day_first
    found = _by_shape(column, texts, moments, first)
    if found is None or not written or shown is not None or dotted:
        return found
    which, usual = ("day" if first else "month"), _by_skrub(column)
    as_usual = usual is not None and found.values.equals(usual.astype("datetime64[us]"))
    return replace(
        found,
        usual=as_usual,
        open=True,
        doubts=(f"no cell shows whether the day or the month comes first; read {which} first", *found.doubts),
    )


def parts_of(dates: "pd.Series[pd.Timestamp]") -> "pd.DataFrame":
    """Year, month, day, hour, weekday and seconds of a column of dates, as NAME_year and so on; without those that the
    column's resolution does not have.
    """
    from skrub import DatetimeEncoder

    with warnings.catch_warnings(action="ignore"):
        encoded: pd.DataFrame = DatetimeEncoder(resolution="hour", add_weekday=True).fit_transform(dates)
    return encoded


def read_clock(texts: Sequence[str], counts: Sequence[int]) -> Floats | None:
    """Hours since midnight of texts such as 13:45, 1:45:30 or 1:45 pm, each there so many times; None where they are
    no times. A text that stands for a missing value is NaN.
    """
    found = [_CLOCK.fullmatch(text.strip()) if len(text) <= LONGEST else None for text in texts]
    if not _nearly_all(texts, [match is not None for match in found], counts):
        return None
    return np.array([np.nan if match is None else _seconds(match) / 3600 for match in found])


def are_written_both_ways(texts: Sequence[str]) -> bool:
    """Whether some dates must begin with the day and others with the month."""
    written = [moment for moment in map(_moment, texts) if moment is not None]
    return all(max((getattr(each, part) for each in written), default=0) > _LAST_MONTH for part in ("first", "second"))


def _by_skrub(column: "pd.Series[str]") -> "pd.Series[pd.Timestamp] | None":
    from skrub import ToDatetime  # loads for a second

    with warnings.catch_warnings(action="ignore"), contextlib.suppress(ValueError, TypeError, OverflowError):
        dates: pd.Series[pd.Timestamp] = ToDatetime().fit_transform(column.rename(str(column.name)))
        return dates
    return None


def _by_shape(
    column: "pd.Series[str]", texts: list[str], moments: "list[Moment | None]", day_first: bool
) -> Dates | None:
    by_text = column.value_counts()
    counts = [int(by_text[text]) for text in texts]
    stamps = [None if moment is None else _stamp(moment, day_first) for moment in moments]
    if not _nearly_all(texts, [stamp is not None for stamp in stamps], counts):
        return None
    naive = [None if stamp is None else stamp.replace(tzinfo=None) for stamp in stamps]
    values = column.map(dict(zip(texts, naive, strict=True))).astype("datetime64[us]")
    lost = [text.strip() for text, stamp in zip(texts, stamps, strict=True) if stamp is None]
    odd = [text for text in lost if any(sign.isdigit() for sign in text)]
    how = ("day first",) if day_first and any(moment is not None and moment.first for moment in moments) else ()
    doubts = (f"cells such as {odd[0]!r} are no dates and read as missing",) if odd else ()
    return Dates(values.rename(column.name), how, tuple(lost), doubts, usual=False)


def _nearly_all(texts: Sequence[str], good: Sequence[bool], counts: Sequence[int]) -> bool:
    """Whether what is no date is missing: marks that everybody knows, one other text without digits, or few."""
    total, others = 0, Counter[str]()
    for text, is_good, count in zip(texts, good, counts, strict=True):
        total += count if is_good else 0
        if not is_good and plain(text) not in MISSING:
            others[plain(text)] += count
    if not total:
        return False
    one_mark = len(others) == 1 and not any(sign.isdigit() for sign in next(iter(others)))
    return one_mark or others.total() <= LOST * (total + others.total())


def _moment(text: str) -> Moment | None:
    text = text.strip()
    if len(text) > LONGEST:
        return None
    for shape in _SHAPES:
        if match := shape.fullmatch(text):
            return _read(match.groupdict())
    return None


def _read(found: dict[str, str | None]) -> Moment | None:
    name = (found.get("name") or "").casefold()
    if name and (name[:3] not in _MONTHS):
        return None
    month = _MONTHS.index(name[:3]) + 1 if name else int(found.get("month") or 0)
    year = int(found["year"] or 0)
    year += 0 if len(found["year"] or "") > 2 else 1900 if year >= _PIVOT else 2000
    first, second = int(found.get("first") or 0), int(found.get("second_part") or 0)
    day = int(found.get("day") or (0 if first else 1))
    clock = 0.0 if found["hour"] is None else _clock_seconds(found)
    return Moment(year, month, day, first, second, found.get("mark") or "", clock, found["zone"] or "")


def _seconds(match: re.Match[str]) -> float:
    return _clock_seconds(match.groupdict())


def _clock_seconds(found: "dict[str, str | None]") -> float:
    hour, minute = int(found["hour"] or 0), int(found["minute"] or 0)
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].casefold() == "p" else 0)
    return 3600 * hour + 60 * minute + float((found["second"] or "0").replace(",", "."))


def _shown(written: "Sequence[Moment]") -> bool | None:
    """Whether the first of two numbers is the day, as one that can be no month shows; None where none does."""
    first, second = (max((getattr(each, name) for each in written), default=0) for name in ("first", "second"))
    return first > _LAST_MONTH if (first > _LAST_MONTH) != (second > _LAST_MONTH) else None


def _stamp(moment: Moment, day_first: bool) -> datetime | None:
    month, day = moment.month, moment.day
    if moment.first:
        day, month = (moment.first, moment.second) if day_first else (moment.second, moment.first)
    with contextlib.suppress(ValueError, OverflowError):
        start = datetime(moment.year, month, day, tzinfo=UTC)
        return start + timedelta(seconds=moment.clock) - _offset(moment.zone)
    return None


def _offset(zone: str) -> timedelta:
    """What is to be taken from a local time: +02:00 is two hours ahead."""
    if zone in ("", "Z", "UTC"):
        return timedelta()
    digits = zone[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return size if zone[0] == "+" else -size
