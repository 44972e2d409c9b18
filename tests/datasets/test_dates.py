"""Dates and times of day as people write them."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focalbench.datasets import Columns, Table, read_table
from focalbench.datasets.columns.dates import Clock, read_clock, read_dates
from focalbench.errors import InputError

FORMATS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y"),
    *("%d %b %Y", "%d-%b-%y", "%d%b%Y", "%B %d, %Y", "%b %d %Y", "%Y %b %d", "%d. %B %Y"),
)
NO_DATES = (
    *("Augsburg 2020|Marburg 2021|Mayen 2019", "Marker 10|Marker 12", "MAR01|APR02", "Jan 05|Jan 06"),
    "abc 12 2020",
    *("4711-01|4712-02", "5-1234|6-1244", "2020-01-05 25:00|2020-01-06 26:00", "10.2.3|10.2.4", "0000-00-00"),
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
        ("05JAN2021:10:30:00|06FEB2021:00:00:01", "2021-01-05 10:30|2021-02-06 00:00:01"),
        ("05/Jan/2021:10:00:00 +0000|06/Jan/2021:10:00:00 +0200", "2021-01-05 10:00|2021-01-06 08:00"),
        ("Tue Jan 05 10:00:00 2021|Wed Jan  6 10:00:00 2021", "2021-01-05 10:00|2021-01-06 10:00"),
        ("30 Sept 2020|Jan '05|JAN2021", "2020-09-30|2005-01-01|2021-01-01"),
        ("21/01/05|45/02/03", "2021-01-05|1945-02-03"),  # no day is 45
        ("05/01/21|13/02/45", "2021-01-05|1945-02-13"),
        ("01.02.2023|03.04.2022", "2023-02-01|2022-04-03"),  # only the day comes before a dot
        ("12/13/68|12/13/69|12/13/30", "1968-12-13|1969-12-13|2030-12-13"),
    ],
)
def test_other_ways_of_writing(texts: str, expected: str) -> None:
    found = read(texts.split("|"))
    assert found is not None
    assert [pd.Timestamp(value) for value in found] == [pd.Timestamp(value) for value in expected.split("|")]


@pytest.mark.parametrize(
    "texts",
    [
        "soon|later",
        "2023-01-01|soon|later",
        "13/13/2023|14/14/2023",
        "1/2|3/4",
        "5 May|6 Jun",
        "abc 12 2020",
        *NO_DATES,
    ],
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


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        ("21-01-05|21-02-06", "the day or the year"),
        ("05/06/07|07/08/09", "the day or the month or the year"),
        ("01.02.21|03.04.22", "the day or the year"),
        ("Jan-05|Dec-15", "a month of a year or a day of a month"),
    ],
)
def test_years_of_two_digits_that_may_be_days_are_open(texts: str, order: str) -> None:
    found = read_dates(pd.Series(texts.split("|"), dtype="str", name="d"), day_first=False)
    assert found is not None
    assert found.open
    assert order in found.doubts[0]


@pytest.mark.parametrize("pattern", ["%y-%m-%d", "%d.%m.%y", "%d/%m/%y"])
def test_what_takes_more_values_is_the_day(pattern: str) -> None:
    days = pd.date_range("2019-01-05", periods=200, freq="3D")
    found = read_dates(pd.Series(days.strftime(pattern), dtype="str", name="d"), day_first=False)
    assert found is not None
    assert not found.open
    assert list(found.values) == list(days)


def test_no_date_of_birth_lies_ahead() -> None:
    found = read_dates(pd.Series(["13.01.45", "14.02.30", "15.02.99"], dtype="str", name="d"), day_first=False)
    assert found is not None
    assert list(found.values.dt.year) == [1945, 2030, 1999]
    assert "'13.01.45', are read as 1931 to 1999" in found.doubts[0]


@pytest.mark.parametrize(
    "mark",
    [
        *("9999-12-31", "31.12.9999", "0001-01-01", "1900-01-00", "00/00/0000", "0000-00-00", "1/0/1900"),
        *("0000-00-00 00:00:00", "9999-12-31T23:59:59Z"),
    ],
)
def test_dates_that_there_are_not_are_missing_whatever_their_share(mark: str) -> None:
    found = read_dates(pd.Series([mark, mark, mark, "2020-01-05", "2020-02-06"], name="d"), day_first=False)
    assert found is not None
    assert found.values.isna().sum() == 3
    assert (found.missing, found.usual) == ((mark,), False)


@pytest.mark.parametrize(
    ("texts", "usual"),
    [
        ("2020-01-05T10:00:00+02:00|2020-01-06T10:00:00+01:00", True),
        ("2020-01-05T10:00:00+02:00|2020-01-06 10:00", False),
    ],
)
def test_a_zone_is_turned_to_utc_and_it_is_said(texts: str, usual: bool) -> None:
    found = read_dates(pd.Series(texts.split("|"), name="d"), day_first=False)
    assert found is not None
    assert (found.values[0].hour, found.how, found.usual) == (8, ("in UTC",), usual)


def hours(texts: str) -> Clock | None:
    found = texts.split("|")
    return read_clock(found, [1] * len(found))


def test_times_of_day_are_hours() -> None:
    found = hours("13:45|1:45:30|1:45 pm|12:00 am|-")
    assert found is not None
    assert found.hours[:4].tolist() == [13.75, 1 + 45.5 / 60, 13.75, 0.0]
    assert pd.isna(found.hours[4])
    assert (found.how, found.doubts) == ("hours since midnight", ())


@pytest.mark.parametrize("texts", ["13:45|a|b", "-", "1:10|1:20|1:40", "1:10|1:80|1:160", "13:60|14:70"])
def test_titres_are_no_times(texts: str) -> None:
    assert hours(texts) is None


def test_durations_and_lost_times_are_doubted() -> None:
    long = hours("25:30|1:10")
    assert long is not None
    assert (long.how, "'25:30'" in long.doubts[0]) == ("hours", True)
    lost = read_clock(["13:45", "2:10", "12:75"], [50, 49, 1])
    assert lost is not None
    assert "'12:75' are no times" in lost.doubts[0]
    assert read_clock(["33:45", "2:10", "12:75"], [50, 49, 1]) is None


# ---- --time


PERIODS = [
    "01.2020|12.2020|01.2021|02.2021|10.2021",
    "1.2020|3.2020|10.2020|1.2021",
    "2020.1|2020.2|2020.10|2020.12|2021.1",
    "2020Q1|2020Q4|2021Q1",
    "Q2 2020|Q3 2020|Q1 2021",
    "2020-W05|2020-W53|2021-W01",
    "W52/2020|W01/2021|W10/2021",
    "Tue Dec 29 10:00:00 2020|Fri Jan 01 09:00:00 2021",
    "28DEC2020:10:30:00|05JAN2021:10:30:00",
]


def ranks(folder: Path, texts: list[str], separator: str = ",") -> list[int]:
    table = time_table(folder, texts, separator)
    assert table.groups is not None
    return [int(rank) for rank in table.groups]


def time_table(folder: Path, texts: list[str], separator: str = ",") -> Table:
    lines = [f"{text}{separator}{k}{separator}{k % 2}" for k, text in enumerate(texts)]
    (folder / "d.csv").write_text("\n".join([separator.join("txy"), *lines, ""]))
    return read_table(str(folder / "d.csv"), Columns("y", time="t"))


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("texts", PERIODS)
def test_months_quarters_and_weeks_are_in_their_order(tmp_path: Path, texts: str, separator: str) -> None:
    in_order = texts.split("|")
    assert ranks(tmp_path, in_order, separator) == list(range(len(in_order)))
    assert ranks(tmp_path, in_order[::-1], separator) == list(range(len(in_order)))[::-1]


def test_only_another_order_is_another_table(tmp_path: Path) -> None:
    assert "time t: months" in time_table(tmp_path, ["2020.1", "2020.2", "2020.10", "2020.12"]).changes
    assert "months for --time" not in time_table(tmp_path, ["2020.01", "2020.02", "2020.10", "2020.12"]).changes


@pytest.mark.parametrize(
    "texts",
    [
        *("soon|later|never", "Jan 05|Jan 06|Jan 07", "Jan-05|Jan-06|Jan-07", "05/06/07|06/06/07|07/06/07"),
        *("12020|22020|122020", "05012021|06022021|07032021", "010521|011421|022821"),
    ],
)
def test_times_that_cannot_be_told_are_refused_with_the_remedy(tmp_path: Path, texts: str) -> None:
    with pytest.raises(InputError, match="write dates as 2023-01-31"):
        time_table(tmp_path, texts.split("|"))


@pytest.mark.parametrize("texts", ["20201231|20210101|20210105", "202012|202101|202102", "44197|44198|44200"])
def test_numbers_that_sort_as_dates_do_stay(tmp_path: Path, texts: str) -> None:
    assert ranks(tmp_path, texts.split("|")) == [0, 1, 2]


def test_months_that_pandas_takes_for_numbers_are_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("m,y\n" + "".join(f"{1 + k % 12:02d}.2021,{k % 2}\n" for k in range(24)))
    assert any("look like months" in warning for warning in read_table(str(tmp_path / "d.csv"), Columns("y")).warnings)


@settings(max_examples=200)
@given(st.lists(st.text("0123456789/.-: TZJanFebMay,+", max_size=20), min_size=1, max_size=5, unique=True))
def test_any_texts_are_dates_or_none(texts: list[str]) -> None:
    found = read(texts)
    assert found is None or len(found) == len(texts)
