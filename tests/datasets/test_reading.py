"""Files as people have them: what is in a column is what is read, and what was decided is said."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from focalbench.datasets import Columns, Table, load_table, read_table, resolve
from focalbench.datasets.tables.reading import column_sentences
from focalbench.errors import InputError
from focalbench.runs.run import Recipe

BLANK = '" "'


def write(folder: Path, text: str, name: str = "d.csv") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def read(path: str, **options: Any) -> Table:
    return read_table(path, Columns("y", **options))


def column(table: Table, name: str) -> list[float | None]:
    """A column's numbers, in float32."""
    return [None if pd.isna(value) else float(value) for value in table.frame[name]]


def assert_steps(table: Table, name: str, expected: list[float]) -> None:
    """A column that float32 cannot hold is stored less a constant: then only the steps are known."""
    np.testing.assert_allclose(np.diff(table.frame[name]), np.diff(expected), rtol=1e-6)


def how(table: Table, name: str) -> str:
    return next(each.how for each in table.columns if each.name == name)


def kind(table: Table, name: str) -> str:
    return next(each.read_as for each in table.columns if each.name == name)


def rows(header: str, *lines: str, separator: str = ";") -> str:
    """A file of these lines, again and again with y in turn, so that both classes are there."""
    body = [separator.join([line, str(i % 2)]) for i, line in enumerate(lines)]
    return "\n".join([f"{header}{separator}y", *body, ""])


def test_a_leading_zero_parts_no_thousands(tmp_path: Path) -> None:
    table = read(write(tmp_path, rows("x", "0,125", "0,250", "1")))
    assert column(table, "x") == [0.125, 0.25, 1]


def test_the_other_columns_decide_what_one_leaves_open(tmp_path: Path) -> None:
    table = read(write(tmp_path, rows("a;b", "1.234;0,5", "2.500;1,5", "3.125;2,25")))
    assert column(table, "a") == [1234, 2500, 3125]
    assert any("1.234 is read as thousands" in warning for warning in table.warnings)
    point = read(write(tmp_path, rows("a;b;c", "1.234;0.5;0,5", "2.500;1.5;0.25", "3.125;2.25;0.125")))
    assert_steps(point, "a", [1.234, 2.5, 3.125])


@pytest.mark.parametrize(("separator", "expected"), [(";", [1.234, 5.678]), ("\t", [1234, 5678])])
def test_where_no_column_shows_it_the_separator_does_and_it_is_said(
    tmp_path: Path, separator: str, expected: list[float]
) -> None:
    table = read(write(tmp_path, rows("x", "1,234", "5,678", separator=separator)))
    assert_steps(table, "x", expected)
    assert any("1,234 is read with a decimal comma" in warning for warning in table.warnings) == (separator == ";")


def test_points_of_other_columns_count_and_whole_numbers_beside_groups_show(tmp_path: Path) -> None:
    points = read(write(tmp_path, rows("a;b;c", "1.007;0.25;0.014", "2.500;0.5;0.5", "3.125;0.75;0.1")))
    assert_steps(points, "a", [1.007, 2.5, 3.125])
    assert points.warnings == ()
    sap = read(write(tmp_path, rows("w\tx", "567\ta", "1.234\ta", "12.000\tb", "89\tb", separator="\t")))
    assert column(sap, "w") == [567, 1234, 12000, 89]
    assert any("1.234 is read as thousands" in warning for warning in sap.warnings)


def test_a_bound_is_another_value_than_its_number(tmp_path: Path) -> None:
    table = read(write(tmp_path, rows("x;z", *(f"{('<=50K', '>50K')[i % 3 == 0]};{i}" for i in range(30)))))
    assert len(set(column(table, "x"))) == 2


def test_a_text_that_repeats_in_rows_that_repeat_is_kept(tmp_path: Path) -> None:
    table = read(write(tmp_path, rows("product;price", *(f"p{i % 20};{i % 20}" for i in range(200)))))
    assert kind(table, "product") == "category"
    assert "product: kept" in table.changes


