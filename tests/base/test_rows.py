"""Dataclasses to CSV and back: nothing lost, nothing run by a spreadsheet, other files refused."""

import csv
import io
import json
import math
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focalbench.base.rows import (
    As,
    Value,
    columns,
    csv_text,
    flatten,
    read_rows,
    rows_of,
    rows_text,
    texts,
)
from focalbench.errors import InputError

PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=20)
TEXT = st.one_of(PLAIN, st.builds(str.__add__, st.sampled_from(["'", "''=", "=", "+1", "-", "@", "\t", "\n"]), PLAIN))
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
EXTREMES = [0.1 + 0.2, 5e-324, -5e-324, 1.7976931348623157e308, 1e22, 1e-7, -0.0, 1 / 3]


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float | None


@dataclass(frozen=True, slots=True)
class Tinted:
    x: float
    colour: Colour


@dataclass(frozen=True, slots=True)
class Sample:
    """A field of every kind."""

    text: str
    maybe_text: str | None
    count: int
    maybe_count: int | None
    number: float
    yes: bool
    maybe: bool | None
    colour: Colour
    point: Point
    prefixed: Annotated[Point, As(prefix="other_")]
    named: Annotated[Tinted | None, As(columns=("left", "tint"), absent=(("colour", "gone"),))]
    many: Annotated[tuple[float, ...], As(columns=("first", "second"))]
    items: Annotated[tuple[int, ...] | None, As(write=json.dumps, read=lambda text: tuple(json.loads(text)))]
    renamed: Annotated[float | None, As(former="before")]


POINTS = st.builds(Point, FLOAT, st.one_of(st.none(), FLOAT))
SAMPLES = st.builds(
    Sample,
    text=st.one_of(st.just(""), TEXT),
    maybe_text=st.one_of(st.none(), TEXT),
    count=st.integers(-(2**70), 2**70),
    maybe_count=st.one_of(st.none(), st.integers()),
    number=FLOAT,
    yes=st.booleans(),
    maybe=st.one_of(st.none(), st.booleans()),
    colour=st.sampled_from(Colour),
    point=POINTS,
    prefixed=POINTS,
    named=st.one_of(st.none(), st.builds(Tinted, FLOAT, st.sampled_from(Colour))),
    many=st.tuples(FLOAT, FLOAT),
    items=st.one_of(st.none(), st.lists(st.integers(), max_size=3).map(tuple)),
    renamed=st.one_of(st.none(), FLOAT),
)
ONE = Sample(
    *("a", "b", 1, 2, 0.5, True, False, Colour.RED, Point(1.0, 2.0), Point(3.0, None), Tinted(4.0, Colour.BLUE)),
    *((6.0, 7.0), (8, 9), 0.25),
)


@dataclass(frozen=True)
class Text:
    text: str | None


@dataclass(frozen=True)
class Number:
    number: float
    count: int = 0


def written(folder: Path, text: str) -> Path:
    (folder / "t.csv").write_text(text, encoding="utf-8", newline="")
    return folder / "t.csv"


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(SAMPLES, max_size=2))
def test_rows_come_back_to_the_last_bit(tmp_path: Path, rows: list[Sample]) -> None:
    assert repr(read_rows(written(tmp_path, rows_text(Sample, rows)), Sample)) == repr(rows)
    assert repr(rows_of(Sample, map(flatten, rows))) == repr(rows)


def test_columns_are_the_fields_those_of_a_nested_row_in_its_place() -> None:
    assert columns(Sample) == (
        *("text", "maybe_text", "count", "maybe_count", "number", "yes", "maybe", "colour", "x", "y"),
        *("other_x", "other_y", "left", "tint", "first", "second", "items", "renamed"),
    )
    assert texts(Sample) == ("text", "maybe_text", "yes", "maybe", "colour", "tint", "items")
    cells = list(flatten(ONE).values())
    assert cells[:8] == ["a", "b", 1, 2, 0.5, "true", "false", "red"]
    assert cells[8:] == [1.0, 2.0, 3.0, None, 4.0, "blue", 6.0, 7.0, "[8, 9]", 0.25]


def test_the_columns_of_what_is_absent_hold_what_is_said() -> None:
    cells = flatten(replace(ONE, named=None))
    assert (cells["left"], cells["tint"]) == (None, "gone")


@pytest.mark.parametrize("value", EXTREMES)
def test_a_number_comes_back_with_its_sign(tmp_path: Path, value: float) -> None:
    (row,) = read_rows(written(tmp_path, rows_text(Number, [Number(value)])), Number)
    assert repr(row.number) == repr(value)
    assert math.copysign(1, row.number) == math.copysign(1, value)


