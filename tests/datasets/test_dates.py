"""Dates and times of day as people write them."""

from datetime import datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focalbench.datasets.dates import read_clock, read_dates

FORMATS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y"),
    *("%d %b %Y", "%d-%b-%y", "%d%b%Y", "%B %d, %Y", "%b %d %Y", "%Y %b %d", "%d. %B %Y"),
)
TIMES = ("", " %H:%M", "T%H:%M:%S", " %I:%M %p")


def read(texts: list[str], *, day_first: bool = False) -> list[str] | None:
    found = read_dates(pd.Series(texts, dtype="str", name="d"), day_first=day_first)
    return None if found is None else [str(value) for value in found.values]


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("pattern", FORMATS)
def test_what_is_written_is_read(pattern: str, time: str) -> None:
    days = pd.date_range("1998-03-01 13:45", periods=60, freq="17D")
    texts = [day.strftime(pattern + time) for day in days]
    expected = days if time else days.normalize()
    assert read(texts) == [str(day) for day in expected]
    assert read([*texts, "n.d."]) == [*(str(day) for day in expected), "NaT"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ("03/2021|12/2022", "2021-03-01|2022-12-01"),
        ("2021-03|2022-12", "2021-03-01|2022-12-01"),
        ("Dec-2015|Jan-2016", "2015-12-01|2016-01-01"),
        ("2023-01-31|31/01/2023|1 Feb 2023", "2023-01-31|2023-01-31|2023-02-01"),
        ("2023-01-01T10:00:00+02:00|2023-01-01 10:00", "2023-01-01 08:00:00|2023-01-01 10:00:00"),
        ("01.02.2023|03.04.2022", "2023-02-01|2022-04-03"),  # only the day comes before a dot
        ("12/12/68|12/12/69", "2068-12-12|1969-12-12"),
    ],
)
def test_other_ways_of_writing(texts: str, expected: str) -> None:
    found = read(texts.split("|"))
    assert found is not None
    assert [pd.Timestamp(value) for value in found] == [pd.Timestamp(value) for value in expected.split("|")]


@pytest.mark.parametrize(
    "texts",
    ["soon|later", "2023-01-01|soon|later", "13/13/2023|14/14/2023", "1/2|3/4", "5 May|6 Jun", "abc 12 2020"],
)
def test_what_is_no_date_is_none(texts: str) -> None:
    assert read(texts.split("|")) is None


@pytest.mark.parametrize("day_first", [False, True])
def test_what_no_cell_shows_is_said(day_first: bool) -> None:
    column = pd.Series(["01/02/2023", "03/04/2022"], dtype="str", name="d")
    found = read_dates(column, day_first=day_first)
    assert found is not None
    assert found.open
    assert "day first" in found.doubts[0] if day_first else "month first" in found.doubts[0]
    assert found.values[0] == (datetime(2023, 2, 1) if day_first else datetime(2023, 1, 2))


def test_a_day_that_there_is_not_is_missing_and_named() -> None:
    days = [f"{day.day:02d}/{day.month:02d}/2023" for day in pd.date_range("2023-01-01", periods=100)]
    found = read_dates(pd.Series([*days, "30/02/2023"], dtype="str", name="d"), day_first=False)
    assert found is not None
    assert found.missing == ("30/02/2023",)
    assert "30/02/2023" in found.doubts[0]


def test_times_of_day_are_hours() -> None:
    found = read_clock(["13:45", "1:45:30", "1:45 pm", "12:00 am", "-"], [1] * 5)
    assert found is not None
    assert found[:4].tolist() == [13.75, 1 + 45.5 / 60, 13.75, 0.0]
    assert pd.isna(found[4])
    assert read_clock(["13:45", "a", "b"], [1] * 3) is None
    assert read_clock(["-"], [1]) is None


@settings(max_examples=200)
@given(st.lists(st.text("0123456789/.-: TZJanFebMay,+", max_size=20), min_size=1, max_size=5, unique=True))
def test_any_texts_are_dates_or_none(texts: list[str]) -> None:
    found = read(texts)
    assert found is None or len(found) == len(texts)