def test_the_parts_of_a_date_take_no_other_columns_name(tmp_path: Path) -> None:
    table = read(write(tmp_path, rows("d;d_year", *(f"20{10 + i % 9}-01-02;{i}" for i in range(30)))))
    assert column(table, "d_year") == list(range(30))
    assert "d_year of the date" in table.frame.columns
    assert ("d_year of the date", "d") in table.derived


@pytest.mark.parametrize("amount", ["1.234,50", "$1,234.50", "1'234.50", "1 234,50", "12,5 %", "(1.234,50 €)", "1,2E3"])
def test_amounts_of_a_bank_keep_their_values(tmp_path: Path, amount: str) -> None:
    others = [amount.replace("2", str(digit)) for digit in (3, 4, 5, 6)]
    table = read(write(tmp_path, rows("x", amount, *others)))
    assert kind(table, "x") == "number"
    values = column(table, "x")
    assert sorted(values) == values or sorted(values, reverse=True) == values  # type: ignore[type-var]
    assert len(set(values)) == 5


def test_weights_and_times_are_read_as_features_are(tmp_path: Path) -> None:
    text = rows("x;w;t", *(f"{i};{i},5;{i},25" for i in range(9)))
    by_weight = read(write(tmp_path, text), weight="w", drop=("t",))
    assert by_weight.weights is not None
    assert by_weight.weights.tolist() == [i + 0.5 for i in range(9)]
    by_time = read(write(tmp_path, text), time="t", drop=("w",))
    assert by_time.groups is not None
    assert by_time.groups.tolist() == list(range(9))
    clock = read(write(tmp_path, rows("x;t", *(f"{i};{20 - i}:30" for i in range(9)))), time="t")
    assert clock.groups is not None
    assert clock.groups.tolist() == list(range(8, -1, -1))


def test_a_header_of_any_length_is_read_and_real_doubles_are_refused(tmp_path: Path) -> None:
    names = ["a", *["b" * 50 + str(i) for i in range(3000)], "a2"]
    body = "".join(",".join([str(i)] * len(names)) + f",{i % 2}\n" for i in range(4))
    assert len(read(write(tmp_path, ",".join(names) + ",y\n" + body)).frame.columns) == len(names)
    with pytest.raises(InputError, match="more than one column named a"):
        read(write(tmp_path, ",".join([*names[:-1], "a"]) + ",y\n" + body))


def test_integers_beyond_every_float_stay_apart(tmp_path: Path) -> None:
    frame = pd.DataFrame({"g": [2**53, 2**53 + 1] * 3, "x": range(6), "y": [0, 1] * 3})
    frame.to_parquet(tmp_path / "d.parquet")
    frame.to_csv(tmp_path / "d.csv", index=False)
    for name in ("d.parquet", "d.csv"):
        groups = read(str(tmp_path / name), group="g").groups
        assert groups is not None
        assert len(set(groups.tolist())) == 2


@pytest.mark.parametrize("mark", ["-", ".", "\\N", "#DIV/0!", "unknown", "pending"])
def test_a_mark_of_the_missing_may_be_in_most_cells(tmp_path: Path, mark: str) -> None:
    table = read(write(tmp_path, rows("x", *(f"{i},5" for i in range(10)), *[mark] * 30)))
    assert column(table, "x") == [*(i + 0.5 for i in range(10)), *[None] * 30]
    assert repr(mark) in how(table, "x")


