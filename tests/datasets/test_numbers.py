"""Numbers as people write them: what was written is what is read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focalbench.datasets.columns.numbers import LOST, Numbers, read_numbers


def read(*texts: str, decimal: str = ".") -> Numbers | None:
    return read_numbers(texts, [1] * len(texts), decimal)  # type: ignore[arg-type]


def values(*texts: str, decimal: str = ".") -> list[float | None] | None:
    found = read(*texts, decimal=decimal)
    return None if found is None else [None if np.isnan(value) else float(value) for value in found.values]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        # decimal commas and points, thousands: one reading a column
        ("0,125|0,250|1", [0.125, 0.25, 1]),
        ("1.000,50|999,50", [1000.5, 999.5]),
        ("1,000.50|999.50", [1000.5, 999.5]),
        ("1.234|0,5", [1234, 0.5]),
        ("1,234|0.5", [1234, 0.5]),
        ("1.234.567|1.234", [1234567, 1234]),
        ("1,234,567|1,234|216", [1234567, 1234, 216]),
        ("12,34,567.5|1,00,000", [1234567.5, 100000]),
        ("1,5E-3|2,5e2", [0.0015, 250]),
        ("+1,5|-2,5", [1.5, -2.5]),
        ("1 234,50|12 345 678", [1234.5, 12345678]),
        ("1\xa0234,50|1\u202f000", [1234.5, 1000]),
        ("1'234.50|1\u2019000", [1234.5, 1000]),
        (",5|1,25", [0.5, 1.25]),
        ("5,|2,5", [5, 2.5]),
        ("1234,567|2", [1234.567, 2]),
        # signs
        ("(12.50)|3", [-12.5, 3]),
        ("12.50-|3", [-12.5, 3]),
        ("\u22125|\u20136|-7|4", [-5, -6, -7, 4]),
        ("- 5|+ 6", [-5, 6]),
        ("(1.234,50 €)|2,00 €", [-1234.5, 2]),
        # units
        ("$134.09|$1,234.50|-$5.00|$-6.00", [134.09, 1234.5, -5, -6]),
        ("EUR 1.234,50|EUR 2,00", [1234.5, 2]),
        ("R$ 1.234,50|R$ 2,00", [1234.5, 2]),
        ("10.65%|12.5 %", [10.65, 12.5]),
        ("12.5 kg|3 kg|4 KG", [12.5, 3, 4]),
        ("5 mg/dL|6 mg/dL", [5, 6]),
        ("36.6°C|37 °C", [36.6, 37]),
        ("3.5 x10^9/L|4 x10^9/L", [3.5, 4]),
        ("36 months|60 months|1 month", [36, 60, 1]),
        ("10+ years|< 1 year|3 years", [10, 1, 3]),
        ("<0.5|1.5|> 100", [0.5, 1.5, 100]),
        ("1.5k|900|2M|3k", [1500, 900, 2e6, 3000]),
        ("19M|201k", [19e6, 201e3]),
        ("1,5 Mio.|300|2 Mio.", [1.5e6, 300, 2e6]),
        ("€110.5M|€565K|€900", [110.5e6, 565e3, 900]),
        ("1.5 million|900,000", [1.5e6, 9e5]),
        ("85 Lac|1.2 Cr", [85e5, 1.2e7]),
        ("$(2.50)|$ (3.50)|$1.00", [-2.5, -3.5, 1]),
        ("120 mm Hg|80 mm Hg", [120, 80]),
        ("ca. 5|7|~ 9", [5, 7, 9]),
        ("99,-|49.\u2013|19,50", [99, 49, 19.5]),  # prices without cents
        ("9.6 H|5.1|6.2|7.3*|8|9", [9.6, 5.1, 6.2, 7.3, 8, 9]),  # a laboratory's flags
        ("567|1.234|12.000|89", [567, 1234, 12000, 89]),  # whole numbers beside groups of three
        ("567|1,234|12,000|89", [567, 1234, 12000, 89]),
        # a bound and the number that it names are two values
        ("<18|>=18", [17.5, 18.25]),
        ("5|5+|4", [5, 5.25, 4]),
        ("1.8 m|1.75 m|1.6", [1.8, 1.75, 1.6]),  # metres are no millions
        # marks of the missing
        ("1|2|-|.|\\N|#DIV/0!|unknown|n/a", [1, 2, None, None, None, None, None, None]),
        ("1|2|3|4|5|6|7|8|9|10|below detection", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, None]),
        ("1|2|  ", [1, 2, None]),
    ],
)
def test_a_column_has_one_reading(texts: str, expected: list[float | None]) -> None:
    assert values(*texts.split("|")) == expected


@pytest.mark.parametrize(
    "texts",
    [
        "C85|E46|G6",
        "10-20|20-30|30-40",
        "1/2|3/4",
        "2023-01-31|2023-02-01",
        "31.01.2023|01.02.2023",
        "10.0.0.1|192.168.1.20",
        "1st|2nd|3rd",
        "5 mg|6 g|7 mg",
        "$5|6 €",
        "1|2|X|Y|MT",
        "never|1|2|3",  # a word beside few numbers is a level
        ">200|>300|Norm",
        "1|1-|2+|2|2-",  # grades
        "5m|300000",
        "045Y|003M",
        "A|B|1",
        "12:30|13:45",
        "0171 1234567|0172 7654321",
        "1 2 3|4 5 6",
        "a|b",
        "-|.",
    ],
)
def test_what_is_no_number_is_none(texts: str) -> None:
    assert read(*texts.split("|")) is None


def test_what_a_column_leaves_open_is_asked_of_the_file() -> None:
    assert values("1,234", "5,678") == [1234, 5678]
    assert values("1,234", "5,678", decimal=",") == [1.234, 5.678]
    assert values("1.234", "5.678", decimal=",") == [1234, 5678]
    assert [(found.open, found.decimal) for found in (read("1,234", "7"), read("1,25")) if found] == [
        ("1,234", None),
        ("", ","),
    ]


def test_few_odd_cells_are_missing_and_named_and_many_are_no_numbers() -> None:
    many = [str(i) for i in range(100)]
    found = read_numbers([*many, "14a", "soon"], [1] * 102)
    assert found is not None
    assert found.missing == ("14a", "soon")
    assert any("'14a'" in doubt for doubt in found.doubts)
    too_many = int(LOST * 100) + 2
    assert read_numbers([*many, *(f"{i}/x" for i in range(too_many))], [1] * (100 + too_many)) is None


def test_one_text_among_numbers_is_a_mark_whatever_its_share() -> None:
    found = read_numbers([*map(str, range(12)), "pending"], [*[1] * 12, 1000])
    assert found is not None
    assert found.missing == ("pending",)
    assert read_numbers([*map(str, range(12)), "type 3"], [*[1] * 12, 1000]) is None  # it holds a digit
    assert read_numbers(["1", "2", "A"], [1, 1, 1000]) is None


def test_a_large_amount_is_never_missing() -> None:
    texts = [*(f"{i},50" for i in range(1, 100)), "1.000,50", "12.345.678,90"]
    assert values(*texts)[-2:] == [1000.5, 12345678.9]  # type: ignore[index]


def test_one_odd_cell_does_not_decide_for_many_open_ones() -> None:
    texts = [*(f"{i}.{i:03d}" for i in range(1, 100)), "7,5"]
    found = read(*texts)
    assert found is not None
    assert found.decimal is None
    assert found.values[0] == pytest.approx(1.001)
    assert found.values[-1] == 7.5
    assert any("another decimal mark" in doubt for doubt in found.doubts)


def test_mixed_marks_and_units_are_pointed_out() -> None:
    mixed, percent = read("1.5", "2.5", "2,5"), read("12%", "0.5")
    assert mixed is not None
    assert mixed.values.tolist() == [1.5, 2.5, 2.5]
    assert "decimal commas in 1" in mixed.doubts[0]
    assert percent is not None
    assert "end in %" in percent.doubts[0]


def grouped(value: float, mark: str, thousands: str) -> str:
    return f"{value:,.2f}".replace(",", "T").replace(".", mark).replace("T", thousands)


MARKS = ((".", ","), (",", "."), (",", " "), (".", "'"), (",", "\u202f"), (".", ""), (",", ""))
AROUND = (("", ""), ("$", ""), ("", " €"), ("CHF ", ""), ("", "%"), ("", " kg"))


@settings(max_examples=200)
@given(
    st.lists(st.integers(-(10**11), 10**11).map(lambda cents: cents / 100), min_size=2, max_size=30, unique=True),
    st.sampled_from(MARKS),
    st.sampled_from(AROUND),
    st.sampled_from(["-{}", "({})", "{}-", "\u2212{}"]),
)
def test_what_is_written_in_a_style_is_read(
    amounts: list[float], marks: tuple[str, str], around: tuple[str, str], minus: str
) -> None:
    written = [grouped(abs(amount), *marks).join(around) for amount in amounts]
    texts = [minus.format(text) if amount < 0 else text for text, amount in zip(written, amounts, strict=True)]
    found = read_numbers(texts, [1] * len(texts))
    assert found is not None
    np.testing.assert_allclose(found.values, amounts, rtol=1e-12)


@settings(max_examples=300)
@given(st.lists(st.text("0123456789.,-+%€$ ()eEkM<'abx/:", max_size=12), min_size=1, max_size=6, unique=True))
def test_any_texts_are_numbers_or_none(texts: list[str]) -> None:
    found = read_numbers(texts, [1] * len(texts))
    assert found is None or len(found.values) == len(texts)


@settings(max_examples=200)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9, unique=True))
def test_what_python_writes_is_read_to_the_bit(numbers: list[float]) -> None:
    texts = [repr(number) for number in numbers]
    found = read_numbers([*texts, "unknown"], [1] * (len(texts) + 1))
    assert found is not None
    assert found.values[:-1].tolist() == numbers