def test_numpy_floats_are_written_as_floats() -> None:
    assert rows_text(Number, [Number(np.float64(0.1))]) == "number,count\n0.1,0\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|'/c calc'!A1", "'=1", "''@"])
def test_no_text_begins_as_a_formula(tmp_path: Path, text: str) -> None:
    content = rows_text(Text, [Text(text)])
    (cell,) = list(csv.reader(io.StringIO(content)))[1]
    assert cell == f"'{text}"
    assert read_rows(written(tmp_path, content), Text) == [Text(text)]


def test_a_negative_number_is_no_formula() -> None:
    assert rows_text(Number, [Number(-0.5, -3)]) == "number,count\n-0.5,-3\n"


@pytest.mark.parametrize("text", ["it's", "'quoted'", "a=b", " =1"])
def test_other_texts_are_left_alone(text: str) -> None:
    assert rows_text(Text, [Text(text)]) == f"text\n{text}\n"


def test_a_text_that_looks_like_a_number_stays_one(tmp_path: Path) -> None:
    for text in ("1234567890123456", "0.25", "64", 'a,"b"\nc'):
        assert read_rows(written(tmp_path, rows_text(Text, [Text(text)])), Text) == [Text(text)]


def test_the_csv_is_one_that_any_reader_opens() -> None:
    text = csv_text(("arm", "lr"), [("a, b", 1e-3), ('say "c"', None)])
    assert list(csv.reader(io.StringIO(text))) == [["arm", "lr"], ["a, b", "0.001"], ['say "c"', ""]]


ENDLESS = ("9" * 400, "[" * 9_999, "x" * 200_000)
CELLS = ("fast", "1,2", "a,1", "[1", "[1]", "true", "null", "NaN", "-Infinity", *ENDLESS)


@pytest.mark.parametrize(
    "content", ["", "\xff\n", "rate,number\n1,2\n", "\n1\n", *(f"number,count\n{cell},1\n" for cell in CELLS)]
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.csv").write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"cannot read .* as a table of this version"):
        read_rows(tmp_path / "t.csv", Number)


def test_a_cell_may_hold_hundreds_of_classes_and_other_readers_keep_their_limit(tmp_path: Path) -> None:
    row = Text(json.dumps(["x" * 1_000] * 300))
    assert read_rows(written(tmp_path, rows_text(Text, [row])), Text) == [row]
    assert csv.field_size_limit() < 300_000


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"t\.csv"):
        read_rows(tmp_path / "t.csv", Number)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("text", value) for value in (None, 1)),
        *(("count", value) for value in (None, 1.5, "1")),
        *(("number", value) for value in (None, "0.5", True, 10**400)),
        *(("yes", value) for value in (None, "yes", 1)),
        *(("colour", value) for value in (None, "green", 1)),
        *(("x", value) for value in (None, "low")),
        *(("other_x", value) for value in (None, "low")),
        ("left", None),  # while its other column holds a value
        *(("first", value) for value in (None, "low")),
        *(("items", value) for value in (1, "no", "1")),
    ],
)
def test_a_value_of_another_kind_is_refused(column: str, value: Value) -> None:
    with pytest.raises(InputError, match=rf"is no {column} of this version"):
        rows_of(Sample, [flatten(ONE) | {column: value}])


def test_a_whole_number_becomes_the_float_that_it_stands_for() -> None:
    (row,) = rows_of(Sample, [flatten(ONE) | {"number": 1}])
    assert repr(row.number) == "1.0"


# ---- files of before


@dataclass(frozen=True)
class Grown:
    """A row that has got a column since."""

    name: str
    score: float
    later: Annotated[float | None, As(added=True)] = None


def test_a_file_of_before_a_column_was_added_is_read_without_it(tmp_path: Path) -> None:
    old = written(tmp_path, "name,score\na,0.5\n")
    assert read_rows(old, Grown) == [Grown("a", 0.5)]
    now = written(tmp_path, "name,score,later\na,0.5,\n")
    assert read_rows(now, Grown) == [Grown("a", 0.5)]


@pytest.mark.parametrize("head", ["name,later", "score,name", "name,later,score", "name,score,later,more"])
def test_no_other_column_may_lack_and_their_order_counts(tmp_path: Path, head: str) -> None:
    with pytest.raises(InputError, match="its columns are others"):
        read_rows(written(tmp_path, f"{head}\n"), Grown)


def test_a_column_that_had_another_name_is_read_under_that_of_now(tmp_path: Path) -> None:
    text = rows_text(Sample, [ONE]).replace(",renamed\n", ",before\n")
    assert read_rows(written(tmp_path, text), Sample) == [ONE]