def test_dates_keep_their_column_where_one_cell_is_none(tmp_path: Path) -> None:
    days = [f"2023-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(200)]
    table = read(write(tmp_path, rows("d", *days, "n.d.")))
    assert kind(table, "d") == "date"
    assert "'n.d.' as missing" in how(table, "d")


def test_quoted_blanks_are_missing_and_blanks_around_a_level_are_none(tmp_path: Path) -> None:
    lines = [f'{i if i % 3 else BLANK},"{("red", "red ", "blue")[i % 3]}"' for i in range(12)]
    table = read(write(tmp_path, rows("x,c", *lines, separator=",")))
    assert [value is None for value in column(table, "x")] == [i % 3 == 0 for i in range(12)]
    assert [each.distinct for each in table.columns if each.name == "c"] == [2]


def test_a_first_line_that_names_the_separator_is_obeyed(tmp_path: Path) -> None:
    table = read(write(tmp_path, "sep=;\r\na,b;y\r\n1,5;0\r\n2,5;1\r\n"))
    assert column(table, "a,b") == [1.5, 2.5]
    assert column(read(write(tmp_path, "\ufeffSEP=|\na;b|y\n1.5|0\n2.5|1\n")), "a;b") == [1.5, 2.5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b,y\n1,2,0\n1,2,3,4\n", "line 3 has 4 cells and the header 3"),
        ('a,y\n"1,0\n2,1\n', "never closed"),
        ("a,y\n1,2,0\n1,2,1\n", "more cells than the header"),
    ],
)
def test_a_crooked_table_is_told_in_our_words(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(write(tmp_path, text))


def test_codes_are_categories_where_a_person_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, rows("zip;x", "01234;1", "1234;2", "-1;3", "01234;4"))
    table = read(path, category=("zip",))
    assert table.categorical == ("zip",)
    assert table.frame["zip"].tolist() == ["01234", "1234", "-1", "01234"]
    assert any("leading zeros" in note and "zip" in note for note in read(path).notes)
    for wrong in ({"category": ("nothing",)}, {"category": ("x",), "group": "x"}):
        with pytest.raises(InputError):
            read(path, **wrong)


def test_parquet_columns_are_named_for_what_they_are(tmp_path: Path) -> None:
    odd = {
        "wait": [timedelta(seconds=90), timedelta(hours=1), None],
        "price": [Decimal("1.50"), Decimal("2.25"), None],
        "lists": [[1], [2], [3]],
        "big": pd.array([1, None, 3], dtype="Int64"),
        "y": [0, 1, 0],
    }
    pd.DataFrame(odd).to_parquet(tmp_path / "d.parquet")
    table = read(str(tmp_path / "d.parquet"))
    assert column(table, "wait") == [90, 3600, None]
    assert column(table, "price") == [1.5, 2.25, None]
    assert column(table, "big") == [1, None, 3]
    assert (kind(table, "lists"), how(table, "lists")) == ("dropped", "lists that never repeats")


def test_names_lose_the_blanks_around_them(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, ' a ," Is  Cancer ",b\n1,0,2\n2,1,3\n'), Columns("Is Cancer"))
    assert list(table.frame.columns) == ["a", "b"]
    with pytest.raises(InputError, match="more than one column named a"):
        read_table(write(tmp_path, "a, a ,y\n1,2,0\n2,3,1\n"), Columns("y"))


def test_texts_that_hold_digits_are_pointed_out(tmp_path: Path) -> None:
    texts = [f"{i % 60}/{i % 6} units" for i in range(400)]
    table = read(write(tmp_path, rows("x;z", *(f"{text};{i}" for i, text in enumerate(texts)))))
    assert kind(table, "x") == "category"
    assert any(warning.startswith("column x: ") and "'0/0 units'" in warning for warning in table.warnings)
    never = read(write(tmp_path, rows("x;id;z", *(f"{i}/{i}u;K{i};{i % 7}" for i in range(400)))))
    assert [warning.partition(":")[0] for warning in never.warnings] == ["column x"]


def test_what_was_decided_is_told_in_few_lines(tmp_path: Path) -> None:
    lines = [f"{i},5 €;{'-' if i % 4 == 0 else i};{'ab'[i % 2]};12:{i % 60:02d};same" for i in range(100)]
    table = read(write(tmp_path, rows("pay;n;c;t;k", *lines)))
    assert column_sentences(table) == (
        "numbers (2): pay (decimal comma; € stripped), n ('-' as missing; 25 missing)",
        "times of day (1): t (hours since midnight)",
        "categories (1): c",
        "dropped (1): k (does not vary)",
    )


# ---- identity: a stored run is taken again only where a file still means the same


