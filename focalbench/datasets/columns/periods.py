"""Columns that order rows and look like numbers: months, quarters and weeks, and dates written as one number."""

import contextlib
import re
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from focalbench.datasets.columns.numbers import MISSING, plain
from focalbench.datasets.dataset import Floats

YEARS = range(1800, 2201)  # a number of four digits beside a month is a year only among these
LAST_MONTH, LAST_DAY = 12, 31
_FEW_MONTHS = 3  # different ones: with fewer, numbers may well look like months by chance
_PERIODS = tuple(
    re.compile(shape)
    for shape in (
        r"(?P<month>0?[1-9]|1[0-2])[.,](?P<year>\d{4})",
        r"(?P<year>\d{4})[.,](?P<month>0?[1-9]|1[0-2])",
        r"(?P<year>\d{4})[ /-]?[Qq](?P<quarter>[1-4])",
        r"[Qq](?P<quarter>[1-4])[ /-]?(?P<year>\d{4})",
        r"(?P<quarter>[1-4])[Qq][ /-]?(?P<year>\d{4})",
        r"(?P<year>\d{4})[ /-]?[Ww](?P<week>\d{1,2})",
        r"(?:[Ww]|KW ?)(?P<week>\d{1,2})[ /-](?P<year>\d{4})",
    )
)


class _Period(NamedTuple):
    """The groups of _PERIODS."""

    year: str
    month: str | None = None
    quarter: str | None = None
    week: str | None = None


def read_periods(texts: Sequence[str]) -> Floats | None:
    """The first day of months (01.2021, 2021.1), quarters (2021Q1) and ISO weeks (2021-W05); None where some text that
    is not missing is none.
    """
    days = [_first_day(text.strip()) for text in texts]
    known = [day is not None or plain(text) in MISSING for text, day in zip(texts, days, strict=True)]
    if not all(known) or not any(days):
        return None
    return np.array([np.nan if day is None else float(day.toordinal()) for day in days])


def may_be_periods(values: Floats) -> bool:
    """Whether numbers could be months such as 1.2021 or 2021.1."""
    values = values[np.isfinite(values)]
    if not values.size or values.min() < 1 or values.max() >= YEARS.stop:
        return False
    hundredths = np.round(values % 1 * 100, 6)
    year_first = np.isin(np.floor(values), YEARS) & np.isin(hundredths, [*range(1, 13), *range(10, 100, 10)])
    return are_months(values) or bool(year_first.all())


def are_months(values: Floats) -> bool:
    """Whether numbers are all like 1.2021: a month, and a year of these centuries."""
    values = values[np.isfinite(values)]
    if not values.size or values.min() < 1 or values.max() >= LAST_MONTH + 1:
        return False
    year = np.round(values % 1 * 10_000, 6)
    return bool(np.isin(year, range(1900, 2100)).all()) and len(np.unique(np.floor(values))) >= _FEW_MONTHS


def end_with_the_year(values: Floats) -> bool:
    """Whether whole numbers are all like 12021 (a month and a year), 31012021 or 310121 (with the day)."""
    values = values[np.isfinite(values)]
    if not values.size or values.min() < 10100 or values.max() > 31_12_2100 or (values % 1).any():
        return False
    front, year = values // 10_000, values % 10_000
    if np.isin(year, range(1900, 2100)).all():
        fits = bool((front <= LAST_MONTH).all()) or _are_days(front)
    else:
        front = values // 100
        fits = _are_days(front) and not _are_days(values % 10_000, month_first=True)
    return fits and len(np.unique(front)) >= _FEW_MONTHS


def _are_days(values: Floats, *, month_first: bool = False) -> bool:
    """Whether numbers such as 3101 or 131 are all days and months, in one of both orders."""
    first, second = values // 100, values % 100
    pairs = ((first, second),) if month_first else ((first, second), (second, first))
    return any(
        bool(np.isin(month, range(1, LAST_MONTH + 1)).all() and np.isin(day, range(1, LAST_DAY + 1)).all())
        for month, day in pairs
    )


def _first_day(text: str) -> date | None:
    match = next((match for shape in _PERIODS if (match := shape.fullmatch(text))), None)
    if match is None:
        return None
    found = _Period(**match.groupdict())
    year = int(found.year)
    if year not in YEARS:
        return None
    with contextlib.suppress(ValueError):
        if found.week:
            return date.fromisocalendar(year, int(found.week), 1)
        return date(year, int(found.month or 3 * int(found.quarter or 0) - 2), 1)
    return None