PLAIN = rows("a;b;c;d", *(f"{i};{i},5;{'uvw'[i % 3]};2023-01-{1 + i % 28:02d}" for i in range(400)))
OTHERWISE = {
    "unit": PLAIN.replace(",5;", ",5 €;"),
    "thousands": PLAIN.replace(";7,5;", ";1.007,5;"),
    "mark": PLAIN.replace(";7,5;", ";-;"),
    "blanks": PLAIN.replace(";u;", ";u ;"),
    "time": PLAIN.replace("2023-01-", "12:"),
    "short years": PLAIN.replace("2023-01-", "01/13/"),
}


def planned(path: str, **options: Any) -> Recipe:
    load_table.__globals__["_table"].cache_clear()
    return resolve(Recipe(path, 100, columns=Columns(target="y", **options)))


def test_only_what_is_read_otherwise_is_another_table(tmp_path: Path) -> None:
    assert planned(write(tmp_path, PLAIN)).reading == ""
    found = {name: planned(write(tmp_path, text)).reading for name, text in OTHERWISE.items() if name != "mark"}
    assert all(found.values())
    # 1 of 400 cells was lost before, too, and is missing now as then
    assert planned(write(tmp_path, OTHERWISE["mark"])).reading == ""


def test_what_stays_in_numpy_is_what_was_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.standard_normal(300), "b": rng.integers(-9, 9, 300), "y": [0, 1, 0] * 100})
    frame.to_csv(tmp_path / "d.csv", index=False)
    table = read(str(tmp_path / "d.csv"))
    median = frame["a"].median()
    np.testing.assert_allclose(table.frame["a"], frame["a"] - median, rtol=1e-6)
    assert table.changes == ()


@pytest.mark.parametrize("start", [2**60, 10**19, 12345678901234567890123])
def test_identifiers_beyond_every_float_do_vary(tmp_path: Path, start: int) -> None:
    table = read(write(tmp_path, rows("id;x", *(f"{start + i};{i}" for i in range(40)))))
    assert (kind(table, "id"), how(table, "id")) == ("dropped", "identifiers too long for numbers that never repeats")


def test_categories_that_differ_in_their_spelling_only_are_warned_of_once(tmp_path: Path) -> None:
    """Blanks around are none, so 'V ' is 'V'; versions and ranges keep their punctuation."""
    lines = ["V;red;1.1.0;s", "v;Red.;11.0;t", "V ;blue;1-10;s", "W;red;110 ;u"] * 5
    table = read(write(tmp_path, rows("grade;paint;version;other", *lines)))
    assert table.warnings == (
        "categories of 2 columns (first: grade) differ only in case, blanks or punctuation, such as 'V' and 'v'; where "
        "they mean the same, write them alike in the file",
    )
    assert list(table.frame["grade"].cat.categories) == ["V", "W", "v"]
    one = read(write(tmp_path, rows("paint;other", *[line.split(";")[1] + ";" + line[-1] for line in lines])))
    assert one.warnings[0].startswith("categories of column paint differ only in case")
    told = read(write(tmp_path, rows("code;other", *["1a;s", "1A;t", "2;s", "3;u"] * 4)), category=("code",))
    assert "categories of column code differ" in told.warnings[0]
    assert read(write(tmp_path, rows("grade;other", *["V;s", "W;t", "W;u", "V;s"] * 4))).warnings == ()


def test_a_column_that_says_whose_a_row_is_is_named_with_group(tmp_path: Path) -> None:
    """Named like an identifier, of many values that repeat; not where rows are split otherwise already."""
    lines = [f"P{i % 40};{i % 7};{i};{i % 3}" for i in range(160)]
    path = write(tmp_path, rows("patient_id;ward_id;visit_id;a", *lines))
    note = "identifiers perhaps (then `group`, so that none is in two splits): patient_id"
    assert note in read(path).notes
    for options in ({"group": "patient_id"}, {"time": "visit_id"}):
        assert all("then `group`" not in text for text in read(path, **options).notes)
